"""Executes jobs of batches when they are due, even if no request arrives."""

import asyncio
from collections.abc import Callable

from contactsdk.sandbox.platform import Platform

# The shortest wait: if the clock stands still just before a job is due, the alarm must not ring
# again and again at once.
_AT_LEAST_S = 0.001


class BatchAlarm:
    """Executes jobs of batches when they are due; `clock` returns epoch seconds."""

    def __init__(self, platform: Platform, clock: Callable[[], float]) -> None:
        self._platform = platform
        self._clock = clock
        self._timer: asyncio.TimerHandle | None = None

    def set(self) -> None:
        """Set the alarm for the next job that is due; do nothing if no job is left."""
        self.cancel()
        due = self._platform.batches.next_due
        if due is not None:
            delay_s = max(due - self._clock(), _AT_LEAST_S)
            self._timer = asyncio.get_running_loop().call_later(delay_s, self._ring)

    def cancel(self) -> None:
        """Turn the alarm off."""
        if self._timer:
            self._timer.cancel()
            self._timer = None

    def _ring(self) -> None:
        self._platform.advance()
        self.set()
