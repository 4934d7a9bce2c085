"""The rate limit of the platform, found from what it throttles."""

import math
from typing import Final

from contactsdk.pacing.answer_counts import Count, Recent
from contactsdk.pacing.noise_trial import NoiseTrial

_CUT: Final = 0.03  # of the rate, for each surplus throttle: small steps hold it close to the limit
_GROWTH_PER_S: Final = 0.003  # so that near the limit one request in some hundred is throttled
_SETTLED_S: Final = 5.0  # without a cut, then growth accelerates: there is more to find
_DOUBLING_S: Final = 1.5  # of that growth; a bucket that is a second deep hides the limit for long
_MOST_GROWTH_PER_S: Final = 0.5
_MOST_GROWTH_IN_NOISE_PER_S: Final = 0.06  # for there a limit shows later
_NO_LIMIT_PER_S: Final = 1e4  # more than one client can send
_MOST_CUT_PER_S: Final = 0.3  # of the rate: a throttled second says little about the next
_OVERSHOOT: Final = 1.5  # times the throttled share is what a second's cuts may add up to ...
_OVERSHOOT_LEAST: Final = 0.03  # ... and this, so that a full bucket can run dry at all
_TOLERATED: Final = 0.005  # of all requests: so few throttles slow nothing
_TOLERATED_NOISE: Final = 0.12  # of the noise: what is known of it is no more exact than this
_SLACK: Final = 0.4
_SURPLUS: Final = 3.0  # throttles in excess are chance, one more is a sign of the limit
_CHANCE: Final = 6.0  # so that noise alone passes its bounds once in minutes at most
_IDLE_S: Final = 1.0  # between two answers; what is beyond says nothing of the rate

_QUIET: Final = 0.01
_BELOW: Final = 0.95
_BELOW_S: Final = 6.0
_BELOW_THROTTLED: Final = 20
_REFERENCE_FALL: Final = 0.2
_REFERENCE_RISE: Final = 0.07
_TRIAL: Final = 0.65  # of the rate
_LONGEST_S: Final = 6.0  # others take what this client leaves
_LONGEST_DOUBT_S: Final = 60.0
_AGAIN_S: Final = 30.0  # until the next trial
_CHECKED_THROTTLES: Final = 24  # tell their share to a fifth
_NOISE_IS_KNOWN: Final = 100  # throttles tell the share of noise to a tenth


