"""When each request of a client may leave. Time is held in the hand."""

import asyncio
import itertools
import random
from collections.abc import Callable, Iterable

import pytest

from contactsdk.errors import (
    ContactError,
    RateLimitedError,
    RejectedError,
    SetupError,
    UnavailableError,
    UncertainError,
)
from contactsdk.pacing import BreakerState, Pacer
from tests.held_loop import in_held_time, now

AWAY = UnavailableError("never sent: refused")
THROTTLED = RateLimitedError("slow down")
RACE = RateLimitedError("race", specific_code=24299)


def a_pacer(*, random: Callable[[], float] = lambda: 1.0) -> Pacer:
    clock = asyncio.get_running_loop().time
    return Pacer(base_s=0.5, max_wait_s=30.0, clock=clock, random=random)


async def let_through(pacer: Pacer, count: int) -> list[float]:
    """When each of so many left, all answered well at once."""
    times = []
    for _ in range(count):
        turn = await pacer.acquire()
        times.append(now())
        pacer.record_result(turn, None)
    return times


async def fail(pacer: Pacer, errors: Iterable[ContactError]) -> list[bool]:
    """What is said of each of these failures, one after another."""
    return [pacer.record_result(await pacer.acquire(), error) for error in errors]


async def throttle_all(pacer: Pacer) -> None:
    """Everything is throttled for over a second."""
    for _ in range(12):
        pacer.record_result(await pacer.acquire(), THROTTLED)
        await asyncio.sleep(0.1)


async def find_a_limit(pacer: Pacer) -> None:
    """For two seconds half of what leaves is throttled, of 100 requests a second."""
    for n in range(200):
        pacer.record_result(await pacer.acquire(), THROTTLED if n % 2 else None)
        await asyncio.sleep(0.01)


@in_held_time
async def test_nothing_waits_while_all_is_well() -> None:
    pacer = a_pacer()

    assert await let_through(pacer, 1000) == [0.0] * 1000
    assert pacer.acquire_nowait() is not None
    assert (pacer.rate_per_s, pacer.paused_s, pacer.blocked_since) == (None, 0.0, None)
    assert pacer.breaker_state is BreakerState.CLOSED


@pytest.mark.parametrize("kind", [RateLimitedError, UnavailableError])
@in_held_time
async def test_all_wait_as_long_as_the_platform_asks(kind: type[ContactError]) -> None:
    pacer = a_pacer()

    assert await fail(pacer, [kind("wait", retry_after_s=20.0)]) == [True]

    assert pacer.acquire_nowait() is None
    first, *_ = await let_through(pacer, 3)
    assert first == pytest.approx(20.0)
    assert pacer.paused_s == pytest.approx(20.0)


@pytest.mark.parametrize("asked_s", [None, 0.0, 1.0])
@in_held_time
async def test_throttle_that_names_no_time_pauses_nothing(asked_s: float | None) -> None:
    pacer = a_pacer()

    assert await fail(pacer, [RateLimitedError("slow down", retry_after_s=asked_s)]) == [True]

    assert await let_through(pacer, 3) == [0.0] * 3


@in_held_time
async def test_paused_time_is_counted_as_it_passes() -> None:
    pacer = a_pacer()
    await fail(pacer, [RateLimitedError("wait", retry_after_s=20.0)])

    paused = []
    for _ in range(4):
        paused.append(pacer.paused_s)
        await asyncio.sleep(8)

    assert paused == pytest.approx([0.0, 8.0, 16.0, 20.0])


@pytest.mark.parametrize(
    "late",
    [
        RateLimitedError("wait", retry_after_s=20.0),
        UnavailableError("wait", retry_after_s=20.0),
        THROTTLED,
    ],
)
@in_held_time
async def test_answers_from_before_a_pause_do_not_extend_it(late: ContactError) -> None:
    pacer = a_pacer()
    turns = [await pacer.acquire() for _ in range(10)]
    await asyncio.sleep(1)
    for turn in turns[:3]:
        assert pacer.record_result(turn, RateLimitedError("wait", retry_after_s=5.0))
    await asyncio.sleep(1)
    for turn in turns[3:6]:
        assert pacer.record_result(turn, late)

    (first,) = await let_through(pacer, 1)
    assert first == pytest.approx(6.0)
    assert pacer.paused_s == pytest.approx(5.0)


@in_held_time
async def test_race_on_one_record_is_not_a_sign_of_the_rate() -> None:
    pacer = a_pacer()

    assert await fail(pacer, [RACE] * 1000) == [True] * 1000

    assert (pacer.rate_per_s, pacer.blocked_since) == (None, None)
    assert await let_through(pacer, 3) == [0.0] * 3


