"""A circuit breaker: while the platform lets nothing through, it is probed by one request at a
time.
"""

import math
from collections.abc import Callable
from enum import Enum


class BreakerState(Enum):
    """Whether requests may leave."""

    CLOSED = "closed"
    """Requests may leave."""
    OPEN = "open"
    """No request may leave for a while; then one may, the probe."""
    HALF_OPEN = "half-open"
    """The probe is in flight; no other request may leave before its result."""


class CircuitBreaker:
    """Opens after `failures` failed requests in a row, if the first and the last of them are at
    least `over_s` seconds apart.

    Each failed probe makes the next one wait longer: exponential backoff with full jitter, from
    `base_s` up to `max_wait_s`. `record_answer` closes the breaker. All times are of one clock.
    """

    def __init__(
        self,
        *,
        failures: int,
        over_s: float = 0.0,
        base_s: float,
        max_wait_s: float,
        random: Callable[[], float],
    ) -> None:
        self.state = BreakerState.CLOSED
        """Whether requests may leave."""
        self.probe_at = -math.inf
        """When the next probe may leave, while the breaker is open."""
        self._failures = failures
        self._over_s = over_s
        self._base_s = base_s
        self._max_wait_s = max_wait_s
        self._random = random
        self._in_a_row = 0
        self._failing_since = 0.0
        self._opened_at = -math.inf
        self._waits = 0
        self._probe: float | None = None

    def record_failure(self, sent_at: float, now: float, *, asked_s: float = 0.0) -> None:
        """A request that was sent at `sent_at` has failed; the platform asked to wait `asked_s`
        seconds.
        """
        if self.state is not BreakerState.CLOSED:
            # A request that left before the breaker opened is part of the same outage.
            if sent_at == self._probe:
                self._open(now, asked_s)
            return
        if sent_at <= self._opened_at:
            return
        if self._in_a_row == 0:
            self._failing_since = now
        self._in_a_row += 1
        if self._in_a_row >= self._failures and now - self._failing_since >= self._over_s:
            self._open(now, asked_s)

    def record_answer(self) -> None:
        """A request got through: close the breaker."""
        self.state = BreakerState.CLOSED
        self._in_a_row = 0
        self._waits = 0
        self._probe = None

    def begin_probe(self, sent_at: float) -> None:
        """If the breaker is open, the request that leaves now becomes the probe."""
        if self.state is BreakerState.OPEN:
            self.state = BreakerState.HALF_OPEN
            self._probe = sent_at

    def abandon(self, sent_at: float) -> None:
        """The request that was sent at `sent_at` will have no result; if it was the probe, another
        one may leave at once.
        """
        if sent_at == self._probe:
            self.state = BreakerState.OPEN
            self._probe = None

    def _open(self, now: float, asked_s: float) -> None:
        longest = min(self._base_s * 2.0 ** min(self._waits, 100), self._max_wait_s)
        self.state = BreakerState.OPEN
        self._opened_at = now
        self.probe_at = now + max(asked_s, self._random() * longest)
        self._waits += 1
        self._probe = None
