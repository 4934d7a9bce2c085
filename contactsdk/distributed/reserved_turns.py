"""Turns that a process has reserved of a rate that many processes share.

The turns of a rate are points in time, evenly spaced. A process reserves some that follow each
other, a block, and may let one request leave at each; no other process gets the same ones. No
request leaves before its turn, and none later than a tolerance after it: then the turn is stale,
and is thrown away. So the requests of any second are those of the turns in that second and in the
tolerance before it. Turns are spaced a little wider than the rate asks for, so that these are no
more than the rate allows in a second.
"""

import math
from collections import deque
from typing import Final

TOLERANCE_S: Final = 0.02
"""How late a request may leave by its turn, at least. A longer one costs rate, since turns are
spaced wider by it; a shorter one costs turns, since a busy process is late now and then."""

BLOCK_S: Final = 0.05
"""How long a block is, at most. A shorter one costs more statements; of a longer one more is lost
when its process ends, and others wait longer for their turns."""


def spacing_s(rate_per_s: float) -> float:
    """The time between two turns."""
    return (1 + TOLERANCE_S) / rate_per_s


def tolerance_s(rate_per_s: float) -> float:
    """How late a request may leave by its turn.

    Where there is less than one turn in a second, so late that a second still lies between two.
    """
    return max(TOLERANCE_S, spacing_s(rate_per_s) - 1)


def block_size(rate_per_s: float, wanted: int, usable_per_s: float | None) -> int:
    """How many turns to reserve, at least one.

    `wanted` says how many requests wait; `usable_per_s` is the rate at which the process can let
    them leave, `None` for any.
    """
    spacing = spacing_s(rate_per_s)
    size = min(wanted, BLOCK_S / spacing)
    if usable_per_s is not None and (behind_s := 1 / usable_per_s - spacing) > 0:
        # By so much more each request is behind its turn than the one before it.
        size = min(size, TOLERANCE_S / behind_s)
    return max(1, math.floor(size))


class ReservedTurns:
    """The turns of a rate that a process has at hand, by any one clock."""

    def __init__(self, rate_per_s: float) -> None:
        self._spacing_s = spacing_s(rate_per_s)
        self._tolerance_s = tolerance_s(rate_per_s)
        self._times: deque[float] = deque()
        self.thrown_away = 0
        """How many became stale before a request left by them."""

    def __len__(self) -> int:
        return len(self._times)

    def add(self, first_at: float, count: int) -> None:
        """Add a block that was reserved after all others."""
        self._times.extend(first_at + number * self._spacing_s for number in range(count))

    def next_at(self, now: float) -> float | None:
        """When the next request may leave, a time that has passed for at once; `None` for no turn.

        Turns that have become stale are thrown away.
        """
        while self._times and now > self._times[0] + self._tolerance_s:
            self._times.popleft()
            self.thrown_away += 1
        return self._times[0] if self._times else None

    def take(self, now: float) -> bool:
        """Use the next turn, if a request may leave by it now."""
        next_at = self.next_at(now)
        if next_at is None or next_at > now:
            return False
        self._times.popleft()
        return True
