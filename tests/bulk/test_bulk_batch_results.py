"""Waiting for the results of a batch, in held time."""

import itertools
from typing import Any

import pytest

from contactsdk import (
    AuthenticationError,
    RateLimitedError,
    RejectedError,
    RetryPolicy,
    SetupError,
    UnavailableError,
    UncertainError,
)
from contactsdk.bulk import collect
from contactsdk.errors import ContactError, StaleDateError, converted
from contactsdk.wire import NO_SUCH_BATCH
from tests.bulk.held import errors, in_held_time, many, now, read_all, updates
from tests.bulk.held_batches import HeldBatches, batch_stream

AWAY = UnavailableError("never sent: refused")


def forgotten() -> UncertainError:
    """What the client makes of "no such batch"."""
    cause = RejectedError("no such batch", error_code=400, specific_code=NO_SUCH_BATCH)
    return converted(cause, UncertainError, "the platform did not say: no such batch")


@in_held_time
async def test_results_are_asked_for_less_and_less_often() -> None:
    platform = HeldBatches(takes_s=60.0)

    await collect(batch_stream(many(1), platform))

    times = platform.accepted[0].polled_at
    waits = [later - earlier for earlier, later in itertools.pairwise(times)]
    assert times[0] == pytest.approx(0.26)
    assert waits == sorted(waits)
    assert max(waits) == pytest.approx(5.01)
    assert len(times) < 22
    assert platform.asked_for_progress_at == []


@in_held_time
async def test_batch_that_makes_no_progress_is_given_up_and_named() -> None:
    contacts = [*many(1), *updates([5])]
    platform = HeldBatches(takes_s=1e6)

    stream = batch_stream(contacts, platform, give_up_s=60.0)
    async with stream:
        first = await anext(stream)
        stream.stop()

    assert first.uncertain
    assert "batch-0" in first.message
    assert "no progress for 60 s" in first.message
    assert 60 <= now() < 70


@in_held_time
async def test_update_of_a_batch_without_results_goes_into_a_later_one() -> None:
    platform = HeldBatches()
    platform.hide = lambda async_id: forgotten() if async_id == "batch-0" else None

    report = await collect(batch_stream(updates([5]), platform))

    assert report.outcomes[0].ok
    assert report.outcomes[0].attempts == 2


@in_held_time
async def test_slow_batch_is_waited_for_while_it_makes_progress() -> None:
    platform = HeldBatches(takes_s=1000.0, percent=lambda _: int(now() / 10))

    report = await collect(batch_stream(many(1), platform, give_up_s=60.0))

    assert len(report.ids) == 1
    assert now() > 1000


@in_held_time
async def test_progress_that_cannot_be_read_is_none() -> None:
    platform = HeldBatches(takes_s=1000.0, percent=lambda _: UncertainError("unreadable"))

    report = await collect(batch_stream(many(1), platform, give_up_s=60.0))

    assert len(report.uncertain) == 1
    assert 60 <= now() < 70


@in_held_time
async def test_batch_that_the_platform_has_forgotten_is_asked_for_once() -> None:
    platform = HeldBatches(hide=lambda _: forgotten())

    report = await collect(batch_stream(many(2), platform))

    assert [type(outcome.error) for outcome in report.outcomes] == [UncertainError] * 2
    assert "batch-0" in report.outcomes[0].message
    assert len(platform.accepted[0].polled_at) == 1


@pytest.mark.parametrize(
    "problem",
    [
        AWAY,
        RateLimitedError("slow down"),
        RateLimitedError("slow down", retry_after_s=7.0),
        UncertainError("sent, but no answer came"),
        UnavailableError("maintenance", http_status=503),
    ],
)
@in_held_time
async def test_request_for_results_that_fails_is_made_again(problem: ContactError) -> None:
    problems = iter([problem] * 3)
    platform = HeldBatches(hide=lambda _: next(problems, None))

    report = await collect(batch_stream(many(1), platform))

    assert len(report.ids) == 1
    assert report.outcomes[0].attempts == 1
    times = platform.accepted[0].polled_at
    asked_s = problem.retry_after_s or 0.0
    assert all(later - earlier >= asked_s for earlier, later in itertools.pairwise(times))


