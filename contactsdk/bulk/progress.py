"""How far a run has come, reported while it goes on."""

import logging
from asyncio import CancelledError
from collections import deque
from collections.abc import Callable
from typing import Final, TypeAlias

from attrs import frozen

_logger: Final = logging.getLogger("contactsdk")

REPORT_EVERY_S: Final = 0.1
_RECENT_REPORTS: Final = 50  # the rate is that of the last five seconds


@frozen(kw_only=True)
class Progress:
    """How far a run has come."""

    read: int
    """How many items of the input were read."""
    succeeded: int
    """How many contacts were added or updated."""
    failed: int
    """How many are known not to be applied, invalid ones included."""
    uncertain: int
    """How many may or may not have been applied."""
    in_flight: int
    """How many requests are open now."""
    throttled: int
    """How many requests the platform refused as too many."""
    rate_limit_per_s: float | None
    """How many requests a second the platform was found to allow; `None` where no limit is known.

    Not to be confused with `rate_per_s`, which counts outcomes."""
    paused_s: float
    """For how many seconds, up to now, the whole run has waited for the platform.

    While it grows, the run is paused."""
    is_platform_away: bool
    """Whether the platform answers nothing, or only with errors, so that one request at a time is
    tried."""
    resumes_in_s: float | None
    """In how many seconds the next request may leave, where the whole run waits for that.

    `None` where it does not wait, or where only the answer to the present request can say."""
    rate_per_s: float
    """How many items a second got their outcome, over the last five seconds."""
    elapsed_s: float
    """Seconds since the start of the run."""


OnProgress: TypeAlias = Callable[[Progress], object]
"""Is called with a `Progress` ten times a second at most; what it raises is logged once."""


class RecentRate:
    """How many outcomes a second there were over the last reports, some five seconds."""

    def __init__(self, now: float) -> None:
        self._recent = deque([(now, 0)], maxlen=_RECENT_REPORTS)

    def per_s(self, now: float, outcomes: int) -> float:
        """The rate since some reports ago, given how many outcomes there are at this time."""
        since, before = self._recent[0]
        self._recent.append((now, outcomes))
        return (outcomes - before) / (now - since) if now > since else 0.0


class Reporter:
    """Calls `on_progress`, until it raises."""

    def __init__(self, on_progress: OnProgress) -> None:
        self._on_progress: OnProgress | None = on_progress

    def report(self, progress: Progress) -> None:
        """Hand it over; what is raised is logged once, and changes nothing about the run."""
        if self._on_progress is None:
            return
        try:
            self._on_progress(progress)
        except (Exception, CancelledError):  # nothing is awaited, so no cancellation of the run
            self._on_progress = None
            _logger.exception("on_progress raised, and is not called again")
