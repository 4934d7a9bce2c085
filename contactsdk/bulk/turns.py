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
        """Count one more request if it may leave at once; returns whether it may."""
        ...

    async def wait(self, wanted: int) -> None:
        """Wait until one more request may leave, or for some time; nothing is counted.

        `wanted` is the number of requests that wait for a turn, including this one.
        """
        ...


class SharedPauses(Protocol):
    """Shares the platform's pauses between all processes of an account."""

    def update(self) -> None:
        """Share the pacer's pause with other processes, and apply theirs to it, without waiting.

        It is called each time a turn is asked for.
        """
        ...


@runtime_checkable
class SharedRate(Protocol):
    """A ceiling for the rate of all processes together that send for one account."""

    def turns(self, account: Account, pacer: Pacer, clock: Callable[[], float]) -> "Turns":
        """The turns of one run of this process; `clock` is the clock of its event loop."""
        ...


class Turns:
    """The turns of one run: those of the client's pacer, limited further by the run's own cap."""

    def __init__(
        self, pacer: Pacer, cap: Cap | None = None, pauses: SharedPauses | None = None
    ) -> None:
        self._pacer = pacer
        self._cap = cap
        self._pauses = pauses
        self._lock = asyncio.Lock()
        self._waiting = 0

    def acquire_nowait(self) -> Turn | None:
        """A turn; `None` if the request has to wait for one."""
        if self._pauses is not None:
            self._pauses.update()
        return self._pacer.acquire_nowait() if self._cap is None else None

    async def acquire_unless(self, waits: InterruptibleWaits) -> Turn | None:
        """Wait for a turn; `None` if `waits` are interrupted before it comes.

        Raises:
            JournalError: The cap is shared, and its database cannot be used.
        """
        turn = self.acquire_nowait()
        return await waits.wait_for(self.acquire) if turn is None else turn

    async def acquire(self) -> Turn:
        """Wait for a turn.

        Raises:
            JournalError: The cap is shared, and its database cannot be used.
        """
        if self._cap is None:
            return await self._pacer.acquire()
        self._waiting += 1
        try:
            # One task at a time, so that only one turn of the pacer is held while the cap makes it
            # wait.
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
                # A pause has begun meanwhile, and this turn is from before it.
                self._pacer.abandon(turn)
                turn = await self._pacer.acquire()
                paused_s = self._pacer.paused_s
        return turn
