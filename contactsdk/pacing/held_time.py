"""Measures for how long requests were held back."""

import math


class HeldTime:
    """Adds up the time in which all requests are held back.

    Times are by any one clock that never goes back.
    """

    def __init__(self) -> None:
        self._done_s = 0.0
        self._since = 0.0
        self._until = -math.inf

    def hold(self, now: float, until: float) -> None:
        """From `now` on, requests are held back until `until`: `math.inf` means until the next
        call, and a time in the past means not at all.
        """
        self._done_s = self.total_s(now)
        self._since = now
        self._until = until

    def total_s(self, now: float) -> float:
        """For how many seconds, up to now, they were."""
        return self._done_s + max(0.0, min(now, self._until) - self._since)
