"""The share of the requests that is throttled at random, whatever the rate: its trial, and what is
known of it.
"""

import math
from typing import Final

from contactsdk.pacing.answer_counts import Count

_TOLERATED: Final = 0.004  # of all requests: so few throttles slow nothing down
_TOLERATED_OF_NOISE: Final = 0.06  # for what is known of it is no more exact than this ...
_TOLERATED_IN_NOISE: Final = 0.008  # ... nor than this, of all requests
_CHECKED: Final = 24  # throttles tell their share to a fifth
_BY_CHANCE: Final = 2  # throttles are no noise
_IS_KNOWN: Final = 100  # throttles tell it to a tenth

_NEW_SECOND_S: Final = 1.0  # a limit that counts by the second throttles until its next one begins
_SHORTEST_S: Final = 2.0  # of what counts
_LEAST_SHARE: Final = 0.005  # of all requests: less is not worth a longer trial
_SAME: Final = 0.4  # of the former share; fewer are due to a limit, which other clients may share
_FEWEST: Final = 8  # throttles are noise; what slow clients send tells nothing in that time
_ENOUGH: Final = 16  # throttles tell their share to a quarter
_NONE_OF: Final = 4  # throttles that are expected stay away by chance once in fifty times
_ONE_OF: Final = 6


class Noise:
    """What is known of the throttles at random: nothing until a trial has found them."""

    def __init__(self) -> None:
        self.share = 0.0
        """The share of the requests that is throttled whatever the rate."""
        self._evidence = Count()
        self._unchecked = Count()

    @property
    def tolerated(self) -> float:
        """The share of the requests up to which throttles do not slow a run down."""
        if not self.share:
            return _TOLERATED
        return self.share * (1 + _TOLERATED_OF_NOISE) + _TOLERATED_IN_NOISE + _TOLERATED

    def learn(self, found: Count, before: Count) -> bool:
        """Take over what a trial has found; whether it is what was known already.

        `before` are the answers before the trial, while throttles went on although the rate fell.
        """
        is_confirmed = bool(self.share and found.throttled) and _is_like(found, self._evidence)
        if is_confirmed:
            self._evidence += found
        elif self.share and found.throttled:
            # One trial may be far off by chance.
            known = self._evidence
            self._evidence = Count(known.answered // 2, known.throttled // 2) + found
        elif not self.share and _is_like(before, found):
            self._evidence = before + found
        else:
            self._evidence = found
        self.share = self._evidence.share
        self._unchecked = Count()
        return is_confirmed

    def check(self, second: Count) -> None:
        """Correct what is known by the answers of one more second."""
        if not self.share:
            return
        self._unchecked = checked = self._unchecked + second
        expected = self.share * checked.answered
        if expected < _CHECKED:
            return
        self._unchecked = Count()
        spread = _spread(expected, self._evidence)
        if checked.throttled < expected - 3 * spread:
            # Noise does not go away. What was taken for it was other clients, or is over.
            self._evidence = checked if checked.throttled > _BY_CHANCE else Count()
            self.share = self._evidence.share
        elif self._evidence.throttled < _IS_KNOWN and checked.throttled < expected + 2 * spread:
            self._evidence += checked
            self.share = self._evidence.share


def _is_like(count: Count, known: Count) -> bool:
    """Whether these answers have as many throttles as is expected from what is known."""
    expected = known.share * count.answered
    return abs(count.throttled - expected) <= 2 * _spread(expected, known)


def _spread(expected: float, known: Count) -> float:
    """The standard deviation of a number of throttles that is expected from what is known."""
    return math.sqrt(expected + expected**2 / max(1, known.throttled))


class NoiseTrial:
    """A while at a lower rate: a limit throttles less there, noise the same share as before."""

    def __init__(self, began_at: float, former_share: float, longest_s: float) -> None:
        self._counts_from = began_at + _NEW_SECOND_S
        self._former_share = max(former_share, _LEAST_SHARE)
        self._longest_s = longest_s
        self._count = Count()
        self._lasted_s = 0.0
        self._throttled_seconds: set[int] = set()

    def record(self, sent_at: float, now: float, *, is_throttled: bool) -> bool:
        """Count the answer that came now to the request sent then; whether the trial is over."""
        if sent_at < self._counts_from:
            return False
        self._count.add(is_throttled)
        self._lasted_s = now - self._counts_from
        if is_throttled:
            self._throttled_seconds.add(int(self._lasted_s))
        is_over = self._lasted_s >= _SHORTEST_S and self._is_clear()
        return is_over or self._lasted_s >= self._longest_s

    def _is_clear(self) -> bool:
        throttled = self._count.throttled
        expected = self._former_share * self._count.answered
        if throttled <= 1:
            return expected >= (_NONE_OF, _ONE_OF)[throttled]
        return throttled >= _ENOUGH or _SAME * expected >= _ENOUGH

    @property
    def noise(self) -> Count:
        """The answers if their throttles are noise; none where they are a limit's, or a burst."""
        count = self._count
        is_same = count.throttled >= _FEWEST and count.share >= _SAME * self._former_share
        is_burst = len(self._throttled_seconds) < min(count.throttled, self._lasted_s) / 2
        return count if is_same and not is_burst else Count()
