"""How fast a bulk run goes: the rate that the platform allows, shared pauses, and giving up."""

import asyncio
import math
from collections import deque
from collections.abc import Awaitable, Callable
from typing import Final

from contactsdk.errors import ContactError, RateLimitedError, UnavailableError, UncertainError
from contactsdk.retry import RetryPolicy

RACES: Final = 2
"""So many waits in a row of one contact are bad luck; more are the rate, or that contact alone."""

_CATCH_UP_S: Final = 0.01  # what a late wake-up may make good at once: timers are that coarse
_LEVEL_S: Final = 5.0  # from a cut to the level below the last throttle, and again from there up
_LEVEL_REQUESTS: Final = 250  # at least, so that a slow platform throttles no larger a share
_GROWTH_PER_S: Final = 1.1  # once well past that level without a throttle: the platform gives more
_FORGOTTEN_S: Final = 60.0  # of such growth is over 300 times the level: no limit any more
_SILENT: Final = 5  # attempts in a row without any answer are an outage, fewer are bad luck
LOOK_UP_S: Final = 0.25  # how soon a stopped run is noticed in the middle of a wait


class AdaptiveRate:
    """Finds the rate that the platform allows, from what it throttles.

    A bucket or a window that throttles is empty at that moment, so what succeeded from one throttle
    to the next, over the time between, is the rate at which it fills: no more is needed to know it.
    From just below that, the rate rises to the last throttle's level, slowly past it, and then ever
    faster, until it is throttled again. Times are in seconds, by any clock.
    """

    def __init__(self, now: float) -> None:
        self._cut_per_s: float | None = None
        self._level_per_s = 0.0
        self._rising_from = now
        self._throttled_at = now
        self._asked_s = 0.0
        self.let_through = 0
        """Requests since the rate was last cut: whoever is told of one counts it here."""
        self.dry = 0
        """At the last throttle, how many came in a row with nothing let through between them."""

    def per_s(self, now: float) -> float | None:
        """How many requests a second may leave at this time; `None` for no limit."""
        if self._cut_per_s is None:
            return None
        level = self._level_per_s
        part = (now - self._rising_from) / max(_LEVEL_S, _LEVEL_REQUESTS / level)
        if part < 1:
            return level - (level - self._cut_per_s) * (1 - max(0.0, part)) ** 3
        if part < 2:
            return level * (1 + 0.05 * (part - 1))
        beyond_s = now - self._rising_from - 2 * max(_LEVEL_S, _LEVEL_REQUESTS / level)
        if beyond_s > _FORGOTTEN_S:
            self._cut_per_s = None
            return None
        return level * 1.05 * math.pow(_GROWTH_PER_S, beyond_s)

    def throttled(self, now: float, asked_s: float) -> float | None:
        """A request was not; how long to pause in seconds, `None` for as long as others would.

        `asked_s` is what the platform asked to wait, 0 where it did not say.
        """
        if self.let_through == 0:
            # Nothing came through since the last one: that tells of no rate, only of a shut door.
            self.dry += 1
            pause_s = None if self._cut_per_s is None else 3 * 2**self.dry / self._cut_per_s
        else:
            self.dry = 0
            self._cut(now)
            assert self._cut_per_s is not None  # noqa: S101  # just set
            pause_s = 3 / self._cut_per_s  # lets a small bucket fill a little
        if asked_s:
            pause_s = asked_s
            self._asked_s += asked_s
        self._rising_from = now + (pause_s or 0.0)
        return pause_s

    def _cut(self, now: float) -> None:
        # A bucket may run over while the platform has us wait: then that time counts or does not.
        since_s = max(now - self._throttled_at, 1e-3)
        sending_s = max(since_s - self._asked_s, 1e-3)
        rate = self.per_s(now) or self.let_through / sending_s
        # The shorter the run since the last throttle, the further off the rate may be.
        least = min(max(self.let_through / rate, 0.25), 0.9) * rate
        at_most = min(rate, self.let_through / sending_s)
        self._level_per_s = max((rate + at_most) / 2, 0.85 * rate)
        self._cut_per_s = min(max(0.97 * self.let_through / since_s, least), self._level_per_s)
        self._throttled_at = now
        self.let_through = 0
        self._asked_s = 0.0


class NoMoreTurnsError(Exception):
    """The run is over: whoever still waits for a turn will not get one."""


