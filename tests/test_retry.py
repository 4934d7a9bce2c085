"""What follows a failed attempt: `decide` is driven with scripts of errors, and nothing waits."""

import gc
import math
from collections.abc import Sequence
from typing import Any

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from contactsdk.errors import (
    AuthenticationError,
    ContactError,
    InvalidContactError,
    RateLimitedError,
    RejectedError,
    SetupError,
    StaleDateError,
    UnavailableError,
    UncertainError,
)
from contactsdk.retry import (
    Delivery,
    Fail,
    Retry,
    RetryBudget,
    RetryPolicy,
    backoff_s,
    decide,
    is_idempotent,
)
from tests.examples import a_contact, an_update

ADD = a_contact()
UPSERT = a_contact(update_if_exists=True)
UPDATE = an_update()

RETRIED = [RateLimitedError, UnavailableError, UncertainError]
FINAL = [RejectedError, SetupError, AuthenticationError]


@attrs.frozen
class Ended:
    """How a call ended: `error` is `None` for a success."""

    error: ContactError | None
    attempts: int
    waits: list[float]


def call(
    script: Sequence[ContactError],
    *,
    idempotent: bool = True,
    now: float = 1000.0,
    deadline: float | None = None,
    budget: RetryBudget | None = None,
    **policy: Any,
) -> Ended:
    """One call whose attempts end as the script says, and after its end with a success."""
    budget = budget or RetryBudget()
    delivery = Delivery(idempotent, now, deadline)
    waits: list[float] = []
    for error in script:
        delivery.attempts += 1
        delivery.record_failure(error)
        decision = decide(
            error, delivery, now, RetryPolicy(**policy), is_budget_empty=budget.is_empty
        )
        if isinstance(decision, Fail):
            return Ended(decision.error, delivery.attempts, waits)
        if decision.costs_budget:
            budget.spend()
        waits.append(decision.wait_s)
        now += decision.wait_s
    budget.restore()
    return Ended(None, delivery.attempts + 1, waits)


@pytest.fixture
def longest_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    """Takes the chance out of the jitter: each wait is as long as it may be."""
    monkeypatch.setattr("random.uniform", lambda low, high: high)


def test_the_policy_has_the_documented_defaults() -> None:
    assert attrs.asdict(RetryPolicy()) == {
        "attempts": 5,
        "base_s": 0.5,
        "max_wait_s": 30.0,
        "deadline_s": 120.0,
        "replay_adds": False,
        "settle_s": None,
        "resend_unfound": False,
    }


@pytest.mark.parametrize("settle_s", [0, -1.0, float("inf")])
def test_time_to_settle_must_be_positive_and_finite(settle_s: float) -> None:
    with pytest.raises(ValueError, match="settle_s must be a positive number"):
        RetryPolicy(settle_s=settle_s)


def test_nothing_can_be_resent_as_unfound_that_is_not_looked_for() -> None:
    with pytest.raises(ValueError, match="resend_unfound needs settle_s"):
        RetryPolicy(resend_unfound=True)


def test_the_policy_is_frozen() -> None:
    with pytest.raises(attrs.exceptions.FrozenInstanceError):
        RetryPolicy().attempts = 2  # type: ignore[misc]


@pytest.mark.parametrize("attempts", [0, -1, True, 1.0, "5", None, math.nan], ids=repr)
def test_attempts_are_a_whole_number_from_one(attempts: Any) -> None:
    with pytest.raises(ValueError, match="attempts must be"):
        RetryPolicy(attempts=attempts)


@pytest.mark.parametrize("name", ["base_s", "max_wait_s", "deadline_s"])
@pytest.mark.parametrize("seconds", [0, -1.0, True, math.nan, math.inf, "5"], ids=repr)
def test_seconds_are_a_positive_finite_number(name: str, seconds: Any) -> None:
    with pytest.raises(ValueError, match=f"{name} must be a positive number of seconds"):
        RetryPolicy(**{name: seconds})


@pytest.mark.parametrize("name", ["base_s", "max_wait_s"])
def test_only_the_deadline_may_be_none(name: str) -> None:
    with pytest.raises(ValueError, match=name):
        RetryPolicy(**{name: None})  # type: ignore[arg-type]


def test_a_policy_without_a_deadline_is_taken() -> None:
    assert RetryPolicy(deadline_s=None).deadline_s is None


