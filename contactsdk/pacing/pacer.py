"""The pacer of a client: it decides when each request may leave."""

import asyncio
import math
import random as random_module
from collections.abc import Callable
from typing import Final, TypeAlias

from contactsdk import wire
from contactsdk.errors import ContactError, RateLimitedError, UnavailableError, UncertainError
from contactsdk.pacing.adaptive_rate import AdaptiveRate
from contactsdk.pacing.circuit_breaker import BreakerState, CircuitBreaker
from contactsdk.pacing.held_time import HeldTime
from contactsdk.pacing.turn_queue import TurnQueue

Turn: TypeAlias = float
"""One request's turn: the time at which it may leave, by the pacer's clock."""

# This many attempts in a row without a trustworthy answer, or with an error such as HTTP 502 or
# 503, are an outage. Fewer may be chance.
_OUTAGE: Final = 5
# This many throttles in a row, over this many seconds, mean that nothing at all is let through: a
# limit by the second would let some requests through in the next second.
_ALL_THROTTLED: Final = 10
_ALL_THROTTLED_S: Final = 1.0
_OWN_THROTTLES: Final = 5  # in a row for one contact; more are due to it, if others get through
_SHORT_WAIT_S: Final = 1.0  # a Retry-After of up to 1 s says "slow down"; it is not a pause
_LONGEST_PAUSE_S: Final = 3600.0  # one wrong header must not end the use of a client
_CATCH_UP_S: Final = 0.025  # requests may catch up this much lateness; a busy machine is that late