class Pacer:
    """Gives each request of a run its turn, and learns from what became of it.

    Throttles slow all, and what the platform asks to wait, all wait. While it does not answer at
    all, one request at a time is tried, with longer and longer waits, until it answers or has not
    for `give_up_s`. `rate_per_s` is a cap that no second exceeds.
    """

    def __init__(
        self,
        policy: RetryPolicy,
        *,
        rate_per_s: float | None,
        give_up_s: float,
        clock: Callable[[], float],
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self.given_up_for: ContactError | None = None
        """The last error of a platform that did not answer for too long; `None` before."""
        self.is_over = False
        """Whether there are no more turns."""
        self._policy = policy
        self._cap_per_s = rate_per_s
        self._give_up_s = give_up_s
        self._clock = clock
        self._sleep = sleep
        self._rate = AdaptiveRate(clock())
        self._line = asyncio.Lock()
        # Nothing holds anything up, as nearly always: no cap, no limit found, nothing failing.
        self._is_calm = rate_per_s is None
        self._next_at = -math.inf
        # With a cap: when the last requests left, as many as its window may have.
        self._recent: deque[float] = deque(maxlen=max(1, int(rate_per_s or 1)))
        self._window_s = 0.0 if rate_per_s is None else max(1.0, 1 / rate_per_s)
        self._paused_at = -math.inf
        self._paused_until = -math.inf
        self._paused_s = 0.0
        self._silent = 0
        self._failing_since: float | None = None
        self._failed_at = math.inf
        self._probe_left_at: float | None = None
        self._probe_ended = asyncio.Event()

    @property
    def paused_s(self) -> float:
        """For how many seconds, up to now, all have been paused."""
        return self._paused_s - max(0.0, self._paused_until - self._clock())

    def stop(self) -> None:
        """Give no more turns, also to those who wait for one."""
        self.is_over = True
        self._is_calm = False
        self._probe_ended.set()

    def turn_at_once(self) -> float | None:
        """The time at which one more request may leave; `None` where it has to wait for that."""
        if self._is_calm:
            return self._clock()
        if not self._line.locked() and self._is_free():
            return self._leave()
        return None

    async def turn(self) -> float:
        """Wait until one more request may leave; the time at which it does.

        Raises:
            NoMoreTurnsError: There will be none.
        """
        if (left_at := self.turn_at_once()) is not None:
            return left_at
        # One waits at the head of the line and the others behind, so that a change of the rate or
        # a pause meets whoever is next.
        async with self._line:
            while not self.is_over:
                if self._probe_left_at is not None:
                    await self._probe_ended.wait()
                elif (wait_s := self._ready_at() - self._clock()) > 0:
                    await self._sleep(min(wait_s, LOOK_UP_S))
                else:
                    return self._leave()
            raise NoMoreTurnsError

    def told(self, left_at: float, error: ContactError | None, *, in_a_row: int = 0) -> bool:
        """Learn what became of the request that left then; whether it held up the whole run.

        What did counts against no contact's attempts. `in_a_row` says how often this contact was
        asked to wait without anything else between, this time included.
        """
        if self._is_calm and error is None:
            self._rate.let_through += 1
            return False
        self._is_calm = False
        self.forget(left_at)
        # Asked to wait again and again while others get through is one contact, and no rate.
        is_alone = in_a_row > RACES and self._rate.let_through > 0
        if isinstance(error, RateLimitedError):
            # "At once" is said of a race on one record; of a rate only if it is said on and on.
            holds_up = error.retry_after_s != 0 or in_a_row > RACES
            slows_all = holds_up and not is_alone
        elif isinstance(error, UnavailableError | UncertainError):
            self._silent += left_at > self._paused_at  # an outage noticed is not noticed again
            is_outage = self._silent >= _SILENT
            holds_up = is_outage or bool(error.retry_after_s)
            slows_all = is_outage or (holds_up and not is_alone)
        else:
            self._silent = 0
            self._failing_since = None
            self._rate.let_through += 1
            return False
        now = self._clock()
        from contactsdk.wire import RACE

        if error.specific_code == RACE:
            return True
        # A run that had nothing to send meanwhile has not been failing all that time.
        was_idle = left_at - max(self._failed_at, self._paused_until) > self._give_up_s
        if self._failing_since is None or was_idle:
            self._failing_since = now
        self._failed_at = now
        asked_s = error.retry_after_s or 0.0
        if max(asked_s, now - self._failing_since) > self._give_up_s:
            self.given_up_for = self.given_up_for or error
            self.stop()
        # What left before a pause began knows nothing of it.
        if slows_all and left_at > self._paused_at:
            self._pause(now, self._pause_s(now, error, asked_s))
        return holds_up

    def forget(self, left_at: float) -> None:
        """The request that left then will not tell."""
        if left_at == self._probe_left_at:
            self._probe_left_at = None
            self._probe_ended.set()

    def _is_free(self) -> bool:
        has_to_wait = self.is_over or self._probe_left_at is not None
        return not has_to_wait and self._ready_at() <= self._clock()

    def _ready_at(self) -> float:
        is_full = self._window_s and len(self._recent) == self._recent.maxlen
        cap_at = self._recent[0] + self._window_s if is_full else -math.inf
        return max(self._paused_until, self._next_at, cap_at)

    def _leave(self) -> float:
        now = self._clock()
        self._recent.append(now)
        rate = min(self._rate.per_s(now) or math.inf, self._cap_per_s or math.inf)
        self._next_at = max(self._next_at, now - _CATCH_UP_S) + 1 / rate
        self._is_calm = rate == math.inf and self._failing_since is None
        if self._silent >= _SILENT:
            self._probe_left_at = now
            self._probe_ended.clear()
        return now

    def _pause_s(self, now: float, error: ContactError, asked_s: float) -> float:
        if isinstance(error, RateLimitedError):
            pause_s = self._rate.throttled(now, asked_s)
            return self._policy.backoff_s(self._rate.dry) if pause_s is None else pause_s
        return asked_s or self._policy.backoff_s(self._silent - _SILENT + 1)

    def _pause(self, now: float, pause_s: float) -> None:
        self._paused_at = now
        self._paused_until = now + pause_s
        self._paused_s += pause_s
