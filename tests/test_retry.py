import asyncio
import contextlib
import gc
import logging
import math
from collections.abc import Awaitable, Sequence
from typing import Any

import attrs
import pytest
from examples import a_contact, an_update
from hypothesis import given
from hypothesis import strategies as st

from contactsdk import retry
from contactsdk.errors import (
    AuthenticationError,
    ContactError,
    InvalidContactError,
    RateLimitedError,
    RejectedError,
    SetupError,
    UnavailableError,
    UncertainError,
)
from contactsdk.retry import (
    Call,
    Resender,
    RetryBudget,
    RetryPolicy,
    may_resend,
    repeat_safe,
)

ADD = a_contact()
UPSERT = a_contact(update_if_exists=True)
UPDATE = an_update()

RETRIED = [RateLimitedError, UnavailableError, UncertainError]
FINAL = [RejectedError, SetupError, AuthenticationError]


@attrs.define
class Clock:
    """A clock that only sleeping moves; remembers each sleep."""

    now: float = 1000.0
    slept: list[float] = attrs.field(factory=list)

    def __call__(self) -> float:
        return self.now

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(0)
        self.slept.append(seconds)
        self.now += seconds


@attrs.define
class Platform:
    """Ends each attempt as its script says; after the last one, with the id 33884."""

    script: Sequence[BaseException]
    attempts: int = 0

    async def __call__(self, *_: Any) -> int:
        self.attempts += 1
        await asyncio.sleep(0)
        if self.attempts <= len(self.script):
            raise self.script[self.attempts - 1]
        return 33884


def run(
    platform: Platform,
    *,
    clock: Clock | None = None,
    safe: bool = True,
    deadline: float | None = None,
    budget: RetryBudget | None = None,
    **policy: Any,
) -> Awaitable[int]:
    """One call of the platform; safe to repeat unless it says otherwise."""
    clock = clock or Clock()
    resend = Resender(
        RetryPolicy(**policy), budget=budget or RetryBudget(), clock=clock, sleep=clock.sleep
    )
    return resend(platform, Call(repeat_safe=safe, deadline=deadline))


async def failure(platform: Platform, **options: Any) -> ContactError:
    with pytest.raises(ContactError) as caught:
        await run(platform, **options)
    return caught.value


@pytest.fixture
def longest_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    """Takes the chance out of the jitter: each wait is as long as it may be."""
    monkeypatch.setattr(retry.random, "random", lambda: 1.0)


def test_the_policy_has_the_documented_defaults() -> None:
    assert attrs.asdict(RetryPolicy()) == {
        "attempts": 5,
        "base_s": 0.5,
        "max_wait_s": 30.0,
        "deadline_s": 120.0,
        "replay_adds": False,
    }


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
    wait_s = RetryPolicy(base_s=base_s, max_wait_s=max_wait_s).backoff_s(attempt)
    assert 0 <= wait_s <= min(base_s * 2.0 ** min(attempt - 1, 900), max_wait_s)


@pytest.mark.usefixtures("longest_waits")
def test_backoffs_double_up_to_the_longest_wait() -> None:
    policy = RetryPolicy(base_s=0.5, max_wait_s=3.0)
    assert [policy.backoff_s(attempt) for attempt in range(1, 6)] == [0.5, 1.0, 2.0, 3.0, 3.0]


