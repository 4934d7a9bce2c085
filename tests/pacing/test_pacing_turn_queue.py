"""Those who wait for their turn."""

import asyncio
import math

import pytest

from contactsdk.pacing.turn_queue import TurnQueue
from tests.held_loop import in_held_time, now


class Gate:
    """Gives a turn each time that it is open, and notes which were given and given back."""

    def __init__(self, opens_at: float = math.inf) -> None:
        self.opens_at = opens_at
        self.taken: list[int] = []
        self.given_back: list[int] = []
        clock = asyncio.get_running_loop().time
        self._begin = clock()
        self.queue: TurnQueue[int] = TurnQueue(
            ready_at=lambda: self._begin + self.opens_at,
            take=self._take,
            give_back=self.given_back.append,
            clock=clock,
        )

    def open(self) -> None:
        self.opens_at = -math.inf
        self.queue.update()

    async def turn(self) -> int:
        return await self.queue.wait(self.queue.join())

    def _take(self) -> int:
        self.taken.append(len(self.taken))
        return self.taken[-1]


@in_held_time
async def test_who_waits_is_woken_by_the_time() -> None:
    gate = Gate(opens_at=7.0)

    assert await gate.turn() == 0
    assert now() == pytest.approx(7.0)


@in_held_time
async def test_who_waits_is_woken_by_a_change() -> None:
    gate = Gate()
    waiting = asyncio.create_task(gate.turn())
    await asyncio.sleep(5)
    assert not waiting.done()

    gate.open()

    assert await waiting == 0


@in_held_time
async def test_time_that_moves_nearer_wakes_earlier() -> None:
    gate = Gate(opens_at=100.0)
    waiting = asyncio.create_task(gate.turn())
    await asyncio.sleep(5)
    gate.opens_at = 10.0
    gate.queue.update()

    await waiting

    assert now() == pytest.approx(10.0)


@in_held_time
async def test_time_that_moves_away_wakes_later() -> None:
    gate = Gate(opens_at=10.0)
    waiting = asyncio.create_task(gate.turn())
    await asyncio.sleep(5)
    gate.opens_at = 20.0

    await waiting

    assert now() == pytest.approx(20.0)


@in_held_time
async def test_time_that_is_no_longer_known_is_not_waited_for() -> None:
    gate = Gate(opens_at=10.0)
    waiting = asyncio.create_task(gate.turn())
    await asyncio.sleep(5)
    gate.opens_at = math.inf
    gate.queue.update()
    await asyncio.sleep(50)
    assert not waiting.done()

    gate.open()
    await waiting


@in_held_time
async def test_turns_are_given_in_the_order_asked_for() -> None:
    gate = Gate(opens_at=1.0)

    turns = await asyncio.gather(*(gate.turn() for _ in range(5)))

    assert turns == [0, 1, 2, 3, 4]


@in_held_time
async def test_who_is_cancelled_leaves_the_queue() -> None:
    gate = Gate(opens_at=1.0)
    waiting = [asyncio.create_task(gate.turn()) for _ in range(3)]
    await asyncio.sleep(0.5)
    assert len(gate.queue) == 3

    waiting[1].cancel()
    await asyncio.sleep(0)
    assert len(gate.queue) == 2

    await asyncio.wait(waiting)
    assert gate.taken == [0, 1]
    assert gate.given_back == []


@in_held_time
async def test_turn_of_who_is_cancelled_before_noticing_it_is_given_back() -> None:
    gate = Gate()
    waiting = asyncio.create_task(gate.turn())
    await asyncio.sleep(1)

    gate.open()
    waiting.cancel()

    await asyncio.wait([waiting])
    assert waiting.cancelled()
    assert gate.given_back == [0]


@in_held_time
async def test_waiter_that_was_refused_is_ignored() -> None:
    gate = Gate()
    refused = gate.queue.join()
    waiting = asyncio.create_task(gate.turn())
    await asyncio.sleep(1)
    refused.set_exception(ValueError("too late"))

    gate.open()

    assert await waiting == 0
    with pytest.raises(ValueError, match="too late"):
        await gate.queue.wait(refused)
    assert gate.taken == [0]
