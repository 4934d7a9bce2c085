"""How fast a run goes. Time is simulated; nothing waits for real."""

import asyncio
import heapq
import itertools
import math
import random
import types
from collections.abc import Awaitable, Callable, Generator
from typing import Any

import attrs
import pytest
from bulk.held import in_held_time, now

from contactsdk.errors import (
    ContactError,
    RateLimitedError,
    RejectedError,
    UnavailableError,
    UncertainError,
)
from contactsdk.pacing import AdaptiveRate, NoMoreTurnsError, Pacer
from contactsdk.retry import RetryPolicy


@attrs.define
class Bucket:
    """A token bucket; `take` returns for how long there is no token."""

    per_s: float
    depth_s: float
    tokens: float = 0.0
    at: float = 0.0

    def __attrs_post_init__(self) -> None:
        self.tokens = max(1.0, self.per_s * self.depth_s)

    def take(self, at: float) -> float:
        filled = self.tokens + (at - self.at) * self.per_s
        self.tokens, self.at = min(max(1.0, self.per_s * self.depth_s), filled), at
        if self.tokens < 1:
            return (1 - self.tokens) / self.per_s
        self.tokens -= 1
        return 0.0


@attrs.define
class Window:
    """So many in each whole second."""

    per_s: float
    second: int = -1
    taken: int = 0

    def take(self, at: float) -> float:
        if int(at) != self.second:
            self.second, self.taken = int(at), 0
        self.taken += 1
        return 0.0 if self.taken <= self.per_s else self.second + 1 - at


LIMITERS: dict[str, Callable[[float], Any]] = {
    "bucket of 0.05 s": lambda per_s: Bucket(per_s, 0.05),
    "bucket of 0.2 s": lambda per_s: Bucket(per_s, 0.2),
    "bucket of 1 s": lambda per_s: Bucket(per_s, 1.0),
    "window": Window,
}


@types.coroutine
def _yielded(seconds: float) -> Generator[float, None, None]:
    yield seconds


async def _sleep(seconds: float) -> None:
    await _yielded(seconds)


@attrs.define
class Simulation:
    """A pacer against a platform: a few thousand lines of asyncio taken out, the same each time.

    So many workers wait in line; the core takes 3,000 requests a second at most, an answer takes
    `latency_s`, and timers are late by up to a millisecond. `answer` says what becomes of a request
    that arrives then. Who is throttled tries again.
    """

    answer: Callable[[float], ContactError | None]
    latency_s: float = 0.001
    workers: int = 32
    answers: list[tuple[float, ContactError | None]] = attrs.field(factory=list)
    now: float = 0.0

    def run(self, until_s: float) -> "Simulation":
        chance = random.Random(1)
        policy = RetryPolicy()
        pacer = Pacer(
            policy, rate_per_s=None, give_up_s=300.0, clock=lambda: self.now, sleep=_sleep
        )
        tie = itertools.count()
        events: list[Any] = []
        line = [0] * self.workers  # of each that waits: how often it was throttled in a row
        turn: Any = None
        wakes = busy_until = 0.0
        while self.now < until_s:
            if line and turn is None:
                turn = pacer.turn()
            if turn is not None and wakes <= self.now:
                try:
                    wakes = self.now + turn.send(None) + chance.random() * 0.001
                except StopIteration as left:
                    turn = None
                    in_a_row = line.pop(0)
                    busy_until = max(busy_until, self.now) + 1 / 3000
                    arrives = busy_until + self.latency_s * (0.4 + 0.2 * chance.random())
                    event = (arrives, next(tie), True, left.value, in_a_row, None)
                    heapq.heappush(events, event)
                    continue
            if events and (turn is None or events[0][0] < wakes):
                self.now, _, arrives_now, left_at, in_a_row, error = heapq.heappop(events)
                if arrives_now:
                    error = self.answer(self.now)
                    back_at = self.now + self.latency_s / 2
                    event = (back_at, next(tie), False, left_at, in_a_row, error)
                    heapq.heappush(events, event)
                    continue
                in_a_row = in_a_row + 1 if isinstance(error, RateLimitedError) else 0
                pacer.told(left_at, error, in_a_row=in_a_row)
                self.answers.append((self.now, error))
                line.append(in_a_row)
            else:
                self.now = wakes
        if turn is not None:
            turn.close()
        return self

    def share(self, per_s: float, begin_s: float, end_s: float) -> tuple[float, float]:
        """Of the rate what came through, with asked pauses taken out; of all what was throttled."""
        answers = [error for at, error in self.answers if begin_s <= at < end_s]
        through = sum(error is None for error in answers)
        return through / per_s / (end_s - begin_s - self.asked_s(begin_s, end_s)), sum(
            isinstance(error, RateLimitedError) for error in answers
        ) / len(answers)

    def asked_s(self, begin_s: float, end_s: float) -> float:
        """The time in which nothing was answered since the platform had asked to wait."""
        paused = 0.0
        until = -math.inf
        for at, error in self.answers:
            asked = 0.0 if error is None else error.retry_after_s or 0.0
            if asked and at >= until:
                until = at + asked
                paused += max(0.0, min(until, end_s) - max(at, begin_s))
        return paused


