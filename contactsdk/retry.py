"""What may be sent again, when, and how often.

Whether an attempt was applied is told by its error: a `RateLimitedError` or `UnavailableError` was
not, an `UncertainError` may have been, and every other one will not change by asking again.
"""

import asyncio
import logging
import random
from collections.abc import Awaitable, Callable
from typing import Final, TypeVar

from attrs import define, frozen
from tenacity import DoSleep, RetryCallState, Retrying, retry_always

from contactsdk.arguments import check_count, check_seconds
from contactsdk.errors import ContactError, RateLimitedError, UnavailableError, UncertainError
from contactsdk.models import Contact

logger: Final = logging.getLogger("contactsdk")

_T = TypeVar("_T")


@frozen(kw_only=True)
class RetryPolicy:
    """How often and how patiently one call tries.

    `attempts` counts the first one too. Waits are exponential with full jitter: a random part of
    `base_s` doubled each time, `max_wait_s` at most. A `Retry-After` of the platform is waited for
    instead; one longer than `max_wait_s` ends the call. `deadline_s` bounds the whole call, waits
    included; `None` for no bound. `replay_adds=True` sends an uncertain add again as if it were
    safe, for those who prefer a possible duplicate to an uncertain contact.

    Raises:
        ValueError: A number is out of its range.
    """

    attempts: int = 5
    base_s: float = 0.5
    max_wait_s: float = 30.0
    deadline_s: float | None = 120.0
    replay_adds: bool = False

    def __attrs_post_init__(self) -> None:
        check_count("attempts", self.attempts)
        check_seconds("base_s", self.base_s)
        check_seconds("max_wait_s", self.max_wait_s)
        if self.deadline_s is not None:
            check_seconds("deadline_s", self.deadline_s)

    def backoff_s(self, attempt: int) -> float:
        """How long to wait after this failed attempt (the first is 1), in seconds."""
        doubled = self.base_s * 2.0 ** min(attempt - 1, 100)
        return random.random() * min(doubled, self.max_wait_s)  # noqa: S311  # no secret


class RetryBudget:
    """Ends retry storms: each retry takes one, each success gives one back, up to the capacity.

    While an outage lasts, a client whose every call retries would multiply the load that keeps the
    platform down.
    """

    def __init__(self, capacity: int = 500) -> None:
        self.capacity = capacity
        self._left = capacity

    def take(self) -> bool:
        """Whether one more retry is allowed."""
        if self._left == 0:
            return False
        self._left -= 1
        return True

    def give_back(self) -> None:
        """A call succeeded."""
        if self._left < self.capacity:
            self._left += 1


@define(eq=False)  # by position too, as an outcome is
class Call:
    """What is known of one call so far.

    `deadline` is by the clock of the event loop, `None` for no end. `in_doubt` says that a request
    may have been applied without an answer that tells; nothing that comes later takes it back.
    `is_held_up` says that the last attempt failed for what holds up a whole bulk run: it costs the
    contact no attempt, and whoever makes the next one waits for all. `throttles` counts those in a
    row. `resend_turn`, if there is one, is awaited with the call before what costs no attempt is
    sent. `started_at` is when it was taken up, `left_at` when its last request was let go.
    """

    repeat_safe: bool
    deadline: float | None = None
    resend_turn: "Callable[[Call], Awaitable[object]] | None" = None
    started_at: float = 0.0
    left_at: float = 0.0
    attempts: int = 0
    in_doubt: bool = False
    clock_corrected: bool = False
    is_held_up: bool = False
    holdups: int = 0
    throttles: int = 0


def repeat_safe(contact: Contact, policy: RetryPolicy) -> bool:
    """Whether applying this contact twice does no more than applying it once."""
    return contact.id is not None or bool(contact.update_if_exists) or policy.replay_adds


def may_resend(error: ContactError, call: Call) -> bool:
    """Whether an attempt of `call` that ended with `error` may be followed by another."""
    match error:
        case RateLimitedError() | UnavailableError():
            return True
        case UncertainError():
            return call.repeat_safe
        case _:
            return False


