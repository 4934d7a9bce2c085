"""Decides whether a failed attempt is retried, and when.

`decide` does so for all attempts to add or update, in single calls and in bulk runs. It is pure:
the time, the counts and the state of the retry budget are arguments, and the caller sleeps.
Requests for the results of a batch (`bulk/batch_results.py`) and for lists (`bulk/settling.py`)
have their own retry loops.

The class of an error tells whether its attempt was applied. After a `RateLimitedError` or an
`UnavailableError` it was not. After an `UncertainError` it may have been. Any other error would be
the same if the request were repeated.
"""

import math
from typing import Final

from attrs import define, frozen
from tenacity import RetryCallState, Retrying, stop_after_attempt, wait_random_exponential

from contactsdk.arguments import check_count, check_seconds
from contactsdk.errors import (
    AuthenticationError,
    ContactError,
    RateLimitedError,
    StaleDateError,
    UnavailableError,
    UncertainError,
    converted,
)
from contactsdk.models import Contact


@frozen(kw_only=True)
class RetryPolicy:
    """How often one call is tried, and how long it waits between attempts.

    Waits are exponential backoff with full jitter: a random time up to `base_s`, which is doubled
    after each attempt, up to `max_wait_s`. If the platform asks for a longer wait (`Retry-After`),
    the call waits as long as that. A single call ends if it is longer than `max_wait_s`.

    Raises:
        ValueError: A number is out of its range, or `resend_unfound` is set without `settle_s`.
    """

    attempts: int = 5
    """The largest number of attempts of a call, including the first one."""
    base_s: float = 0.5
    """The longest wait after the first attempt, in seconds; also the longest wait before the first
    probe in an outage."""
    max_wait_s: float = 30.0
    """The longest wait between two attempts, in seconds.

    It is also the longest time between two probes in an outage, unless the platform asks for more.
    And it sets the lowest rate under throttling: one request in `max_wait_s` seconds."""
    deadline_s: float | None = 120.0
    """The time for a whole call in seconds, including all attempts and waits; `None` for no limit.

    In a bulk run, time during which the whole run is paused does not count."""
    replay_adds: bool = False
    """Whether to send an uncertain add again at once, as if that were safe.

    Use it if you prefer a possible duplicate to an uncertain contact. `settle_s` and
    `resend_unfound` look the contact up first."""
    settle_s: float | None = None
    """For how many seconds an uncertain add is looked up on the platform; `None` for no look-up.

    The time counts from the moment when the add becomes uncertain, and ends at the deadline of the
    call at the latest. An add that is found is a success."""
    resend_unfound: bool = False
    """Whether to send an uncertain add again if it was not found within `settle_s`, as long as
    attempts are left.

    Use it if you prefer a possible duplicate: if the platform applies or lists the first one late,
    there are two contacts. `replay_adds` does not look the contact up first."""

    def __attrs_post_init__(self) -> None:
        check_count("attempts", self.attempts)
        check_seconds("base_s", self.base_s)
        check_seconds("max_wait_s", self.max_wait_s)
        if self.deadline_s is not None:
            check_seconds("deadline_s", self.deadline_s)
        if self.settle_s is not None:
            check_seconds("settle_s", self.settle_s)
        if self.resend_unfound and self.settle_s is None:
            raise ValueError("resend_unfound needs settle_s: how long an add is looked up")


def backoff_s(policy: RetryPolicy, failures: int) -> float:
    """A random wait in seconds after `failures` failed attempts, which is 1 or more."""
    wait = wait_random_exponential(multiplier=policy.base_s, max=policy.max_wait_s)
    return wait(_tenacity_state(failures))


def _is_exhausted(policy: RetryPolicy, failures: int) -> bool:
    """Whether no attempt is left after `failures` failed ones."""
    return stop_after_attempt(policy.attempts)(_tenacity_state(failures))


def _tenacity_state(failures: int) -> RetryCallState:
    # The wait and stop strategies of tenacity read only the number of the attempt from it.
    state = RetryCallState(_RETRYING, fn=None, args=(), kwargs={})
    state.attempt_number = failures
    return state


