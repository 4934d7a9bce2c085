"""Turns that one process has reserved from a rate that many processes share.

The turns of a rate are evenly spaced points in time. A process reserves a block of consecutive
turns, which no other process gets, and may send one request at each turn. A request leaves at its
turn or a little later, within a tolerance. After that the turn is stale and is thrown away. So the
requests of any one second use turns of that second or of the tolerance before it. Turns are spaced
a little wider than the rate requires, so that even these are no more than the rate allows in a
second.
"""

import math
from collections import deque
from typing import Final

TOLERANCE_S: Final = 0.02
"""The shortest tolerance: how long after its turn a request may still leave, in seconds.

A longer tolerance lowers the rate, since it widens the spacing of the turns. A shorter one wastes
turns, since a busy process is late now and then."""

BLOCK_S: Final = 0.05
"""The longest block, in seconds. A shorter block needs more statements. A longer block wastes more
turns when its process ends, and makes other processes wait longer for theirs."""


def spacing_s(rate_per_s: float) -> float:
    """The time between two turns, in seconds."""
    return (1 + TOLERANCE_S) / rate_per_s


def tolerance_s(rate_per_s: float) -> float:
    """How long after its turn a request may still leave, in seconds.

    If turns are more than a second apart, the tolerance is so long that two requests are still at
    least one second apart.
    """
    return max(TOLERANCE_S, spacing_s(rate_per_s) - 1)


def block_size(rate_per_s: float, wanted: int, usable_per_s: float | None) -> int:
    """How many turns to reserve, at least one.

    `wanted` is the number of requests that wait. `usable_per_s` is the rate at which this process
    can send them; `None` means that nothing limits it.
    """
    spacing = spacing_s(rate_per_s)
    size = min(wanted, BLOCK_S / spacing)
    if usable_per_s is not None and (behind_s := 1 / usable_per_s - spacing) > 0:
        # This process is slower than the turns: each request falls behind by `behind_s` more.
        size = min(size, TOLERANCE_S / behind_s)
    return max(1, math.floor(size))


class ReservedTurns:
    """The turns that a process has reserved and not used; all times are of the same clock."""

    def __init__(self, rate_per_s: float) -> None:
        self._spacing_s = spacing_s(rate_per_s)
        self._tolerance_s = tolerance_s(rate_per_s)
        self._times: deque[float] = deque()
        self.thrown_away = 0
        """How many turns became stale before a request used them."""

    def __len__(self) -> int:
        return len(self._times)

    def add(self, first_at: float, count: int) -> None:
        """Add a block of `count` turns, the first at `first_at`; blocks are added in order."""
        self._times.extend(first_at + number * self._spacing_s for number in range(count))

    def next_at(self, now: float) -> float | None:
        """When the next request may leave: at once, if the time has passed; `None` if no turn is
        left.

        Stale turns are thrown away.
        """
        while self._times and now > self._times[0] + self._tolerance_s:
            self._times.popleft()
            self.thrown_away += 1
        return self._times[0] if self._times else None

    def take(self, now: float) -> bool:
        """Use the next turn if a request may leave now; returns whether it was used."""
        next_at = self.next_at(now)
        if next_at is None or next_at > now:
            return False
        self._times.popleft()
        return True
