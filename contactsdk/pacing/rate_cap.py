"""A ceiling for the rate of one run, chosen by the caller."""

import asyncio
import math
from collections.abc import Callable
from typing import Final

from contactsdk.pacing.turn_queue import TurnQueue

_CELLS_PER_S: Final = 100  # times are kept in hundredths of a second: the ceiling is exact to that
_CATCH_UP_S: Final = 0.1  # this much of a late wake-up is caught up: one percent of ten seconds


class RateCap:
    """At most `rate_per_s` requests a second: on average, and rounded up in any one second."""

    def __init__(self, rate_per_s: float, *, clock: Callable[[], float]) -> None:
        self._interval_s = 1 / rate_per_s
        self._most = math.ceil(rate_per_s)
        self._clock = clock
        self._due_at = -math.inf
        # How many requests left in each of the last cells, by the number of the cell. There is one
        # cell more than a second has, since the time within a cell is not known.
        self._cells = [0] * (_CELLS_PER_S + 1)
        self._cell = 0
        self._in_a_second = 0
        self._queue: TurnQueue[None] = TurnQueue(
            ready_at=self._ready_at, take=self._take, give_back=lambda _: None, clock=clock
        )

    def acquire_nowait(self) -> bool:
        """Count one more request if it may leave at once; returns whether it may."""
        if self._queue or self._ready_at() > self._clock():
            return False
        self._take()
        return True

    async def acquire(self) -> None:
        """Wait until one more request may leave, after those that wait already, and count it."""
        if not self.acquire_nowait():
            await self._queue.wait(self._queue.join())

    async def wait(self, wanted: int) -> None:
        """Wait until one more request may leave, without counting it."""
        await asyncio.sleep(max(0.0, self._ready_at() - self._clock()))

    def _ready_at(self) -> float:
        self._forget()
        if self._in_a_second < self._most:
            return self._due_at
        # The oldest cell in which anything left is the first to be forgotten.
        count = len(self._cells)
        oldest = next(
            cell
            for cell in range(self._cell - count + 1, self._cell + 1)
            if self._cells[cell % count]
        )
        return max(self._due_at, (oldest + count) / _CELLS_PER_S)

    def _take(self) -> None:
        self._forget()
        self._cells[self._cell % len(self._cells)] += 1
        self._in_a_second += 1
        self._due_at = max(self._due_at, self._clock() - _CATCH_UP_S) + self._interval_s

    def _forget(self) -> None:
        now = math.floor(self._clock() * _CELLS_PER_S)
        count = len(self._cells)
        for cell in range(max(self._cell + 1, now - count + 1), now + 1):
            self._in_a_second -= self._cells[cell % count]
            self._cells[cell % count] = 0
        self._cell = max(self._cell, now)
