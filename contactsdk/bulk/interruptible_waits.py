"""Waits that can all be ended early, for example when a run is stopped."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

_T = TypeVar("_T")


class InterruptibleWaits:
    """Any number of waits; `interrupt` ends all of them, and all later ones."""

    def __init__(self) -> None:
        self.is_interrupted = False
        """Whether `interrupt` was called."""
        self._timeouts: set[asyncio.Timeout] = set()

    def interrupt(self) -> None:
        """End all waits."""
        if self.is_interrupted:
            return
        self.is_interrupted = True
        now = asyncio.get_running_loop().time()
        for timeout in self._timeouts:
            timeout.reschedule(now)

    async def wait_for(self, start: Callable[[], Awaitable[_T]]) -> _T | None:
        """Await what `start` returns, and return its result; `None` if the wait is interrupted."""
        if self.is_interrupted:
            return None
        timeout = asyncio.timeout(None)
        self._timeouts.add(timeout)
        try:
            async with timeout:
                return await start()
        except TimeoutError:
            if not timeout.expired():
                raise
            return None
        finally:
            self._timeouts.discard(timeout)
