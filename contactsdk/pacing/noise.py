"""Noise, the share of the requests that is throttled at random: how a trial measures it, and the
estimate.
"""

import math
from typing import Final

from contactsdk.pacing.answer_counts import Count

_TOLERATED: Final = 0.004  # share of all requests; this few throttles never lower the rate
_TOLERATED_IN_NOISE: Final = 0.015  # the same, beyond known noise, whose estimate is not exact
_CHECKED: Final = 24  # this many expected throttles show the share to a fifth
_BY_CHANCE: Final = 2  # this few throttles are no noise
_BEFORE: Final = 16  # at most this many throttles before a trial count: some may be a limit's
# The estimate is exact enough if it is known to a tenth, and to a hundredth of all requests.
_EXACT: Final = 0.1
_EXACT_OF_ALL: Final = 0.01

_NEW_SECOND_S: Final = 1.0  # not counted: a limit by the second may throttle until that one ends
_SHORTEST_S: Final = 2.0  # the shortest time that shows a limit
_SHORTEST_OF_NOISE_S: Final = 4.0  # the shortest time that shows noise, and its share
_LEAST_SHARE: Final = 0.005  # a former share below this is not worth a longer trial
# Noise brings at least this part of the throttles that are expected from the former share. The
# verdict is clear if there are this many more or fewer than that, which is chance in few of 1000
# trials.
_SAME: Final = 0.4
_CLEAR: Final = 4
_MOST_NOISE: Final = 0.8  # share of all requests; if more are throttled, it is an outage
_LIKELY: Final = 3  # standard deviations; more than this from the expected number is not chance


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
        return self.share + _TOLERATED_IN_NOISE if self.share else _TOLERATED

    @property
    def _enough(self) -> int:
        """From how many throttles on the estimate is exact enough."""
        return round(max(1 / _EXACT, self.share / _EXACT_OF_ALL) ** 2)

    def learn(self, found: Count, *, is_noise: bool, before: Count) -> bool:
        """Learn from the answers of a trial; returns whether it confirms the former estimate.

        `before` are the answers before the trial, while throttles went on although the rate fell.
        """
        if is_noise and _is_like(before, found):
            found += before.at_most(_BEFORE)
        is_confirmed = bool(self.share) and is_noise and _is_like(found, self._evidence)
        if is_confirmed:
            self._evidence = self._evidence.at_most(self._enough) + found
        elif not self.share:
            self._evidence = found if is_noise else Count()
        elif found.throttled <= _BY_CHANCE:
            self._evidence = Count()
        elif is_noise or found.share < self.share:
            self._replace_half(found)
        # Otherwise there was a burst, which tells nothing about the noise.
        self.share = self._evidence.share
        self._unchecked = Count()
        return is_confirmed

    def _replace_half(self, found: Count) -> None:
        # A few answers may mislead by chance, so half of the former evidence still counts.
        known = self._evidence
        self._evidence = Count(known.answered // 2, known.throttled // 2) + found

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
        # Real noise would go on. If it does not, other clients caused throttles, or it has ended.
        if checked.throttled <= _BY_CHANCE:
            self._evidence = Count()
        elif checked.throttled < expected - _LIKELY * spread:
            self._replace_half(checked)
        elif self._evidence.throttled < self._enough and checked.throttled < expected + 2 * spread:
            self._evidence += checked
        self.share = self._evidence.share


def _is_like(one: Count, other: Count) -> bool:
    """Whether both show about the same share of throttles."""
    both = one + other
    variance = both.share * (1 - both.share) * one.answered * other.answered
    difference = abs(one.throttled - both.share * one.answered)
    return difference <= _LIKELY * math.sqrt(variance / max(1, both.answered))


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
        return self._is_clear() or self._lasted_s >= self._longest_s

    @property
    def is_noise(self) -> bool | None:
        """Whether the throttles are noise, and come neither from a limit nor in a burst.

        `None` if there were too few answers to tell.
        """
        throttled = self.count.throttled - self._earlier_throttled
        if abs(self._missing) < _CLEAR or (self._missing < 0 and not throttled):
            return None
        is_burst = len(self._throttled_seconds) < min(throttled, self._lasted_s) / 2
        return self._missing < 0 and not is_burst and self.count.share < _MOST_NOISE

    @property
    def _missing(self) -> float:
        """How many throttles fewer came than noise brings at least; negative if more came."""
        return _SAME * self._former_share * self.count.answered - self.count.throttled

    def _is_clear(self) -> bool:
        if self._missing >= _CLEAR:
            return self._lasted_s >= _SHORTEST_S
        return self._missing <= -_CLEAR and self._lasted_s >= _SHORTEST_OF_NOISE_S
