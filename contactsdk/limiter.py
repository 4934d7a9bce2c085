"""How many attempts are in flight at a time."""

import asyncio
from collections import deque


class Limiter:
    """So many tokens, lent in the order in which they were asked for.

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
        turn = asyncio.get_running_loop().create_future()
        self._waiting.append(turn)
        try:
            await turn
        except asyncio.CancelledError:
            if not turn.cancelled():
                self.release()  # it was given to this one already
            raise

    def release(self) -> None:
        """Give a token back, to the first that waits."""
        while self._waiting:
            turn = self._waiting.popleft()
            if not turn.done():
                turn.set_result(None)
                return
        self._free += 1
