"""The rate that a client has kept up for a while, and what happens below it."""

from typing import Final

from contactsdk.pacing.answer_counts import Count, Recent
from contactsdk.pacing.noise import Noise

_RISE: Final = 0.07  # of the difference, a second: a full bucket lets more through for seconds
_FALL: Final = 0.2  # while what is throttled is tolerated
_FALL_IN_NOISE: Final = 0.03  # while more is: then it is a limit, for noise is known
_FALL_IN_DOUBT: Final = 0.005  # while more is, and it may be noise
_NEARLY: Final = 0.95  # of it is no lower rate
_CHANCE: Final = 0.01  # of the requests: so many more throttles than tolerated are chance
_DOUBTFUL_S: Final = 6.0  # a limit has ended its throttles by then
_DOUBTFUL: Final = 20  # throttles, too many for chance


class SustainedRate:
    """Follows the rate that was reached, upwards slowly; downwards soon if few are throttled there.

    A rate that is lower and still throttled raises a doubt: a limit would have been met by now.
    """

    def __init__(self) -> None:
        self.per_s = 0.0
        """The rate, in requests a second."""
        self.below = Count()
        """The answers since the rate has been below it with more throttles than are tolerated."""
        self._below_s = 0.0
        self._is_first = False

    def begin(self, per_s: float) -> None:
        """Start with this, what got through in the second before."""
        self.per_s = per_s
        self._is_first = True

    def restart(self, per_s: float) -> None:
        """Forget what was, and go on with this rate."""
        self.per_s = per_s
        self._clear()

    def shortfall(self, rate: float) -> float:
        """The part of it that this rate does not reach; 0 for none."""
        return max(0.0, 1 - rate / self.per_s) if self.per_s else 0.0

    def follow(self, rate: float, recent: Recent, noise: Noise) -> None:
        """Take in one more second at this rate."""
        self.below += recent.second
        self._below_s += recent.second_s
        count = recent.count if self._below_s < 2 else self.below
        surplus = count.share - noise.tolerated
        if self._is_first and recent.is_telling:
            # What a full bucket let through is part of the first rate.
            self._is_first = False
            self.per_s = min(rate, self.per_s * (1 - recent.count.share))
        if rate > self.per_s:
            reached = min(rate, recent.goodput_per_s / (1 - noise.share))
            self.per_s += _RISE * max(0.0, reached - self.per_s)
        elif surplus <= 0:
            self.per_s += _FALL * (rate - self.per_s)
        else:
            self.per_s += (_FALL_IN_NOISE if noise.share else _FALL_IN_DOUBT) * (rate - self.per_s)
        if surplus <= _CHANCE or rate > _NEARLY * self.per_s:
            self._clear()

    @property
    def is_doubtful(self) -> bool:
        """Whether throttles go on below it, so that they may be noise."""
        return self._below_s >= _DOUBTFUL_S and self.below.throttled >= _DOUBTFUL

    def _clear(self) -> None:
        self.below = Count()
        self._below_s = 0.0
