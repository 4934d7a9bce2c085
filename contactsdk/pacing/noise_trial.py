"""A trial at half the rate: are throttles the platform's rate limit, or noise?"""

import math
from typing import Final

from contactsdk.pacing.answer_counts import Count

_NEW_SECOND_S: Final = 1.0  # a limit that counts by the second throttles until its next one begins
_SHORTEST_S: Final = 2.0  # of what counts; a burst of others' requests is shorter
_LONGEST_S: Final = 10.0  # so that a slow client does not stay at half its rate for long
_LIMIT_SHARE: Final = 1 / 6  # of the former throttles: several clients may share the limit
_SURE: Final = math.log(100)  # 99 % of the verdicts are right
_LEAST: Final = 0.005
_MOST: Final = 0.9


class NoiseTrial:
    """A sequential probability ratio test between noise and a limit, at half the rate.

    Noise throttles the same share of the requests as before; a limit that the former rate
    was just above throttles less than a third of it.
    """

    def __init__(self, began_at: float, former_share: float) -> None:
        self.count = Count()
        """The answers that count."""
        self._counts_from = began_at + _NEW_SECOND_S
        former_share = min(max(former_share, _LEAST), _MOST)
        self._log_throttled = -math.log(_LIMIT_SHARE)
        self._log_passed = math.log((1 - former_share) / (1 - former_share * _LIMIT_SHARE))
        self._log_ratio = 0.0

    def record(self, sent_at: float, now: float, *, is_throttled: bool) -> bool:
        """Count the answer that came now to the request sent then; whether that is enough."""
        if sent_at < self._counts_from:
            return False
        self.count.add(is_throttled)
        self._log_ratio += self._log_throttled if is_throttled else self._log_passed
        self._log_ratio = max(-_SURE, min(_SURE, self._log_ratio))
        lasted_s = now - self._counts_from
        return lasted_s >= _LONGEST_S or lasted_s >= _SHORTEST_S and abs(self._log_ratio) >= _SURE

    @property
    def noise(self) -> Count:
        return self.count if self._log_ratio > -_SURE else Count()
