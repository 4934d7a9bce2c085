"""The fan-out in held time: bounds, endings, progress."""

import asyncio
import itertools
from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest

from contactsdk import (
    Contact,
    ContactError,
    OutcomeStream,
    Progress,
    RateLimitedError,
    RejectedError,
    RetryPolicy,
    SetupError,
    UnavailableError,
    UncertainError,
)
from contactsdk.bulk import collect
from tests.bulk.held import (
    Counted,
    HeldPlatform,
    endless,
    errors,
    in_held_time,
    indexes,
    many,
    now,
    number,
    read_all,
    stream_of,
    updates,
)

RACE = RateLimitedError("race", retry_after_s=0.0)


# a stream is entered and left around what raises


@pytest.mark.parametrize(
    "wrong",
    [
        {"concurrency": 0},
        {"concurrency": -1},
        {"concurrency": 2.5},
        {"concurrency": True},
        {"rate_per_s": 0},
        {"rate_per_s": -1.0},
        {"rate_per_s": float("nan")},
        {"give_up_s": 0},
        {"give_up_s": -1.0},
        {"give_up_s": float("inf")},
    ],
)
@in_held_time
async def test_number_out_of_range_is_refused_and_named(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=f"^{next(iter(wrong))} must be"):
        stream_of(many(1), HeldPlatform(), **wrong)


@in_held_time
async def test_stream_runs_once() -> None:
    stream = stream_of(many(1), HeldPlatform())
    await read_all(stream)

    with pytest.raises(RuntimeError, match="make another"):
        async with stream:
            pass


@in_held_time
async def test_stream_is_not_read_before_it_is_entered() -> None:
    stream = stream_of(many(1), HeldPlatform())

    with pytest.raises(RuntimeError, match="inside its `async with`"):
        await anext(stream)


@in_held_time
async def test_stream_is_not_read_after_it_is_left() -> None:
    async with stream_of(many(9), HeldPlatform()) as stream:
        await anext(stream)

    with pytest.raises(RuntimeError, match="inside its `async with`"):
        await anext(stream)


@in_held_time
async def test_stream_that_was_read_to_its_end_stays_at_its_end() -> None:
    async with stream_of(many(3), HeldPlatform()) as stream:
        assert len([outcome async for outcome in stream]) == 3
        assert [outcome async for outcome in stream] == []
    assert stream.undelivered == ()


@in_held_time
async def test_several_consumers_share_the_outcomes() -> None:
    async def consume(stream: OutcomeStream) -> list[int]:
        return [outcome.index async for outcome in stream]

    async with stream_of(many(40), HeldPlatform()) as stream:
        shares = await asyncio.gather(*[consume(stream) for _ in range(3)])

    assert sorted(itertools.chain(*shares)) == list(range(40))


@in_held_time
async def test_another_task_that_waits_for_an_outcome_is_released_when_the_stream_is_left() -> None:
    async with stream_of(many(1), HeldPlatform(latency_s=100)) as stream:
        waiting = asyncio.create_task(stream.next())
        await asyncio.sleep(1)

    assert await waiting is None
    assert indexes(stream.undelivered) == [0]


@in_held_time
async def test_stream_left_before_it_did_anything_read_nothing() -> None:
    source = Counted(many(9))

    async with stream_of(source, HeldPlatform()) as stream:
        pass

    assert source.taken == 0
    assert stream.undelivered == ()


@in_held_time
async def test_consumer_that_never_reads_bounds_what_is_read() -> None:
    source = Counted(endless())

    async with stream_of(source, HeldPlatform(), concurrency=8) as stream:
        await asyncio.sleep(100)
        read = source.taken
        await asyncio.sleep(100)

    assert 8 < read == source.taken <= 3 * 8
    assert indexes(stream.undelivered) == list(range(read))
    assert errors(stream.undelivered) == [None] * read


@in_held_time
async def test_slow_consumer_slows_the_workers() -> None:
    source = Counted(many(200))
    ahead: list[int] = []

    async with stream_of(source, HeldPlatform(), concurrency=8) as stream:
        async for _ in stream:
            await asyncio.sleep(1)
            ahead.append(source.taken - len(ahead))

    assert len(ahead) == 200
    assert max(ahead) <= 3 * 8


@in_held_time
async def test_async_input_is_read_no_further_than_it_is_used() -> None:
    taken = 0

    async def contacts() -> AsyncIterator[Contact]:
        nonlocal taken
        for contact in many(1000):
            taken += 1
            yield contact

    async with stream_of(contacts(), HeldPlatform(), concurrency=8) as stream:
        await asyncio.sleep(100)

    assert taken <= 3 * 8
    assert indexes(stream.undelivered) == list(range(taken))