_RETRYING: Final = Retrying()


class RetryBudget:
    """Prevents retry storms: each retry costs one unit, and each success gives one back.

    Without it, a client that retries every call during an outage would multiply the load that keeps
    the platform down.
    """

    def __init__(self, capacity: int = 500) -> None:
        self.capacity = capacity
        """The largest number of units, which the budget also starts with."""
        self._left = capacity

    @property
    def is_empty(self) -> bool:
        """Whether no retry is allowed now."""
        return self._left == 0

    def spend(self) -> None:
        """Take one unit, for a retry."""
        self._left = max(0, self._left - 1)

    def restore(self) -> None:
        """Give one unit back, for a call that succeeded."""
        if self._left < self.capacity:
            self._left += 1


# Positional arguments are allowed, since keyword arguments take longer, once per contact.
@define(eq=False)
class Delivery:
    """What is known so far about one call, which sends one contact."""

    is_idempotent: bool
    """Whether applying the contact twice has the same effect as applying it once."""
    started_at: float
    """When the call began, in seconds of the caller's clock."""
    deadline: float | None
    """When the call ends at the latest, by the same clock; `None` for no deadline."""
    maybe_applied: bool = False
    """Whether an earlier attempt may have been applied; later answers do not change that."""
    attempts: int = 0
    """How many attempts were made, including those that sent nothing."""
    uncounted_attempts: int = 0
    """How many attempts do not count against the policy, since the contact was not the cause of
    their failure."""
    held_back_in_a_row: int = 0
    """How many of the last attempts were throttled or asked to wait, without another result in
    between."""
    stale_dates: int = 0
    """How many attempts were refused because of their date."""
    id_floor: int = 0
    """The highest id that the platform had answered when the first attempt began; 0 for none."""
    is_handed_over: bool = False
    """Whether the request of the present attempt was handed to an open connection."""

    def hand_over(self) -> None:
        """Note that the request is handed to a connection: from now on it may be applied."""
        self.is_handed_over = True

    def record_failure(self, error: ContactError, *, is_uncounted: bool = False) -> None:
        """Record that the present attempt ended with this error, and set `error.attempts`.

        `is_uncounted` says that the attempt does not count against the policy.
        """
        error.attempts = self.attempts
        self.is_handed_over = False
        self.maybe_applied = self.maybe_applied or isinstance(error, UncertainError)
        is_stale = isinstance(error, StaleDateError)
        self.stale_dates += is_stale
        self.uncounted_attempts += is_uncounted or is_stale
        self.held_back_in_a_row = held_back_in_a_row(error, self.held_back_in_a_row)

    def may_be_resent(self, policy: RetryPolicy, now: float) -> bool:
        """Whether attempts and time are left to send an uncertain add again."""
        is_late = self.deadline is not None and now >= self.deadline
        return not is_late and not _is_exhausted(policy, self.attempts - self.uncounted_attempts)

    @property
    def is_in_doubt(self) -> bool:
        """Whether an earlier attempt, or the present one, may have applied the contact."""
        return self.maybe_applied or self.is_handed_over


def held_back_in_a_row(error: ContactError, before: int) -> int:
    """How many requests in a row were throttled or asked to wait, including the one with `error`.

    `before` is that number before this request.
    """
    return before + 1 if isinstance(error, RateLimitedError) or error.retry_after_s else 0


def is_idempotent(contact: Contact, policy: RetryPolicy) -> bool:
    """Whether applying this contact twice has the same effect as applying it once.

    That is true of an update and of an add with `update_if_exists`. With the policy's
    `replay_adds`, every add counts as idempotent.
    """
    return contact.id is not None or bool(contact.update_if_exists) or policy.replay_adds


@frozen
class Retry:
    """The decision to make another attempt."""

    wait_s: float
    """How long to wait before it, in seconds."""
    costs_budget: bool = False
    """Whether this retry takes a unit of the client's `RetryBudget`."""


@frozen
class Fail:
    """The decision to end the call."""

    error: ContactError
    """The final error of the call."""


