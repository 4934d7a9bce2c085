"""Waits that end early."""

import asyncio

import pytest

from contactsdk.bulk.interruptible_waits import InterruptibleWaits
from tests.bulk.held import in_held_time, now


async def in_a_second() -> str:
    await asyncio.sleep(1.0)
    return "done"


@in_held_time
async def test_wait_that_nobody_interrupts_gives_what_it_waited_for() -> None:
    assert await InterruptibleWaits().wait_for(in_a_second) == "done"


@in_held_time
async def test_interruption_ends_all_waits_and_every_later_one() -> None:
    waits = InterruptibleWaits()
    asyncio.get_running_loop().call_later(0.5, waits.interrupt)

    assert await asyncio.gather(*[waits.wait_for(in_a_second) for _ in range(3)]) == [None] * 3
    assert now() == 0.5
    assert await waits.wait_for(in_a_second) is None
    assert now() == 0.5


@in_held_time
async def test_timeout_of_what_is_waited_for_is_not_an_interruption() -> None:
    async def time_out() -> None:
        raise TimeoutError("its own")

    with pytest.raises(TimeoutError, match="its own"):
        await InterruptibleWaits().wait_for(time_out)


@in_held_time
async def test_cancellation_from_outside_is_not_swallowed() -> None:
    waits = InterruptibleWaits()
    task = asyncio.create_task(waits.wait_for(in_a_second))
    await asyncio.sleep(0.1)
    task.cancel()
    waits.interrupt()

    with pytest.raises(asyncio.CancelledError):
        await task
