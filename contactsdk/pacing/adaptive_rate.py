"""The rate limit of the platform, found from its throttles.

Noise is the share of the requests that is throttled at random, at any rate. The surplus is the
number of throttles that noise does not explain. Goodput is the number of requests a second that are
not throttled.
"""

import math
from typing import Final

from contactsdk.pacing.answer_counts import Count, Recent
from contactsdk.pacing.noise import Noise, NoiseTrial
from contactsdk.pacing.sustained_rate import SustainedRate

_CUT: Final = 0.03  # share of the rate, per surplus throttle; small steps keep it near the limit
_MOST_CUT_PER_S: Final = 0.3  # share of the rate; a throttled second tells little about the next
_OVERSHOOT: Final = 1.5  # a second's cuts are at most this many times the share beyond noise ...
_OVERSHOOT_LEAST: Final = 0.02  # ... plus this share of the rate, so that a full bucket can run dry
_SURPLUS: Final = 2.0  # this many surplus throttles may be chance; one more is a sign of the limit
_CHANCE: Final = 4.0  # so high that noise alone seldom exceeds its bound: about once in minutes
_SLACK: Final = 0.6  # tolerated share of throttles, for each share of the rate given up ...
_SLACK_FROM: Final = 0.03  # ... beyond this one, by which a limit lowers the rate too

_GROWTH_PER_S: Final = 0.003  # so low that near the limit one request in some hundred is throttled
_SLOW_PER_S: Final = 50.0  # below this rate growth is faster, so that clients' shares become equal
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
_TRIAL_S: Final = 6.0  # the longest trial: other clients take the rate that this one leaves ...
_EXPECTED: Final = 16  # ... unless fewer throttles than these would be expected in this time, ...
_TRIAL_OF_FEW_S: Final = 12.0  # ... and then this is the longest one
_TRIAL_OF_MANY_S: Final = 15.0  # the longest trial, for the sake of slow clients, if ...
_MANY: Final = 0.1  # ... this share of requests is throttled; a limit does so only for a short time
_COSTLY_TRIAL_S: Final = 60.0  # the longest trial, if all requests pause for each throttle
_COSTLY_SHARE: Final = 0.03  # the former share in such a trial, at most, since few answers show it
_SOONEST_S: Final = 10.0  # the shortest time from one trial to the next
_AGAIN_S: Final = 30.0  # the time to the next trial if noise was found, since noise may end
_CALM_S: Final = 2.0  # the rate is calm after this time without a cut
_LONGEST_S: Final = 1.0  # a longer time between two answers counts as this long
_INTERVALS: Final = 3.0  # the rate delays a request by up to two intervals, and timers are late