def decide(
    error: ContactError,
    delivery: Delivery,
    now: float,
    policy: RetryPolicy,
    *,
    is_uncounted: bool = False,
    patience_s: float = math.inf,
    is_budget_empty: bool = False,
) -> Retry | Fail:
    """Decide what follows an attempt that ended with `error` and was recorded in `delivery`.

    `now` is a time of the delivery's clock. `is_uncounted` says that the platform caused the
    failure in a bulk run, by a throttle or an outage. Then neither the attempts nor the deadline of
    the policy count, and the delivery fails only when it has lasted for `patience_s` seconds.

    So a throttle (429) counts as an attempt of a single call, and ends it if the platform asks for
    a longer wait than `max_wait_s`. In a run it does not count: the contact keeps its key and is
    sent again, and the pacer slows all requests down.
    """
    if isinstance(error, StaleDateError):
        if delivery.stale_dates == 1:
            return Retry(0.0)  # the platform's clock is known now, so the next date will be right
        error = converted(error, AuthenticationError, error.message)
    if not _may_be_repeated(error, delivery):
        return Fail(final_error(error, delivery))
    asked_s = error.retry_after_s or 0.0
    # At least as long as the platform asks for, and never without our own backoff.
    wait_s = max(asked_s, backoff_s(policy, _failures(delivery, is_uncounted=is_uncounted)))
    is_throttled = isinstance(error, RateLimitedError)
    if is_uncounted:
        is_over = now + asked_s - delivery.started_at >= patience_s
        # In an outage no wait is needed here, since the pacer makes all requests wait.
        wait_s = wait_s if is_throttled or asked_s else 0.0
    else:
        is_late = delivery.deadline is not None and now + wait_s >= delivery.deadline
        is_too_long = asked_s > policy.max_wait_s
        failures = delivery.attempts - delivery.uncounted_attempts
        is_over = _is_exhausted(policy, failures) or is_too_long or is_late
    # Retries that wait as long as the platform asks are no retry storm.
    costs_budget = not is_uncounted and not is_throttled
    if is_over or (costs_budget and is_budget_empty):
        return Fail(final_error(error, delivery))
    return Retry(wait_s, costs_budget)


def _failures(delivery: Delivery, *, is_uncounted: bool) -> int:
    if is_uncounted:
        return max(1, delivery.held_back_in_a_row)
    return delivery.attempts - delivery.uncounted_attempts


def _may_be_repeated(error: ContactError, delivery: Delivery) -> bool:
    """Whether another attempt can help, and cannot create a second contact."""
    match error:
        case RateLimitedError() | UnavailableError():
            return True
        case UncertainError():
            return delivery.is_idempotent
        case _:
            return False


def final_error(last: ContactError, delivery: Delivery) -> ContactError:
    """The final error of a call, given the error of its last attempt.

    If any attempt may have been applied, this is an `UncertainError`: a later answer does not tell
    whether the earlier request was applied.
    """
    if not delivery.maybe_applied or isinstance(last, UncertainError):
        return last
    message = f"an earlier attempt may have been applied; the last one was not: {last.message}"
    return converted(last, UncertainError, message)


def cancelled_error(delivery: Delivery) -> ContactError:
    """The error that says whether a cancelled call may have been applied; it is the cause of the
    `CancelledError`.
    """
    kind = UncertainError if delivery.is_in_doubt else UnavailableError
    what = "it may have been applied" if delivery.is_in_doubt else "not applied"
    return kind(f"{what}: the call was cancelled", attempts=delivery.attempts)


def describe(retry: Retry, error: ContactError, delivery: Delivery, policy: RetryPolicy) -> str:
    """One line for the log about the next attempt."""
    number = delivery.attempts - delivery.uncounted_attempts + 1
    return f"attempt {number} of {policy.attempts} follows in {retry.wait_s:.2f} s: {reason(error)}"


def reason(error: ContactError) -> str:
    """Why an attempt failed, for the log; without values of a contact or texts of the platform."""
    parts = [type(error).__name__]
    if error.http_status is not None:
        parts.append(f"HTTP {error.http_status}")
    if isinstance(error.error_code, int):
        parts.append(f"errorCode {error.error_code}")
    return ", ".join(parts)
