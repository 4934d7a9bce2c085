"""Tokens of the limiter: who gets one, in what order, and that none is lost."""

import asyncio

import pytest

from contactsdk.limiter import Limiter


async def test_there_is_room_for_so_many() -> None:
    limiter = Limiter(2)

    assert [limiter.acquire_nowait() for _ in range(3)] == [True, True, False]


async def test_borrowed_are_those_that_are_not_given_back() -> None:
    limiter = Limiter(3)
    assert limiter.acquire_nowait()
    assert limiter.acquire_nowait()
    assert limiter.borrowed_tokens == 2

    limiter.release()
    assert limiter.borrowed_tokens == 1


async def test_nobody_waits_while_there_is_room() -> None:
    limiter = Limiter(1)

    await limiter.acquire()
    assert not limiter.acquire_nowait()


async def test_one_given_back_goes_to_those_who_wait_in_their_order() -> None:
    limiter = Limiter(1)
    assert limiter.acquire_nowait()
    took: list[int] = []

    async def wait(number: int) -> None:
        await limiter.acquire()
        took.append(number)

    waiting = [asyncio.create_task(wait(number)) for number in range(3)]
    await asyncio.sleep(0)
    for number in range(3):
        limiter.release()
        assert not limiter.acquire_nowait()  # nobody overtakes
        await asyncio.wait([waiting[number]])
        assert took == list(range(number + 1))
    assert not limiter.acquire_nowait()
    limiter.release()
    assert limiter.acquire_nowait()


@pytest.mark.parametrize("is_handed_over", [False, True])
async def test_none_is_lost_with_a_waiter_that_gives_up(is_handed_over: bool) -> None:
    limiter = Limiter(1)
    assert limiter.acquire_nowait()
    waiting = [asyncio.create_task(limiter.acquire()) for _ in range(2)]
    await asyncio.sleep(0)
    if is_handed_over:
        limiter.release()
    waiting[0].cancel()
    await asyncio.wait([waiting[0]])
    if not is_handed_over:
        limiter.release()
    await waiting[1]

    assert not limiter.acquire_nowait()
    limiter.release()
    assert limiter.acquire_nowait()


async def test_one_handed_to_the_only_waiter_is_there_after_it_gave_up() -> None:
    limiter = Limiter(1)
    assert limiter.acquire_nowait()
    waiting = asyncio.create_task(limiter.acquire())
    await asyncio.sleep(0)
    limiter.release()
    waiting.cancel()
    await asyncio.wait([waiting])

    await limiter.acquire()
    assert not limiter.acquire_nowait()


async def test_who_comes_back_does_not_wait_behind_one_that_has_its_turn() -> None:
    limiter = Limiter(2)
    assert limiter.acquire_nowait()
    assert limiter.acquire_nowait()
    waiting = asyncio.create_task(limiter.acquire())
    await asyncio.sleep(0)

    limiter.release()  # goes to the one that waits
    limiter.release()

    assert limiter.acquire_nowait()
    assert not limiter.acquire_nowait()
    await waiting
