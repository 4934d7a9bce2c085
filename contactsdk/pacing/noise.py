"""Noise, the share of the requests that is throttled at random: how a trial measures it, and the
estimate.
"""

import math
from typing import Final

from contactsdk.pacing.answer_counts import Count

_TOLERATED: Final = 0.004  # share of all requests; this few throttles never lower the rate
_TOLERATED_OF_NOISE: Final = 0.1  # share of the noise; its estimate is no more exact than this ...
_TOLERATED_IN_NOISE: Final = 0.008  # ... and no more exact than this share of all requests
_CHECKED: Final = 24  # this many expected throttles show the share to a fifth
_BY_CHANCE: Final = 2  # this few throttles are no noise
_IS_KNOWN: Final = 100  # this many throttles show the share to a tenth

_NEW_SECOND_S: Final = 1.0  # not counted: a limit by the second may throttle until that one ends
_SHORTEST_S: Final = 2.0  # the shortest time that is counted
_LEAST_SHARE: Final = 0.005  # a former share below this is not worth a longer trial
_SAME: Final = 0.4  # if this part of the former share stays, it is noise; less comes from a limit
_FEWEST_THROTTLES: Final = 8  # fewer do not show noise; a slow client may not get more in a trial
_ENOUGH: Final = 16  # this many throttles show the share to a quarter
# That none comes of so many expected throttles, or only one, happens by chance once in 400 times.
_EXPECTED_IF_NONE: Final = 6
_EXPECTED_IF_ONE: Final = 8
_LIKELY: Final = 3  # standard deviations; a number further from the expected one is not chance


class Noise:
    """The estimate of the noise; it is 0 until a trial has found noise."""

    def __init__(self) -> None:
        self.share = 0.0
        """The share of the requests that is throttled at random, from 0 to 1."""
        self._evidence = Count()
        self._unchecked = Count()

    @property
    def tolerated(self) -> float:
        """The share of throttles, from 0 to 1, up to which they do not lower the rate."""
        if not self.share:
            return _TOLERATED
        return self.share * (1 + _TOLERATED_OF_NOISE) + _TOLERATED_IN_NOISE + _TOLERATED

    def learn(self, found: Count, before: Count) -> bool:
        """Learn from a trial; returns whether it confirms the former estimate.

        `found` are the answers of the trial, without throttles if these were no noise. `before` are
        the answers before the trial, while throttles went on although the rate fell.
        """
        is_confirmed = bool(self.share and found.throttled) and _is_like(found, self._evidence)
        if is_confirmed:
            self._evidence += found
        elif self.share and found.throttled:
            # A single trial may be wrong by chance, so half of the former evidence still counts.
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
        """Correct the estimate with the answers of one more second."""
        if not self.share:
            return
        self._unchecked = checked = self._unchecked + second
        expected = self.share * checked.answered
        if expected < _CHECKED:
            return
        self._unchecked = Count()
        spread = _spread(expected, self._evidence)
        if checked.throttled < expected - 3 * spread:
            # Real noise would go on. These throttles came from other clients, or have ended.
            self._evidence = checked if checked.throttled > _BY_CHANCE else Count()
            self.share = self._evidence.share
        elif self._evidence.throttled < _IS_KNOWN and checked.throttled < expected + 2 * spread:
            self._evidence += checked
            self.share = self._evidence.share


def _is_like(count: Count, known: Count) -> bool:
    """Whether the share of throttles in these answers is about the known one."""
    expected = known.share * count.answered
    return abs(count.throttled - expected) <= _LIKELY * _spread(expected, known)


def _spread(expected: float, known: Count) -> float:
    """The standard deviation of an expected number of throttles, given the known answers."""
    return math.sqrt(expected + expected**2 / max(1, known.throttled))


class NoiseTrial:
    """A short time at a lower rate, where a limit throttles less, but noise the same share.

    `former_share` is the share of throttles before the trial. `earlier` are the answers of trials
    just before, which were too few to tell.
    """

    def __init__(
        self, began_at: float, former_share: float, longest_s: float, earlier: Count
    ) -> None:
        self._counts_from = began_at + _NEW_SECOND_S
        self._former_share = max(former_share, _LEAST_SHARE)
        self._longest_s = longest_s
        self.count = Count(earlier.answered, earlier.throttled)
        """The answers of this trial and of those just before."""
        self._earlier_throttled = earlier.throttled
        self._lasted_s = 0.0
        self._throttled_seconds: set[int] = set()

    def record(self, sent_at: float, now: float, *, is_throttled: bool) -> bool:
        """Count an answer: it came at `now`, and its request was sent at `sent_at`.

        Returns whether the trial is over.
        """
        if sent_at < self._counts_from:
            return False
        self.count.add(is_throttled)
        self._lasted_s = now - self._counts_from
        if is_throttled:
            self._throttled_seconds.add(int(self._lasted_s))
        is_over = self._lasted_s >= _SHORTEST_S and self._is_clear()
        return is_over or self._lasted_s >= self._longest_s

    def _is_clear(self) -> bool:
        throttled = self.count.throttled
        expected = self._former_share * self.count.answered
        if throttled <= 1:
            return expected >= (_EXPECTED_IF_NONE, _EXPECTED_IF_ONE)[throttled]
        return throttled >= _ENOUGH or _SAME * expected >= _ENOUGH

    @property
    def verdict(self) -> Count | None:
        """The answers if their throttles are noise; `Count()` if they come from a limit or a burst.

        `None` if there were too few answers to tell.
        """
        count = self.count
        if count.throttled < _FEWEST_THROTTLES:
            expected = self._former_share * count.answered
            is_unlikely = count.throttled <= expected - _LIKELY * math.sqrt(expected)
            return Count() if is_unlikely or self._is_clear() else None
        is_same = count.share >= _SAME * self._former_share
        throttled = count.throttled - self._earlier_throttled
        is_burst = len(self._throttled_seconds) < min(throttled, self._lasted_s) / 2
        return count if is_same and not is_burst else Count()
