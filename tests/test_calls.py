"""One call, in held time: attempts, decisions and waits, and what calls of a client share."""

import asyncio
import contextlib
import logging
from collections.abc import Sequence
from typing import Any, cast

import attrs
import pytest
from yarl import URL

from contactsdk import RetryPolicy
from contactsdk.attempt import Requester
from contactsdk.calls import Caller
from contactsdk.errors import (
    ContactError,
    RateLimitedError,
    RejectedError,
    SetupError,
    StaleDateError,
    UnavailableError,
    UncertainError,
)
from tests.bulk.held import in_held_time, now

ADDRESS = URL("https://api.example.com/")


@attrs.define
class Script:
    """Stands in for a requester: ends each attempt as the script says, then with the id 33884."""

    errors: Sequence[BaseException] = ()
    latency_s: float = 0.0
    is_closed: bool = False
    sent_at: list[float] = attrs.field(factory=list)

    def running_loop(self) -> asyncio.AbstractEventLoop:
        return asyncio.get_running_loop()

    async def attempt(self, *_: Any, **__: Any) -> int:
        self.sent_at.append(now())
        await asyncio.sleep(self.latency_s)
        if len(self.sent_at) <= len(self.errors):
            raise self.errors[len(self.sent_at) - 1]
        return 33884


def caller_of(script: Script, **policy: Any) -> Caller:
    return Caller(cast("Requester", script), RetryPolicy(**policy))


async def call(caller: Caller, *, deadline_s: float | None = None, idempotent: bool = True) -> int:
    delivery = caller.delivery(deadline_s, is_idempotent=idempotent)
    return await caller.call(ADDRESS, b"", lambda *_: 1, delivery)


@in_held_time
async def test_first_success_needs_no_decision_and_no_wait() -> None:
    script = Script()

    assert await call(caller_of(script)) == 33884
    assert script.sent_at == [0.0]


@pytest.mark.parametrize("kind", [RateLimitedError, UnavailableError, UncertainError])
@in_held_time
async def test_failed_attempt_is_made_again_after_its_wait(kind: type[ContactError]) -> None:
    script = Script([kind("no", retry_after_s=2.0), kind("no", retry_after_s=3.0)])

    assert await call(caller_of(script)) == 33884
    assert script.sent_at == [0.0, 2.0, 5.0]


@in_held_time
async def test_call_ends_with_the_error_that_must_not_be_repeated() -> None:
    no = RejectedError("no")

    with pytest.raises(RejectedError) as raised:
        await call(caller_of(Script([UnavailableError("away"), no])))

    assert raised.value is no
    assert no.attempts == 2


@in_held_time
async def test_uncertain_add_is_not_made_again() -> None:
    script = Script([UncertainError("no answer")])

    with pytest.raises(UncertainError):
        await call(caller_of(script), idempotent=False)

    assert len(script.sent_at) == 1


@in_held_time
async def test_wait_that_would_pass_the_deadline_is_not_begun() -> None:
    script = Script([UnavailableError("away", retry_after_s=5.0)] * 3)

    with pytest.raises(UnavailableError):
        await call(caller_of(script), deadline_s=6.0)

    assert script.sent_at == [0.0, 5.0]


@in_held_time
async def test_stale_date_is_made_again_at_once() -> None:
    script = Script([StaleDateError("old")])

    assert await call(caller_of(script, attempts=1)) == 33884
    assert script.sent_at == [0.0, 0.0]


@in_held_time
async def test_calls_of_a_client_share_its_retry_budget() -> None:
    script = Script([UnavailableError("away")] * 10_000)
    caller = caller_of(script, attempts=100, base_s=1e-6, max_wait_s=1e-6, deadline_s=None)
    retries = 0

    for _ in range(20):
        before = len(script.sent_at)
        with pytest.raises(UnavailableError):
            await call(caller)
        retries += len(script.sent_at) - before - 1

    assert retries <= 500


@in_held_time
async def test_attempts_that_are_held_back_in_an_outage_cost_no_retry_budget() -> None:
    script = Script([UnavailableError("away")] * 10_000)
    caller = caller_of(script, base_s=1e-6, max_wait_s=1000.0, attempts=5, deadline_s=None)
    for _ in range(300):  # nearly all of them are held back while the breaker is open
        with pytest.raises(UnavailableError):
            await call(caller)
    script.errors = ()
    await asyncio.sleep(2000.0)  # the next probe is due
    assert await call(caller) == 33884

    script.errors = [UnavailableError("away")] * (len(script.sent_at) + 1)
    assert await call(caller) == 33884  # after a retry, for which the budget has room


@pytest.mark.parametrize("before", [[], [UncertainError("timeout")]], ids=["first", "later"])
@pytest.mark.parametrize("kind", [asyncio.CancelledError, KeyError])
@in_held_time
async def test_error_that_is_not_ours_passes_through_untouched(
    kind: type[BaseException], before: list[BaseException]
) -> None:
    foreign = kind("from outside")

    with pytest.raises(kind) as raised:
        await call(caller_of(Script([*before, foreign])))

    assert raised.value is foreign


@in_held_time
async def test_client_that_was_closed_is_an_error_of_the_caller_at_the_first_attempt() -> None:
    with pytest.raises(RuntimeError, match="closed"):
        await call(caller_of(Script([RuntimeError("this client is closed")])))


@pytest.mark.parametrize(
    ("earlier", "expected"), [(UnavailableError, SetupError), (UncertainError, UncertainError)]
)
@in_held_time
async def test_client_that_is_closed_between_attempts_ends_the_call(
    earlier: type[ContactError], expected: type[ContactError]
) -> None:
    script = Script([earlier("no"), RuntimeError("this client is closed")])

    with pytest.raises(expected, match="closed"):
        await call(caller_of(script))


@in_held_time
async def test_call_of_a_client_that_was_closed_meanwhile_waits_for_no_other_attempt() -> None:
    away = UnavailableError("away", retry_after_s=20.0)
    script = Script([away], latency_s=1.0)
    task = asyncio.create_task(call(caller_of(script)))
    await asyncio.sleep(0.5)
    script.is_closed = True

    with pytest.raises(UnavailableError):
        await task
    assert now() == 1.0


@in_held_time
async def test_call_cancelled_while_it_waits_ends_cancelled() -> None:
    script = Script([UnavailableError("no", retry_after_s=20.0)])
    task = asyncio.create_task(call(caller_of(script)))
    await asyncio.sleep(10)

    task.cancel()

    with pytest.raises(asyncio.CancelledError):
        await task
    assert len(script.sent_at) == 1


@pytest.mark.parametrize("error", [None, RejectedError("no"), UnavailableError("no")])
@in_held_time
async def test_nothing_is_logged_where_nothing_is_made_again(
    error: ContactError | None, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "contactsdk")

    with contextlib.suppress(ContactError):
        await call(caller_of(Script([error] if error else []), attempts=1))

    assert caplog.messages == []


@in_held_time
async def test_each_retry_is_logged_in_one_line_without_texts_of_the_platform(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.INFO, "contactsdk")
    script = Script(
        [
            RateLimitedError("m4rk", http_status=429, retry_after_s=1.5),
            UncertainError(
                "m4rk", http_status=200, error_code=460, additional_messages=["m4rk"],
                retry_after_s=2.0,
            ),
        ]
    )  # fmt: skip

    await call(caller_of(script))

    assert caplog.messages == [
        "attempt 2 of 5 follows in 1.50 s: RateLimitedError, HTTP 429",
        "attempt 3 of 5 follows in 2.00 s: UncertainError, HTTP 200, errorCode 460",
    ]
