"""The queue of outcomes between the workers and a consumer, which may be slower."""

import asyncio
from collections import deque

from contactsdk.bulk.outcomes import Outcome


class OutcomeQueue:
    """A bounded queue that is cheap while it has room.

    `put` never waits, so the queue can exceed its bound. Each worker waits for `room` before it
    takes its next contact, so the queue exceeds its bound by at most two outcomes per worker: that
    of the contact, and one that is still being recorded.
    """

    def __init__(self, bound: int) -> None:
        self._ready: deque[Outcome] = deque()
        self._bound = bound
        self._low = bound // 2
        self._not_empty = asyncio.Event()
        self._drained = asyncio.Event()
        self._is_finished = False
        self._is_closed = False
        self.has_room = True
        """Whether a worker may produce another outcome without waiting for `room`."""

    @property
    def undelivered(self) -> tuple[Outcome, ...]:
        """The outcomes that the consumer has not taken, in input order."""
        return tuple(sorted(self._ready, key=lambda outcome: outcome.index))

    def put(self, outcome: Outcome) -> None:
        """Add an outcome, even if there is no room; wait for `room` before the next one."""
        ready = self._ready
        if not ready:
            self._not_empty.set()
        ready.append(outcome)
        if len(ready) > self._bound:
            self.has_room = False

    async def room(self) -> None:
        """If there is no room, wait until the queue is half empty."""
        while not self.has_room:
            self._drained.clear()
            await self._drained.wait()

    def get_nowait(self) -> Outcome | None:
        """The next outcome; `None` if there is none now, or after `close`."""
        ready = self._ready
        if not ready or self._is_closed:
            return None
        outcome = ready.popleft()
        # Workers are woken together at this mark, since waking one for each outcome costs more.
        if len(ready) == self._low:
            self.has_room = True
            self._drained.set()
        return outcome

    async def get(self) -> Outcome | None:
        """Wait for the next outcome; `None` after the last one, or after `close`."""
        while not self._ready and not self._is_finished:
            self._not_empty.clear()
            await self._not_empty.wait()
        return self.get_nowait()

    def finish(self) -> None:
        """Declare that no more outcomes will be put."""
        self._is_finished = True
        self._not_empty.set()

    def close(self) -> None:
        """Hand out no more outcomes; a consumer that is waiting gets `None`."""
        self._is_closed = True
        self.finish()