class Pacer:
    """Gives each request its turn, and learns from its result. Each client has one pacer.

    Single calls and all runs of a client share the rate limit that was found, the pauses that the
    platform asked for, and two circuit breakers. One breaker opens in an outage, when no answers
    come, or only errors such as 502 and 503. The other one opens when everything is throttled.
    Turns are given in the order in which they are asked for. End each turn with `record_result` or
    `abandon`.
    """

    def __init__(
        self,
        *,
        base_s: float,
        max_wait_s: float,
        clock: Callable[[], float],
        random: Callable[[], float] = random_module.random,
    ) -> None:
        self.blocked_since: float | None = None
        """Since when the platform lets nothing through: the time of the first failure after the
        last request that got through. `None` while requests get through. Idle time does not count:
        it moves this time forward."""
        self._clock = clock
        self._rate = AdaptiveRate(1 / max_wait_s)
        self._outage = CircuitBreaker(
            failures=_OUTAGE, base_s=base_s, max_wait_s=max_wait_s, random=random
        )
        self._throttle_breaker = CircuitBreaker(
            failures=_ALL_THROTTLED,
            over_s=_ALL_THROTTLED_S,
            base_s=base_s,
            max_wait_s=max_wait_s,
            random=random,
        )
        self._queue: TurnQueue[Turn] = TurnQueue(
            ready_at=lambda: self.ready_at, take=self._take, give_back=self.abandon, clock=clock
        )
        self._impatient: dict[asyncio.Future[Turn], float] = {}
        # Nearly always the pacer is calm: no limit is known, nothing fails and nobody waits. Then
        # requests leave at once, and successes need not be recorded.
        self._is_calm = True
        # Turns are evenly spaced, and each request leaves at a random moment between its turn and
        # the next. Without that, if clients share a limit by the second, the same one of them would
        # always come last.
        self._scheduled_at = -math.inf
        self._jitter = 0.0
        self._random = random
        self._paused_at = -math.inf
        self._paused_until = -math.inf
        # When requests may leave again: the end of a pause, or when a probe may leave.
        self._opens_at = -math.inf
        self._held = HeldTime()
        self._busy_at = clock()

    @property
    def rate_per_s(self) -> float | None:
        """The rate limit that was found, in requests a second; `None` if none is known."""
        return self._rate.rate_per_s

    @property
    def breaker_state(self) -> BreakerState:
        """The state of the circuit breaker that opens in an outage."""
        return self._outage.state

    @property
    def paused_s(self) -> float:
        """For how many seconds in all requests were held back so far.

        They are held back while a pause lasts, and while a breaker is open or half-open.
        """
        return self._held.at_end_s if self._is_calm else self._held.total_s(self._clock())

    @property
    def paused_until(self) -> float:
        """The end of the last pause, by the pacer's clock; it may have passed."""
        return self._paused_until

    @property
    def ready_at(self) -> float:
        """When the next turn comes, by the pacer's clock, as far as that is known.

        A time in the past means at once. `math.inf` means that it depends on the result of a probe.
        """
        rate = self._rate.rate_per_s
        paced_at = -math.inf if rate is None else self._scheduled_at + (1 + self._jitter) / rate
        return max(self._opens_at, paced_at)

    def acquire_nowait(self) -> Turn | None:
        """A turn, if there is one at once; otherwise `None`."""
        if self._is_calm:
            return self._clock()
        self._skip_idle_time()
        if self._queue or self.ready_at > self._clock():
            return None
        return self._take()

    async def acquire(self) -> Turn:
        """Wait for a turn, however long it takes."""
        turn = self.acquire_nowait()
        return await self._queue.wait(self._queue.join()) if turn is None else turn

    async def acquire_within(self, patience_s: float) -> Turn:
        """Wait for a turn, but not longer than `patience_s` seconds.

        Raises:
            RateLimitedError: The turn does not come in time; raised as soon as that is clear.
            UnavailableError: There is an outage, and this request is not its probe.
        """
        turn = self.acquire_nowait()
        if turn is not None:
            return turn
        if self._outage.state is not BreakerState.CLOSED:
            raise self._unavailable()
        wait_s = self._wait_s()
        if wait_s > patience_s:
            raise self._rate_limited(wait_s)
        waiter = self._queue.join()
        self._impatient[waiter] = self._clock() + patience_s
        try:
            async with asyncio.timeout(patience_s):
                return await self._queue.wait(waiter)
        except TimeoutError as exc:
            raise self._rate_limited(self._wait_s()) from exc
        finally:
            del self._impatient[waiter]

    def record_result(self, turn: Turn, error: ContactError | None, *, in_a_row: int = 0) -> bool:
        """Learn from the result of a request; returns whether the platform caused its failure.

        Such failures are throttles, races (24299) and outages. In a run they do not count against
        the contact. `in_a_row` is how often this contact was throttled in a row, including this
        time; 0 if that is not counted.
        """
        if error is None and self._is_calm:
            return False
        now = self._clock()
        self._busy_at = now
        is_contacts_own = in_a_row > _OWN_THROTTLES and self.blocked_since is None
        is_platforms = self._learn(turn, error, now, is_contacts_own)
        self._end(turn, now)
        return is_platforms

    def abandon(self, turn: Turn) -> None:
        """End a turn without a result: the request was cancelled, or its deadline was too short."""
        self._end(turn, self._clock())

    def pause(self, until: float) -> None:
        """Hold all requests back until `until`, a time of the pacer's clock.

        Use it when the platform has asked another process of the same account to wait. It does
        nothing if this pacer has found that such demands come at random, or is finding it out.
        """
        now = self._clock()
        until = min(until, now + _LONGEST_PAUSE_S)
        if self._rate.noise or self._rate.is_measuring or until <= max(now, self._paused_until):
            return
        self._paused_at = now
        self._paused_until = until
        self._update(now)

    def _learn(
        self, turn: Turn, error: ContactError | None, now: float, is_contacts_own: bool
    ) -> bool:
        asked_s = 0.0 if error is None else error.retry_after_s or 0.0
        match error:
            case RateLimitedError(specific_code=wire.RACE):
                self._got_through()
                return True
            case RateLimitedError():
                self._outage.record_answer()
                self._fail(now)
                if not is_contacts_own:
                    self._throttled(turn, now, asked_s)
                return True
            case UnavailableError() | UncertainError():
                self._fail(now)
                self._outage.record_failure(turn, now, asked_s=asked_s)
                if asked_s and not is_contacts_own:
                    self._throttled(turn, now, asked_s)
                elif error.http_status is not None:
                    # The platform answered, and did not throttle.
                    self._rate.record(turn, now, is_throttled=False)
                return bool(asked_s) or self._outage.state is not BreakerState.CLOSED
            case _:
                self._got_through()
                self._rate.record(turn, now, is_throttled=False)
                return False

    def _throttled(self, turn: Turn, now: float, asked_s: float) -> None:
        if self._throttle_breaker.state is BreakerState.CLOSED:
            self._rate.record(turn, now, is_throttled=True)
        self._throttle_breaker.record_failure(turn, now, asked_s=asked_s)
        # The answer to a request that left before a pause began is no reason for a new pause. If
        # throttles are random, a pause for all requests is useless, so a trial is made soon.
        is_news = turn > self._paused_at and not self._rate.noise and not self._rate.is_measuring
        if asked_s > _SHORT_WAIT_S and is_news:
            self._paused_at = now
            self._paused_until = now + min(asked_s, _LONGEST_PAUSE_S)
            self._rate.suspect_noise(now)

    def _got_through(self) -> None:
        self.blocked_since = None
        self._outage.record_answer()
        self._throttle_breaker.record_answer()

    def _fail(self, now: float) -> None:
        if self.blocked_since is None:
            self.blocked_since = now

    def _skip_idle_time(self) -> None:
        if self.blocked_since is not None and not self._queue and not self._is_probing():
            now = self._clock()
            last = max(self._busy_at, self._opens_at, self.blocked_since)
            self.blocked_since += max(0.0, now - last)
            self._busy_at = now

    def _is_probing(self) -> bool:
        return BreakerState.HALF_OPEN in (self._outage.state, self._throttle_breaker.state)

    def _next_opening(self) -> float:
        at = self._paused_until
        for breaker in (self._outage, self._throttle_breaker):
            if breaker.state is BreakerState.HALF_OPEN:
                return math.inf
            if breaker.state is BreakerState.OPEN:
                at = max(at, breaker.probe_at)
        return at

    def _take(self) -> Turn:
        now = self._clock()
        rate = self._rate.rate_per_s
        interval_s = 0.0 if rate is None else 1 / rate
        earliest = now - interval_s - _CATCH_UP_S
        self._scheduled_at = max(self._scheduled_at + interval_s, earliest)
        self._jitter = self._random()
        self._outage.begin_probe(now)
        self._throttle_breaker.begin_probe(now)
        if self._is_probing():
            self._opens_at = math.inf
            self._held.hold(now, math.inf)
        self._busy_at = now
        return now

    def _end(self, turn: Turn, now: float) -> None:
        # If this was a probe and decided nothing for a breaker, that breaker may probe again.
        self._outage.abandon(turn)
        self._throttle_breaker.abandon(turn)
        self._update(now)

    def _update(self, now: float) -> None:
        self._opens_at = self._next_opening()
        self._held.hold(now, self._opens_at)
        self._is_calm = (
            self._rate.is_calm
            and self.blocked_since is None
            and self._opens_at <= now
            and not self._queue
        )
        self._dismiss()
        self._queue.update()

    def _dismiss(self) -> None:
        # Waiters whose turn will come too late fail as soon as that is clear.
        if not self._impatient:
            return
        ready_at = self.ready_at
        for waiter, latest in self._impatient.items():
            if waiter.done():
                continue
            if self._outage.state is not BreakerState.CLOSED:
                waiter.set_exception(self._unavailable())
            elif latest < ready_at < math.inf:
                waiter.set_exception(self._rate_limited(ready_at - self._clock()))

    def _wait_s(self) -> float:
        # At least until the last waiter has had its turn.
        rate = self._rate.rate_per_s
        queue_s = 0.0 if rate is None else len(self._queue) / rate
        until = self._scheduled_at if self._is_probing() else self.ready_at
        return max(0.0, until - self._clock()) + queue_s

    def _rate_limited(self, wait_s: float) -> RateLimitedError:
        return RateLimitedError(
            "never sent: the platform is throttling; call again after `retry_after_s` seconds",
            retry_after_s=wait_s,
        )

    def _unavailable(self) -> UnavailableError:
        return UnavailableError("never sent: the platform is unavailable; call again later")
