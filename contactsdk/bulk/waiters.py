"""Workers that have nothing to do, until there is something."""

import asyncio
from collections import deque


class Waiters:
    """A line of tasks that wait to be woken, or for a time."""

    def __init__(self) -> None:
        self._waiting: deque[asyncio.Future[None]] = deque()

    def __len__(self) -> int:
        return len(self._waiting)

    async def wait(self, until: float | None) -> None:
        """Wait to be woken, or until this time by the event loop's clock; `None` for no end."""
        loop = asyncio.get_running_loop()
        waiter: asyncio.Future[None] = loop.create_future()
        timer = None if until is None else loop.call_at(until, _wake, waiter)
        self._waiting.append(waiter)
        try:
            await waiter
        finally:
            if timer is not None:
                timer.cancel()
            if waiter in self._waiting:
                self._waiting.remove(waiter)

    def wake(self) -> None:
        """Wake the one that has waited longest."""
        while self._waiting:
            waiter = self._waiting.popleft()
            if not waiter.done():
                waiter.set_result(None)
                return

    def wake_all(self) -> None:
        """Wake all that wait, such as at the end of a run."""
        while self._waiting:
            self.wake()


def _wake(waiter: asyncio.Future[None]) -> None:
    if not waiter.done():
        waiter.set_result(None)
