"""The rate limit of the platform, found from its throttles.

Noise is the share of the requests that is throttled at random, whatever the rate is. The excess
grows by 1 with each throttle, and each answer takes the share from it that is tolerated. Goodput is
the number of requests a second that are not throttled.
"""

import math
from typing import Final

from contactsdk.pacing.answer_counts import Count, Recent
from contactsdk.pacing.noise import Noise, NoiseTrial
from contactsdk.pacing.sustained_rate import SustainedRate

_CUT: Final = 0.03  # share of the rate; small steps keep it near the limit
# Within two seconds, the rate falls at most by 1.5 times the share of throttles that is not noise,
# plus 2.5 % so that a full bucket can run dry, and by 30 % in all.
_OVERSHOOT: Final = 1.5
_OVERSHOOT_LEAST: Final = 0.025
_MOST_CUT: Final = 0.3
_EXCESS: Final = 2.0  # this much excess may be chance without any noise; more is a sign of a limit
_CHANCE: Final = 3.0  # so high that noise alone makes too much excess only once in some minutes
# At a rate lower by x than the sustained one, 0.6 * (x - 0.03) of the requests may be throttled
# besides; a limit alone lowers the rate by up to 3 %.
_SLACK: Final = 0.6
_SLACK_FROM: Final = 0.03

_GROWTH_PER_S: Final = 0.0025  # so low that near the limit one in several hundred is throttled
_LOW_PER_S: Final = 50.0  # below this rate growth is faster, so that clients' shares become equal
_SETTLED_S: Final = 6.0  # growth accelerates after this time without a cut: there is more to find
_DOUBLING_S: Final = 1.5  # growth doubles in this time; a deep bucket hides the limit for long
_MOST_GROWTH_PER_S: Final = 0.5
_MOST_GROWTH_IN_NOISE_PER_S: Final = 0.06  # lower, since a limit shows later in noise
_NO_LIMIT_PER_S: Final = 1e4  # one client cannot send more than this
_FEW: Final = 30  # if fewer requests got through, the first rate is too low: all were waiting
_FIRST_S: Final = 1.0  # a request this soon after the first rate may be throttled for older ones
_AFTER_FEW_S: Final = 8.0  # after few requests, growth starts as if it had accelerated this long
_AFTER_NOISE_S: Final = 6.0  # the same, after noise was found: until then it has lowered the rate

_TRIAL: Final = 0.65  # the rate of a trial, as a share of the rate before it
_TRIAL_S: Final = 10.0  # the longest trial, since other clients take the rate that this one leaves
# If all requests pause for each throttle, noise costs most of the rate. Then a trial may be long,
# and it compares with 5 % of throttles at most, since there were few answers before it.
_COSTLY_TRIAL_S: Final = 60.0
_COSTLY_SHARE: Final = 0.05
_SOONEST_S: Final = 10.0  # the shortest time from one trial to the next
_AGAIN_S: Final = 30.0  # the time to the next trial if noise was found, since noise may end; so
# old are the answers of a trial that could not tell, at most, if they count in the next one
_CALM_S: Final = 2.0  # the rate is calm after this time without a cut
_LONGEST_GAP_S: Final = 1.0  # a longer time between two answers counts as this long
_INTERVALS: Final = 3.0  # the rate delays a request by up to two intervals, and timers are late


