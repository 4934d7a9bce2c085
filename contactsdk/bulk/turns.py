"""When the next request of a run may leave: the client's pacer and the run's own rate cap."""

import asyncio
from collections.abc import Callable
from typing import Protocol, runtime_checkable

from contactsdk.bulk.interruptible_waits import InterruptibleWaits
from contactsdk.journal import Account
from contactsdk.pacing import Pacer, Turn


class Cap(Protocol):
    """A ceiling for the rate of a run."""

    def acquire_nowait(self) -> bool:
        """Whether one more request may leave at once; it is counted then."""
        ...

    async def wait(self, wanted: int) -> None:
        """Wait until one more request may leave, without counting it.

        `wanted` says how many wait for a turn, this one included.
        """
        ...

    def share_pause(self) -> None:
        """Tell whoever has the same ceiling how long the platform asked this process to wait."""
        ...


@runtime_checkable
class SharedRate(Protocol):
    """A ceiling for the rate of all processes together that send for an account."""

    def cap(self, account: Account, pacer: Pacer, clock: Callable[[], float]) -> Cap:
        """The ceiling as a run of this process sees it, by its clock."""
        ...


class Turns:
    """Turns of the pacer that all calls of a client share, not more than the run's cap allows."""

    def __init__(self, pacer: Pacer, cap: Cap | None) -> None:
        self._pacer = pacer
        self._cap = cap
        self._lock = asyncio.Lock()
        self._waiting = 0

    def acquire_nowait(self) -> Turn | None:
        """A turn; `None` where the request has to wait for it."""
        if self._cap is None:
            return self._pacer.acquire_nowait()
        self._cap.share_pause()
        return None

    async def acquire_unless(self, waits: InterruptibleWaits) -> Turn | None:
        """Wait for a turn; `None` where these waits are interrupted before.

        Raises:
            JournalError: The cap is shared, and there is no turn to be had.
        """
        if waits.is_interrupted:
            return None
        turn = self.acquire_nowait()
        return await waits.wait_for(self.acquire) if turn is None else turn

    async def acquire(self) -> Turn:
        """Wait for a turn.

        Raises:
            JournalError: The cap is shared, and there is no turn to be had.
        """
        if self._cap is None:
            return await self._pacer.acquire()
        self._cap.share_pause()
        self._waiting += 1
        try:
            # One at a time, so that a turn of the pacer waits for the cap's next request and no
            # longer.
            async with self._lock:
                return await self._acquire_within(self._cap)
        finally:
            self._waiting -= 1

    async def _acquire_within(self, cap: Cap) -> Turn:
        turn = await self._pacer.acquire()
        paused_s = self._pacer.paused_s
        while not cap.acquire_nowait():
            try:
                await cap.wait(self._waiting)
            except BaseException:
                self._pacer.abandon(turn)
                raise
            if self._pacer.paused_s > paused_s:
                # A pause began meanwhile, of which this turn knows nothing.
                self._pacer.abandon(turn)
                cap.share_pause()
                turn = await self._pacer.acquire()
                paused_s = self._pacer.paused_s
        return turn
