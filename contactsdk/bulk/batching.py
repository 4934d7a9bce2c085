"""Rules for batches: their size, when to split one, and how long to wait for results. Pure."""

from collections.abc import Iterator, Sequence
from typing import Final

from contactsdk import wire
from contactsdk.bulk.schedule import Job
from contactsdk.errors import ContactError, RejectedError

GATHER_S: Final = 0.1
"""How long a batch waits for more contacts after its first one, in seconds."""

_FIRST_POLL_S: Final = 0.25
_LONGEST_POLL_S: Final = 5.0
_POLL_FACTOR: Final = 1.5


class BatchSize:
    """The largest number of contacts in a batch; it shrinks when the platform refuses a size."""

    def __init__(self, most: int) -> None:
        self.most = most
        """The largest number of contacts that the next batch may have."""

    def shrink(self, refused: int) -> None:
        """Allow at most half of `refused` contacts from now on: that many were too large."""
        self.most = min(self.most, max(1, refused // 2))


def poll_waits_s() -> Iterator[float]:
    """An endless iterator of the waits before each request for results, in seconds."""
    wait_s = _FIRST_POLL_S
    while True:
        yield wait_s
        wait_s = min(_LONGEST_POLL_S, wait_s * _POLL_FACTOR)


def may_be_for_one(error: ContactError) -> bool:
    """Whether a whole batch may have been refused because of a single contact in it."""
    # A firewall that objects to the text of one contact refuses the whole request.
    return isinstance(error, RejectedError) or wire.is_foreign(error)


def halves(jobs: Sequence[Job]) -> list[list[Job]]:
    """Split a batch into two."""
    middle = len(jobs) // 2
    return [list(jobs[:middle]), list(jobs[middle:])]


class Patience:
    """Measures for how long a batch has made no progress.

    Asking the platform for the progress costs a request, so it is asked only after half of the
    time.
    """

    def __init__(self, patience_s: float, now: float) -> None:
        self._patience_s = patience_s
        self._since = now
        self._percent = 0

    def is_running_out(self, now: float) -> bool:
        """Whether it is time to ask for the progress."""
        return now - self._since >= self._patience_s / 2

    def is_over(self, now: float) -> bool:
        """Whether to stop waiting for the results."""
        return now - self._since >= self._patience_s

    def record_progress(self, percent: int, now: float) -> None:
        """Note the progress that the platform reported; if it has grown, the time starts again."""
        if percent > self._percent:
            self._percent, self._since = percent, now