@given(st.integers(1, 10_000), st.floats(1e-6, 1e6), st.floats(1e-6, 1e6))
def test_a_backoff_is_within_its_bounds(attempt: int, base_s: float, max_wait_s: float) -> None:
    wait_s = backoff_s(RetryPolicy(base_s=base_s, max_wait_s=max_wait_s), attempt)
    assert 0 <= wait_s <= min(base_s * 2.0 ** min(attempt - 1, 900), max_wait_s)


@pytest.mark.usefixtures("longest_waits")
def test_backoffs_double_up_to_the_longest_wait() -> None:
    policy = RetryPolicy(base_s=0.5, max_wait_s=3.0)
    assert [backoff_s(policy, attempt) for attempt in range(1, 6)] == [0.5, 1.0, 2.0, 3.0, 3.0]


def test_the_jitter_is_full(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("random.uniform", lambda low, high: low + 0.25 * (high - low))
    assert backoff_s(RetryPolicy(base_s=8.0), 1) == 2.0


def test_budget_is_empty_after_as_many_retries_as_it_holds() -> None:
    budget = RetryBudget(capacity=2)
    budget.spend()
    assert not budget.is_empty
    budget.spend()
    assert budget.is_empty


def test_success_restores_one_retry() -> None:
    budget = RetryBudget(capacity=1)
    budget.spend()
    budget.restore()
    assert not budget.is_empty


def test_successes_do_not_fill_a_budget_past_its_capacity() -> None:
    budget = RetryBudget(capacity=1)
    budget.restore()
    budget.spend()
    assert budget.is_empty


@pytest.mark.parametrize(
    ("contact", "replay_adds", "safe"),
    [
        (ADD, False, False),
        (ADD, True, True),
        (a_contact(update_if_exists=False), False, False),
        (UPSERT, False, True),
        (UPDATE, False, True),
        (an_update(update_if_exists=False), False, True),
    ],
)
def test_only_an_add_may_not_be_repeated(contact: Any, replay_adds: bool, safe: bool) -> None:
    assert is_idempotent(contact, RetryPolicy(replay_adds=replay_adds)) is safe


@pytest.mark.parametrize(
    ("error", "add", "upsert", "update"),
    [
        (UnavailableError("never sent"), True, True, True),
        (RateLimitedError("429"), True, True, True),
        (UncertainError("timeout"), False, True, True),
        (RejectedError("no"), False, False, False),
        (SetupError("no"), False, False, False),
        (AuthenticationError("no"), False, False, False),
        (InvalidContactError([]), False, False, False),
        (ContactError("no"), False, False, False),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, ContactError) else None,
)
def test_what_may_be_sent_again(error: ContactError, add: bool, upsert: bool, update: bool) -> None:
    def decided(contact: Any) -> bool:
        delivery = Delivery(is_idempotent(contact, RetryPolicy()), 0.0, None, attempts=1)
        delivery.record_failure(error)
        return isinstance(decide(error, delivery, 0.0, RetryPolicy()), Retry)

    assert [decided(ADD), decided(UPSERT), decided(UPDATE)] == [add, upsert, update]


def test_retries_leave_no_cycles_to_the_garbage_collector() -> None:
    # A bulk run that is throttled now and then would spend its time on collecting them.
    call([UnavailableError("no")] * 3)
    gc.collect()
    gc.disable()
    try:
        for _ in range(100):
            call([UnavailableError("no")] * 3)
        assert gc.collect() == 0
    finally:
        gc.enable()


@pytest.mark.parametrize("kind", RETRIED)
def test_failed_attempt_is_made_again_until_it_succeeds(kind: type[ContactError]) -> None:
    ended = call([kind("1"), kind("2"), kind("3"), kind("4")])
    assert (ended.error, ended.attempts) == (None, 5)


@pytest.mark.parametrize("attempts", [1, 2, 5])
@pytest.mark.parametrize("kind", RETRIED)
def test_no_more_attempts_are_made_than_the_policy_allows(
    kind: type[ContactError], attempts: int
) -> None:
    errors = [kind(str(number)) for number in range(9)]
    ended = call(errors, attempts=attempts)
    assert (ended.attempts, ended.error) == (attempts, errors[attempts - 1])
    assert errors[attempts - 1].attempts == attempts


@pytest.mark.parametrize("before", [[], [UnavailableError("1"), RateLimitedError("2")]])
@pytest.mark.parametrize("kind", FINAL)
def test_error_that_a_repetition_cannot_help_ends_the_call(
    kind: type[ContactError], before: list[ContactError]
) -> None:
    error = kind("no")
    ended = call([*before, error])
    assert ended.error is error
    assert error.attempts == ended.attempts == len(before) + 1


@pytest.mark.usefixtures("longest_waits")
def test_every_retry_waits_its_backoff_the_first_too() -> None:
    assert call([UnavailableError("no")] * 4, max_wait_s=3.0).waits == [0.5, 1.0, 2.0, 3.0]


def test_every_wait_is_within_the_bounds_of_the_jitter() -> None:
    waits = call([UnavailableError("no")] * 4, max_wait_s=3.0).waits
    bounds = zip(waits, [0.5, 1.0, 2.0, 3.0], strict=True)
    assert all(0 <= wait_s <= most_s for wait_s, most_s in bounds)


@pytest.mark.parametrize("kind", RETRIED)
@pytest.mark.parametrize("asked_s", [0.75, 7.5, 30.0])
def test_retry_after_that_is_longer_than_the_backoff_is_waited_for_exactly(
    kind: type[ContactError], asked_s: float
) -> None:
    assert call([kind("wait", retry_after_s=asked_s)], max_wait_s=30.0).waits == [asked_s]


@pytest.mark.usefixtures("longest_waits")
@pytest.mark.parametrize("kind", RETRIED)
@pytest.mark.parametrize("asked_s", [0.0, 0.25])
def test_retry_after_that_is_shorter_than_the_backoff_does_not_shorten_it(
    kind: type[ContactError], asked_s: float
) -> None:
    ended = call([kind("wait", retry_after_s=asked_s)] * 4)
    assert ended.waits == [0.5, 1.0, 2.0, 4.0]


@pytest.mark.parametrize("kind", RETRIED)
def test_retry_after_longer_than_the_longest_wait_ends_the_call(kind: type[ContactError]) -> None:
    asked = kind("wait", retry_after_s=30.5)
    ended = call([asked], max_wait_s=30.0)
    assert (ended.error, asked.retry_after_s, ended.waits) == (asked, 30.5, [])


@pytest.mark.parametrize(
    ("deadline", "attempts"), [(1006.0, 2), (1005.001, 2), (1005.0, 1), (1001.0, 1), (999.0, 1)]
)
def test_wait_that_would_pass_the_deadline_is_not_begun(deadline: float, attempts: int) -> None:
    asked = [RateLimitedError("wait", retry_after_s=5.0), RateLimitedError("", retry_after_s=5.0)]
    ended = call(asked, deadline=deadline)
    assert (ended.attempts, ended.waits) == (attempts, [5.0] * (attempts - 1))


def test_empty_budget_ends_a_call_with_the_error_it_has() -> None:
    errors = [UnavailableError(str(number)) for number in range(9)]
    budget = RetryBudget(capacity=2)
    ended = call(errors, budget=budget)
    assert (ended.error, ended.attempts, budget.is_empty) == (errors[2], 3, True)


def test_budget_is_shared_by_several_calls() -> None:
    budget = RetryBudget(capacity=3)
    for _ in range(2):
        call([UnavailableError("no")] * 9, budget=budget, attempts=2)
    budget.spend()
    assert budget.is_empty


def test_throttled_answers_do_not_draw_on_the_budget() -> None:
    budget = RetryBudget(capacity=1)
    call([RateLimitedError("wait")] * 9, budget=budget)
    assert not budget.is_empty


def test_call_that_may_not_go_on_draws_nothing() -> None:
    budget = RetryBudget(capacity=1)
    call([UnavailableError("no", retry_after_s=99.0)], budget=budget)
    assert not budget.is_empty


def test_uncertain_add_is_not_sent_again() -> None:
    uncertain = UncertainError("timeout")
    ended = call([uncertain], idempotent=False)
    assert (ended.error, ended.attempts) == (uncertain, 1)


def test_add_that_was_not_applied_is_sent_again_until_it_is_uncertain() -> None:
    uncertain = UncertainError("timeout")
    script = [UnavailableError("no"), RateLimitedError("wait"), uncertain]
    ended = call(script, idempotent=False)
    assert (ended.error, ended.attempts) == (uncertain, 3)


def test_uncertain_attempt_and_then_a_success_is_a_success() -> None:
    assert call([UncertainError("timeout")]).error is None


@pytest.mark.parametrize("between", [[], [UnavailableError("no"), RateLimitedError("wait")]])
@pytest.mark.parametrize("kind", FINAL)
def test_uncertain_attempt_is_not_undone_by_a_later_answer(
    kind: type[ContactError], between: list[ContactError]
) -> None:
    last = kind("no such contact", http_status=404)
    error = call([UncertainError("timeout"), *between, last]).error
    assert isinstance(error, UncertainError)
    assert error.__cause__ is last
    assert error.attempts == len(between) + 2


@pytest.mark.parametrize("kind", [RateLimitedError, UnavailableError])
def test_uncertain_attempt_is_not_undone_by_running_out_of_attempts(
    kind: type[ContactError],
) -> None:
    last = kind("not now")
    error = call([UncertainError("timeout"), last], attempts=2).error
    assert isinstance(error, UncertainError)
    assert (error.__cause__, error.attempts) == (last, 2)


def test_uncertain_end_says_what_was_before_and_what_the_last_answer_said() -> None:
    error = call([UncertainError("timeout"), RejectedError("no such contact")]).error
    assert "may have been applied" in str(error)
    assert "no such contact" in str(error)


def test_uncertain_last_attempt_is_reported_as_it_is() -> None:
    last = UncertainError("timeout again")
    assert call([UncertainError("timeout"), last], attempts=2).error is last


def test_stale_date_is_sent_again_at_once_and_costs_no_attempt() -> None:
    ended = call([StaleDateError("old"), *[UnavailableError("no")] * 4], attempts=5)
    assert (ended.error, ended.attempts, ended.waits[0]) == (None, 6, 0.0)


def test_second_stale_date_ends_the_call_as_an_authentication_error() -> None:
    ended = call([StaleDateError("old"), StaleDateError("old", error_code=401)])
    assert type(ended.error) is AuthenticationError
    assert (ended.attempts, ended.error.error_code, ended.error.attempts) == (2, 401, 2)


FREE_POLICY = RetryPolicy(attempts=1, deadline_s=None)


def free(error: ContactError, *, idempotent: bool = True, now: float = 0.0) -> Retry | Fail:
    """What follows the tenth free failure of a call in a bulk run with a patience of 300 s."""
    delivery = Delivery(idempotent, 0.0, None)
    for _ in range(10):
        delivery.attempts += 1
        delivery.record_failure(error, is_uncounted=True)
    return decide(error, delivery, now, FREE_POLICY, is_uncounted=True, patience_s=300.0)


@pytest.mark.parametrize("kind", RETRIED)
def test_failures_that_concern_a_whole_run_use_up_no_attempts(kind: type[ContactError]) -> None:
    assert isinstance(free(kind("not now")), Retry)


@pytest.mark.parametrize("kind", RETRIED)
def test_call_of_a_run_ends_once_its_patience_is_used_up(kind: type[ContactError]) -> None:
    assert isinstance(free(kind("not now"), now=300.0), Fail)
    assert isinstance(free(kind("not now", retry_after_s=200.0), now=150.0), Fail)


def test_uncertain_add_in_an_outage_is_not_sent_again() -> None:
    assert isinstance(free(UncertainError("timeout"), idempotent=False), Fail)


@pytest.mark.usefixtures("longest_waits")
def test_throttled_contact_of_a_run_backs_off_by_its_throttles_in_a_row() -> None:
    assert free(RateLimitedError("no")) == Retry(30.0)


def test_contact_of_a_run_leaves_the_waiting_for_an_outage_to_the_pacer() -> None:
    assert free(UnavailableError("no")) == Retry(0.0)


scripts = st.lists(st.sampled_from([*RETRIED, *FINAL]), max_size=6)


@given(scripts, st.booleans(), st.integers(1, 6))
def test_call_in_doubt_ends_with_a_success_or_uncertain(
    script: list[type[ContactError]], idempotent: bool, attempts: int
) -> None:
    ended = call([kind("no") for kind in script], idempotent=idempotent, attempts=attempts)
    is_in_doubt = UncertainError in script[: ended.attempts]
    assert ended.error is None or isinstance(ended.error, UncertainError) is is_in_doubt


@given(scripts, st.booleans(), st.integers(1, 6))
def test_nothing_is_sent_after_an_answer_that_forbids_it(
    script: list[type[ContactError]], idempotent: bool, attempts: int
) -> None:
    ended = call([kind("no") for kind in script], idempotent=idempotent, attempts=attempts)
    forbids = {*FINAL, *([] if idempotent else [UncertainError])}
    assert not forbids & set(script[: ended.attempts - 1])
