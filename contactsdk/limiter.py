"""Limits how many attempts are in flight at a time."""

import asyncio
from collections import deque


class Limiter:
    """A fixed number of tokens, which are lent in the order in which tasks ask for them.

    It is like trio's `CapacityLimiter`, with two differences: a token does not belong to a task,
    and `acquire_nowait` returns whether it succeeded instead of raising. While tokens are free, it
    costs less than asyncio's semaphore.

    A released token belongs to the first waiting task at once, even before that task runs. If a
    token is free, a new caller gets it at once.
    """

    def __init__(self, total_tokens: int) -> None:
        self._total = self._free = total_tokens
        self._waiting: deque[asyncio.Future[None]] = deque()

    @property
    def borrowed_tokens(self) -> int:
        """How many tokens are lent now."""
        return self._total - self._free

    def acquire_nowait(self) -> bool:
        """Borrow a token if one is free; returns whether one was."""
        if self._free == 0:
            return False
        self._free -= 1
        return True

    async def acquire(self) -> None:
        """Borrow a token; if none is free, wait for one."""
        if self.acquire_nowait():
            return
        waiter = asyncio.get_running_loop().create_future()
        self._waiting.append(waiter)
        try:
            await waiter
        except asyncio.CancelledError:
            if not waiter.cancelled():
                self.release()  # this task had been given a token already
            raise

    def release(self) -> None:
        """Give a token back; the first waiting task gets it."""
        while self._waiting:
            waiter = self._waiting.popleft()
            if not waiter.done():
                waiter.set_result(None)
                return
        self._free += 1