@pytest.mark.parametrize(
    "refusal",
    [
        AuthenticationError("no right to results", error_code=401),
        SetupError("no right to results", http_status=403),
    ],
)
@in_held_time
async def test_results_that_are_refused_stop_the_run_and_no_contact_counts_as_not_applied(
    refusal: SetupError,
) -> None:
    platform = HeldBatches(hide=lambda _: refusal)

    outcomes, raised = await read_all(batch_stream([*updates([7]), *many(30)], platform))

    assert raised is refusal
    assert errors(outcomes)[0] is UncertainError
    assert platform.sizes == [1]


@in_held_time
async def test_stale_date_of_a_request_for_results_is_corrected_once() -> None:
    dates = iter([StaleDateError("old")])
    platform = HeldBatches(hide=lambda _: next(dates, None))

    report = await collect(batch_stream(many(1), platform))

    assert len(report.ids) == 1


@in_held_time
async def test_date_that_stays_stale_stops_the_run() -> None:
    platform = HeldBatches(hide=lambda _: StaleDateError("old"))

    outcomes, raised = await read_all(batch_stream(many(3), platform))

    assert isinstance(raised, AuthenticationError)
    assert errors(outcomes)[0] is UncertainError


@in_held_time
async def test_outage_while_results_are_waited_for_ends_no_contact() -> None:
    def away(_: Any) -> UnavailableError | None:
        return AWAY if 5.0 <= now() < 65.0 else None

    platform = HeldBatches(takes_s=2.0, hide=away, refuse=away)
    policy = RetryPolicy(attempts=2, deadline_s=20.0)

    report = await collect(batch_stream(many(200), platform, policy=policy))

    assert len(report.ids) == 200
    assert report.stopped_by is None


@in_held_time
async def test_outage_longer_than_give_up_s_stops_the_run_and_the_waits_for_results() -> None:
    def away(_: Any) -> UnavailableError | None:
        return AWAY if now() >= 5.0 else None

    platform = HeldBatches(takes_s=1.5, hide=away, refuse=away)
    contacts = many(500)

    outcomes, raised = await read_all(batch_stream(contacts, platform, give_up_s=60.0))

    assert raised is AWAY
    accepted = {number for batch in platform.accepted for number in batch.numbers}
    known = {outcome.index for outcome in outcomes if outcome.ok}
    assert 0 < len(accepted - known) <= 40
    assert {outcome.index for outcome in outcomes if outcome.uncertain} == accepted - known
    assert now() < 5 + 60 + 45


@pytest.mark.parametrize("give_up_s", [60.0, 2000.0])
@in_held_time
async def test_results_whose_turn_never_comes_are_given_up_with_the_platform(
    give_up_s: float,
) -> None:
    problems = iter([None, RateLimitedError("wait", retry_after_s=5000.0)])
    platform = HeldBatches(takes_s=0.0, hide=lambda _: next(problems, None))
    stream = batch_stream(many(31), platform, concurrency=3, rate_per_s=0.02, give_up_s=give_up_s)

    outcomes, raised = await read_all(stream)

    assert isinstance(raised, RateLimitedError)
    accepted = sum(platform.sizes)
    assert errors(outcomes) == [None, *[UncertainError] * (accepted - 1)] + [UnavailableError] * (
        len(outcomes) - accepted
    )
    assert now() < 1000


@in_held_time
async def test_run_whose_first_batch_has_no_results_is_stopped() -> None:
    platform = HeldBatches(takes_s=1e6)

    outcomes, raised = await read_all(batch_stream(many(50), platform, give_up_s=60.0))

    assert isinstance(raised, UncertainError)
    assert "no progress for 60 s" in str(raised)
    assert platform.sizes == [1]
    assert errors(outcomes)[0] is UncertainError
    assert set(errors(outcomes)[1:]) <= {UnavailableError}
    assert now() < 70


@in_held_time
async def test_run_goes_on_after_a_batch_without_results_where_another_had_some() -> None:
    platform = HeldBatches()

    def delay_the_second(_: object) -> None:
        if len(platform.accepted) == 2:
            platform.accepted[-1].at = 1e6

    platform.lose = delay_the_second
    report = await collect(batch_stream(many(31), platform, concurrency=1, give_up_s=60.0))

    assert report.stopped_by is None
    assert [len(report.ids), len(report.uncertain)] == [21, 10]