def limited(limiter: Any, *, retry_after: bool) -> Callable[[float], ContactError | None]:
    def answer(at: float) -> ContactError | None:
        wait_s = limiter.take(at)
        if not wait_s:
            return None
        asked_s = float(max(1, math.ceil(wait_s))) if retry_after else None
        return RateLimitedError("slow down", retry_after_s=asked_s)

    return answer


@pytest.fixture(autouse=True)
def _the_same_each_time() -> None:
    random.seed(1)


@pytest.mark.parametrize("retry_after", [False, True])
@pytest.mark.parametrize("limiter", LIMITERS)
@pytest.mark.parametrize("per_s", [50, 200, 1000])
def test_run_finds_and_holds_the_rate_of_the_platform(
    per_s: int, limiter: str, retry_after: bool
) -> None:
    answer = limited(LIMITERS[limiter](per_s), retry_after=retry_after)

    through, throttled = Simulation(answer).run(30).share(per_s, 10, 30)

    assert through >= 0.9
    assert throttled <= 0.02


@pytest.mark.parametrize("latency_s", [0.001, 0.05])
@pytest.mark.parametrize("retry_after", [False, True])
@pytest.mark.parametrize(
    ("before", "after", "within_s"),
    [(50, 100, 20), (200, 400, 20), (100, 50, 5), (400, 200, 5), (1000, 500, 5)],
)
def test_run_follows_a_change_of_the_rate(
    before: int, after: int, within_s: int, retry_after: bool, latency_s: float
) -> None:
    bucket = Bucket(before, 0.2)
    steady = limited(bucket, retry_after=retry_after)

    def answer(at: float) -> ContactError | None:
        if at >= 20:
            bucket.per_s = after
        return steady(at)

    run = Simulation(answer, latency_s=latency_s, workers=128).run(20 + within_s + 5)
    through, throttled = run.share(after, 20 + within_s, 25 + within_s)

    assert through >= 0.85
    assert throttled <= 0.05


def test_isolated_races_and_declines_hardly_slow_the_run() -> None:
    chance = random.Random(2)

    def noisy(_: float) -> ContactError | None:
        drawn = chance.random()
        if drawn < 0.03:
            return RateLimitedError("race", retry_after_s=0.0)
        return UnavailableError("busy") if drawn < 0.06 else None

    plain, _ = Simulation(lambda _: None).run(10).share(1, 0, 10)
    through, _ = Simulation(noisy).run(10).share(1, 0, 10)

    assert through >= 0.8 * plain


def test_no_limit_before_the_first_throttle() -> None:
    assert AdaptiveRate(0.0).per_s(100.0) is None


def test_rate_is_cut_to_what_came_through_and_rises_past_the_level() -> None:
    rate = AdaptiveRate(0.0)
    for _ in range(100):
        rate.let_through += 1
    rate.throttled(2.0, 0.0)

    rates = [rate.per_s(2.0 + 0.1 * step) or math.inf for step in range(600)]

    assert rates[0] == pytest.approx(0.97 * 50)
    assert rates == sorted(rates)
    assert rates[599] > 10 * rates[0]


def test_rate_that_met_no_limit_for_long_is_no_limit_any_more() -> None:
    rate = AdaptiveRate(0.0)
    for _ in range(1000):
        rate.let_through += 1
    rate.throttled(1.0, 0.0)

    assert rate.per_s(60.0) is not None
    assert rate.per_s(75.0) is None
    assert rate.per_s(1.0) is None  # it is forgotten for good


