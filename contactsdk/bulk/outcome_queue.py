"""Outcomes on their way to a consumer, who may be slower than the workers."""

import asyncio
from collections import deque

from contactsdk.bulk.outcomes import Outcome


class OutcomeQueue:
    """A bounded queue that is cheap while there is room.

    `put` never waits and may overfill it: whoever puts an outcome waits for `room` before the next
    one, so there are never more than the bound and one for each who puts.
    """

    def __init__(self, bound: int) -> None:
        self._ready: deque[Outcome] = deque()
        self._bound = bound
        self._low = bound // 2
        self._not_empty = asyncio.Event()
        self._drained = asyncio.Event()
        self._is_finished = False
        self._is_closed = False

    @property
    def undelivered(self) -> tuple[Outcome, ...]:
        """The outcomes that nobody took, in input order."""
        return tuple(sorted(self._ready, key=lambda outcome: outcome.index))

    @property
    def has_room(self) -> bool:
        """Whether another outcome may be put without waiting for `room` first."""
        return len(self._ready) <= self._bound

    def put(self, outcome: Outcome) -> None:
        """Add an outcome, also where there is no room: wait for `room` before the next one."""
        ready = self._ready
        if not ready:
            self._not_empty.set()
        ready.append(outcome)

    async def room(self) -> None:
        """Wait, if there is no room, until the queue is only half full."""
        while not self.has_room:
            self._drained.clear()
            await self._drained.wait()

    def get_nowait(self) -> Outcome | None:
        """The next outcome; `None` where there is none, or after `close`."""
        ready = self._ready
        if not ready or self._is_closed:
            return None
        outcome = ready.popleft()
        # Not for each outcome: all who wait for room are woken at once.
        if len(ready) == self._low:
            self._drained.set()
        return outcome

    async def get(self) -> Outcome | None:
        """The next outcome, once there is one; `None` after the last one, or after `close`."""
        while not self._ready and not self._is_finished:
            self._not_empty.clear()
            await self._not_empty.wait()
        return self.get_nowait()

    def finish(self) -> None:
        """No more outcomes will be put."""
        self._is_finished = True
        self._not_empty.set()

    def close(self) -> None:
        """The consumer takes no more; one that waits for an outcome gets `None`."""
        self._is_closed = True
        self.finish()
