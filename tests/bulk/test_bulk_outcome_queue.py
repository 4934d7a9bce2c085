"""Outcomes on their way to a consumer, in held time."""

import asyncio

from contactsdk import Outcome
from contactsdk.bulk.outcome_queue import OutcomeQueue
from tests.bulk.held import in_held_time, now


def outcome(index: int) -> Outcome:
    return Outcome(index=index, contact=None, id=1, error=None, attempts=1, elapsed_s=0.0)


@in_held_time
async def test_outcomes_are_taken_in_the_order_in_which_they_were_put() -> None:
    queue = OutcomeQueue(bound=9)
    for index in (3, 1, 2):
        queue.put(outcome(index))

    assert queue.get_nowait() == outcome(3)
    assert await queue.get() == outcome(1)
    assert queue.get_nowait() == outcome(2)
    assert queue.get_nowait() is None


@in_held_time
async def test_undelivered_outcomes_are_in_input_order() -> None:
    queue = OutcomeQueue(bound=9)
    for index in (3, 1, 2):
        queue.put(outcome(index))
    queue.get_nowait()

    assert queue.undelivered == (outcome(1), outcome(2))


@in_held_time
async def test_who_finds_no_room_goes_on_when_half_of_it_is_free() -> None:
    queue = OutcomeQueue(bound=4)
    went_on = []

    async def put(index: int) -> None:
        queue.put(outcome(index))
        await queue.room()
        went_on.append((index, now()))

    async with asyncio.TaskGroup() as tasks:
        for index in range(6):
            tasks.create_task(put(index))
        await asyncio.sleep(1)
        while queue.get_nowait() is not None:
            await asyncio.sleep(1)

    # Six are ready at first; after the fourth that is taken, two are left.
    assert went_on == [(0, 0.0), (1, 0.0), (2, 0.0), (3, 0.0), (4, 4.0), (5, 4.0)]


@in_held_time
async def test_taking_waits_for_what_is_put_and_ends_after_the_last_one() -> None:
    queue = OutcomeQueue(bound=4)
    taken = []

    async def take_all() -> None:
        while (came := await queue.get()) is not None:
            taken.append((came.index, now()))

    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(take_all())
        await asyncio.sleep(2)
        queue.put(outcome(0))
        await asyncio.sleep(2)
        queue.put(outcome(1))
        queue.put(outcome(2))
        queue.finish()

    assert taken == [(0, 2.0), (1, 4.0), (2, 4.0)]
    assert await queue.get() is None


@in_held_time
async def test_once_it_is_closed_nothing_is_taken_and_nothing_lost() -> None:
    queue = OutcomeQueue(bound=4)
    waiting = asyncio.create_task(queue.get())
    await asyncio.sleep(0)
    queue.close()
    queue.put(outcome(0))

    assert await waiting is None
    assert queue.get_nowait() is None
    assert queue.undelivered == (outcome(0),)
