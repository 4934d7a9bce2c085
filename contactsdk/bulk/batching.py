"""How contacts are put into batches, and how patiently results are waited for. Pure."""

from collections.abc import Iterator, Sequence
from typing import Final

from contactsdk import wire
from contactsdk.bulk.schedule import Job
from contactsdk.errors import ContactError, RejectedError

GATHER_S: Final = 0.1
"""For how many seconds after its first contact a batch waits for more."""

_FIRST_POLL_S: Final = 0.25
_LONGEST_POLL_S: Final = 5.0
_POLL_FACTOR: Final = 1.5


class BatchSize:
    """How many contacts go into a batch: fewer once the platform has found one too large."""

    def __init__(self, most: int) -> None:
        self.most = most

    def shrink(self, refused: int) -> None:
        """A batch of `refused` contacts was too large."""
        self.most = min(self.most, max(1, refused // 2))


def poll_waits_s() -> Iterator[float]:
    """The waits before each request for results, in seconds, without an end."""
    wait_s = _FIRST_POLL_S
    while True:
        yield wait_s
        wait_s = min(_LONGEST_POLL_S, wait_s * _POLL_FACTOR)


def may_be_for_one(error: ContactError) -> bool:
    """Whether a whole batch may have been refused, unapplied, for one of its contacts."""
    # A firewall that dislikes one contact's text refuses the request that holds it.
    return isinstance(error, RejectedError) or wire.is_foreign(error)


def halves(jobs: Sequence[Job]) -> list[list[Job]]:
    """Two batches instead of one."""
    middle = len(jobs) // 2
    return [list(jobs[:middle]), list(jobs[middle:])]


class Patience:
    """Ends when a batch has made no progress for too long.

    The platform tells the progress only when it is asked, which costs a request. So that is done
    only from half the time on.
    """

    def __init__(self, patience_s: float, now: float) -> None:
        self._patience_s = patience_s
        self._since = now
        self._percent = 0

    def is_running_out(self, now: float) -> bool:
        """Whether it is time to ask for the progress."""
        return now - self._since >= self._patience_s / 2

    def is_over(self, now: float) -> bool:
        """Whether the results are waited for no longer."""
        return now - self._since >= self._patience_s

    def record_progress(self, percent: int, now: float) -> None:
        """The platform said how much is done."""
        if percent > self._percent:
            self._percent, self._since = percent, now
