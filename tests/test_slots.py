"""Room for so many: who gets it, in what order, and that none is lost."""

import asyncio

import pytest

from contactsdk.slots import Slots


async def test_there_is_room_for_so_many() -> None:
    slots = Slots(2)

    assert [slots.take_at_once() for _ in range(3)] == [True, True, False]


async def test_nobody_waits_while_there_is_room() -> None:
    slots = Slots(1)

    await slots.take()
    assert not slots.take_at_once()


async def test_one_given_back_goes_to_those_who_wait_in_their_order() -> None:
    slots = Slots(1)
    assert slots.take_at_once()
    took: list[int] = []

    async def wait(number: int) -> None:
        await slots.take()
        took.append(number)

    waiting = [asyncio.create_task(wait(number)) for number in range(3)]
    await asyncio.sleep(0)
    for number in range(3):
        slots.give_back()
        assert not slots.take_at_once()  # nobody overtakes
        await asyncio.wait([waiting[number]])
        assert took == list(range(number + 1))
    assert not slots.take_at_once()
    slots.give_back()
    assert slots.take_at_once()


@pytest.mark.parametrize("is_handed_over", [False, True])
async def test_none_is_lost_with_a_waiter_that_gives_up(is_handed_over: bool) -> None:
    slots = Slots(1)
    assert slots.take_at_once()
    waiting = [asyncio.create_task(slots.take()) for _ in range(2)]
    await asyncio.sleep(0)
    if is_handed_over:
        slots.give_back()
    waiting[0].cancel()
    await asyncio.wait([waiting[0]])
    if not is_handed_over:
        slots.give_back()
    await waiting[1]

    assert not slots.take_at_once()
    slots.give_back()
    assert slots.take_at_once()


async def test_one_handed_to_the_only_waiter_is_there_after_it_gave_up() -> None:
    slots = Slots(1)
    assert slots.take_at_once()
    waiting = asyncio.create_task(slots.take())
    await asyncio.sleep(0)
    slots.give_back()
    waiting.cancel()
    await asyncio.wait([waiting])

    await slots.take()
    assert not slots.take_at_once()


async def test_who_comes_back_does_not_wait_behind_one_that_has_its_turn() -> None:
    slots = Slots(2)
    assert slots.take_at_once()
    assert slots.take_at_once()
    waiting = asyncio.create_task(slots.take())
    await asyncio.sleep(0)

    slots.give_back()  # goes to the one that waits
    slots.give_back()

    assert slots.take_at_once()
    assert not slots.take_at_once()
    await waiting