class AdaptiveRate:
    def __init__(self, least_per_s: float) -> None:
        self._least_per_s = least_per_s
        self.rate_per_s: float | None = None
        """The limit as far as it is known, in requests a second; `None` for none."""
        self.noise = 0.0
        """The share of the requests that is throttled whatever the rate."""
        self.is_calm = True
        """Whether nothing is throttled: then answers that are no throttle need not be recorded."""
        self._answered_at = 0.0
        self._recent = Recent(0.0, None)
        self._surplus = 0.0
        self._settled_s = 0.0
        self._reference_per_s = 0.0
        self._below = Count()
        self._below_s = 0.0
        self._trial: NoiseTrial | None = None
        self._evidence = Count()
        self._unchecked = Count()
        self._try_at = math.inf
        self._tried_at = -math.inf
        self._before_trial_per_s: float | None = None
        self._is_new = False
        self._is_costly = False
        self._former_share = 0.0

    def record(self, sent_at: float, now: float, *, is_throttled: bool) -> None:
        """Learn from the answer that came now to the request that was sent then."""
        if self.is_calm:
            if is_throttled:
                self._begin(now)
            return
        elapsed_s = min(max(0.0, now - self._answered_at), _IDLE_S)
        self._answered_at = now
        if self._recent.second_s >= 1:
            self._end_second(now)
        self._recent.add(elapsed_s, is_throttled)
        if self._trial is not None:
            if self._trial.record(sent_at, now, is_throttled=is_throttled):
                self._end_trial(self._trial.noise, now)
            return
        if now >= self._try_at and self._recent.is_telling:
            self._begin_trial(now)
        elif self._is_one_too_many(is_throttled):
            self._slow_down()
        else:
            self._speed_up(elapsed_s)

    def doubt(self, now: float) -> None:
        """Find out soon whether throttles are noise: what follows from them is costly."""
        if not self.noise:
            self._is_costly = True
            self._try_at = min(self._try_at, max(now, self._tried_at + _AGAIN_S))

    @property
    def is_measuring(self) -> bool:
        """Whether it is being found out if throttles are noise."""
        return self._trial is not None

    def _begin(self, now: float) -> None:
        # This throttle itself is not counted: that one came is why anything is.
        self.is_calm = False
        self._answered_at = now
        self._recent = Recent(0.0, None)
        self._surplus = 0.0
        self._settled_s = 0.0

    def _end_second(self, now: float) -> None:
        if self._trial is None:
            if self.noise:
                self._check_noise(self._recent.second)
            if self.rate_per_s is not None:
                self._follow(self.rate_per_s, now)
        self._recent = Recent(self._recent.second_s, self._recent.second, self.rate_per_s)

    def _follow(self, rate: float, now: float) -> None:
        recent = self._recent
        self._below += recent.second
        self._below_s += recent.second_s
        count = recent.count if self._below_s < 2 else self._below
        excess = count.share - self.noise - self._tolerated_noise - _TOLERATED
        reached = recent.goodput_per_s / (1 - self.noise)
        if self._is_new and recent.is_telling:
            # What a full bucket let through was part of the first rate.
            self._is_new = False
            self._reference_per_s = min(rate, self._reference_per_s * (1 - recent.count.share))
        if rate > self._reference_per_s:
            self._reference_per_s += _REFERENCE_RISE * max(0.0, min(rate, reached) - self._reference_per_s)
        else:
            slowly = _REFERENCE_FALL / (6 if self.noise else 40)
            fall = _REFERENCE_FALL if excess <= 0 else slowly
            self._reference_per_s += fall * (rate - self._reference_per_s)
        if excess <= _QUIET or rate > _BELOW * self._reference_per_s:
            self._below, self._below_s = Count(), 0.0
        elif self._below_s >= _BELOW_S and self._below.throttled >= _BELOW_THROTTLED:
            self._try_at = min(self._try_at, max(now, self._tried_at + _AGAIN_S / 3))

    @property
    def _tolerated(self) -> float:
        slack = 0.0
        if self.rate_per_s is not None and self.rate_per_s < self._reference_per_s:
            slack = _SLACK * (1 - self.rate_per_s / self._reference_per_s)
        return self._tolerated_noise + _TOLERATED + slack

    @property
    def _tolerated_noise(self) -> float:
        return self.noise * 0.08 + 0.008 if self.noise else 0.0

    def _is_one_too_many(self, is_throttled: bool) -> bool:
        noise, tolerated = self.noise, self._tolerated
        # How far chance alone takes such a sum grows with the variance, and falls with the drift.
        most = max(_SURPLUS, _CHANCE * noise * (1 - noise) / tolerated)
        surplus = max(0.0, self._surplus + is_throttled - noise - tolerated)
        self._surplus = min(surplus, most)
        return surplus > most

    def _slow_down(self) -> None:
        recent = self._recent
        self._settled_s = 0.0
        if self.rate_per_s is None:
            if recent.is_telling and recent.goodput_per_s > 0:
                self._find_first_rate()
            return
        if recent.is_telling and self.rate_per_s > 1.1 * recent.sent_per_s:
            # A rate that is not reached says nothing.
            self.rate_per_s = 1.1 * recent.sent_per_s
            self._reference_per_s = min(self._reference_per_s, self.rate_per_s)
        before = self.rate_per_s if recent.rate_per_s is None else recent.rate_per_s
        cut = min(_MOST_CUT_PER_S, _OVERSHOOT * max(0.0, recent.count.share - self.noise) + _OVERSHOOT_LEAST)
        lowest = before * (1 - cut)
        rate = max(min(self.rate_per_s, lowest), self.rate_per_s * (1 - _CUT))
        self.rate_per_s = max(rate, self._least_per_s)

    def _find_first_rate(self) -> None:
        recent = self._recent
        if recent.count.answered - recent.count.throttled < 30:
            # So few that got through tell little, and are few because all wait that were throttled.
            self._settled_s = _SETTLED_S + 8
        self.rate_per_s = max(recent.goodput_per_s / (1 - self.noise), self._least_per_s)
        self._reference_per_s = self.rate_per_s
        self._is_new = True
        self._recent = Recent(0.0, None, self.rate_per_s)

    def _speed_up(self, elapsed_s: float) -> None:
        self._settled_s += elapsed_s
        if self.rate_per_s is not None:
            doublings = min(max(0.0, self._settled_s - _SETTLED_S) / _DOUBLING_S, 30.0)
            most = _MOST_GROWTH_IN_NOISE_PER_S if self.noise else _MOST_GROWTH_PER_S
            slow = _GROWTH_PER_S * max(1.0, math.sqrt(50 / self.rate_per_s))
            growth = min(most, slow * 2**doublings)
            self.rate_per_s *= 1 + growth * elapsed_s
            if self.rate_per_s > _NO_LIMIT_PER_S:
                self.rate_per_s = None
        if self._surplus == 0 and self._settled_s >= 2:
            is_quiet = self._recent.is_telling and not self._recent.count.throttled
            self.is_calm = self.rate_per_s is None and not self.noise and is_quiet

    def _begin_trial(self, now: float) -> None:
        self._try_at = math.inf
        former = self.noise or self._below.share
        rate = self._recent.sent_per_s
        self._before_trial_per_s = self.rate_per_s
        if self.rate_per_s is not None:
            rate = min(rate, self.rate_per_s)
        self.rate_per_s = max(_TRIAL * rate, self._least_per_s)
        self._former_share = former or self._recent.count.share
        self._trial = NoiseTrial(now, self._former_share, longest_s=_LONGEST_DOUBT_S if self._is_costly else _LONGEST_S)

    def _end_trial(self, found: Count, now: float) -> None:
        self._tried_at = now
        self.rate_per_s = self._before_trial_per_s
        if found.throttled:
            below = self._below
            expected = found.share * below.answered
            if not self.noise and abs(below.throttled - expected) <= 2 * math.sqrt(expected + expected**2 / found.throttled):
                found = found + below
            is_confirmed = self.noise and abs(found.throttled - self._expected(found)) <= 2 * (
                self._spread(found)
            )
            self._evidence = self._evidence + found if is_confirmed else found
            self.noise = self._evidence.share
            self._try_at = now + (2 if is_confirmed else 1) * _AGAIN_S
            if self.rate_per_s is not None:
                self.rate_per_s = max(self.rate_per_s, self._reference_per_s)
        else:
            self.noise = 0.0
            if self.rate_per_s is not None:
                self.rate_per_s *= 1 - self._former_share
                self._reference_per_s = self.rate_per_s
        self._below, self._below_s = Count(), 0.0
        self._settled_s = 0.0
        self._surplus = 0.0
        self._trial = None
        self._is_costly = False
        self._unchecked = Count()
        self._recent = Recent(0.0, None, self.rate_per_s)

    def _expected(self, count: Count) -> float:
        return self.noise * count.answered

    def _spread(self, count: Count) -> float:
        # Of what is counted, and of what is known.
        expected = self._expected(count)
        return math.sqrt(expected + expected**2 / max(1, self._evidence.throttled))

    def _check_noise(self, second: Count) -> None:
        self._unchecked = checked = self._unchecked + second
        expected = self._expected(checked)
        if expected < _CHECKED_THROTTLES:
            return
        surplus = checked.throttled - expected
        if surplus < -3 * self._spread(checked):
            # Noise does not go away. What was taken for it was others, or is over.
            self._evidence = Count(checked.answered, checked.throttled + 1)
            self.noise = checked.share
        elif surplus < self._spread(checked) and self._evidence.throttled < _NOISE_IS_KNOWN:
            self._evidence += checked
            self.noise = self._evidence.share
        self._unchecked = Count()