class AdaptiveRate:
    """Finds how many requests a second the platform accepts, from its throttles.

    Before the first throttles, the rate is not limited. Then the rate starts at the goodput. Each
    throttle while there is too much excess lowers it by up to 3 %. Time without such a cut raises
    it, and the longer that time lasts, the faster. So the rate stays close below the limit. Clients
    that share one limit reach equal shares of it, since a client that sends more is throttled more
    often.

    Some platforms throttle at random, whatever the rate is. Two rules keep such noise from stopping
    a run:

    - The further the rate is below the rate that was sustained before, the more throttles are
      tolerated, since a limit would cause none there.
    - If throttles go on at the lower rate, a trial is made at two thirds of it. A limit throttles
      much less at that rate. If the share of throttles is about the same, it is noise: the former
      rate is restored, and from then on only throttles beyond that share count. A trial with too
      few answers to tell goes on in the next one, if throttles go on. The trial is repeated from
      time to time.

    The rate never falls below `least_per_s`. Otherwise a client whose requests were all throttled
    for an hour would send almost nothing when the platform works again.
    """

    def __init__(self, least_per_s: float) -> None:
        self._least_per_s = least_per_s
        self.rate_per_s: float | None = None
        """The limit that was found, in requests a second; `None` if none is known."""
        self.is_calm = True
        """Whether nothing is throttled, so that only throttles need to be recorded."""
        self._answered_at = 0.0
        self._limited_since = -math.inf
        self._recent = Recent()
        self._excess = 0.0
        self._uncut_s = 0.0
        self._sustained = SustainedRate()
        self._noise = Noise()
        self._trial: NoiseTrial | None = None
        self._before_trial_per_s: float | None = None
        self._former_share = 0.0
        self._undecided = Count()
        self._next_trial_at = math.inf
        self._last_trial_ended_at = -math.inf
        self._all_pause = False

    @property
    def noise(self) -> float:
        """The share of the requests that is throttled at random, from 0 to 1; 0 if not found."""
        return self._noise.share

    @property
    def is_measuring(self) -> bool:
        """Whether a trial is in progress that tells whether throttles are noise."""
        return self._trial is not None

    def record(self, sent_at: float, now: float, *, is_throttled: bool) -> None:
        """Learn from an answer: it came at `now`, and its request was sent at `sent_at`."""
        if self.is_calm:
            if is_throttled:
                self._begin(now)
            return
        if sent_at < self._limited_since:
            # It left before the first rate, so its answer tells nothing about that rate.
            self._answered_at = now
            return
        since_s = max(0.0, now - self._answered_at)
        elapsed_s = min(since_s, _LONGEST_GAP_S)
        busy_s = min(max(0.0, since_s - self._idle_s(sent_at)), elapsed_s)
        self._answered_at = now
        if self._recent.second_s >= 1:
            self._end_second(now)
        self._recent.add(elapsed_s, busy_s, is_throttled)
        if self._trial is not None:
            if self._trial.record(sent_at, now, is_throttled=is_throttled):
                self._end_trial(self._trial, now)
        elif now >= self._next_trial_at and self._recent.is_telling:
            self._begin_trial(now)
        elif self._is_too_much(is_throttled):
            self._slow_down(sent_at, now)
        else:
            self._speed_up(busy_s)

    def suspect_noise(self, now: float) -> None:
        """Make a trial soon, in case throttles are noise: all requests pause for each of them."""
        if not self.noise:
            self._all_pause = True
            self._next_trial_at = min(
                self._next_trial_at, max(now, self._last_trial_ended_at + _AGAIN_S)
            )

    def _idle_s(self, sent_at: float) -> float:
        """For how long nothing was to be sent before a request that was sent at `sent_at`.

        For example, every contact that the run may hold waits for the end of its Retry-After.
        """
        if self.rate_per_s is None:
            return 0.0
        return max(0.0, sent_at - self._answered_at - _INTERVALS / self.rate_per_s)

    def _begin(self, now: float) -> None:
        # The first throttle is not counted: counting starts because of it, so it is no sample.
        self.is_calm = False
        # What was suspected before the rate was calm has ended.
        self._next_trial_at = math.inf
        self._all_pause = False
        self._answered_at = now
        self._recent = Recent()
        self._excess = 0.0
        self._uncut_s = 0.0

    def _end_second(self, now: float) -> None:
        if self._trial is None:
            was_noise = self.noise
            self._noise.check(self._recent.second)
            if was_noise and not self.noise:
                self._next_trial_at = math.inf  # it would have looked whether the noise goes on
            if self.rate_per_s is not None:
                self._sustained.follow(self.rate_per_s, self._recent, self._noise)
                if self._sustained.is_doubtful:
                    self._next_trial_at = min(
                        self._next_trial_at, max(now, self._last_trial_ended_at + _SOONEST_S)
                    )
        self._recent = Recent(self.rate_per_s, self._recent)

    def _is_too_much(self, is_throttled: bool) -> bool:
        """Add an answer to the excess; returns whether it is a throttle that cuts the rate."""
        noise, tolerated = self.noise, self._noise.tolerated
        if self.rate_per_s is not None:
            given_up = self._sustained.shortfall(self.rate_per_s) - _SLACK_FROM
            tolerated += _SLACK * max(0.0, given_up)
        # Noise alone moves the excess up and down by chance. Each answer adds
        # `noise * (1 - noise)` to its variance, and lowers it by `tolerated - noise` on average. So
        # it usually stays below the quotient of both.
        most = _EXCESS + _CHANCE * noise * (1 - noise) / (tolerated - noise)
        excess = max(0.0, self._excess + is_throttled - tolerated)
        self._excess = min(excess, most)
        return is_throttled and excess > most

    def _slow_down(self, sent_at: float, now: float) -> None:
        recent = self._recent
        if sent_at >= self._limited_since + _FIRST_S:
            self._uncut_s = 0.0
        if self.rate_per_s is None:
            if recent.is_telling and recent.goodput_per_s > 0:
                self._find_first_rate(now)
            return
        if recent.is_telling and self.rate_per_s > 1.1 * recent.sent_per_s:
            # A rate that the client does not reach tells nothing about the limit.
            self.rate_per_s = 1.1 * recent.sent_per_s
            self._sustained.per_s = min(self._sustained.per_s, self.rate_per_s)
        before = self.rate_per_s if recent.highest_rate_per_s is None else recent.highest_rate_per_s
        # As a share of a second's requests at least, since few answers tell little.
        share = recent.count.throttled / max(recent.count.answered, self.rate_per_s)
        unexplained = max(0.0, share - self.noise)
        lowest = before * (1 - min(_MOST_CUT, _OVERSHOOT * unexplained + _OVERSHOOT_LEAST))
        rate = max(min(self.rate_per_s, lowest), self.rate_per_s * (1 - _CUT))
        self.rate_per_s = max(rate, self._least_per_s)

    def _find_first_rate(self, now: float) -> None:
        recent = self._recent
        is_few = recent.count.answered - recent.count.throttled < _FEW
        self._uncut_s = _SETTLED_S + _AFTER_FEW_S if is_few else 0.0
        self.rate_per_s = max(recent.goodput_per_s / (1 - self.noise), self._least_per_s)
        self._sustained.begin(self.rate_per_s)
        self._limited_since = now
        self._recent = Recent(self.rate_per_s)

    def _speed_up(self, busy_s: float) -> None:
        self._uncut_s += busy_s
        if self.rate_per_s is not None:
            doublings = min(max(0.0, self._uncut_s - _SETTLED_S) / _DOUBLING_S, 30.0)
            growth = _GROWTH_PER_S * max(1.0, math.sqrt(_LOW_PER_S / self.rate_per_s))
            most = _MOST_GROWTH_IN_NOISE_PER_S if self.noise else _MOST_GROWTH_PER_S
            self.rate_per_s *= 1 + min(most, growth * 2**doublings) * busy_s
            if self.rate_per_s > _NO_LIMIT_PER_S:
                self.rate_per_s = None
        if self._excess == 0 and self._uncut_s >= _CALM_S:
            is_quiet = self._recent.is_telling and not self._recent.count.throttled
            self.is_calm = self.rate_per_s is None and not self.noise and is_quiet

    def _begin_trial(self, now: float) -> None:
        recent = self._recent
        self._next_trial_at = math.inf
        earlier = self._undecided if now < self._last_trial_ended_at + _AGAIN_S else Count()
        self._former_share = self.noise or self._sustained.below.share or recent.count.share
        rate = recent.sent_per_s
        if self.rate_per_s is not None:
            rate = min(rate, self.rate_per_s)
        self._before_trial_per_s = self.rate_per_s
        self.rate_per_s = max(_TRIAL * rate, self._least_per_s)
        share, longest_s = self._former_share, _TRIAL_S
        if self._all_pause:
            share, longest_s = min(share, _COSTLY_SHARE), _COSTLY_TRIAL_S
        self._trial = NoiseTrial(now, share, longest_s, earlier)

    def _end_trial(self, trial: NoiseTrial, now: float) -> None:
        rate, is_noise, was_known = self._before_trial_per_s, trial.is_noise, bool(self.noise)
        if is_noise is None:
            self._undecided = trial.count
            if self.noise:
                self._next_trial_at = now + _SOONEST_S
            # Otherwise a trial follows if throttles go on.
        else:
            self._undecided = Count()
            is_confirmed = self._noise.learn(
                trial.count, is_noise=is_noise, before=self._sustained.below
            )
            if self.noise:
                self._next_trial_at = now + (2 if is_confirmed else 1) * _AGAIN_S
            rate = self._rate_after_trial(rate)
        self.rate_per_s = rate
        self._last_trial_ended_at = now
        self._trial = None
        self._all_pause = False
        self._uncut_s = _SETTLED_S + _AFTER_NOISE_S if self.noise and not was_known else 0.0
        self._excess = 0.0
        self._recent = Recent(rate)

    def _rate_after_trial(self, rate: float | None) -> float | None:
        """The rate after a trial that found noise, or a limit, given the rate before it."""
        if rate is None:
            return None
        if not self.noise:
            # A limit: it let this share of the former requests through.
            rate = max(rate * (1 - self._former_share), self._least_per_s)
            self._sustained.restart(rate)
            return rate
        # Noise had lowered the rate for nothing.
        return max(rate, self._sustained.restore())
