"""A trial at half the rate: are throttles the platform's rate limit, or noise?"""

from typing import Final

from contactsdk.pacing.answer_counts import Count

_NEW_SECOND_S: Final = 1.0  # a limit that counts by the second throttles until its next one begins
_SHORTEST_S: Final = 2.0  # of what counts
_ENOUGH: Final = 12  # throttles tell their share to a third
_NONE: Final = 4  # throttles that are expected and do not come do not come by chance
_LEAST_SHARE: Final = 0.4  # of the former share; less is a limit that several clients share


class NoiseTrial:
    def __init__(self, began_at: float, former_share: float, *, longest_s: float) -> None:
        self._count = Count()
        self._counts_from = began_at + _NEW_SECOND_S
        self._former_share = max(former_share, 0.005)
        self._lasted_s = 0.0
        self._longest_s = longest_s
        self._throttled_seconds: set[int] = set()

    def record(self, sent_at: float, now: float, *, is_throttled: bool) -> bool:
        """Count the answer that came now to the request sent then; whether that is enough."""
        if sent_at < self._counts_from:
            return False
        self._count.add(is_throttled)
        self._lasted_s = now - self._counts_from
        if is_throttled:
            self._throttled_seconds.add(int(self._lasted_s))
        throttled = self._count.throttled
        expected = self._former_share * self._count.answered
        is_clear = (
            throttled >= _ENOUGH
            or expected >= _ENOUGH / _LEAST_SHARE
            or (throttled == 0 and expected >= _NONE)
            or (throttled == 1 and expected >= 1.5 * _NONE)
        )
        return self._lasted_s >= self._longest_s or (self._lasted_s >= _SHORTEST_S and is_clear)

    @property
    def noise(self) -> Count:
        count = self._count
        is_steady = len(self._throttled_seconds) >= min(count.throttled, self._lasted_s) / 2
        is_noise = count.throttled > 2 and count.share >= _LEAST_SHARE * self._former_share
        return count if is_noise and is_steady else Count()
