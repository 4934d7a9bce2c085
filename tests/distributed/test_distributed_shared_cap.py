"""A ceiling that many processes share. Time is held in the hand."""

import asyncio
import bisect
import math
import random

import pytest

from contactsdk.errors import JournalError, RateLimitedError
from tests.distributed.processes import HeldProcess, HeldRow, loop_time
from tests.held_loop import HeldLoop, in_held_time, now

RATE_PER_S = 200.0


def most_in_a_second(times: list[float]) -> int:
    """Rounding may move a request by a millionth of a second."""
    times = sorted(times)
    return max(bisect.bisect_left(times, at + 1 - 1e-6) - n for n, at in enumerate(times))


async def sent(processes: list[HeldProcess], for_s: float, *, answer_s: float = 0.05) -> None:
    until = loop_time() + for_s
    async with asyncio.TaskGroup() as tasks:
        for process in processes:
            tasks.create_task(process.send(until, answer_s=answer_s))


async def hold_up(for_s: float, chance: random.Random) -> None:
    """Have the event loop busy with something else now and then, for up to 50 ms."""
    loop = asyncio.get_running_loop()
    assert isinstance(loop, HeldLoop)
    until = loop_time() + for_s
    while loop_time() < until:
        await asyncio.sleep(chance.random())
        loop.now += 0.05 * chance.random()


@pytest.mark.parametrize("rate_per_s", [1.5, 10.0, 50.0, 200.0, 1000.0])
@pytest.mark.parametrize("count", [1, 2, 8])
@in_held_time
async def test_processes_keep_a_ceiling_together_and_use_all_of_it(
    count: int, rate_per_s: float
) -> None:
    row = HeldRow()
    processes = [HeldProcess(rate_per_s, row, workers=64) for _ in range(count)]
    seconds = 20 if rate_per_s < 1000 else 5  # as many turns as tell

    await sent(processes, seconds)

    times = [at for process in processes for at in process.times]
    assert most_in_a_second(times) <= math.ceil(rate_per_s)
    assert len([at for at in times if at < 1000 + seconds]) >= 0.97 * rate_per_s * seconds - 1


@in_held_time
async def test_processes_get_equal_shares() -> None:
    row = HeldRow()
    processes = [HeldProcess(RATE_PER_S, row) for _ in range(8)]

    await sent(processes, 20)

    counts = [len(process.times) for process in processes]
    assert min(counts) >= 0.9 * max(counts)


@in_held_time
async def test_no_second_has_more_than_the_ceiling_when_all_are_held_up_now_and_then() -> None:
    row, chance = HeldRow(), random.Random(7)
    processes = [HeldProcess(RATE_PER_S, row) for _ in range(4)]

    await asyncio.gather(sent(processes, 20), hold_up(20, chance))

    times = [at for process in processes for at in process.times]
    assert most_in_a_second(times) <= RATE_PER_S
    assert sum(process.cap.thrown_away for process in processes) > 0


@pytest.mark.parametrize("rate_per_s", [0.2, 5.0, 200.0])
@in_held_time
async def test_database_that_answers_slowly_costs_no_rate(rate_per_s: float) -> None:
    row = HeldRow(answer_s=lambda: 0.04)
    process = HeldProcess(rate_per_s, row, workers=64)

    await sent([process], 60)

    assert len(process.times) >= 0.95 * rate_per_s * 60 - 1


@in_held_time
async def test_process_that_needs_few_turns_leaves_the_others_theirs() -> None:
    row = HeldRow()
    busy, idle = HeldProcess(RATE_PER_S, row, workers=64), HeldProcess(RATE_PER_S, row, workers=1)

    until = loop_time() + 20
    await asyncio.gather(busy.send(until), idle.send(until, answer_s=1.0))

    assert idle.cap.thrown_away <= 1
    assert len(busy.times) + len(idle.times) >= 0.97 * RATE_PER_S * 20


@in_held_time
async def test_slow_pacer_reserves_no_turns_that_it_cannot_use() -> None:
    row = HeldRow()
    process = HeldProcess(RATE_PER_S, row)
    turn = await process.pacer.acquire()
    for number in range(300):
        error = RateLimitedError("slow down") if number % 2 else None
        process.pacer.record_result(turn, error)
        await asyncio.sleep(0.05)
        turn = await process.pacer.acquire()
    await sent([process], 2)

    assert process.pacer.rate_per_s is not None
    assert process.pacer.rate_per_s < RATE_PER_S / 4
    assert process.cap.thrown_away <= 0.05 * len(process.times)


@in_held_time
async def test_database_that_is_away_is_an_error_for_who_waits() -> None:
    row = HeldRow(is_away=True)
    process = HeldProcess(RATE_PER_S, row)

    with pytest.raises(JournalError, match="the database is away"):
        await process.turns.acquire()

    row.is_away = False
    await process.turns.acquire()
    assert process.pacer.acquire_nowait() is not None  # the failed one was given back


@in_held_time
async def test_turns_at_hand_are_used_while_the_database_is_away() -> None:
    row = HeldRow()
    process = HeldProcess(RATE_PER_S, row)
    waiting = [asyncio.create_task(process.turns.acquire()) for _ in range(6)]
    await asyncio.sleep(0.0041)  # the second block is there, and no turn of it is due
    row.is_away = True

    assert await asyncio.gather(*waiting)
    with pytest.raises(JournalError):
        await process.turns.acquire()


@in_held_time
async def test_wait_may_be_cancelled_and_costs_no_turn() -> None:
    row = HeldRow(answer_s=lambda: 1.0)
    process = HeldProcess(RATE_PER_S, row)
    waiting = asyncio.create_task(process.turns.acquire())
    await asyncio.sleep(0.5)
    waiting.cancel()
    await asyncio.wait({waiting})
    row.answer_s = lambda: 0.0

    await process.turns.acquire()

    assert waiting.cancelled()
    assert now() < 1.1
