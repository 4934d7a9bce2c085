"""Whether a failed attempt is followed by another, and when.

`decide` answers this for attempts to add or update, of single calls and of bulk runs. It is pure:
the time, the counts and the state of the retry budget are arguments, and the caller sleeps.
Requests for the results of a batch (`bulk/batch_results.py`) and for lists (`bulk/settling.py`)
have loops of their own.

Whether an attempt was applied is known from its error: a `RateLimitedError` or `UnavailableError`
was not applied, an `UncertainError` may have been, and any other error stays the same if the
request is repeated.
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
    """How often and how patiently one call tries.

    Waits between attempts are exponential with full jitter: a random time up to `base_s`, doubled
    after each attempt, `max_wait_s` at most. A longer `Retry-After` of the platform is waited for
    instead; in a single call, one that is longer than `max_wait_s` ends the call.

    Raises:
        ValueError: A number is out of its range, or there is `resend_unfound` without `settle_s`.
    """

    attempts: int = 5
    """How many attempts a call makes at most, the first one included."""
    base_s: float = 0.5
    """The longest wait after the first attempt, in seconds; also the longest first wait before an
    outage is probed."""
    max_wait_s: float = 30.0
    """The longest wait between two attempts, in seconds.

    Also the longest time between two probes in an outage, unless the platform asks for more; and
    the slowest pace under throttling, one request in `max_wait_s` seconds."""
    deadline_s: float | None = 120.0
    """The time for a whole call in seconds, all attempts and waits included; `None` for no end.

    In a bulk run the time during which the whole run is paused does not count."""
    replay_adds: bool = False
    """Send an uncertain add again at once, as if that were safe.

    For those who prefer a possible duplicate to an uncertain contact. To look for it first, see
    `settle_s` and `resend_unfound`."""
    settle_s: float | None = None
    """For how many seconds an uncertain add is looked for on the platform; `None` for not at all.

    It counts from when the add has become uncertain, and ends with the deadline of the call at the
    latest. One that is found is a success."""
    resend_unfound: bool = False
    """Send an uncertain add again that was not found after `settle_s`, as long as attempts are
    left.

    For those who prefer a possible duplicate: a write that is late, or that lists show late, is
    doubled. `replay_adds` does not look first."""

    def __attrs_post_init__(self) -> None:
        check_count("attempts", self.attempts)
        check_seconds("base_s", self.base_s)
        check_seconds("max_wait_s", self.max_wait_s)
        if self.deadline_s is not None:
            check_seconds("deadline_s", self.deadline_s)
        if self.settle_s is not None:
            check_seconds("settle_s", self.settle_s)
        if self.resend_unfound and self.settle_s is None:
            raise ValueError("resend_unfound needs settle_s, for how long an add is looked for")


def backoff_s(policy: RetryPolicy, failures: int) -> float:
    """A random wait after `failures` failed attempts, from 1, in seconds."""
    wait = wait_random_exponential(multiplier=policy.base_s, max=policy.max_wait_s)
    return wait(_tenacity_state(failures))


def _is_exhausted(policy: RetryPolicy, failures: int) -> bool:
    """Whether a call has made all its attempts after `failures` failed ones."""
    return stop_after_attempt(policy.attempts)(_tenacity_state(failures))


def _tenacity_state(failures: int) -> RetryCallState:
    # The wait and stop strategies of tenacity read nothing of it but the number of the attempt.
    state = RetryCallState(_RETRYING, fn=None, args=(), kwargs={})
    state.attempt_number = failures
    return state


_RETRYING: Final = Retrying()


class RetryBudget:
    """Ends retry storms: each retry costs one, each success gives one back, up to the capacity.

    While an outage lasts, a client whose every call retries would multiply the load that keeps the
    platform down.
    """

    def __init__(self, capacity: int = 500) -> None:
        self.capacity = capacity
        self._left = capacity

    @property
    def is_empty(self) -> bool:
        """Whether no more retry is allowed for now."""
        return self._left == 0

    def spend(self) -> None:
        """A retry follows."""
        self._left = max(0, self._left - 1)

    def restore(self) -> None:
        """A call succeeded."""
        if self._left < self.capacity:
            self._left += 1


# Positional arguments are allowed: with keywords, making one per contact takes longer.
@define(eq=False)
class Delivery:
    """What is known so far of one call: of one contact on its way to the platform."""

    is_idempotent: bool
    """Whether applying the contact twice does no more than applying it once."""
    started_at: float
    """When the call began, by the caller's clock in seconds."""
    deadline: float | None
    """When the call ends at the latest, by the same clock; `None` for no end."""
    maybe_applied: bool = False
    """Whether an attempt may have been applied without an answer; later answers do not change it.
    """
    attempts: int = 0
    """How many attempts were made, those included that sent nothing."""
    free_attempts: int = 0
    """How many of them do not count against the policy: they failed for what concerns all calls."""
    held_back_in_a_row: int = 0
    """How many of the last attempts were throttled or asked to wait, with no other result between.
    """
    stale_dates: int = 0
    """How many attempts were refused for their date."""
    id_floor: int = 0
    """The highest id that the platform had answered when the first attempt began; 0 for none."""
    is_handed_over: bool = False
    """Whether the request of the present attempt was handed to an open connection."""

    def hand_over(self) -> None:
        """The request is handed to a connection: from now on it may be applied."""
        self.is_handed_over = True

    def record_failure(self, error: ContactError, *, is_free: bool = False) -> None:
        """The present attempt ended with this error; sets `error.attempts`.

        `is_free` says that the attempt does not count against the policy.
        """
        error.attempts = self.attempts
        self.is_handed_over = False
        self.maybe_applied = self.maybe_applied or isinstance(error, UncertainError)
        is_stale = isinstance(error, StaleDateError)
        self.stale_dates += is_stale
        self.free_attempts += is_free or is_stale
        self.held_back_in_a_row = held_back_in_a_row(error, self.held_back_in_a_row)

    def may_be_resent(self, policy: RetryPolicy, now: float) -> bool:
        """Whether attempts and time are left to send an add again that was not found."""
        is_late = self.deadline is not None and now >= self.deadline
        return not is_late and not _is_exhausted(policy, self.attempts - self.free_attempts)

    @property
    def is_in_doubt(self) -> bool:
        """Whether the contact may have been applied if the call ended now."""
        return self.maybe_applied or self.is_handed_over