class AdaptiveRate:
    """Finds how many requests a second the platform accepts, from its throttles.

    Before the first throttles, the rate is not limited. Then the rate starts at the goodput. Each
    surplus throttle lowers it by 3 %. Time without a surplus throttle raises it, and the longer
    that time lasts, the faster. So the rate stays close below the limit. Clients that share one
    limit reach equal shares of it, since a client that sends more is throttled more often.

    Some platforms throttle at random, at any rate. Two rules keep such noise from stopping a run:

    - The further the rate is below the rate that was sustained before, the more throttles are
      tolerated, since a limit would cause none there.
    - If throttles go on at the lower rate, a trial is made at two thirds of it. A limit throttles
      less at that rate. If the share of throttles stays the same, it is noise: the former rate is
      restored, and from then on only throttles beyond that share count. The trial is repeated from
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
        self._surplus = 0.0
        self._uncut_s = 0.0
        self._sustained = SustainedRate()
        self._noise = Noise()
        self._trial: NoiseTrial | None = None
        self._before_trial_per_s: float | None = None
        self._former_share = 0.0
        self._undecided = Count()
        self._try_at = math.inf
        self._tried_at = -math.inf
        self._is_costly = False

    @property
    def noise(self) -> float:
        """The share of the requests that is throttled at any rate, from 0 to 1; 0 if not found."""
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
        since_s = max(0.0, now - self._answered_at)
        elapsed_s = min(since_s, _LONGEST_S)
        busy_s = min(max(0.0, since_s - self._idle_s(sent_at)), elapsed_s)
        self._answered_at = now
        if self._recent.second_s >= 1:
            self._end_second(now)
        self._recent.add(elapsed_s, busy_s, is_throttled)
        if self._trial is not None:
            if self._trial.record(sent_at, now, is_throttled=is_throttled):
                self._end_trial(self._trial, now)
        elif now >= self._try_at and self._recent.is_telling:
            self._begin_trial(now)
        elif self._is_one_too_many(is_throttled):
            self._slow_down(sent_at, now)
        else:
            self._speed_up(busy_s)

    def doubt(self, now: float) -> None:
        """Make a trial soon: a throttle is costly now, since all requests pause for it."""
        if not self.noise:
            self._is_costly = True
            self._try_at = min(self._try_at, max(now, self._tried_at + _AGAIN_S))

    def _idle_s(self, sent_at: float) -> float:
        """For how long nothing was to be sent before a request that was sent at `sent_at`.

        For example, all contacts that may wait at a time wait as the platform has asked them to.
        """
        if self.rate_per_s is None:
            return 0.0
        return max(0.0, sent_at - self._answered_at - _INTERVALS / self.rate_per_s)

    def _begin(self, now: float) -> None:
        # The first throttle is not counted: counting starts because of it, so it is no sample.
        self.is_calm = False
        self._answered_at = now
        self._recent = Recent()
        self._surplus = 0.0
        self._uncut_s = 0.0

    def _end_second(self, now: float) -> None:
        if self._trial is None:
            self._noise.check(self._recent.second)
            if self.rate_per_s is not None:
                self._sustained.follow(self.rate_per_s, self._recent, self._noise)
                if self._sustained.is_doubtful:
                    self._try_at = min(self._try_at, max(now, self._tried_at + _SOONEST_S))
        self._recent = Recent(self.rate_per_s, self._recent)

    def _is_one_too_many(self, is_throttled: bool) -> bool:
        noise, tolerated = self.noise, self._noise.tolerated
        if self.rate_per_s is not None:
            given_up = self._sustained.shortfall(self.rate_per_s) - _SLACK_FROM
            tolerated += _SLACK * max(0.0, given_up)
        # Chance alone can raise this sum: the more the higher its variance, and the less the
        # further its mean drifts down.
        most = _SURPLUS + _CHANCE * noise * (1 - noise) / (tolerated - noise)
        surplus = max(0.0, self._surplus + is_throttled - tolerated)
        self._surplus = min(surplus, most)
        return surplus > most

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
        unexplained = max(0.0, recent.count.share - self.noise)
        lowest = before * (1 - min(_MOST_CUT_PER_S, _OVERSHOOT * unexplained + _OVERSHOOT_LEAST))
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
            slow = _GROWTH_PER_S * max(1.0, math.sqrt(_SLOW_PER_S / self.rate_per_s))
            most = _MOST_GROWTH_IN_NOISE_PER_S if self.noise else _MOST_GROWTH_PER_S
            self.rate_per_s *= 1 + min(most, slow * 2**doublings) * busy_s
            if self.rate_per_s > _NO_LIMIT_PER_S:
                self.rate_per_s = None
        if self._surplus == 0 and self._uncut_s >= _CALM_S:
            is_quiet = self._recent.is_telling and not self._recent.count.throttled
            self.is_calm = self.rate_per_s is None and not self.noise and is_quiet

    def _begin_trial(self, now: float) -> None:
        recent = self._recent
        self._try_at = math.inf
        self._former_share = self.noise or self._sustained.below.share or recent.count.share
        rate = recent.sent_per_s
        if self.rate_per_s is not None:
            rate = min(rate, self.rate_per_s)
        self._before_trial_per_s = self.rate_per_s
        self.rate_per_s = max(_TRIAL * rate, self._least_per_s)
        former_share = self._former_share
        if self._is_costly:
            former_share, longest_s = min(former_share, _COSTLY_SHARE), _COSTLY_TRIAL_S
        elif former_share >= _MANY:
            longest_s = _TRIAL_OF_MANY_S
        else:
            expected_per_s = max(former_share * self.rate_per_s, _EXPECTED / _TRIAL_OF_FEW_S)
            longest_s = max(_TRIAL_S, _EXPECTED / expected_per_s)
        earlier = self._undecided if now < self._tried_at + _AGAIN_S else Count()
        self._trial = NoiseTrial(now, former_share, longest_s, earlier)

    def _end_trial(self, trial: NoiseTrial, now: float) -> None:
        rate, found, was_known = self._before_trial_per_s, trial.noise, bool(self.noise)
        if found is None:
            self._undecided = trial.count
            self._try_at = now + _SOONEST_S
        else:
            self._undecided = Count()
            rate = self._learn(found, rate, now)
        self.rate_per_s = rate
        self._tried_at = now
        self._trial = None
        self._is_costly = False
        self._uncut_s = _SETTLED_S + _AFTER_NOISE_S if self.noise and not was_known else 0.0
        self._surplus = 0.0
        self._recent = Recent(rate)

    def _learn(self, found: Count, rate: float | None, now: float) -> float | None:
        """Learn from a trial that could tell; returns the rate after it, given that before it."""
        is_confirmed = self._noise.learn(found, self._sustained.below)
        if self.noise:
            self._try_at = now + (2 if is_confirmed else 1) * _AGAIN_S
        if rate is None:
            return None
        if not self.noise:
            rate *= 1 - self._former_share
            self._sustained.restart(rate)
            return rate
        self._sustained.restart(self._sustained.per_s)
        return max(rate, self._sustained.per_s)
