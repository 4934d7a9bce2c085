"""Measures for how long requests were held back."""

import math


class HeldTime:
    """Adds up the time in which all requests are held back.

    Times are by any one clock that never goes back.
    """

    def __init__(self) -> None:
        self._before_s = 0.0
        self._since = 0.0
        self._until = -math.inf
        self.at_end_s = 0.0
        """The total at the end of the present hold; infinite if that end is not known."""

    def hold(self, now: float, until: float) -> None:
        """From `now` on, requests are held back until `until`: `math.inf` means until the next
        call, and a time in the past means not at all.
        """
        self._before_s = self.total_s(now)
        self._since = now
        self._until = until
        self.at_end_s = self._before_s + max(0.0, until - now)

    def total_s(self, now: float) -> float:
        """For how many seconds requests were held back, up to `now`."""
        if now >= self._until:
            return self.at_end_s
        return self._before_s + now - self._since
