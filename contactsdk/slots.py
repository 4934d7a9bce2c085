"""Room for so many at a time."""

import asyncio
from collections import deque


class Slots:
    """So many at a time, the others in order: a semaphore that costs little while there is room.

    One given back belongs at once to the first that waits. Behind one that has its turn and has not
    yet noticed nobody waits, as with asyncio's semaphore, where all may wait for each other so.
    """

    def __init__(self, count: int) -> None:
        self._count = self._free = count
        self._waiting: deque[asyncio.Future[None]] = deque()

    @property
    def taken(self) -> int:
        """How many are."""
        return self._count - self._free

    def take_at_once(self) -> bool:
        """Whether there was room; then not even a coroutine is made."""
        if self._free == 0:
            return False
        self._free -= 1
        return True

    async def take(self) -> None:
        """Wait for one, if there is no room."""
        if self.take_at_once():
            return
        turn = asyncio.get_running_loop().create_future()
        self._waiting.append(turn)
        try:
            await turn
        except asyncio.CancelledError:
            if not turn.cancelled():
                self.give_back()  # it was this one's already
            raise

    def give_back(self) -> None:
        """One that was taken."""
        while self._waiting:
            turn = self._waiting.popleft()
            if not turn.done():
                turn.set_result(None)
                return
        self._free += 1
