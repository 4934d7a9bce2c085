"""The progress of a run, which is reported while the run goes on."""

import logging
from asyncio import CancelledError
from collections import deque
from collections.abc import Callable
from typing import Final, TypeAlias

from attrs import frozen

_logger: Final = logging.getLogger("contactsdk")

REPORT_EVERY_S: Final = 0.1
_RECENT_REPORTS: Final = 50  # so that the rate is measured over the last five seconds


@frozen(kw_only=True)
class Progress:
    """The progress of a run at one moment."""

    read: int
    """How many items of the input were read."""
    succeeded: int
    """How many contacts were added or updated."""
    failed: int
    """How many items were certainly not applied, including invalid ones."""
    uncertain: int
    """How many contacts may or may not have been applied."""
    in_flight: int
    """How many requests are in flight now."""
    throttled: int
    """How many requests the platform has throttled."""
    rate_limit_per_s: float | None
    """The rate limit that was found, in requests a second; `None` if no limit is known.

    Do not confuse it with `rate_per_s`, which counts outcomes."""
    paused_s: float
    """For how many seconds in all the whole run has been paused because of the platform.

    While this grows, the run is paused."""
    is_platform_away: bool
    """Whether the platform is in an outage: it does not answer, or answers only with errors, and
    one request at a time probes it."""
    resumes_in_s: float | None
    """In how many seconds the next request may leave, if the whole run waits for that.

    `None` if it does not wait, or if that depends on the answer to the request in flight."""
    rate_per_s: float
    """How many items a second got an outcome, over the last five seconds."""
    elapsed_s: float
    """Seconds since the start of the run."""


OnProgress: TypeAlias = Callable[[Progress], object]
"""Called with a `Progress`, at most ten times a second. If it raises, that is logged, and it is not
called again."""


class RecentRate:
    """The number of outcomes a second, over the reports of about the last five seconds."""

    def __init__(self, now: float) -> None:
        self._recent = deque([(now, 0)], maxlen=_RECENT_REPORTS)

    def per_s(self, now: float, outcomes: int) -> float:
        """The rate up to `now`; `outcomes` is the number of all outcomes so far."""
        since, before = self._recent[0]
        self._recent.append((now, outcomes))
        return (outcomes - before) / (now - since) if now > since else 0.0


class Reporter:
    """Calls `on_progress` with reports, until it raises."""

    def __init__(self, on_progress: OnProgress) -> None:
        self._on_progress: OnProgress | None = on_progress

    def report(self, progress: Progress) -> None:
        """Call `on_progress`; an exception that it raises is logged and does not affect the run."""
        if self._on_progress is None:
            return
        try:
            self._on_progress(progress)
        except (Exception, CancelledError):  # nothing is awaited here, so the run is not cancelled
            self._on_progress = None
            _logger.exception("on_progress raised, and is not called again")