@in_held_time
async def test_contacts_in_backoff_bound_what_is_read() -> None:
    source = Counted(endless())
    platform = HeldPlatform(lambda _: next(answers))
    answers: Iterator[int | ContactError] = itertools.cycle(
        [RACE, UnavailableError("away", http_status=503), 1]
    )
    policy = RetryPolicy(base_s=30.0, deadline_s=None)
    ahead: list[int] = []

    async with stream_of(source, platform, concurrency=8, policy=policy) as stream:
        for done in range(1, 400):
            await anext(stream)
            ahead.append(source.taken - done)

    assert max(ahead) <= 6 * 8


@in_held_time
async def test_leaving_early_separates_what_was_sent_from_what_was_not() -> None:
    source = Counted(many(100))
    busy = UnavailableError("busy")
    platform = HeldPlatform(lambda c: busy if number(c) % 2 else 1, latency_s=1.0)

    async with stream_of(source, platform, policy=RetryPolicy(base_s=1e9)) as stream:
        delivered = [await anext(stream)]
        await asyncio.sleep(0.1)

    open_at_the_end = {
        number(c) for c, at in zip(platform.sent, platform.sent_at, strict=True) if at >= 1.0
    }
    done = {outcome.index for outcome in stream.undelivered if outcome.ok}
    assert indexes([*delivered, *stream.undelivered]) == list(range(source.taken))
    assert {o.index for o in stream.undelivered if o.uncertain} == open_at_the_end
    for outcome in stream.undelivered:
        if outcome.index in open_at_the_end:
            assert type(outcome.error) is UncertainError
        elif outcome.index not in done:
            assert type(outcome.error) is UnavailableError
        assert outcome.attempts == 1
    assert {type(o.error) for o in stream.undelivered} >= {UncertainError, UnavailableError}


@in_held_time
async def test_contact_left_in_its_backoff_was_not_applied() -> None:
    platform = HeldPlatform(lambda _: UnavailableError("away"))

    async with stream_of(many(1), platform, policy=RetryPolicy(base_s=1e9)) as stream:
        await asyncio.sleep(0.02)

    (outcome,) = stream.undelivered
    assert isinstance(outcome.error, UnavailableError)
    assert outcome.attempts == 1


@in_held_time
async def test_contact_left_in_its_backoff_after_an_uncertain_attempt_is_uncertain() -> None:
    platform = HeldPlatform(lambda _: UncertainError("no answer"))

    async with stream_of(updates([7]), platform, policy=RetryPolicy(base_s=1e9)) as stream:
        await asyncio.sleep(0.02)

    (outcome,) = stream.undelivered
    assert outcome.uncertain


@in_held_time
async def test_consumer_that_raises_gets_its_own_exception() -> None:
    source = Counted(many(100))

    with pytest.raises(ZeroDivisionError):
        async with stream_of(source, HeldPlatform()) as stream:
            async for outcome in stream:
                outcome.index / 0

    assert indexes(stream.undelivered) == sorted(set(range(source.taken)) - {outcome.index})


@in_held_time
async def test_cancelled_consumer_waits_for_the_end_of_what_is_in_flight() -> None:
    source = Counted(many(100))
    stream = stream_of(source, HeldPlatform(latency_s=10))
    consumer = asyncio.create_task(read_all(stream))
    await asyncio.sleep(5)

    consumer.cancel()
    with pytest.raises(asyncio.CancelledError):
        await consumer

    assert errors(stream.undelivered) == [UncertainError] * source.taken
    assert source.taken == 4


@in_held_time
async def test_consumer_cancelled_again_while_leaving_leaves_no_task_behind() -> None:
    async def slow_to_close() -> AsyncIterator[Contact]:
        try:
            for contact in many(9):
                yield contact
        finally:
            await asyncio.sleep(5)
            closed_at.append(now())

    closed_at: list[float] = []
    stream = stream_of(slow_to_close(), HeldPlatform(latency_s=10))
    consumer = asyncio.create_task(read_all(stream))
    await asyncio.sleep(1)
    consumer.cancel()
    await asyncio.sleep(1)
    consumer.cancel()

    with pytest.raises(asyncio.CancelledError):
        await consumer

    assert closed_at == [pytest.approx(6.0)]
    assert errors(stream.undelivered) == [UncertainError] * 4


@in_held_time
async def test_cancelled_report_leaves_no_task_behind() -> None:
    platform = HeldPlatform(latency_s=10)
    report = asyncio.create_task(collect(stream_of(many(100), platform)))
    await asyncio.sleep(5)

    report.cancel()

    with pytest.raises(asyncio.CancelledError):
        await report
    assert not platform.in_flight


