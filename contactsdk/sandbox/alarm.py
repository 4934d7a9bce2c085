"""What wakes the platform when a job of a batch is due and no request comes."""

import asyncio
from collections.abc import Callable

from contactsdk.sandbox.platform import Platform

# A clock that stands still just before a job is due must not keep the machine busy.
_AT_LEAST_S = 0.001


class BatchAlarm:
    """Executes jobs of batches when they are due; `clock` gives epoch seconds."""

    def __init__(self, platform: Platform, clock: Callable[[], float]) -> None:
        self._platform = platform
        self._clock = clock
        self._timer: asyncio.TimerHandle | None = None

    def set(self) -> None:
        """Wake up when the next job is due, if there is one."""
        self.cancel()
        due = self._platform.batches.next_due
        if due is not None:
            delay_s = max(due - self._clock(), _AT_LEAST_S)
            self._timer = asyncio.get_running_loop().call_later(delay_s, self._ring)

    def cancel(self) -> None:
        """Do not wake up any more."""
        if self._timer:
            self._timer.cancel()
            self._timer = None

    def _ring(self) -> None:
        self._platform.advance()
        self.set()
