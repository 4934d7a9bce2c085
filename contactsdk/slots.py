"""Room for so many at a time."""

import asyncio


class Slots:
    """So many at a time, the others in order: a semaphore that costs little while there is room.

    A slot is free, held, or handed to those who wait; one that is handed to a waiter that gives up
    goes to the next.
    """

    def __init__(self, count: int) -> None:
        self._free = count
        self._waiting = 0
        self._handed = asyncio.Semaphore(0)

    def take_at_once(self) -> bool:
        """Whether there was room."""
        if self._free == 0 or self._waiting:
            return False
        self._free -= 1
        return True

    async def take(self) -> None:
        """Wait for one, if there is no room."""
        if self.take_at_once():
            return
        self._waiting += 1
        try:
            await self._handed.acquire()
        finally:
            self._waiting -= 1

    def give_back(self) -> None:
        """One that was taken."""
        if self._waiting:
            self._handed.release()
        else:
            self._free += 1
