"""One timer for many deadlines: which pass, in what order, and what a cancellation is left as."""

import asyncio
import math

import pytest

from contactsdk.deadlines import Deadline, Deadlines

SOON_S = 0.005


def deadlines_here() -> Deadlines:
    return Deadlines(asyncio.get_running_loop())


async def forever() -> None:
    await asyncio.Event().wait()


async def test_late_one_ends_with_a_timeout() -> None:
    loop = asyncio.get_running_loop()
    with (
        pytest.raises(TimeoutError),
        Deadline(deadlines_here(), loop.time() + SOON_S) as deadline,
    ):
        await forever()

    assert deadline.passed
    task = asyncio.current_task()
    assert task is not None
    assert task.cancelling() == 0


async def test_one_that_ends_in_time_is_left_alone() -> None:
    loop, deadlines = asyncio.get_running_loop(), deadlines_here()
    with Deadline(deadlines, loop.time() + SOON_S) as deadline:
        await asyncio.sleep(0)
    with Deadline(deadlines, math.inf):
        await asyncio.sleep(2 * SOON_S)

    assert not deadline.passed


async def test_each_of_many_passes_at_its_own_time() -> None:
    loop, deadlines = asyncio.get_running_loop(), deadlines_here()
    started = loop.time()
    ended: list[int] = []

    async def wait(number: int) -> None:
        with pytest.raises(TimeoutError), Deadline(deadlines, started + number * SOON_S):
            await forever()
        ended.append(number)
        assert loop.time() >= started + number * SOON_S - 0.001  # the resolution of the clock

    await asyncio.gather(*(wait(number) for number in (3, 1, 4, 2, 0)))

    assert ended == [0, 1, 2, 3, 4]


async def test_shortened_one_passes_earlier_and_never_later() -> None:
    with (
        pytest.raises(TimeoutError),
        Deadline(deadlines_here(), math.inf) as deadline,
    ):
        deadline.shorten(SOON_S)
        at = deadline.at
        deadline.shorten(3600)
        assert deadline.at == at
        await forever()


async def test_passed_one_is_not_shortened() -> None:
    loop = asyncio.get_running_loop()
    with (
        pytest.raises(TimeoutError),
        Deadline(deadlines_here(), loop.time()) as deadline,
    ):
        try:
            await forever()
        finally:
            with pytest.raises(RuntimeError, match="has passed"):
                deadline.shorten(0)


async def test_other_errors_come_through_a_passed_one() -> None:
    loop = asyncio.get_running_loop()
    with (
        pytest.raises(ValueError, match="mine"),
        Deadline(deadlines_here(), loop.time()),
    ):
        try:
            await forever()
        except asyncio.CancelledError:
            raise ValueError("mine") from None


@pytest.mark.parametrize("in_the_same_tick", [False, True])
async def test_cancellation_from_outside_is_never_a_timeout(in_the_same_tick: bool) -> None:
    loop, deadlines = asyncio.get_running_loop(), deadlines_here()
    at = loop.time() + (0.0 if in_the_same_tick else 3600.0)

    async def work() -> None:
        with Deadline(deadlines, at):
            await forever()

    task = asyncio.create_task(work())
    await asyncio.sleep(0)
    if in_the_same_tick:
        deadlines._end_late_ones()
    task.cancel()

    with pytest.raises(asyncio.CancelledError):
        await task


async def test_one_that_a_busy_loop_has_not_noticed_has_passed_all_the_same() -> None:
    loop = asyncio.get_running_loop()
    with Deadline(deadlines_here(), loop.time()) as deadline, pytest.raises(RuntimeError):
        deadline.shorten(30.0)

    assert deadline.passed
    task = asyncio.current_task()
    assert task is not None
    assert task.cancelling() == 0
