"""The rate limit of the platform, found from what it throttles.

Goodput is how many requests a second are not throttled. Noise is the share of the requests that is
throttled at random, whatever the rate. The surplus counts throttles beyond what noise explains. A
decline begins when the surplus lowers the rate, and ends two seconds after the last cut. Whether
throttles are noise is measured at a rate well below the goodput. The recent answers are telling
once they cover a second and there are five of them.
"""

import math
from typing import Final

from contactsdk.pacing.answer_counts import (
    MEASURED_THROTTLES,
    MOST_NOISE,
    TOLERATED,
    Count,
    Decline,
    Measurement,
    Recent,
)

_CUT: Final = 0.03  # of the rate, for each surplus throttle: small steps hold it close to the limit
_GROWTH_PER_S: Final = 0.004  # so that near the limit one request in some hundred is throttled
_SETTLED_S: Final = 5.0  # without a cut, then growth accelerates: there is more to find
_DOUBLING_S: Final = 1.5  # of that growth; a bucket that is a second deep hides the limit for long
_MOST_GROWTH_PER_S: Final = 0.5
_MOST_GROWTH_IN_NOISE_PER_S: Final = 0.06  # for there a limit shows later
_NO_LIMIT_PER_S: Final = 1e5  # more than one client can send
_MOST_CUT_PER_S: Final = 0.3  # of the rate: a throttled second says little about the next
_OVERSHOOT: Final = 1.5  # times the throttled share is what a second's cuts may add up to ...
_OVERSHOOT_LEAST: Final = 0.03  # ... and this, so that a full bucket can run dry at all
_TOLERATED_NOISE: Final = 0.12  # of the noise: what is known of it is no more exact than this
_SURPLUS: Final = 3.0  # throttles in excess are chance, one more is a sign of the limit
_CHANCE: Final = 4.0  # so that noise alone passes its bounds once in minutes at most
_IDLE_S: Final = 1.0  # between two answers; what is beyond says nothing of the rate

_LOW: Final = 0.45  # of the goodput: even a limit that has halved since lets all of that through
_LOOK: Final = 0.6  # of the goodput, where the rate is no higher than a known limit
_AGAIN_S: Final = 30.0  # noise is measured again after this, and at most a tenth of the time
_ENOUGH: Final = 0.85  # of the goodput, in which there is what a bucket held
_OVER_S: Final = 2.0  # without a cut, and a decline is over
_NOISE_IS_KNOWN: Final = 100  # throttles tell the share of noise to a tenth


