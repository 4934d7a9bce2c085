"""Outcomes on their way to a consumer, who may be slower than those who make them."""

import asyncio
from collections import deque

from contactsdk.bulk.outcomes import Outcome


class Handover:
    """Outcomes that are ready, taken in the order in which they were put.

    If all who put one wait for room before they put the next, there are never more than `room` and
    one for each of them.
    """

    def __init__(self, room: int) -> None:
        self._ready: deque[Outcome] = deque()
        self._room = room
        self._low = room // 2
        self._news = asyncio.Event()
        self._drained = asyncio.Event()
        self._is_over = False
        self._is_closed = False

    @property
    def untaken(self) -> tuple[Outcome, ...]:
        """Those that nobody took, in input order."""
        return tuple(sorted(self._ready, key=lambda outcome: outcome.index))

    def put(self, outcome: Outcome) -> bool:
        """Have one ready; whether there is room for more."""
        ready = self._ready
        if not ready:
            self._news.set()
        ready.append(outcome)
        return len(ready) <= self._room

    async def room(self) -> None:
        """Wait until there is room for more."""
        while len(self._ready) > self._room:
            self._drained.clear()
            await self._drained.wait()

    def take_at_once(self) -> Outcome | None:
        """The next one; `None` where none is ready, or none can be taken any more."""
        ready = self._ready
        if not ready or self._is_closed:
            return None
        outcome = ready.popleft()
        # Not for each: all who wait for room are woken.
        if len(ready) == self._low:
            self._drained.set()
        return outcome

    async def take(self) -> Outcome | None:
        """The next one, once there is one; `None` when there will be none."""
        while not self._ready and not self._is_over:
            self._news.clear()
            await self._news.wait()
        return self.take_at_once()

    def end(self) -> None:
        """No more will be put."""
        self._is_over = True
        self._news.set()

    def close(self) -> None:
        """None can be taken any more, also by those who wait for one."""
        self._is_closed = True
        self.end()
