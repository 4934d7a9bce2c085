"""A ceiling for the rate of one run."""

import asyncio
import bisect
import math
import random

import pytest

from contactsdk.pacing import RateCap
from tests.held_loop import in_held_time, now


def a_cap(rate_per_s: float) -> RateCap:
    return RateCap(rate_per_s, clock=asyncio.get_running_loop().time)


def most_in_a_second(times: list[float]) -> int:
    """Rounding may move a request by a millionth of a second."""
    return max(bisect.bisect_left(times, at + 1 - 1e-6) - n for n, at in enumerate(times))


@pytest.mark.parametrize("rate_per_s", [0.5, 1.0, 1.5, 1.9, 2.5, 7, 50.0, 333.3])
@in_held_time
async def test_no_second_has_more_than_the_ceiling(rate_per_s: float) -> None:
    cap, chance, times = a_cap(rate_per_s), random.Random(3), []
    for _ in range(int(rate_per_s * 20) + 3):
        await cap.acquire()
        times.append(now())
        if chance.random() < 0.1:
            await asyncio.sleep(chance.random())

    assert most_in_a_second(times) <= math.ceil(rate_per_s)


@pytest.mark.parametrize("rate_per_s", [1.0, 1.9, 2.5, 50.0, 333.3, 1000.0])
@in_held_time
async def test_mean_is_exact_to_two_percent_over_ten_seconds(rate_per_s: float) -> None:
    cap, chance = a_cap(rate_per_s), random.Random(4)
    await asyncio.sleep(100)  # what was not used before may not be made up for
    since, times = now(), []
    while now() - since < 10:
        await cap.acquire()
        times.append(now())
        await asyncio.sleep(chance.random() * 0.0005)  # wake-ups are late

    count = sum(at - since < 10 for at in times)
    # One request more or less is where the ten seconds begin and end, no inexactness.
    assert abs(count - rate_per_s * 10) <= 0.02 * rate_per_s * 10 + 1


@in_held_time
async def test_slow_wake_ups_are_made_good_without_passing_the_ceiling() -> None:
    cap, chance, times = a_cap(100.0), random.Random(5), []
    while now() < 20:
        await cap.acquire()
        times.append(now())
        if chance.random() < 0.05:
            await asyncio.sleep(0.05)

    assert len(times) >= 0.98 * 2000
    assert most_in_a_second(times) <= 100


@pytest.mark.parametrize("rate_per_s", [1e-6, 1e9, 1e19])
@in_held_time
async def test_any_rate_works(rate_per_s: float) -> None:
    cap = a_cap(rate_per_s)

    taken = sum(cap.acquire_nowait() for _ in range(100))

    assert taken == (1 if rate_per_s < 1 else 100)


@in_held_time
async def test_turns_come_in_the_order_in_which_they_are_asked_for() -> None:
    cap, order = a_cap(10.0), []

    async def take(number: int) -> None:
        await cap.acquire()
        order.append(number)

    async with asyncio.TaskGroup() as tasks:
        for number in range(5):
            tasks.create_task(take(number))
        await asyncio.sleep(0.05)
        assert not cap.acquire_nowait()

    assert order == [0, 1, 2, 3, 4]
    assert now() == pytest.approx(0.3, abs=0.01)  # a tenth of a second may be made good


@in_held_time
async def test_who_is_cancelled_does_not_hold_up_the_others() -> None:
    cap = a_cap(1.0)
    await cap.acquire()
    waiting = [asyncio.create_task(cap.acquire()) for _ in range(2)]
    await asyncio.sleep(0.1)

    waiting[0].cancel()

    await asyncio.wait(waiting)
    assert waiting[0].cancelled()
    assert now() == pytest.approx(1.0, abs=0.02)