def test_shut_door_tells_of_no_rate_and_waits_longer_and_longer() -> None:
    rate = AdaptiveRate(0.0)
    assert rate.throttled(1.0, 0.0) is None
    assert rate.per_s(1.0) is None
    rate.let_through += 1
    first = rate.throttled(2.0, 0.0)
    before = rate.per_s(2.0)
    again = [rate.throttled(2.0, 0.0) for _ in range(3)]

    assert rate.dry == 3
    assert rate.per_s(2.0) == before
    waits = [first, *again]
    assert all(wait is not None for wait in waits)
    assert waits == sorted(waits, key=lambda wait: wait or 0)


def test_wait_that_the_platform_asks_for_is_kept() -> None:
    rate = AdaptiveRate(0.0)

    assert rate.throttled(1.0, 7.0) == 7.0
    rate.let_through += 1
    assert rate.throttled(9.0, 3.0) == 3.0


def test_time_that_the_platform_asked_to_wait_does_not_lower_the_level() -> None:
    rate = AdaptiveRate(0.0)
    for _ in range(100):
        rate.let_through += 1
    rate.throttled(2.0, 8.0)
    for _ in range(400):
        rate.let_through += 1
    rate.throttled(18.0, 0.0)

    assert (rate.per_s(23.1) or 0.0) >= 50


AWAY = UnavailableError("never sent: refused")
THROTTLED = RateLimitedError("slow down")
RACE = RateLimitedError("race", retry_after_s=0.0)


def a_pacer(**options: Any) -> Pacer:
    clock = asyncio.get_running_loop().time
    plain = {"rate_per_s": None, "give_up_s": 300.0, "clock": clock}
    return Pacer(options.pop("policy", RetryPolicy()), **{**plain, **options})


async def leave_times(pacer: Pacer, count: int) -> list[float]:
    """When each of so many left, all answered well at once."""
    times = []
    for _ in range(count):
        left_at = await pacer.turn()
        times.append(now())
        pacer.told(left_at, None)
    return times


async def outage(pacer: Pacer, failures: int = 5) -> None:
    for _ in range(failures):
        pacer.told(await pacer.turn(), AWAY)


@pytest.mark.parametrize("rate_per_s", [0.5, 1.0, 1.5, 2.5, 7, 50.0, 333.3])
@in_held_time
async def test_cap_holds_in_every_second(rate_per_s: float) -> None:
    pacer = a_pacer(rate_per_s=rate_per_s)
    chance = random.Random(3)
    times = []
    for _ in range(int(rate_per_s * 20) + 3):
        times += await leave_times(pacer, 1)
        if chance.random() < 0.1:
            await asyncio.sleep(chance.random())

    span_s, most = max(1.0, 1 / rate_per_s), max(1, math.floor(rate_per_s))
    for first, beyond in zip(times, times[most:], strict=False):
        assert beyond - first >= span_s - 1e-6


@pytest.mark.parametrize(("rate_per_s", "least"), [(0.5, 0.49), (2.5, 1.9), (50.0, 49.0)])
@in_held_time
async def test_cap_is_used(rate_per_s: float, least: float) -> None:
    times = await leave_times(a_pacer(rate_per_s=rate_per_s), 100)

    assert 99 / times[-1] >= least


@pytest.mark.parametrize("kind", [RateLimitedError, UnavailableError])
@in_held_time
async def test_all_wait_as_long_as_the_platform_asks(kind: type[ContactError]) -> None:
    pacer = a_pacer()

    assert pacer.told(await pacer.turn(), kind("wait", retry_after_s=20.0))

    first, *_ = await leave_times(pacer, 3)
    assert first == pytest.approx(20.0)
    assert pacer.paused_s == pytest.approx(20.0)


@in_held_time
async def test_first_throttle_without_a_wait_pauses_for_one_backoff() -> None:
    pacer = a_pacer(policy=RetryPolicy(base_s=8.0))

    assert pacer.told(await pacer.turn(), THROTTLED)

    (first,) = await leave_times(pacer, 1)
    assert 0 < first <= 8.0
    assert pacer.paused_s == pytest.approx(first)


