"""The right to send a run's contacts for a limited time, as the process that has it sees it."""

import bisect
import math
import time
from collections.abc import Sequence
from typing import Final, Self

from attrs import define, field, frozen

_CLOCK: Final[int | None] = getattr(time, "CLOCK_BOOTTIME", None)


def clock_s() -> float:
    """Seconds by a clock that is never set, and on Linux goes on while the machine sleeps.

    `time.monotonic` stands still then, so a machine that wakes up would believe in a lease that
    ended long ago.
    """
    return time.monotonic() if _CLOCK is None else time.clock_gettime(_CLOCK)


@define(eq=False, kw_only=True)
class Lease:
    """A lease that was taken, and its local deadline.

    The database counts the time of a lease from when it executes a statement, which is later than
    when the statement was sent. The local deadline counts from the sending, so it is the earlier
    one: nobody else can have taken the run over before it.
    """

    epoch: int
    """Which owner of the run this is; the number grows with each."""
    lease_s: float
    """For how many seconds the lease is taken or extended."""
    good_until: float
    """The local deadline, by the clock that `taken` and `extend` were given the time of."""

    @classmethod
    def taken(cls, epoch: int, lease_s: float, *, asked_at: float) -> Self:
        """A lease that was asked for at this time by the local clock."""
        return cls(epoch=epoch, lease_s=lease_s, good_until=asked_at + lease_s)

    def extend(self, *, asked_at: float) -> None:
        """It was extended by a statement that was sent at this time."""
        self.good_until = asked_at + self.lease_s

    def lose(self) -> None:
        """Another process has the run now, for good."""
        self.good_until = -math.inf

    def is_good(self, now: float) -> bool:
        """Whether contacts may be sent at this time."""
        return now < self.good_until


@frozen
class LeaseEnds:
    """Until when what older owners left in flight may be applied, by the local clock.

    An owner has a new epoch after each broken connection, and its end is recorded with its last
    one. So the end that counts for what was sent in an epoch is the first from that epoch on.
    """

    ends: Sequence[tuple[int, float]] = field(default=())
    """An epoch, and until when what was sent up to it may be applied, in the order of epochs."""

    def until(self, epoch: int) -> float:
        """Until when what was sent in this epoch may be applied; `-inf` where nobody left it."""
        place = bisect.bisect_left(self.ends, epoch, key=lambda end: end[0])
        return self.ends[place][1] if place < len(self.ends) else -math.inf
