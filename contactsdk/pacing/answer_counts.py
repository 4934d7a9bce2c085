"""Counts of answers, from which a rate and a share of throttles follow."""

from typing import Final

from attrs import define

_FEWEST: Final = 5  # the fewest answers from which a rate is estimated


@define
class Count:
    """A number of answers, and how many of them were throttles."""

    answered: int = 0
    throttled: int = 0

    def add(self, is_throttled: bool) -> None:
        """Count one more answer."""
        self.answered += 1
        self.throttled += is_throttled

    @property
    def share(self) -> float:
        """The share of throttles, from 0 to 1; 0 if there were no answers."""
        return self.throttled / self.answered if self.answered else 0.0

    def at_most(self, throttled: int) -> "Count":
        """These answers, scaled down to at most so many throttles with the same share."""
        if self.throttled <= throttled:
            return self
        return Count(round(self.answered * throttled / self.throttled), throttled)

    def __add__(self, other: "Count") -> "Count":
        return Count(self.answered + other.answered, self.throttled + other.throttled)


class Recent:
    """The answers of a window of two seconds: this second and the one before.

    Time in which there was nothing to send counts for the length of a second, but not for the rate.
    """

    def __init__(self, rate_per_s: float | None = None, previous: "Recent | None" = None) -> None:
        self.second_s = 0.0
        """How much of this second has passed."""
        self.second = Count()
        """The answers of this second alone."""
        self.highest_rate_per_s = rate_per_s
        """The higher of the rates at the beginning of this second and of the one before."""
        self._rate_per_s = rate_per_s
        self._busy_s = 0.0
        self._before = Count() if previous is None else previous.second
        self._before_s = 0.0 if previous is None else previous.second_s
        self._busy_before_s = 0.0 if previous is None else previous._busy_s
        rate_before_per_s = None if previous is None else previous._rate_per_s
        if rate_per_s is not None and rate_before_per_s is not None:
            self.highest_rate_per_s = max(rate_per_s, rate_before_per_s)

    def add(self, elapsed_s: float, busy_s: float, is_throttled: bool) -> None:
        """Count one more answer, which came `elapsed_s` seconds after the one before.

        In `busy_s` of these seconds there was something to send.
        """
        self.second_s += elapsed_s
        self._busy_s += busy_s
        self.second.add(is_throttled)

    @property
    def count(self) -> Count:
        """The answers of both seconds."""
        return self._before + self.second

    @property
    def is_telling(self) -> bool:
        """Whether there are enough answers and time to estimate a rate."""
        is_long = self.second_s + self._before_s >= 1 and self._busy_both_s > 0
        return is_long and self.count.answered >= _FEWEST

    @property
    def sent_per_s(self) -> float:
        """How many requests a second were answered; 0 if there was nothing to send."""
        return self.count.answered / self._busy_both_s if self._busy_both_s else 0.0

    @property
    def goodput_per_s(self) -> float:
        """How many requests a second got through."""
        return (1 - self.count.share) * self.sent_per_s

    @property
    def _busy_both_s(self) -> float:
        return self._busy_s + self._busy_before_s
