"""Runs that end in the middle of something: nothing that is known is lost, and nothing hangs."""

import asyncio
from collections.abc import AsyncIterator, Sequence

import pytest

from contactsdk import Contact, RateLimitedError, RejectedError, RetryPolicy, UnavailableError
from contactsdk.bulk import Run, RunOptions, outcome_stream
from contactsdk.bulk.interruptible_waits import InterruptibleWaits
from contactsdk.errors import ContactError
from contactsdk.journal import Account, JournalRun, State
from contactsdk.journal.store import StoredRow
from contactsdk.pacing import Pacer
from tests.bulk.held import HeldPlatform, NoBatches, errors, in_held_time, many, now, stream_of
from tests.journal.journals import MemoryStore

ACCOUNT = Account(url="u", key="k", secret="s")


class SlowStore(MemoryStore):
    """Takes a second for each group."""

    async def write(self, rows: Sequence[StoredRow]) -> None:
        await asyncio.sleep(1.0)
        await super().write(rows)


@pytest.mark.parametrize("refused", [False, True])
@in_held_time
async def test_outcome_that_is_being_recorded_when_the_run_is_left_is_kept(refused: bool) -> None:
    store = SlowStore()
    no = RejectedError("no", error_code=400)
    platform = HeldPlatform(lambda _: no if refused else 77, latency_s=0.1)

    async def open_journal() -> JournalRun:
        return await JournalRun.start(store, ACCOUNT)

    policy = RetryPolicy()
    clock = asyncio.get_running_loop().time
    pacer = Pacer(base_s=policy.base_s, max_wait_s=policy.max_wait_s, clock=clock)
    options = RunOptions(policy=policy, concurrency=2)
    run = Run(many(1), platform.send, NoBatches(), pacer, options, open_journal=open_journal)
    async with outcome_stream(run) as stream:
        await asyncio.sleep(1.5)  # the intent is on record, and the outcome is being written

    (outcome,) = stream.undelivered
    assert (outcome.id, outcome.error) == ((None, no) if refused else (77, None))
    (row,) = store.rows.values()
    assert row.state == (State.REJECTED if refused else State.SUCCEEDED)


@in_held_time
async def test_stop_in_an_outage_before_any_answer_ends_the_run() -> None:
    platform = HeldPlatform(lambda _: UnavailableError("away"))

    async with stream_of(many(20), platform, is_proven=False) as stream:
        await asyncio.sleep(60.0)
        stream.stop()
        outcomes = [outcome async for outcome in stream]

    assert set(errors(outcomes)) == {UnavailableError}
    assert now() < 61.0


@in_held_time
async def test_waits_that_are_interrupted_twice_end_once() -> None:
    waits = InterruptibleWaits()
    waiting = asyncio.create_task(waits.wait_for(lambda: asyncio.sleep(100.0, "waited")))
    await asyncio.sleep(1.0)

    waits.interrupt()
    await asyncio.sleep(0)
    waits.interrupt()

    assert await waiting is None


class Limited:
    """Lets so many requests a second through, from a bucket that is a fifth of a second deep."""

    def __init__(self, rate_per_s: float) -> None:
        self._rate_per_s = rate_per_s
        self._tokens = self._depth = 0.2 * rate_per_s
        self._filled_at = 0.0
        self.let_through_at: list[float] = []

    def __call__(self, _: Contact) -> int | ContactError:
        filled = (now() - self._filled_at) * self._rate_per_s
        self._tokens, self._filled_at = min(self._depth, self._tokens + filled), now()
        if self._tokens < 1:
            return RateLimitedError("slow down")
        self._tokens -= 1
        self.let_through_at.append(now())
        return 1


@pytest.mark.parametrize("workers", [1, 8, 32])
@pytest.mark.parametrize("cap_per_s", [15.0, 20.0, 22.0, 40.0])
@in_held_time
async def test_cap_near_the_limit_of_the_platform_costs_no_throughput(
    cap_per_s: float, workers: int
) -> None:
    limited = Limited(20.0)
    platform = HeldPlatform(limited, latency_s=0.01)

    async with stream_of(many(2000), platform, concurrency=workers, rate_per_s=cap_per_s) as stream:
        async for _ in stream:
            if now() > 60.0:
                break

    let_through = sum(30.0 <= at < 60.0 for at in limited.let_through_at)
    assert let_through >= 0.85 * 30 * min(cap_per_s, 20.0)


@pytest.mark.parametrize("asked_s", [3600.0, 1e18])
@in_held_time
async def test_pause_that_another_call_caused_stops_a_run_that_would_not_wait_so_long(
    asked_s: float,
) -> None:
    clock = asyncio.get_running_loop().time
    policy = RetryPolicy()
    pacer = Pacer(base_s=policy.base_s, max_wait_s=policy.max_wait_s, clock=clock)
    turn = pacer.acquire_nowait()
    assert turn is not None
    await asyncio.sleep(1.0)
    pacer.record_result(turn, RateLimitedError("wait", retry_after_s=asked_s))
    options = RunOptions(policy=policy, concurrency=4, give_up_s=10.0)
    platform = HeldPlatform()

    async with outcome_stream(Run(many(9), platform.send, NoBatches(), pacer, options)) as stream:
        with pytest.raises(RateLimitedError, match="asks to wait"):
            async for _ in stream:
                pass

    assert now() < 12.0
    assert platform.sent == []


@pytest.mark.parametrize("give_up_s", [1.0, 5.0, 30.0])
@in_held_time
async def test_run_gives_an_absent_platform_up_in_time(give_up_s: float) -> None:
    platform = HeldPlatform(lambda _: UnavailableError("away"))

    async with stream_of(many(99), platform, give_up_s=give_up_s) as stream:
        with pytest.raises(UnavailableError, match="away"):
            async for _ in stream:
                pass

    assert give_up_s <= now() <= give_up_s + 2.0


@pytest.mark.parametrize("is_stopped", [False, True])
@pytest.mark.parametrize("caught", [1, 2])
@in_held_time
async def test_input_that_catches_its_cancellation_holds_up_no_end(
    caught: int, is_stopped: bool
) -> None:
    async def contacts() -> AsyncIterator[Contact]:
        first, *others = many(1 + caught)
        yield first
        for contact in others:
            try:
                await asyncio.sleep(1000.0)
            except asyncio.CancelledError:
                yield contact  # such as the last item of a buffer

    async with stream_of(contacts(), HeldPlatform()) as stream:
        await anext(stream)
        if is_stopped:
            stream.stop()
            rest = [outcome async for outcome in stream]

    assert now() < 1.0
    assert not is_stopped or set(errors(rest)) <= {UnavailableError}
