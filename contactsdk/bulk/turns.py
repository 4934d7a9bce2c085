"""When the next request of a run may leave: the client's pacer and the run's own rate cap."""

from contactsdk.bulk.interruptible_waits import InterruptibleWaits
from contactsdk.pacing import Pacer, RateCap, Turn


class Turns:
    """Turns of the pacer that all calls of a client share, not more than the run's cap allows."""

    def __init__(self, pacer: Pacer, cap: RateCap | None) -> None:
        self._pacer = pacer
        self._cap = cap

    def acquire_nowait(self) -> Turn | None:
        """A turn; `None` where the request has to wait for it."""
        if self._cap is None:
            return self._pacer.acquire_nowait()
        return None

    async def acquire_unless(self, waits: InterruptibleWaits) -> Turn | None:
        """Wait for a turn; `None` where these waits are interrupted before."""
        if waits.is_interrupted:
            return None
        turn = self.acquire_nowait()
        return await waits.wait_for(self.acquire) if turn is None else turn

    async def acquire(self) -> Turn:
        """Wait for a turn."""
        while True:
            turn = self._pacer.acquire_nowait()
            if turn is None:
                turn = await self._pacer.acquire()
            if self._cap is None or self._cap.acquire_nowait():
                return turn
            # Not kept while the cap is waited for: what it says about the platform gets old.
            self._pacer.abandon(turn)
            await self._cap.acquire()
            turn = self._pacer.acquire_nowait()
            if turn is not None:
                return turn
