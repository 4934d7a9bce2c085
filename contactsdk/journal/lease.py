"""A lease, which is the right to send a run's contacts for a limited time, as its owner sees it."""

import bisect
import math
import time
from collections.abc import Sequence
from typing import Final, Self

from attrs import define, field, frozen

_CLOCK: Final[int | None] = getattr(time, "CLOCK_BOOTTIME", None)


def clock_s() -> float:
    """Seconds of a clock that nobody sets, and that on Linux also runs while the machine sleeps.

    `time.monotonic` stands still while the machine sleeps. A machine that wakes up would then
    still trust a lease that ended long ago.
    """
    return time.monotonic() if _CLOCK is None else time.clock_gettime(_CLOCK)


@define(eq=False, kw_only=True)
class Lease:
    """A lease that this process has taken, and its local deadline.

    In the database the lease counts from the moment when the statement is executed. The local
    deadline counts from the moment before the statement is sent, so it is the earlier one: no other
    process can take the run over before it.
    """

    epoch: int
    """The epoch of this owner; the number grows with each owner of the run."""
    lease_s: float
    """For how many seconds the lease is taken or extended."""
    good_until: float
    """The local deadline, by the same clock as the `asked_at` of `taken` and `extend`."""

    @classmethod
    def taken(cls, epoch: int, lease_s: float, *, asked_at: float) -> Self:
        """A new lease; `asked_at` is the local time just before the statement was sent."""
        return cls(epoch=epoch, lease_s=lease_s, good_until=asked_at + lease_s)

    def extend(self, *, asked_at: float) -> None:
        """Note that the lease was extended by a statement that was sent at `asked_at`."""
        self.good_until = asked_at + self.lease_s

    def lose(self) -> None:
        """Note that another process owns the run now; this lease can not become good again."""
        self.good_until = -math.inf

    def is_good(self, now: float) -> bool:
        """Whether the owner may send contacts at this time."""
        return now < self.good_until


@frozen
class LeaseEnds:
    """Until when the platform may still apply what earlier owners left in flight, by local time.

    An owner gets a new epoch after each broken connection, but only its last epoch is recorded with
    the end of its lease. So for a contact that was sent in some epoch, the first recorded end with
    that epoch or a later one counts.
    """

    ends: Sequence[tuple[int, float]] = field(default=())
    """Pairs of an epoch and a local time, sorted by epoch. Until that time, contacts that were sent
    in the epoch, or in an earlier epoch of the same owner, may still be applied."""

    def until(self, epoch: int) -> float:
        """Until when a contact that was sent in this epoch may be applied; `-inf` if no end is
        recorded for it.
        """
        place = bisect.bisect_left(self.ends, epoch, key=lambda end: end[0])
        return self.ends[place][1] if place < len(self.ends) else -math.inf
