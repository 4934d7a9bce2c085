"""How many attempts are in flight at a time."""

import asyncio
from collections import deque


class Limiter:
    """A fixed number of tokens, lent in the order in which they were asked for.

    As trio's `CapacityLimiter`, but that a token belongs to no task, and that `acquire_nowait`
    answers instead of raising. It costs less than asyncio's semaphore while there are tokens.

    A token that is released belongs at once to the first that waits. A newcomer takes a free one
    at once, also while a waiter that was given its own has not run yet.
    """

    def __init__(self, total_tokens: int) -> None:
        self._total = self._free = total_tokens
        self._waiting: deque[asyncio.Future[None]] = deque()

    @property
    def borrowed_tokens(self) -> int:
        """How many tokens are lent at present."""
        return self._total - self._free

    def acquire_nowait(self) -> bool:
        """Borrow a token if one is free, and say whether one was."""
        if self._free == 0:
            return False
        self._free -= 1
        return True

    async def acquire(self) -> None:
        """Borrow a token; wait for one where none is free."""
        if self.acquire_nowait():
            return
        waiter = asyncio.get_running_loop().create_future()
        self._waiting.append(waiter)
        try:
            await waiter
        except asyncio.CancelledError:
            if not waiter.cancelled():
                self.release()  # it was given to this one already
            raise

    def release(self) -> None:
        """Give a token back, to the first that waits."""
        while self._waiting:
            waiter = self._waiting.popleft()
            if not waiter.done():
                waiter.set_result(None)
                return
        self._free += 1