def test_the_jitter_is_full(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(retry.random, "random", lambda: 0.25)
    assert RetryPolicy(base_s=8.0).backoff_s(1) == 2.0


def test_a_budget_allows_as_many_retries_as_it_holds() -> None:
    budget = RetryBudget(capacity=2)
    assert [budget.take() for _ in range(4)] == [True, True, False, False]


def test_a_success_gives_one_back() -> None:
    budget = RetryBudget(capacity=1)
    budget.take()
    budget.give_back()
    assert [budget.take(), budget.take()] == [True, False]


def test_successes_do_not_fill_a_budget_past_its_capacity() -> None:
    budget = RetryBudget(capacity=1)
    budget.give_back()
    assert [budget.take(), budget.take()] == [True, False]


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
    assert repeat_safe(contact, RetryPolicy(replay_adds=replay_adds)) is safe


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
        return may_resend(error, Call(repeat_safe=repeat_safe(contact, RetryPolicy())))

    assert [decided(ADD), decided(UPSERT), decided(UPDATE)] == [add, upsert, update]


async def test_a_first_success_never_enters_tenacity(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: Any, **__: Any) -> None:
        raise AssertionError("tenacity was entered")

    monkeypatch.setattr(retry, "RetryCallState", refuse)
    assert await run(Platform([])) == 33884


async def test_a_loop_that_goes_on_in_another_thread_is_served_as_well() -> None:
    clock = Clock()
    resend = Resender(RetryPolicy(), budget=None, clock=clock, sleep=clock.sleep)
    for _ in range(2):
        platform = Platform([UnavailableError("no")])
        call = Call(repeat_safe=True)
        assert await asyncio.to_thread(asyncio.run, resend(platform, call)) == 33884


async def test_retries_leave_no_cycles_to_the_garbage_collector() -> None:
    # A bulk run that is throttled now and then would spend its time on collecting them.
    async def attempt(call: Call) -> int:
        if call.attempts < 4:
            raise UnavailableError("no")
        return 33884

    clock = Clock()
    resend = Resender(RetryPolicy(), budget=None, clock=clock, sleep=clock.sleep)
    gc.collect()
    gc.disable()
    try:
        for _ in range(100):
            await resend(attempt, Call(repeat_safe=True))
        assert gc.collect() == 0
    finally:
        gc.enable()


@pytest.mark.parametrize("kind", RETRIED)
async def test_a_failed_attempt_is_made_again_until_it_succeeds(kind: type[ContactError]) -> None:
    platform = Platform([kind("1"), kind("2"), kind("3"), kind("4")])
    assert (await run(platform), platform.attempts) == (33884, 5)


@pytest.mark.parametrize("attempts", [1, 2, 5])
@pytest.mark.parametrize("kind", RETRIED)
async def test_no_more_attempts_are_made_than_the_policy_allows(
    kind: type[ContactError], attempts: int
) -> None:
    errors = [kind(str(number)) for number in range(9)]
    platform = Platform(errors)
    error = await failure(platform, attempts=attempts)
    assert (platform.attempts, error, error.attempts) == (attempts, errors[attempts - 1], attempts)


@pytest.mark.parametrize("kind", FINAL)
async def test_what_cannot_help_is_not_sent_again(kind: type[ContactError]) -> None:
    platform = Platform([kind("no")])
    error = await failure(platform)
    assert (type(error), error.attempts, platform.attempts) == (kind, 1, 1)


@pytest.mark.parametrize("kind", FINAL)
async def test_what_cannot_help_ends_a_call_that_was_sent_again(kind: type[ContactError]) -> None:
    platform = Platform([UnavailableError("1"), RateLimitedError("2"), kind("no")])
    error = await failure(platform)
    assert (type(error), error.attempts, platform.attempts) == (kind, 3, 3)


@pytest.mark.usefixtures("longest_waits")
async def test_every_resend_waits_its_backoff_the_first_too() -> None:
    clock = Clock()
    await run(Platform([UnavailableError("no")] * 4), clock=clock, max_wait_s=3.0)
    assert clock.slept == [0.5, 1.0, 2.0, 3.0]


async def test_every_wait_is_within_the_bounds_of_the_jitter() -> None:
    clock = Clock()
    await run(Platform([UnavailableError("no")] * 4), clock=clock, max_wait_s=3.0)
    bounds = zip(clock.slept, [0.5, 1.0, 2.0, 3.0], strict=True)
    assert all(0 <= wait_s <= most_s for wait_s, most_s in bounds)


@pytest.mark.parametrize("kind", RETRIED)
@pytest.mark.parametrize("asked_s", [0.0, 0.25, 7.5, 30.0])
async def test_a_retry_after_is_waited_for_exactly(
    kind: type[ContactError], asked_s: float
) -> None:
    clock = Clock()
    await run(Platform([kind("wait", retry_after_s=asked_s)]), clock=clock, max_wait_s=30.0)
    assert clock.slept == [asked_s]


@pytest.mark.parametrize("kind", RETRIED)
async def test_a_retry_after_longer_than_the_longest_wait_ends_the_call(
    kind: type[ContactError],
) -> None:
    clock = Clock()
    asked = kind("wait", retry_after_s=30.5)
    error = await failure(Platform([asked]), clock=clock, max_wait_s=30.0)
    assert (error, error.retry_after_s, clock.slept) == (asked, 30.5, [])


@pytest.mark.parametrize(
    ("deadline", "attempts"), [(1006.0, 2), (1005.001, 2), (1005.0, 1), (1001.0, 1), (999.0, 1)]
)
async def test_a_wait_that_would_pass_the_deadline_is_not_begun(
    deadline: float, attempts: int
) -> None:
    clock = Clock(now=1000.0)
    platform = Platform([RateLimitedError("wait", retry_after_s=5.0)] * 2)
    error = await failure(platform, clock=clock, deadline=deadline)
    assert (platform.attempts, error.attempts) == (attempts, attempts)
    assert clock.slept == [5.0] * (attempts - 1)


async def test_an_empty_budget_ends_a_call_with_the_error_it_has() -> None:
    budget = RetryBudget(capacity=2)
    errors = [UnavailableError(str(number)) for number in range(9)]
    error = await failure(Platform(errors), budget=budget)
    assert (error, error.attempts, budget.take()) == (errors[2], 3, False)


async def test_a_budget_is_shared_by_the_calls_of_a_client() -> None:
    budget = RetryBudget(capacity=3)
    for _ in range(2):
        await failure(Platform([UnavailableError("no")] * 9), budget=budget, attempts=2)
    spent = [budget.take(), budget.take()]
    assert spent == [True, False]


async def test_throttled_answers_do_not_draw_on_the_budget() -> None:
    budget = RetryBudget(capacity=1)
    await failure(Platform([RateLimitedError("wait")] * 9), budget=budget)
    assert budget.take()


@pytest.mark.parametrize("script", [[], [RateLimitedError("wait")]], ids=["first", "later"])
async def test_a_call_that_succeeds_gives_one_back(script: list[ContactError]) -> None:
    budget = RetryBudget(capacity=2)
    budget.take()
    budget.take()
    await run(Platform(script), budget=budget)
    assert [budget.take(), budget.take()] == [True, False]


async def test_a_call_that_fails_gives_nothing_back() -> None:
    budget = RetryBudget(capacity=1)
    budget.take()
    await failure(Platform([RejectedError("no")]), budget=budget)
    assert not budget.take()


async def test_a_call_that_may_not_go_on_draws_nothing() -> None:
    budget = RetryBudget(capacity=1)
    await failure(Platform([UnavailableError("no", retry_after_s=99.0)]), budget=budget)
    assert budget.take()


async def test_without_a_budget_only_the_attempts_are_counted() -> None:
    clock = Clock()
    resend = Resender(RetryPolicy(), budget=None, clock=clock, sleep=clock.sleep)
    result = await resend(Platform([UnavailableError("no")] * 4), Call(repeat_safe=True))
    assert (result, len(clock.slept)) == (33884, 4)


async def test_an_uncertain_add_is_not_sent_again() -> None:
    uncertain = UncertainError("timeout")
    platform = Platform([uncertain])
    error = await failure(platform, safe=False)
    assert (error, error.attempts, platform.attempts) == (uncertain, 1, 1)


async def test_an_add_that_was_not_applied_is_sent_again_until_it_is_uncertain() -> None:
    uncertain = UncertainError("timeout")
    platform = Platform([UnavailableError("no"), RateLimitedError("wait"), uncertain])
    error = await failure(platform, safe=False)
    assert (error, error.attempts, platform.attempts) == (uncertain, 3, 3)


async def test_an_uncertain_attempt_and_then_a_success_is_a_success() -> None:
    assert await run(Platform([UncertainError("timeout")])) == 33884


@pytest.mark.parametrize("between", [[], [UnavailableError("no"), RateLimitedError("wait")]])
@pytest.mark.parametrize("kind", FINAL)
async def test_an_uncertain_attempt_is_not_undone_by_a_later_answer(
    kind: type[ContactError], between: list[ContactError]
) -> None:
    last = kind("no such contact", http_status=404)
    error = await failure(Platform([UncertainError("timeout"), *between, last]))
    assert (type(error), error.__cause__) == (UncertainError, last)
    assert error.attempts == len(between) + 2


@pytest.mark.parametrize("kind", [RateLimitedError, UnavailableError])
async def test_an_uncertain_attempt_is_not_undone_by_running_out_of_attempts(
    kind: type[ContactError],
) -> None:
    last = kind("not now")
    error = await failure(Platform([UncertainError("timeout"), last]), attempts=2)
    assert (type(error), error.__cause__, error.attempts) == (UncertainError, last, 2)


async def test_what_ends_in_doubt_tells_both_what_was_and_what_the_last_answer_said() -> None:
    error = await failure(Platform([UncertainError("timeout"), RejectedError("no such contact")]))
    assert "may have been applied" in str(error)
    assert "no such contact" in str(error)


async def test_an_uncertain_last_attempt_is_told_as_it_is() -> None:
    last = UncertainError("timeout again")
    assert await failure(Platform([UncertainError("timeout"), last]), attempts=2) is last


async def test_each_resend_is_told_in_one_line(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG, "contactsdk")
    script = [
        RateLimitedError("m4rk", http_status=429, retry_after_s=1.5),
        UncertainError("m4rk", http_status=200, error_code=460, additional_messages=["m4rk"]),
    ]
    script[1].retry_after_s = 2.0
    await run(Platform(script))
    assert caplog.record_tuples == [
        (
            "contactsdk",
            logging.INFO,
            "attempt 2 of 5 follows in 1.50 s: RateLimitedError, HTTP 429",
        ),
        (
            "contactsdk",
            logging.INFO,
            "attempt 3 of 5 follows in 2.00 s: UncertainError, HTTP 200, errorCode 460",
        ),
    ]


@pytest.mark.parametrize("script", [[], [RejectedError("no")], [UnavailableError("no")]])
async def test_nothing_is_told_where_nothing_is_sent_again(
    script: list[ContactError], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG, "contactsdk")
    await asyncio.gather(run(Platform(script), attempts=1), return_exceptions=True)
    assert caplog.record_tuples == []


@pytest.mark.parametrize("before", [[], [UncertainError("timeout")]], ids=["first", "later"])
@pytest.mark.parametrize("kind", [asyncio.CancelledError, RuntimeError, KeyError])
async def test_what_is_not_ours_passes_through_untouched(
    kind: type[BaseException], before: list[BaseException]
) -> None:
    foreign = kind("from outside")
    platform = Platform([*before, foreign])
    with pytest.raises(kind) as caught:
        await run(platform)
    assert (caught.value, platform.attempts) == (foreign, len(before) + 1)


async def test_a_call_cancelled_while_it_waits_ends_cancelled() -> None:
    waiting = asyncio.Event()

    async def sleep(_: float) -> None:
        waiting.set()
        await asyncio.Event().wait()

    platform = Platform([UnavailableError("no")] * 2)
    resend = Resender(RetryPolicy(), budget=RetryBudget(), clock=Clock(), sleep=sleep)
    call = asyncio.ensure_future(resend(platform, Call(repeat_safe=True)))
    await waiting.wait()
    call.cancel()
    with pytest.raises(asyncio.CancelledError):
        await call
    assert platform.attempts == 1


@pytest.mark.usefixtures("longest_waits")
async def test_calls_at_the_same_time_share_nothing_but_the_budget() -> None:
    slept: dict[asyncio.Task[int] | None, list[float]] = {}

    async def sleep(seconds: float) -> None:
        slept.setdefault(asyncio.current_task(), []).append(seconds)
        await asyncio.sleep(0)

    resend = Resender(RetryPolicy(), budget=RetryBudget(), clock=Clock(), sleep=sleep)
    platforms = [
        Platform([]),
        Platform([UnavailableError("no")] * 2),
        Platform([UncertainError("timeout"), RejectedError("no")]),
        Platform([UnavailableError("no"), RejectedError("no")]),
    ]
    calls = [asyncio.create_task(resend(each, Call(repeat_safe=True))) for each in platforms]
    results = await asyncio.gather(*calls, return_exceptions=True)
    assert [getattr(result, "attempts", result) for result in results] == [33884, 33884, 2, 2]
    assert list(map(type, results)) == [int, int, UncertainError, RejectedError]
    assert [slept.get(call, []) for call in calls] == [[], [0.5, 1.0], [0.5], [0.5]]


scripts = st.lists(st.sampled_from([*RETRIED, *FINAL]), max_size=6)


@given(scripts, st.booleans(), st.integers(1, 6))
def test_a_call_in_doubt_ends_with_an_id_or_uncertain(
    script: list[type[ContactError]], safe: bool, attempts: int
) -> None:
    platform = Platform([kind("no") for kind in script])

    async def outcome() -> int | ContactError:
        try:
            return await run(platform, safe=safe, attempts=attempts)
        except ContactError as error:
            return error

    ended = asyncio.run(outcome())
    in_doubt = UncertainError in script[: platform.attempts]
    assert isinstance(ended, int) or isinstance(ended, UncertainError) is in_doubt


@given(scripts, st.booleans(), st.integers(1, 6))
def test_nothing_is_sent_after_an_answer_that_forbids_it(
    script: list[type[ContactError]], safe: bool, attempts: int
) -> None:
    platform = Platform([kind("no") for kind in script])

    async def call() -> None:
        with contextlib.suppress(ContactError):
            await run(platform, safe=safe, attempts=attempts)

    asyncio.run(call())
    forbids = {*FINAL, *([] if safe else [UncertainError])}
    assert not forbids & set(script[: platform.attempts - 1])