@in_held_time
async def test_run_that_is_cancelled_by_something_else_says_so() -> None:
    seen = []
    stream = stream_of(endless(), HeldPlatform(latency_s=1.0))
    ours = {asyncio.current_task()}
    with pytest.raises(RuntimeError, match="the run was cancelled"):
        async with stream:
            async for outcome in stream:
                seen.append(outcome)
                if len(seen) == 4:
                    for task in asyncio.all_tasks() - ours:
                        task.cancel()

    assert indexes(seen) == list(range(len(seen)))
    assert errors(seen)[4:] == [UncertainError] * len(seen[4:])


@in_held_time
async def test_wrong_setup_stops_the_run_and_what_is_in_flight_is_finished() -> None:
    wrong = SetupError("wrong address")
    source = Counted(many(100))
    platform = HeldPlatform(lambda contact: wrong if number(contact) == 6 else 1, latency_s=0.1)

    outcomes, raised = await read_all(stream_of(source, platform))

    assert raised is wrong
    assert indexes(outcomes) == list(range(source.taken))
    assert errors(outcomes) == [None] * 6 + [SetupError] + [None] * (source.taken - 7)
    assert len(platform.sent) == source.taken < 12


@in_held_time
async def test_contacts_that_wait_when_the_run_stops_were_never_sent() -> None:
    wrong = SetupError("wrong address")
    platform = HeldPlatform(lambda _: wrong, latency_s=0.5)

    report = await collect(stream_of(many(100), platform, rate_per_s=1.0))

    assert report.stopped_by is wrong
    assert len(report.outcomes) > 1
    assert errors(report.outcomes[:1]) == [SetupError]
    assert set(errors(report.outcomes[1:])) == {UnavailableError}
    assert {outcome.attempts for outcome in report.outcomes[1:]} == {0}


@in_held_time
async def test_first_reason_stays_where_several_stop_the_run() -> None:
    answers = iter([SetupError("first"), SetupError("second")])
    platform = HeldPlatform(lambda _: next(answers))

    report = await collect(stream_of(many(2), platform))

    assert str(report.stopped_by) == "first"
    assert errors(report.outcomes) == [SetupError, SetupError]


@in_held_time
async def test_unexpected_exception_stops_the_run_and_loses_nothing() -> None:
    closed = RuntimeError("this client is closed")
    platform = HeldPlatform(accident=lambda contact: closed if number(contact) >= 6 else None)

    report = await collect(stream_of(many(50), platform))

    assert report.stopped_by is closed
    assert len(report.ids) == 6
    assert len(report.outcomes) < 15
    assert {type(outcome.error) for outcome in report.failures} == {UnavailableError}
    assert report.failures[0].error is not None
    assert report.failures[0].error.__cause__ is closed


@pytest.mark.parametrize("on_progress", [None, lambda progress: None])
@in_held_time
async def test_request_that_was_cancelled_by_another_stops_the_run_and_loses_nothing(
    on_progress: Any,
) -> None:
    cancelled = asyncio.CancelledError("the pool was closed")
    platform = HeldPlatform(accident=lambda contact: cancelled if number(contact) == 2 else None)

    outcomes, raised = await read_all(stream_of(many(50), platform, on_progress=on_progress))

    assert isinstance(raised, RuntimeError)
    assert raised.__cause__ is cancelled
    assert indexes(outcomes) == list(range(len(outcomes)))
    assert errors(outcomes).count(UnavailableError) == 1


@in_held_time
async def test_contact_that_is_refused_is_its_own_failure() -> None:
    class Fussy(HeldPlatform):
        async def answer(self, contact: Contact, deadline: float | None) -> int:
            if number(contact) == 1:
                raise RejectedError("refused")
            return await super().answer(contact, deadline)

    report = await collect(stream_of(many(3), Fussy()))

    assert errors(report.outcomes) == [None, RejectedError, None]
    assert report.stopped_by is None


@in_held_time
async def test_errors_of_outcomes_keep_nothing_of_what_was_sent() -> None:
    def judge(_: Contact) -> int:
        try:
            raise ConnectionResetError("cut")
        except OSError as exc:
            raise next(errors_) from exc

    errors_ = iter([UncertainError("no answer"), UnavailableError("away"), RejectedError("no")])
    report = await collect(stream_of(many(2), HeldPlatform(judge), concurrency=1))

    kept = []
    for outcome in report.outcomes:
        error: BaseException | None = outcome.error
        while error is not None:
            kept.append((type(error), error.__traceback__))
            error = error.__cause__
    assert kept == [
        (UncertainError, None),
        (ConnectionResetError, None),
        (RejectedError, None),
        (ConnectionResetError, None),
    ]


@in_held_time
async def test_what_stops_a_run_keeps_its_traceback() -> None:
    platform = HeldPlatform(lambda _: SetupError("wrong address"))

    report = await collect(stream_of(many(9), platform))

    assert isinstance(report.stopped_by, SetupError)
    assert report.stopped_by.__traceback__ is not None


