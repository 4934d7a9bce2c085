"""Waits that end early once what they wait for is of no use any more."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

_T = TypeVar("_T")


class InterruptibleWaits:
    """Any number of waits, which `interrupt` ends: those that go on, and all that come later."""

    def __init__(self) -> None:
        self.is_interrupted = False
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
        """What the awaitable gives that `start` makes; `None` where the wait is interrupted."""
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
