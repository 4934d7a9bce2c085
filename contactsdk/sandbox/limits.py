"""The platform's rate limit: how many requests it accepts per second."""

import math
import time
from collections.abc import Callable

import attrs


@attrs.frozen(kw_only=True)
class RateLimit:
    """How many requests are accepted; the others are answered with errorCode 429."""

    per_s: float = attrs.field(default=50.0, validator=attrs.validators.gt(0))
    """The most requests per second."""
    depth_s: float = attrs.field(default=0.2, validator=attrs.validators.ge(0))
    """The size of the token bucket in seconds: it holds `per_s * depth_s` requests, at least 1."""
    retry_after: bool = False
    """Whether a refusal has a `Retry-After`, in whole seconds, at least 1."""
    window: bool = False
    """Whether to count the requests of each whole second, instead of using a token bucket."""


class Limiter:
    """Applies a `RateLimit`; `clock` returns seconds and never goes back."""

    def __init__(self, limit: RateLimit, clock: Callable[[], float] = time.monotonic) -> None:
        self.limit = limit
        self._clock = clock
        self._at = clock()
        self._depth = max(1.0, limit.per_s * limit.depth_s)
        self._tokens = self._depth
        self._taken = 0

    def take(self) -> float:
        """Accept a request and return 0.0, or return the seconds until one would be accepted."""
        return self._take_of_window() if self.limit.window else self._take_token()

    def _take_token(self) -> float:
        now, per_s = self._clock(), self.limit.per_s
        self._tokens = min(self._depth, self._tokens + (now - self._at) * per_s)
        self._at = now
        if self._tokens < 1:
            return (1 - self._tokens) / per_s
        self._tokens -= 1
        return 0.0

    def _take_of_window(self) -> float:
        now = self._clock()
        if math.floor(now) != math.floor(self._at):
            self._taken = 0
        self._at = now
        if self._taken >= self.limit.per_s:
            return math.floor(now) + 1 - now
        self._taken += 1
        return 0.0