@in_held_time
async def test_contact_that_is_always_throttled_slows_no_other() -> None:
    pacer = a_pacer()
    for n in range(200):
        await let_through(pacer, 1)
        assert pacer.record_result(await pacer.acquire(), THROTTLED, in_a_row=6 + n)
        await asyncio.sleep(0.01)

    assert pacer.rate_per_s is None


@in_held_time
async def test_contact_that_is_always_asked_to_wait_pauses_no_other() -> None:
    pacer = a_pacer()

    for kind in (RateLimitedError, UnavailableError):
        turn = await pacer.acquire()
        assert pacer.record_result(turn, kind("wait", retry_after_s=20.0), in_a_row=6)
        assert await let_through(pacer, 1) == [0.0]


@in_held_time
async def test_throttles_in_excess_set_a_rate_that_all_keep_to() -> None:
    pacer = a_pacer()
    await find_a_limit(pacer)
    rate = pacer.rate_per_s
    assert rate is not None
    assert 5 < rate < 60

    times = await let_through(pacer, 51)

    assert 50 / (times[-1] - times[0]) == pytest.approx(rate, rel=0.05)


@in_held_time
async def test_turns_under_a_rate_limit_come_at_random_times_at_the_same_mean() -> None:
    chance = random.Random(1)
    pacer = a_pacer(random=chance.random)
    await find_a_limit(pacer)
    rate = pacer.rate_per_s
    assert rate is not None

    times = await let_through(pacer, 101)

    gaps = [after - before for before, after in itertools.pairwise(times)]
    assert 100 / (times[-1] - times[0]) == pytest.approx(rate, rel=0.05)
    assert min(gaps) < 0.4 / rate
    assert max(gaps) > 1.6 / rate


@in_held_time
async def test_single_failures_are_bad_luck_and_pause_nothing() -> None:
    pacer = a_pacer()

    for _ in range(20):
        assert await fail(pacer, [AWAY] * 4) == [False] * 4
        await let_through(pacer, 1)

    assert now() == 0.0


@pytest.mark.parametrize("answer", [RejectedError("no such group"), SetupError("403"), THROTTLED])
@in_held_time
async def test_any_answer_shows_that_there_is_no_outage(answer: ContactError) -> None:
    pacer = a_pacer()

    for _ in range(3):
        await fail(pacer, [AWAY, AWAY, AWAY, AWAY, answer])

    assert pacer.breaker_state is BreakerState.CLOSED
    assert now() == 0.0


@pytest.mark.parametrize("silent", [AWAY, UncertainError("no answer")])
@in_held_time
async def test_five_failures_in_a_row_open_the_breaker(silent: ContactError) -> None:
    pacer = a_pacer()

    assert await fail(pacer, [silent] * 5) == [False] * 4 + [True]

    assert pacer.breaker_state is BreakerState.OPEN
    assert await let_through(pacer, 2) == pytest.approx([0.5, 0.5])


@in_held_time
async def test_one_probe_at_a_time_until_the_first_answer() -> None:
    pacer = a_pacer()
    await fail(pacer, [AWAY] * 5)
    left: list[float] = []

    async def send() -> None:
        left.append(await pacer.acquire())

    async with asyncio.TaskGroup() as tasks:
        for _ in range(10):
            tasks.create_task(send())
        for probes in (1, 2, 3):
            await asyncio.sleep(100)
            assert len(left) == probes
            assert pacer.breaker_state is BreakerState.HALF_OPEN
            pacer.record_result(left[-1], AWAY)
        await asyncio.sleep(100)
        assert len(left) == 4
        pacer.record_result(left[-1], None)
        await asyncio.sleep(0.001)
        assert len(left) == 10


@in_held_time
async def test_many_that_fail_together_are_one_outage() -> None:
    pacer = a_pacer()
    for turn in [await pacer.acquire() for _ in range(64)]:
        pacer.record_result(turn, AWAY)

    probe = await pacer.acquire()
    assert now() == pytest.approx(0.5)
    pacer.record_result(probe, AWAY)
    await pacer.acquire()
    assert now() == pytest.approx(1.5)


@in_held_time
async def test_late_failure_lets_nothing_go_beside_the_probe() -> None:
    pacer = a_pacer()
    early = await pacer.acquire()
    await asyncio.sleep(1)
    await fail(pacer, [AWAY] * 5)
    probe = await pacer.acquire()
    waiting = asyncio.create_task(pacer.acquire())

    assert pacer.record_result(early, AWAY)

    await asyncio.sleep(100)
    assert not waiting.done()
    pacer.record_result(probe, None)
    await waiting