def held_back_in_a_row(error: ContactError, before: int) -> int:
    """How many requests in a row were throttled or asked to wait, this one included."""
    return before + 1 if isinstance(error, RateLimitedError) or error.retry_after_s else 0


def is_idempotent(contact: Contact, policy: RetryPolicy) -> bool:
    """Whether applying this contact twice does no more than applying it once.

    An update does, and an add with `update_if_exists`; with `replay_adds`, every add counts as one.
    """
    return contact.id is not None or bool(contact.update_if_exists) or policy.replay_adds


@frozen
class Retry:
    """Another attempt follows after `wait_s` seconds."""

    wait_s: float
    costs_budget: bool = False
    """Whether it is one of the retries that the budget of the client limits."""


@frozen
class Fail:
    """The call ends with this error."""

    error: ContactError


def decide(
    error: ContactError,
    delivery: Delivery,
    now: float,
    policy: RetryPolicy,
    *,
    is_free: bool = False,
    patience_s: float = math.inf,
    is_budget_empty: bool = False,
) -> Retry | Fail:
    """What follows an attempt that ended with `error` and was recorded in `delivery`.

    `now` is by the clock of the delivery. `is_free` says that the attempt failed for what concerns
    the whole bulk run, such as a throttle or an outage: neither the policy's attempts nor its
    deadline count then, and the delivery ends only once it has lasted for `patience_s` seconds.
    """
    if isinstance(error, StaleDateError):
        if delivery.stale_dates == 1:
            return Retry(0.0)  # signed by the platform's clock, which is known now
        error = converted(error, AuthenticationError, error.message)
    if not _may_be_repeated(error, delivery):
        return Fail(final_error(error, delivery))
    asked_s = error.retry_after_s or 0.0
    # Not before the time that the platform asked for, and never without a backoff of our own.
    wait_s = max(asked_s, backoff_s(policy, _failures(delivery, is_free=is_free)))
    is_throttled = isinstance(error, RateLimitedError)
    if is_free:
        is_over = now + asked_s - delivery.started_at >= patience_s
        wait_s = wait_s if is_throttled or asked_s else 0.0  # in an outage the pacer waits
    else:
        is_late = delivery.deadline is not None and now + wait_s >= delivery.deadline
        is_too_long = asked_s > policy.max_wait_s
        failures = delivery.attempts - delivery.free_attempts
        is_over = _is_exhausted(policy, failures) or is_too_long or is_late
    # To wait as long as the platform asks is not a retry storm.
    costs_budget = not is_free and not is_throttled
    if is_over or (costs_budget and is_budget_empty):
        return Fail(final_error(error, delivery))
    return Retry(wait_s, costs_budget)


def _failures(delivery: Delivery, *, is_free: bool) -> int:
    if is_free:
        return max(1, delivery.held_back_in_a_row)
    return delivery.attempts - delivery.free_attempts


def _may_be_repeated(error: ContactError, delivery: Delivery) -> bool:
    """Whether another attempt can help, and cannot make a second contact."""
    match error:
        case RateLimitedError() | UnavailableError():
            return True
        case UncertainError():
            return delivery.is_idempotent
        case _:
            return False


def final_error(last: ContactError, delivery: Delivery) -> ContactError:
    """The final error of a call, given the error of its last attempt.

    Once an attempt may have been applied, that is an `UncertainError`: no later answer says what
    became of the earlier request.
    """
    if not delivery.maybe_applied or isinstance(last, UncertainError):
        return last
    message = f"an earlier attempt may have been applied; the last one was not: {last.message}"
    return converted(last, UncertainError, message)


def cancelled_error(delivery: Delivery) -> ContactError:
    """What is known of a call that was cancelled, as the cause of its cancellation."""
    kind = UncertainError if delivery.is_in_doubt else UnavailableError
    what = "it may have been applied" if delivery.is_in_doubt else "not applied"
    return kind(f"{what}: the call was cancelled", attempts=delivery.attempts)


def describe(retry: Retry, error: ContactError, delivery: Delivery, policy: RetryPolicy) -> str:
    """One line for a log about the attempt that follows."""
    number = delivery.attempts - delivery.free_attempts + 1
    return f"attempt {number} of {policy.attempts} follows in {retry.wait_s:.2f} s: {reason(error)}"


def reason(error: ContactError) -> str:
    """Why an attempt failed, for a log: nothing of a contact, and no text of the platform."""
    parts = [type(error).__name__]
    if error.http_status is not None:
        parts.append(f"HTTP {error.http_status}")
    if isinstance(error.error_code, int):
        parts.append(f"errorCode {error.error_code}")
    return ", ".join(parts)
