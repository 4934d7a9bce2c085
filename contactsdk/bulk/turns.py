"""When the next request of a run may leave: the client's pacer and the run's own rate cap."""

import asyncio

from contactsdk.bulk.interruptible_waits import InterruptibleWaits
from contactsdk.pacing import Pacer, RateCap, Turn


class Turns:
    """Turns of the pacer that all calls of a client share, not more than the run's cap allows."""

    def __init__(self, pacer: Pacer, cap: RateCap | None) -> None:
        self._pacer = pacer
        self._cap = cap
        self._lock = asyncio.Lock()

    def acquire_nowait(self) -> Turn | None:
        """A turn; `None` where the request has to wait for it."""
        if self._cap is None:
            return self._pacer.acquire_nowait()
        return None

    async def acquire_unless(self, waits: InterruptibleWaits) -> Turn | None:
        """Wait for a turn; `None` where these waits are interrupted before."""
        turn = self.acquire_nowait()
        return await waits.wait_for(self.acquire) if turn is None else turn

    async def acquire(self) -> Turn:
        """Wait for a turn."""
        if self._cap is None:
            return await self._pacer.acquire()
        # One at a time, so that a turn of the pacer waits for the cap's next request and no longer.
        async with self._lock:
            turn = await self._pacer.acquire()
            paused_s = self._pacer.paused_s
            while not self._cap.acquire_nowait():
                try:
                    await self._cap.wait()
                except BaseException:
                    self._pacer.abandon(turn)
                    raise
                if self._pacer.paused_s > paused_s:
                    # A pause began meanwhile, of which this turn knows nothing.
                    self._pacer.abandon(turn)
                    turn = await self._pacer.acquire()
                    paused_s = self._pacer.paused_s
            return turn
