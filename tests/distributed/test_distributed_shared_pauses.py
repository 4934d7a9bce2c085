"""Pauses that one process is asked for and all keep. Time is held in the hand."""

import asyncio

import pytest

from contactsdk.bulk.turns import Turns
from contactsdk.distributed.shared_pauses import PostedPauses
from contactsdk.errors import RateLimitedError
from contactsdk.pacing import Pacer
from tests.distributed.processes import HeldProcess, HeldRow, a_pacer, loop_time
from tests.held_loop import in_held_time, now


def a_process(row: HeldRow) -> tuple[Pacer, Turns]:
    """One without a ceiling."""
    pacer = a_pacer()
    return pacer, Turns(pacer, pauses=PostedPauses(row, pacer, clock=loop_time))


async def ask_to_wait(pacer: Pacer, seconds: float) -> None:
    error = RateLimitedError("wait", retry_after_s=seconds)
    pacer.record_result(await pacer.acquire(), error)


@in_held_time
async def test_pause_that_one_process_was_asked_for_holds_back_all() -> None:
    row = HeldRow()
    asked, other = (HeldProcess(200.0, row, workers=4) for _ in range(2))
    until = loop_time() + 45

    async def be_asked_to_wait() -> None:
        await asyncio.sleep(5)
        await ask_to_wait(asked.pacer, 30.0)

    await asyncio.gather(asked.send(until), other.send(until), be_asked_to_wait())

    for process in (asked, other):
        assert not [at for at in process.times if 1006.5 < at < 1034.9]
        assert [at for at in process.times if at > 1036]
        assert process.pacer.paused_s == pytest.approx(30, abs=1.5)
    assert row.pauses == 1


@in_held_time
async def test_pause_is_kept_without_a_ceiling_too() -> None:
    row = HeldRow()
    (asked, posting), (other, keeping) = a_process(row), a_process(row)
    await ask_to_wait(asked, 30.0)
    assert posting.acquire_nowait() is None
    await asyncio.sleep(0.01)

    keeping.acquire_nowait()
    await asyncio.sleep(0.01)

    assert other.paused_until == pytest.approx(asked.paused_until)
    assert keeping.acquire_nowait() is None
    await keeping.acquire()
    assert now() == pytest.approx(30.0)


@in_held_time
async def test_others_are_looked_at_once_a_second_at_most() -> None:
    row = HeldRow()
    _, turns = a_process(row)
    for _ in range(1000):
        turns.acquire_nowait()
        await asyncio.sleep(0.01)

    assert 9 <= row.reads <= 11


@in_held_time
async def test_slow_database_is_asked_one_thing_at_a_time() -> None:
    row = HeldRow(answer_s=lambda: 5.0)
    _, turns = a_process(row)
    for _ in range(1000):
        turns.acquire_nowait()
        await asyncio.sleep(0.01)

    assert row.reads == 2


@in_held_time
async def test_database_that_is_away_stops_nothing() -> None:
    row = HeldRow(is_away=True)
    pacer, turns = a_process(row)

    assert turns.acquire_nowait() is not None
    await ask_to_wait(pacer, 2.0)
    turns.acquire_nowait()
    await asyncio.sleep(2.0)

    assert turns.acquire_nowait() is not None
    await asyncio.sleep(0.01)
