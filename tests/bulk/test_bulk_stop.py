"""Ending a run gently, and what is left of one that is ended from outside."""

import asyncio
from collections.abc import Iterator

import pytest

from contactsdk import Contact, Outcome, RetryPolicy, UnavailableError
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
    stream_of,
)


@in_held_time
async def test_stop_finishes_what_is_in_flight_and_sends_no_new_contact() -> None:
    source = Counted(endless())
    platform = HeldPlatform(latency_s=1.0)
    outcomes = []

    async with stream_of(source, platform) as stream:
        async for outcome in stream:
            outcomes.append(outcome)
            if len(outcomes) == 2:
                stream.stop()
                sent = len(platform.sent)

    assert len(platform.sent) == sent
    assert stream.stopped_by is None
    assert stream.undelivered == ()
    assert indexes(outcomes) == list(range(source.taken))
    assert errors(outcomes)[:sent] == [None] * sent


@in_held_time
async def test_stop_ends_a_contact_that_waits_for_its_next_attempt_as_not_applied() -> None:
    busy = UnavailableError("busy")
    platform = HeldPlatform(lambda c: busy if number(c) == 1 else 1, latency_s=1.0)
    policy = RetryPolicy(base_s=1000.0, max_wait_s=1000.0, deadline_s=None)

    async with stream_of(many(4), platform, policy=policy) as stream:
        first = [await anext(stream) for _ in range(3)]
        stream.stop()
        (last,) = [outcome async for outcome in stream]

    assert indexes(first) == [0, 2, 3]
    assert (last.index, last.attempts, type(last.error)) == (1, 1, UnavailableError)
    assert now() == pytest.approx(1.0)


@in_held_time
async def test_stop_ends_a_run_that_waits_for_its_turn() -> None:
    async with stream_of(many(4), HeldPlatform(), rate_per_s=0.001) as stream:
        await anext(stream)
        stream.stop()
        others = [outcome async for outcome in stream]

    assert set(errors(others)) <= {UnavailableError}
    assert now() < 1.0


@in_held_time
async def test_stop_is_not_an_error_of_the_report_and_may_be_repeated() -> None:
    async with stream_of(endless(), HeldPlatform()) as stream:
        async for _ in stream:
            stream.stop()
            stream.stop()

    assert stream.stopped_by is None


@in_held_time
async def test_timeout_around_a_report_leaves_the_outcomes_so_far() -> None:
    outcomes: list[Outcome] = []
    source = Counted(endless())

    with pytest.raises(TimeoutError):
        async with asyncio.timeout(1.0):
            await collect(stream_of(source, HeldPlatform(latency_s=0.3)), outcomes)

    assert indexes(outcomes) == list(range(source.taken))
    assert sum(outcome.ok for outcome in outcomes) == 12
    assert sum(outcome.uncertain for outcome in outcomes) == 4


@in_held_time
async def test_input_that_raises_what_is_not_an_exception_leaves_the_outcomes_so_far() -> None:
    class Halt(BaseException):
        pass

    def contacts() -> Iterator[Contact]:
        yield from many(6)
        raise Halt

    outcomes: list[Outcome] = []

    with pytest.raises(Halt):
        await collect(stream_of(contacts(), HeldPlatform()), outcomes)

    assert indexes(outcomes) == list(range(6))
    assert errors(outcomes) == [None] * 6
