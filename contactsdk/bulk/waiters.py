"""Workers that have nothing to do, and wait to be woken."""

import asyncio
from collections import deque


class Waiters:
    """A queue of tasks that wait to be woken, or until a given time."""

    def __init__(self) -> None:
        self.waiting: deque[asyncio.Future[None]] = deque()
        """What the tasks wait for; the first one has waited longest."""

    async def wait(self, until: float | None) -> None:
        """Wait to be woken, at most until this time of the event loop's clock; `None`: no limit."""
        loop = asyncio.get_running_loop()
        waiter: asyncio.Future[None] = loop.create_future()
        timer = None if until is None else loop.call_at(until, _wake, waiter)
        self.waiting.append(waiter)
        try:
            await waiter
        finally:
            if timer is not None:
                timer.cancel()
            if waiter in self.waiting:
                self.waiting.remove(waiter)

    def wake(self) -> None:
        """Wake the task that has waited longest."""
        while self.waiting:
            waiter = self.waiting.popleft()
            if not waiter.done():
                waiter.set_result(None)
                return

    def wake_all(self) -> None:
        """Wake all waiting tasks, for example at the end of a run."""
        while self.waiting:
            self.wake()


def _wake(waiter: asyncio.Future[None]) -> None:
    if not waiter.done():
        waiter.set_result(None)