@in_held_time
async def test_probe_without_a_result_makes_way_for_the_next() -> None:
    pacer = a_pacer()
    await fail(pacer, [AWAY] * 5)
    probe = await pacer.acquire()
    waiting = asyncio.create_task(pacer.acquire())
    await asyncio.sleep(100)
    assert not waiting.done()

    pacer.abandon(probe)

    await waiting


@in_held_time
async def test_probe_that_is_cancelled_before_it_left_makes_way_for_the_next() -> None:
    pacer = a_pacer()
    await fail(pacer, [AWAY] * 5)
    waiting = [asyncio.create_task(pacer.acquire()) for _ in range(2)]
    await asyncio.sleep(0.4)
    asyncio.get_running_loop().call_later(0.1, waiting[0].cancel)

    await asyncio.wait(waiting)

    assert [task.cancelled() for task in waiting] == [True, False]


@in_held_time
async def test_outage_counts_as_paused_time_probes_included() -> None:
    pacer = a_pacer()
    await fail(pacer, [AWAY] * 5)
    probe = await pacer.acquire()
    await asyncio.sleep(3)
    during = pacer.paused_s
    pacer.record_result(probe, AWAY)
    await asyncio.sleep(0.25)
    assert pacer.paused_s == pytest.approx(3.75)
    probe = await pacer.acquire()
    pacer.record_result(probe, None)
    await asyncio.sleep(10)

    assert during == pytest.approx(3.5)
    assert pacer.paused_s == pytest.approx(4.5)


@in_held_time
async def test_platform_that_throttles_everything_is_probed_one_at_a_time() -> None:
    pacer = a_pacer()
    await throttle_all(pacer)
    assert pacer.breaker_state is BreakerState.CLOSED  # there are answers: it is no outage
    probe = await pacer.acquire()

    waiting = asyncio.create_task(pacer.acquire())
    await asyncio.sleep(100)
    assert not waiting.done()
    pacer.record_result(probe, None)

    await waiting


@in_held_time
async def test_probe_that_shows_nothing_about_the_throttling_makes_way() -> None:
    pacer = a_pacer()
    await throttle_all(pacer)
    probe = await pacer.acquire()

    pacer.record_result(probe, AWAY)

    assert await asyncio.wait_for(pacer.acquire(), 1) > probe - 1


@in_held_time
async def test_who_is_cancelled_in_the_queue_does_not_block_the_others() -> None:
    pacer = a_pacer()
    await fail(pacer, [RateLimitedError("wait", retry_after_s=20.0)])
    waiting = [asyncio.create_task(pacer.acquire()) for _ in range(3)]
    await asyncio.sleep(1)

    waiting[0].cancel()

    await asyncio.wait(waiting)
    assert [task.cancelled() for task in waiting] == [True, False, False]
    assert now() == pytest.approx(20.0)


@in_held_time
async def test_nobody_overtakes_those_who_wait() -> None:
    pacer = a_pacer()
    await find_a_limit(pacer)
    order: list[int] = []

    async def send(number: int) -> None:
        await pacer.acquire()
        order.append(number)

    async with asyncio.TaskGroup() as tasks:
        for number in range(20):
            tasks.create_task(send(number))
        while len(order) < 19:
            await asyncio.sleep(0.001)
            assert pacer.acquire_nowait() is None

    assert order == list(range(20))


@in_held_time
async def test_blocked_since_the_first_failure_after_the_last_success() -> None:
    pacer = a_pacer()
    begin = asyncio.get_running_loop().time()
    await let_through(pacer, 1)
    await asyncio.sleep(1)
    await fail(pacer, [AWAY])
    assert pacer.blocked_since == pytest.approx(begin + 1)

    waiting = asyncio.create_task(fail(pacer, [AWAY] * 8))
    await waiting
    assert now() > 2
    assert pacer.blocked_since == pytest.approx(begin + 1)

    await let_through(pacer, 1)
    assert pacer.blocked_since is None


@pytest.mark.parametrize("error", [THROTTLED, RateLimitedError("wait", retry_after_s=20.0)])
@in_held_time
async def test_platform_that_throttles_without_end_stays_blocked(error: ContactError) -> None:
    pacer = a_pacer()
    begin = asyncio.get_running_loop().time()

    while now() < 300:
        await fail(pacer, [error])
        waiting = asyncio.create_task(pacer.acquire())
        await asyncio.sleep(0.1)
        pacer.record_result(await waiting, error)

    assert pacer.blocked_since is not None
    assert pacer.blocked_since == pytest.approx(begin)


