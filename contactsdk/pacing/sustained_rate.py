"""The rate that a client has sustained for a while, and the throttles below that rate."""

import math
from typing import Final

from contactsdk.pacing.answer_counts import Count, Recent
from contactsdk.pacing.noise import Noise

_BEGIN_S: Final = 2.5  # until then the first rate falls to what the limit lets through
_FIRST: Final = 0.9  # share of it to return to after noise; a full bucket may be part of it
_RISE: Final = 0.07  # share of the difference, per second; a full bucket lets more through at first
_FALL: Final = 0.2  # the same, while throttles are tolerated
_FALL_IN_NOISE: Final = 0.03  # the same, while there are more in known noise: from a limit
_FALL_IN_DOUBT: Final = 0.005  # the same, while there are more and they may be noise
_NEARLY: Final = 0.95  # a rate above this share of the sustained rate does not count as lower
_CHANCE: Final = 0.003  # share of the requests; this many throttles more than tolerated are chance
_DOUBTFUL_S: Final = 6.0  # a limit would have ended its throttles within this time
_DOUBTFUL: Final = 20  # this many throttles are too many for chance


class SustainedRate:
    """Follows the rate: upwards slowly, and downwards quickly if few requests are throttled there.

    If throttles go on at a lower rate, they may be noise: a limit would have ended them by now.
    """

    def __init__(self) -> None:
        self.per_s = 0.0
        """The rate, in requests a second."""
        self.below = Count()
        """The answers since the rate has been below it with more throttles than are tolerated."""
        self._below_s = 0.0
        self._since_begin_s = math.inf
        self._first_per_s = 0.0

    def begin(self, per_s: float) -> None:
        """Start with this rate, the goodput of the second before."""
        self.per_s = per_s
        self._since_begin_s = 0.0
        self._first_per_s = 0.0

    def restart(self, per_s: float) -> None:
        """Forget all earlier answers, and continue with this rate."""
        self.per_s = per_s
        self._first_per_s = 0.0
        self._clear()

    def restore(self) -> float:
        """Forget the throttles, which were noise; returns the rate to continue with.

        If throttles have gone on since the beginning, the first rate fell because of the noise.
        """
        rate = max(self.per_s, self._first_per_s)
        self.restart(self.per_s)
        return rate

    def shortfall(self, rate: float) -> float:
        """How far `rate` is below the sustained rate, as a share of it; 0 if it is not below."""
        return max(0.0, 1 - rate / self.per_s) if self.per_s else 0.0

    def follow(self, rate: float, recent: Recent, noise: Noise) -> None:
        """Learn from one more second at `rate`."""
        self.below += recent.second
        self._below_s += recent.second_s
        count = recent.count if self._below_s < 2 else self.below
        surplus = count.share - noise.tolerated
        if self._since_begin_s < _BEGIN_S:
            # What a full bucket or other clients let through is part of the first rate.
            if not self._since_begin_s:
                self._first_per_s = _FIRST * self.per_s * (1 - recent.count.share)
            self._since_begin_s += recent.second_s
            self.per_s = min(self.per_s, rate)
        if rate > self.per_s:
            reached = min(rate, recent.goodput_per_s / (1 - noise.share))
            self.per_s += _RISE * max(0.0, reached - self.per_s)
        elif surplus <= 0:
            self.per_s += _FALL * (rate - self.per_s)
        else:
            self.per_s += (_FALL_IN_NOISE if noise.share else _FALL_IN_DOUBT) * (rate - self.per_s)
        if surplus <= _CHANCE:
            self._first_per_s = 0.0
        if surplus <= _CHANCE or rate > _NEARLY * self.per_s:
            self._clear()

    @property
    def is_doubtful(self) -> bool:
        """Whether throttles go on below the sustained rate, so that they may be noise."""
        return self._below_s >= _DOUBTFUL_S and self.below.throttled >= _DOUBTFUL

    def _clear(self) -> None:
        self.below = Count()
        self._below_s = 0.0