class Resender:
    """Makes attempts until one succeeds, or must not or may not be followed by another.

    One serves any number of calls, and tenacity decides for all of them: nothing awaits while it
    does, so that no two decisions meet. `budget` bounds the retries of these calls together, `None`
    for no such bound.
    """

    def __init__(
        self,
        policy: RetryPolicy,
        *,
        budget: RetryBudget | None,
        clock: Callable[[], float],
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._policy = policy
        self._budget = budget
        self._clock = clock
        self._sleep = sleep
        self._retrying = Retrying(
            retry=retry_always,
            wait=self._backoff_s,
            stop=self._is_enough,
            before_sleep=self._log,
            retry_error_callback=lambda _: None,
        )

    async def __call__(self, attempt: Callable[[Call], Awaitable[_T]], call: Call) -> _T:
        """Await `attempt` with this call, and again while that is allowed.

        Raises:
            ContactError: That of the last attempt; but once the call is in doubt, an
                `UncertainError`.
        """
        while True:
            call.attempts += 1
            try:
                result = await attempt(call)
            except ContactError as error:
                wait_s = self.wait_s(error, call)
                if wait_s is None:
                    raise ended_by(error, call)  # noqa: B904  # mostly this very error
            else:
                if self._budget is not None:
                    self._budget.give_back()
                return result
            await self._sleep(wait_s)

    def wait_s(self, error: ContactError, call: Call) -> float | None:
        """Seconds to wait after an attempt of `call` that ended so; `None` for no more of them."""
        error.attempts = call.attempts
        call.in_doubt = call.in_doubt or isinstance(error, UncertainError)
        call.holdups += call.is_held_up
        if not may_resend(error, call):
            return None
        self._retrying.begin()  # each time: what it counts on is kept for each thread
        state = RetryCallState(self._retrying, fn=None, args=(error, call), kwargs={})
        state.set_exception((type(error), error, error.__traceback__))
        next_step = self._retrying.iter(state)
        return next_step if isinstance(next_step, DoSleep) else None

    def _backoff_s(self, state: RetryCallState) -> float:
        error, call = state.args
        if call.is_held_up:
            return 0.0
        asked_s: float | None = error.retry_after_s
        return self._policy.backoff_s(call.attempts - call.holdups) if asked_s is None else asked_s

    def _is_enough(self, state: RetryCallState) -> bool:
        error, call = state.args
        # Waiting as told is no storm.
        drawn_on = None if isinstance(error, RateLimitedError) else self._budget
        return (
            call.attempts - call.holdups >= self._policy.attempts
            or (not call.is_held_up and (error.retry_after_s or 0.0) > self._policy.max_wait_s)
            or (call.deadline is not None and self._clock() + state.upcoming_sleep >= call.deadline)
            or (drawn_on is not None and not drawn_on.take())
        )

    def _log(self, state: RetryCallState) -> None:
        error, call = state.args
        logger.info(
            "attempt %d of %d follows in %.2f s: %s",
            call.attempts - call.holdups + 1,
            self._policy.attempts,
            state.upcoming_sleep,
            reason(error),
        )


def ended_by(last: ContactError, call: Call) -> ContactError:
    """What a call ends with whose last attempt ended so.

    Once the call is in doubt that is an `UncertainError`: no later answer tells what became of the
    earlier request.
    """
    if not call.in_doubt or isinstance(last, UncertainError):
        return last
    error = UncertainError(
        f"an earlier attempt may have been applied; the last one was not: {last.message}",
        http_status=last.http_status,
        error_code=last.error_code,
        specific_code=last.specific_code,
        attempts=last.attempts,
    )
    error.__cause__ = last
    return error


def reason(error: ContactError) -> str:
    """Why an attempt failed, in words of our own: nothing of a contact, nothing of the platform."""
    parts = [type(error).__name__]
    if error.http_status is not None:
        parts.append(f"HTTP {error.http_status}")
    if isinstance(error.error_code, int):
        parts.append(f"errorCode {error.error_code}")
    return ", ".join(parts)