@in_held_time
async def test_time_in_which_nothing_was_to_be_sent_is_not_blocked() -> None:
    pacer = a_pacer()
    begin = asyncio.get_running_loop().time()
    await fail(pacer, [AWAY])
    await asyncio.sleep(1000)

    turn = await pacer.acquire()

    assert pacer.blocked_since == pytest.approx(begin + 1000)
    pacer.record_result(turn, AWAY)
    await asyncio.sleep(500)
    pacer.acquire_nowait()
    assert pacer.blocked_since == pytest.approx(begin + 1500)


@in_held_time
async def test_single_call_waits_for_its_turn_under_a_rate_limit() -> None:
    pacer = a_pacer()
    await find_a_limit(pacer)
    await pacer.acquire()
    since = now()

    await pacer.acquire_within(1.0)

    assert 0.01 < now() - since < 0.1


@in_held_time
async def test_single_call_is_refused_at_once_when_its_turn_is_too_late() -> None:
    pacer = a_pacer()
    await fail(pacer, [RateLimitedError("wait", retry_after_s=20.0)])

    with pytest.raises(RateLimitedError, match="never sent") as refused:
        await pacer.acquire_within(5.0)

    assert now() == 0.0
    assert refused.value.retry_after_s == pytest.approx(20.0)


@in_held_time
async def test_single_call_behind_a_long_queue_is_refused_at_once() -> None:
    pacer = a_pacer()
    await find_a_limit(pacer)
    waiting = [asyncio.create_task(pacer.acquire()) for _ in range(500)]
    await asyncio.sleep(0.001)
    since = now()

    with pytest.raises(RateLimitedError) as refused:
        await pacer.acquire_within(5.0)

    assert now() == since
    assert (refused.value.retry_after_s or 0.0) > 5
    await asyncio.wait(waiting)


@in_held_time
async def test_single_call_is_refused_as_soon_as_a_pause_makes_it_too_late() -> None:
    pacer = a_pacer()
    await fail(pacer, [RateLimitedError("wait", retry_after_s=3.0)])
    in_flight = now() + 1000.0 + 0.5
    waiting = asyncio.create_task(pacer.acquire_within(5.0))
    await asyncio.sleep(1)

    pacer.record_result(in_flight, RateLimitedError("wait", retry_after_s=20.0))

    with pytest.raises(RateLimitedError):
        await waiting
    assert now() == pytest.approx(1.0)


@in_held_time
async def test_single_call_gives_up_a_probe_that_takes_too_long() -> None:
    pacer = a_pacer()
    await throttle_all(pacer)
    probe = await pacer.acquire()
    since = now()

    with pytest.raises(RateLimitedError) as refused:
        await pacer.acquire_within(5.0)

    assert now() - since == pytest.approx(5.0)
    assert refused.value.retry_after_s is not None
    pacer.record_result(probe, None)
    assert len(await let_through(pacer, 1)) == 1


@in_held_time
async def test_single_call_in_an_outage_fails_at_once_but_for_the_probe() -> None:
    pacer = a_pacer()
    await fail(pacer, [AWAY] * 5)

    with pytest.raises(UnavailableError, match="never sent"):
        await pacer.acquire_within(60.0)
    assert now() == 0.0
    await asyncio.sleep(0.5)
    probe = await pacer.acquire_within(60.0)
    with pytest.raises(UnavailableError, match="never sent"):
        await pacer.acquire_within(60.0)

    assert now() == pytest.approx(0.5)
    pacer.record_result(probe, None)
    await pacer.acquire_within(60.0)


@in_held_time
async def test_single_calls_in_the_queue_fail_when_an_outage_begins() -> None:
    pacer = a_pacer()
    turns = [await pacer.acquire() for _ in range(5)]
    await fail(pacer, [RateLimitedError("wait", retry_after_s=3.0)])
    waiting = [asyncio.create_task(pacer.acquire_within(60.0)) for _ in range(2)]
    await asyncio.sleep(1)
    waiting[1].cancel()

    for turn in turns:
        pacer.record_result(turn, AWAY)

    with pytest.raises(UnavailableError):
        await waiting[0]
    await asyncio.wait(waiting)
    assert now() == pytest.approx(1.0)


@in_held_time
async def test_next_turn_is_known_unless_a_probe_decides() -> None:
    pacer = a_pacer()
    clock = asyncio.get_running_loop().time
    calm = pacer.ready_at
    await fail(pacer, [AWAY] * 5)
    opened = pacer.ready_at
    await pacer.acquire()

    assert calm <= clock()
    assert opened == pytest.approx(1000.5)
    assert pacer.ready_at == float("inf")