class AdaptiveRate:
    """Finds how many requests a second the platform takes, from what it throttles.

    There is no limit before the first throttles. Then the rate is what got through; each throttle
    that is one too many lowers it by 3 %, and time without one raises it, the faster the longer
    there was none. So it stays close below the limit, and clients that share one limit come
    to equal shares of it: whoever sends more is throttled more often.

    Some platforms throttle at random, whatever the rate. That shows in a decline to well below what
    used to get through: a limit would throttle nothing there, but the share of random throttles is
    what it was. It is measured, the former rate is taken up again, and from then on only throttles
    beyond that share count. It is measured again from time to time.

    The rate never falls below `least_per_s`: else a platform that throttled everything for an hour
    would find nobody there when it is well again.
    """

    def __init__(self, least_per_s: float) -> None:
        self._least_per_s = least_per_s
        self.rate_per_s: float | None = None
        """The limit as far as it is known, in requests a second; `None` for none."""
        self.noise = 0.0
        """The share of the requests that is throttled whatever the rate."""
        self.is_calm = True
        """Whether nothing is throttled: then answers that are not throttles may be left out."""
        self._answered_at = 0.0
        self._recent = Recent(0.0, None)
        self._surplus = 0.0
        self._settled_s = 0.0
        self._decline: Decline | None = None
        self._measurement: Measurement | None = None
        self._evidence = Count()
        self._unchecked = Count()
        self._measure_at = math.inf
        self._measured_at = -math.inf

    def record(self, sent_at: float, now: float, *, is_throttled: bool) -> None:
        """Learn from the answer that came now to the request that was sent then."""
        if self.is_calm:
            if is_throttled:
                self._begin(now)
            return
        elapsed_s = min(max(0.0, now - self._answered_at), _IDLE_S)
        self._answered_at = now
        if self._recent.second_s >= 1:
            self._end_second()
        self._recent.add(elapsed_s, is_throttled)
        if self._measurement is not None:
            self._measure(self._measurement, sent_at, now, elapsed_s, is_throttled)
        elif now >= self._measure_at and self._recent.is_telling:
            self._look(now)
        elif self._is_one_too_many(is_throttled):
            self._slow_down(now)
        else:
            self._speed_up(elapsed_s)

    def doubt(self, now: float) -> None:
        """Find out soon whether throttles are noise: what follows from them is costly."""
        if not self.noise:
            self._measure_at = min(self._measure_at, max(now, self._measured_at + _AGAIN_S))

    @property
    def is_measuring(self) -> bool:
        """Whether it is being found out if throttles are noise."""
        return self._measurement is not None

    def _begin(self, now: float) -> None:
        # This throttle itself is not counted: that one came is why anything is.
        self.is_calm = False
        self._answered_at = now
        self._recent = Recent(0.0, None)
        self._surplus = 0.0
        self._settled_s = 0.0

    def _end_second(self) -> None:
        if self.noise and self._measurement is None:
            self._check_noise(self._recent.second)
        self._recent = Recent(self._recent.second_s, self._recent.second, self.rate_per_s)

    def _is_one_too_many(self, is_throttled: bool) -> bool:
        noise = self.noise
        tolerated = noise * _TOLERATED_NOISE + TOLERATED
        # How far chance alone takes such a sum grows with the variance, and falls with the drift.
        most = max(_SURPLUS, _CHANCE * noise * (1 - noise) / tolerated)
        expected = noise + tolerated
        surplus = max(0.0, self._surplus + is_throttled - expected)
        self._surplus = min(surplus, most)
        return surplus > most

    def _slow_down(self, now: float) -> None:
        recent = self._recent
        if self.rate_per_s is None:
            if recent.is_telling and recent.goodput_per_s > 0:
                self._find_first_rate(now)
            return
        decline = self._decline
        if recent.is_telling and (decline is None or decline.is_stale(now, self.rate_per_s)):
            # A rate that is not reached says nothing.
            self.rate_per_s = min(self.rate_per_s, 1.1 * recent.sent_per_s)
            goodput = min(self.rate_per_s, recent.goodput_per_s)
            decline = self._decline = Decline(self.rate_per_s, goodput, now)
        before = self.rate_per_s if recent.rate_per_s is None else recent.rate_per_s
        cut = min(_MOST_CUT_PER_S, _OVERSHOOT * recent.count.share + _OVERSHOOT_LEAST)
        lowest = before * (1 - cut)
        rate = max(min(self.rate_per_s, lowest), self.rate_per_s * (1 - _CUT))
        if self.noise and decline is not None and now - decline.began_at < _SETTLED_S:
            # Noise alone would go on with it; a limit that has fallen is found after that time.
            enough = _ENOUGH * decline.goodput_per_s / (1 - self.noise)
            rate = max(rate, min(self.rate_per_s, enough))
        self.rate_per_s = max(rate, self._least_per_s)
        self._settled_s = 0.0
        if decline is not None and self.rate_per_s < _LOW * decline.goodput_per_s:
            self._measurement = Measurement(now, recent.count.share / 2)

    def _find_first_rate(self, now: float) -> None:
        recent = self._recent
        self._settled_s = 0.0
        if recent.count.answered - recent.count.throttled < 30:
            # So few that got through tell little, and are few because all wait that were throttled.
            self._settled_s = _SETTLED_S + 5
        if recent.count.share < MOST_NOISE:
            self._decline = Decline(None, recent.goodput_per_s, now, recent.sent_per_s)
        self.rate_per_s = max(recent.goodput_per_s / (1 - self.noise), self._least_per_s)
        self._recent = Recent(0.0, None, self.rate_per_s)

    def _speed_up(self, elapsed_s: float) -> None:
        self._settled_s += elapsed_s
        if self.rate_per_s is not None:
            doublings = min(max(0.0, self._settled_s - _SETTLED_S) / _DOUBLING_S, 30.0)
            most = _MOST_GROWTH_IN_NOISE_PER_S if self.noise else _MOST_GROWTH_PER_S
            growth = min(most, _GROWTH_PER_S * 2**doublings)
            self.rate_per_s *= 1 + growth * elapsed_s
            if self.rate_per_s > _NO_LIMIT_PER_S:
                self.rate_per_s = None
        if self._surplus == 0 and self._settled_s >= _OVER_S:
            self._decline = None
            is_quiet = self._recent.is_telling and not self._recent.count.throttled
            self.is_calm = self.rate_per_s is None and not self.noise and is_quiet

    def _look(self, now: float) -> None:
        recent = self._recent
        self._measure_at = math.inf
        if recent.count.share > MOST_NOISE:
            return
        goodput, sent = recent.goodput_per_s, recent.sent_per_s
        self._decline = Decline(self.rate_per_s, goodput, now, sent_per_s=sent, is_look=True)
        rate = goodput if self.rate_per_s is None else min(goodput, self.rate_per_s)
        self.rate_per_s = max(_LOOK * rate, self._least_per_s)
        self._measurement = Measurement(now, self.noise or self._recent.count.share)

    def _measure(
        self,
        measurement: Measurement,
        sent_at: float,
        now: float,
        elapsed_s: float,
        is_throttled: bool,
    ) -> None:
        assert self._decline is not None  # noqa: S101  # it ends with the measurement
        if sent_at <= measurement.began_at:
            return
        measurement.add(elapsed_s, is_throttled)
        if not measurement.is_enough:
            return
        self._measured_at = now
        self._measure_at = math.inf
        if not measurement.is_noise:
            self.noise = 0.0
        else:
            found = measurement.count
            is_confirmed = self.noise and abs(found.throttled - self._expected(found)) <= 2 * (
                self._spread(found)
            )
            self._evidence = self._evidence + found if is_confirmed else found
            self.noise = self._evidence.share
            self._measure_at = now + max(_AGAIN_S, 10 * (now - measurement.began_at))
            # The more noise, the less certain that it is not other clients of this limit.
            self.rate_per_s = self._decline.resumed(1 if is_confirmed else 1 - self.noise)
        if not self.noise and self._decline.is_look and measurement.is_steady:
            self.rate_per_s = self._decline.resumed(1)
        self._settled_s = 0.0
        self._surplus = 0.0
        self._decline = None
        self._measurement = None
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
        if expected < 2 * MEASURED_THROTTLES:
            return
        if checked.throttled < expected - 3 * self._spread(checked):
            # Noise does not go away. What was taken for it was others, or is over.
            self._evidence = Count(checked.answered, checked.throttled + 1)
            self.noise = checked.share
        elif self._evidence.throttled < _NOISE_IS_KNOWN:
            self._evidence += checked
            self.noise = self._evidence.share
        self._unchecked = Count()
