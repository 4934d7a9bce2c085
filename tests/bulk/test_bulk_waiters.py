"""Workers that wait to be woken, or for a time."""

import asyncio
import time

from contactsdk.bulk.waiters import Waiters


async def test_task_that_is_woken_at_the_moment_of_its_time_is_woken_once() -> None:
    loop, waiters = asyncio.get_running_loop(), Waiters()
    task = asyncio.create_task(waiters.wait(loop.time() + 0.002))
    await asyncio.sleep(0)
    loop.call_later(0.001, waiters.wake)

    time.sleep(0.01)  # noqa: ASYNC251  # so that both are due at once, the call first

    await task
    assert len(waiters.waiting) == 0


async def test_call_that_comes_at_the_moment_of_a_time_wakes_the_next_task() -> None:
    loop, waiters = asyncio.get_running_loop(), Waiters()
    timed = asyncio.create_task(waiters.wait(loop.time() + 0.001))
    other = asyncio.create_task(waiters.wait(None))
    await asyncio.sleep(0)
    loop.call_later(0.002, waiters.wake)

    time.sleep(0.01)  # noqa: ASYNC251  # so that both are due at once, the time first

    await timed
    await other


async def test_task_that_nobody_wakes_goes_on_when_its_time_has_come() -> None:
    waiters = Waiters()

    await waiters.wait(asyncio.get_running_loop().time() + 0.001)

    assert len(waiters.waiting) == 0


async def test_the_one_that_has_waited_longest_is_woken_first() -> None:
    waiters = Waiters()
    first, second = (asyncio.create_task(waiters.wait(None)) for _ in range(2))
    await asyncio.sleep(0)

    waiters.wake()
    await first

    assert not second.done()
    waiters.wake_all()
    await second