@in_held_time
async def test_paused_time_is_told_as_it_passes() -> None:
    pacer = a_pacer()
    pacer.told(await pacer.turn(), RateLimitedError("wait", retry_after_s=20.0))

    told = []
    for _ in range(4):
        told.append(pacer.paused_s)
        await asyncio.sleep(8)

    assert told == pytest.approx([0.0, 8.0, 16.0, 20.0])


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
    left = [await pacer.turn() for _ in range(10)]
    await asyncio.sleep(1)
    for left_at in left:
        assert pacer.told(left_at, RateLimitedError("wait", retry_after_s=5.0))
    await asyncio.sleep(1)

    assert pacer.told(left[0], late)

    (first,) = await leave_times(pacer, 1)
    assert first == pytest.approx(6.0)
    assert pacer.paused_s == pytest.approx(5.0)


@in_held_time
async def test_race_on_one_record_is_no_pause_and_no_cut() -> None:
    pacer = a_pacer()
    await leave_times(pacer, 10)

    for in_a_row in (1, 2):
        assert not pacer.told(await pacer.turn(), RACE, in_a_row=in_a_row)

    assert await leave_times(pacer, 1000) == [0.0] * 1000
    assert pacer.paused_s == 0.0


@in_held_time
async def test_races_on_and_on_are_a_throttle() -> None:
    pacer = a_pacer()

    assert pacer.told(await pacer.turn(), RACE, in_a_row=3)

    (first,) = await leave_times(pacer, 1)
    assert first > 0


@pytest.mark.parametrize("error", [RACE, THROTTLED])
@in_held_time
async def test_one_contact_throttled_while_others_get_through_is_no_rate(
    error: ContactError,
) -> None:
    pacer = a_pacer()
    await leave_times(pacer, 10)

    assert pacer.told(await pacer.turn(), error, in_a_row=3)

    assert await leave_times(pacer, 1000) == [0.0] * 1000


@in_held_time
async def test_single_failures_are_bad_luck_and_pause_nothing() -> None:
    pacer = a_pacer()

    for _ in range(20):
        for _ in range(4):
            assert not pacer.told(await pacer.turn(), AWAY)
        await leave_times(pacer, 1)

    assert now() == 0.0


@in_held_time
async def test_rejection_is_an_answer() -> None:
    pacer = a_pacer()

    for _ in range(20):
        for error in (AWAY, AWAY, AWAY, AWAY, RejectedError("no such group")):
            assert not pacer.told(await pacer.turn(), error)

    assert now() == 0.0


@pytest.mark.parametrize("silent", [AWAY, UncertainError("no answer")])
@in_held_time
async def test_five_failures_in_a_row_hold_up_the_run(silent: ContactError) -> None:
    pacer = a_pacer()

    told = [pacer.told(await pacer.turn(), silent) for _ in range(5)]

    assert told == [False] * 4 + [True]
    (first,) = await leave_times(pacer, 1)
    assert 0 < first <= 0.5


@in_held_time
async def test_one_probe_at_a_time_until_the_first_answer() -> None:
    pacer = a_pacer()
    await outage(pacer)
    left: list[float] = []

    async def send() -> None:
        left.append(await pacer.turn())

    async with asyncio.TaskGroup() as tasks:
        for _ in range(10):
            tasks.create_task(send())
        for probes in (1, 2, 3):
            await asyncio.sleep(100)
            assert len(left) == probes
            pacer.told(left[-1], AWAY)
        await asyncio.sleep(100)
        assert len(left) == 4
        pacer.told(left[-1], None)
        await asyncio.sleep(0.001)
        assert len(left) == 10