@in_held_time
async def test_report_is_in_input_order_whatever_came_first() -> None:
    platform = HeldPlatform()

    def judge(contact: Contact) -> int:
        platform.latency_s = 1.0 / len(platform.sent)
        return number(contact) + 100

    platform.judge = judge
    async with stream_of(many(8), platform, concurrency=8) as stream:
        arrived = [outcome.index async for outcome in stream]
    platform.sent.clear()
    report = await collect(stream_of(many(8), platform, concurrency=8))

    assert arrived != sorted(arrived)
    assert [outcome.index for outcome in report.outcomes] == list(range(8))
    assert report.ids == tuple(range(100, 108))


@in_held_time
async def test_progress_adds_up_and_comes_ten_times_a_second_and_once_at_the_end() -> None:
    seen: list[tuple[float, Progress]] = []
    verdicts: list[Any] = [1, RejectedError("no"), UncertainError("no answer")]
    platform = HeldPlatform(lambda c: verdicts[number(c) % 3], latency_s=0.25)

    report = await collect(
        stream_of(many(30), platform, on_progress=lambda progress: seen.append((now(), progress)))
    )

    times = [at for at, _ in seen]
    assert times[0] == 0.0
    assert [later - at for at, later in itertools.pairwise(times[:-1])] == pytest.approx(
        [0.1] * (len(times) - 2)
    )
    assert times[-1] == report.elapsed_s
    for at, progress in seen:
        settled = progress.succeeded + progress.failed + progress.uncertain
        assert settled + progress.in_flight <= progress.read <= settled + progress.in_flight + 4
        assert progress.elapsed_s == pytest.approx(at)
        assert progress.paused_s == 0.0
    last = seen[-1][1]
    assert (last.read, last.succeeded, last.failed, last.uncertain) == (30, 10, 10, 10)
    assert last.in_flight == 0
    assert max(progress.in_flight for _, progress in seen) == 4


@in_held_time
async def test_progress_has_the_recent_rate() -> None:
    seen: list[Progress] = []
    platform = HeldPlatform(lambda c: speed_up() if number(c) == 200 else 1, latency_s=0.1)

    def speed_up() -> int:
        platform.latency_s = 0.02
        return 1

    await collect(stream_of(many(3000), platform, on_progress=seen.append))

    assert seen[0].rate_per_s == 0.0
    assert seen[40].rate_per_s == pytest.approx(40, rel=0.1)
    assert seen[-1].rate_per_s == pytest.approx(200, rel=0.1)


@in_held_time
async def test_progress_has_the_time_for_which_the_whole_run_was_paused() -> None:
    seen: list[Progress] = []
    verdicts = iter([RateLimitedError("slow down", retry_after_s=7.0)])
    platform = HeldPlatform(lambda _: next(verdicts, 1), latency_s=0.5)

    await collect(stream_of(many(5), platform, concurrency=1, on_progress=seen.append))

    by_time = {round(progress.elapsed_s, 1): progress for progress in seen}
    assert by_time[0.4].paused_s == 0.0
    assert by_time[4.5].paused_s == pytest.approx(4.0)
    assert by_time[9.0].paused_s == pytest.approx(7.0)
    assert [by_time[at].in_flight for at in (0.4, 4.5, 9.0)] == [1, 0, 1]
    assert seen[-1].paused_s == pytest.approx(7.0)


@in_held_time
async def test_progress_has_nothing_in_flight_after_a_stream_is_left_early() -> None:
    seen: list[Progress] = []
    platform = HeldPlatform(lambda c: UnavailableError("away") if number(c) < 3 else 1)

    async with stream_of(endless(), platform, on_progress=seen.append) as stream:
        async for outcome in stream:
            if outcome.index == 6:  # some of the three that failed stand aside
                break

    assert stream.undelivered
    assert seen[-1].in_flight == 0


@in_held_time
async def test_empty_run_reports_its_progress_at_its_start_and_at_its_end() -> None:
    seen: list[Progress] = []

    await collect(stream_of([], HeldPlatform(), on_progress=seen.append))

    assert [progress.read for progress in seen] == [0, 0]


@pytest.mark.parametrize("on_call", [1, 2])
@in_held_time
async def test_progress_that_raises_is_logged_once_and_switched_off(
    on_call: int, caplog: pytest.LogCaptureFixture
) -> None:
    calls = 0

    def on_progress(progress: Progress) -> None:
        nonlocal calls
        calls += 1
        if calls == on_call:
            raise ZeroDivisionError

    report = await collect(
        stream_of(many(30), HeldPlatform(latency_s=0.3), on_progress=on_progress)
    )

    assert calls == on_call
    assert caplog.messages == ["on_progress raised, and is not called again"]
    assert len(report.ids) == 30
