"""What is counted of the answers, to tell a rate limit from throttles at random."""

import math
from typing import Final

from attrs import define

_FEWEST: Final = 5  # answers, to tell a rate from them
_EPISODE_S: Final = 10.0  # after it, what is thought to get through is looked at again
MEASURED_THROTTLES: Final = 12  # tell their share to a third
_MEASURED_S: Final = 3.0  # at least, so that a burst of others shows as one
MOST_NOISE: Final = 0.4  # of all requests; where more is throttled, slower is always right
TOLERATED: Final = 0.005  # of all requests: so few throttles slow nothing


@define
class Count:
    """A number of answers, and how many of them were throttles."""

    answered: int = 0
    throttled: int = 0

    @property
    def share(self) -> float:
        """What part of them were throttles; 0 where there were no answers."""
        return self.throttled / self.answered if self.answered else 0.0

    def __add__(self, other: "Count") -> "Count":
        return Count(self.answered + other.answered, self.throttled + other.throttled)


class Recent:
    """The answers of this second and the one before; idle time does not count."""

    def __init__(
        self, before_s: float, before: Count | None, rate_per_s: float | None = None
    ) -> None:
        self.second_s = 0.0
        """How much of this second has passed."""
        self.second = Count()
        """The answers of this second alone."""
        self.rate_per_s = rate_per_s
        """The limit at the beginning of this second."""
        self._before_s = before_s
        self._before = before or Count()

    def add(self, elapsed_s: float, is_throttled: bool) -> None:
        """Count one more answer, so long after the one before."""
        self.second_s += elapsed_s
        self.second.answered += 1
        self.second.throttled += is_throttled

    @property
    def count(self) -> Count:
        """The answers of both seconds."""
        return self._before + self.second

    @property
    def is_telling(self) -> bool:
        """Whether there is enough to tell a rate."""
        return self.second_s + self._before_s >= 1 and self.count.answered >= _FEWEST

    @property
    def sent_per_s(self) -> float:
        """How many requests a second were answered."""
        return self.count.answered / (self.second_s + self._before_s)

    @property
    def goodput_per_s(self) -> float:
        """How many requests a second got through."""
        return (1 - self.count.share) * self.sent_per_s


@define
class Decline:
    """From which rate a decline began, `None` for no limit, and what got through of it."""

    from_per_s: float | None
    goodput_per_s: float
    began_at: float
    sent_per_s: float = 0.0
    """How many requests a second were sent, where there was no limit."""
    is_look: bool = False
    """Whether the rate was lowered only to measure noise."""

    def is_stale(self, now: float, rate_per_s: float) -> bool:
        """Whether it has not gone far for so long that it is not a decline."""
        is_near = self.from_per_s is not None and rate_per_s > 0.95 * self.from_per_s
        return is_near and now - self.began_at > _EPISODE_S

    def resumed(self, part: float) -> float | None:
        """The rate to go on with: so much of the former one."""
        if self.from_per_s is not None:
            return part * self.from_per_s
        return None if part >= 0.9 else part * self.sent_per_s


class Measurement:
    """What is throttled at a rate at which a limit would throttle nothing."""

    def __init__(self, began_at: float, expected: float) -> None:
        self.began_at = began_at
        self._enough = 4 * MEASURED_THROTTLES / max(expected, 4 * TOLERATED)
        self.count = Count()
        self._took_s = 0.0
        self._second_s = 0.0
        self._in_second = 0
        self._most_in_second = 0

    def add(self, elapsed_s: float, is_throttled: bool) -> None:
        """Count one more answer, so long after the one before."""
        self._took_s += elapsed_s
        self._second_s += elapsed_s
        if self._second_s >= 1:
            self._second_s = 0.0
            self._in_second = 0
        self.count.answered += 1
        self.count.throttled += is_throttled
        self._in_second += is_throttled
        self._most_in_second = max(self._most_in_second, self._in_second)

    @property
    def is_enough(self) -> bool:
        """Whether there is noise, or surely less than was expected or is worth knowing."""
        is_known = self.count.throttled >= MEASURED_THROTTLES or self.count.answered >= self._enough
        return is_known and self._took_s >= _MEASURED_S

    @property
    def is_noise(self) -> bool:
        """Whether what was throttled was throttled at random."""
        return self.is_steady and self.count.throttled >= MEASURED_THROTTLES

    @property
    def is_steady(self) -> bool:
        """Whether it is no more than noise, and came at random: a burst is the doing of others."""
        mean = self.count.throttled / self._took_s
        is_even = self._most_in_second <= mean + 3 * math.sqrt(mean) + 2
        return is_even and self.count.share <= MOST_NOISE