@in_held_time
async def test_probes_wait_longer_and_longer(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(random, "random", lambda: 1.0)
    pacer = a_pacer()
    await outage(pacer)
    waits = []
    for _ in range(8):
        since = now()
        left_at = await pacer.turn()
        waits.append(now() - since)
        pacer.told(left_at, AWAY)

    assert waits == pytest.approx([0.5, 1.0, 2.0, 4.0, 8.0, 16.0, 30.0, 30.0])


@in_held_time
async def test_many_that_fail_together_are_one_outage(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(random, "random", lambda: 1.0)
    pacer = a_pacer()
    left = [await pacer.turn() for _ in range(64)]
    for left_at in left:
        pacer.told(left_at, AWAY)

    probe = await pacer.turn()
    assert now() == pytest.approx(0.5)
    pacer.told(probe, AWAY)
    await pacer.turn()
    assert now() == pytest.approx(1.5)


@in_held_time
async def test_late_answers_do_not_let_another_go_beside_the_probe() -> None:
    pacer = a_pacer()
    early = await pacer.turn()
    await asyncio.sleep(1)
    await outage(pacer)
    await pacer.turn()
    waiting = asyncio.create_task(pacer.turn())

    pacer.told(early, AWAY)

    await asyncio.sleep(100)
    assert not waiting.done()
    pacer.stop()
    await asyncio.wait([waiting])
    assert isinstance(waiting.exception(), NoMoreTurnsError)


@in_held_time
async def test_probe_that_tells_nothing_does_not_block_the_others() -> None:
    pacer = a_pacer()
    await outage(pacer)
    probe = await pacer.turn()
    waiting = asyncio.create_task(pacer.turn())
    await asyncio.sleep(100)
    assert not waiting.done()

    pacer.forget(probe)

    await waiting


@in_held_time
async def test_who_is_cancelled_in_line_does_not_block_the_others() -> None:
    pacer = a_pacer()
    pacer.told(await pacer.turn(), RateLimitedError("wait", retry_after_s=20.0))
    waiting = [asyncio.create_task(pacer.turn()) for _ in range(3)]
    await asyncio.sleep(1)

    waiting[0].cancel()

    await asyncio.wait(waiting)
    assert [task.cancelled() for task in waiting] == [True, False, False]
    assert now() == pytest.approx(20.0)


@in_held_time
async def test_given_up_after_so_long_without_an_answer() -> None:
    pacer = a_pacer(give_up_s=60.0)

    with pytest.raises(NoMoreTurnsError):
        await outage(pacer, failures=1000)

    assert pacer.given_up_for is AWAY
    assert 60 < now() <= 90.5


@in_held_time
async def test_given_up_for_throttling_without_end() -> None:
    pacer = a_pacer(give_up_s=60.0)

    with pytest.raises(NoMoreTurnsError):  # it takes any number of rounds
        while True:
            pacer.told(await pacer.turn(), THROTTLED)

    assert pacer.given_up_for is THROTTLED


@in_held_time
async def test_every_answer_starts_the_patience_anew() -> None:
    pacer = a_pacer(give_up_s=60.0)

    for _ in range(10):
        await outage(pacer)
        await asyncio.sleep(55)
        await leave_times(pacer, 1)

    assert pacer.given_up_for is None


@pytest.mark.parametrize("kind", [RateLimitedError, UnavailableError])
@in_held_time
async def test_wait_longer_than_give_up_s_is_given_up_at_once(kind: type[ContactError]) -> None:
    pacer = a_pacer(give_up_s=60.0)
    too_long = kind("maintenance", retry_after_s=61.0)

    pacer.told(await pacer.turn(), kind("a moment", retry_after_s=60.0))
    assert pacer.given_up_for is None
    pacer.told(await pacer.turn(), too_long)

    assert pacer.given_up_for is too_long
    with pytest.raises(NoMoreTurnsError):
        await pacer.turn()
    assert now() == pytest.approx(60.0)


@in_held_time
async def test_first_reason_to_give_up_stays() -> None:
    pacer = a_pacer(give_up_s=60.0)
    left = [await pacer.turn() for _ in range(2)]
    first, second = (UnavailableError(str(n), retry_after_s=61.0) for n in range(2))

    pacer.told(left[0], first)
    pacer.told(left[1], second)

    assert pacer.given_up_for is first


def waits_for_a_pause(pacer: Pacer) -> Awaitable[None]:
    async def pause() -> None:
        pacer.told(await pacer.turn(), RateLimitedError("wait", retry_after_s=20.0))

    return pause()


def waits_for_a_probe(pacer: Pacer) -> Awaitable[None]:
    async def probe() -> None:
        await outage(pacer)
        await pacer.turn()

    return probe()


@pytest.mark.parametrize("begin", [waits_for_a_pause, waits_for_a_probe])
@in_held_time
async def test_stop_lets_go_who_waits(begin: Callable[[Pacer], Awaitable[None]]) -> None:
    pacer = a_pacer()
    await begin(pacer)
    since = now()
    waiting = [asyncio.create_task(pacer.turn()) for _ in range(3)]
    await asyncio.sleep(0.5)
    assert not any(task.done() for task in waiting)

    pacer.stop()

    results = await asyncio.gather(*waiting, return_exceptions=True)
    assert [type(result) for result in results] == [NoMoreTurnsError] * 3
    assert now() - since <= 0.75
