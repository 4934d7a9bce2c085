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
        """Wait until one more request may leave, or for some time, without counting it.

        `wanted` says how many wait for a turn, this one included.
        """
        ...


class SharedPauses(Protocol):
    """The pauses that the platform asks any process of an account for."""

    def update(self) -> None:
        """Have the pacer wait as the others do, and the others as the pacer; it waits for nothing.

        It is called each time that a turn is asked for.
        """
        ...


@runtime_checkable
class SharedRate(Protocol):
    """A ceiling for the rate of all processes together that send for an account."""

    def turns(self, account: Account, pacer: Pacer, clock: Callable[[], float]) -> "Turns":
        """The turns of a run of this process, by its clock."""
        ...


class Turns:
    """Turns of the pacer that all calls of a client share, not more than the run's cap allows."""

    def __init__(
        self, pacer: Pacer, cap: Cap | None = None, pauses: SharedPauses | None = None
    ) -> None:
        self._pacer = pacer
        self._cap = cap
        self._pauses = pauses
        self._lock = asyncio.Lock()
        self._waiting = 0

    def acquire_nowait(self) -> Turn | None:
        """A turn; `None` where the request has to wait for it."""
        if self._pauses is not None:
            self._pauses.update()
        return self._pacer.acquire_nowait() if self._cap is None else None

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
                if self._pauses is not None:
                    self._pauses.update()
                await cap.wait(self._waiting)
            except BaseException:
                self._pacer.abandon(turn)
                raise
            if self._pacer.paused_s > paused_s:
                # A pause began meanwhile, of which this turn knows nothing.
                self._pacer.abandon(turn)
                turn = await self._pacer.acquire()
                paused_s = self._pacer.paused_s
        return turn
