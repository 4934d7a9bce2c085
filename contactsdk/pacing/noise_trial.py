"""A trial at half the rate: are throttles the platform's rate limit, or noise?"""

from typing import Final

from contactsdk.pacing.answer_counts import Count

_NEW_SECOND_S: Final = 1.0  # a limit that counts by the second throttles until its next one begins
_SHORTEST_S: Final = 2.0  # of what counts; a burst of others' requests is shorter
_LONGEST_S: Final = 10.0  # so that a slow client does not stay at half its rate for long
_ENOUGH: Final = 12  # throttles tell their share to a third
_NONE: Final = 8  # throttles that are expected and do not come do not come by chance
_LEAST_SHARE: Final = 0.4  # of the former throttles; several clients may share the limit


class NoiseTrial:
    def __init__(self, began_at: float, former_share: float) -> None:
        self._count = Count()
        self._counts_from = began_at + _NEW_SECOND_S
        self._former_share = max(former_share, 0.005)

    def record(self, sent_at: float, now: float, *, is_throttled: bool) -> bool:
        """Count the answer that came now to the request sent then; whether that is enough."""
        if sent_at < self._counts_from:
            return False
        self._count.add(is_throttled)
        lasted_s = now - self._counts_from
        throttled = self._count.throttled
        expected = self._former_share * self._count.answered
        is_clear = (
            throttled >= _ENOUGH
            or expected >= _ENOUGH / _LEAST_SHARE
            or (expected >= _NONE and throttled <= 1)
        )
        return lasted_s >= _LONGEST_S or (lasted_s >= _SHORTEST_S and is_clear)

    @property
    def noise(self) -> Count:
        count = self._count
        is_noise = count.throttled > 2 and count.share >= _LEAST_SHARE * self._former_share
        return count if is_noise else Count()
