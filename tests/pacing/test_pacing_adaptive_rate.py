"""The rate that is found from throttles: the table, by simulation, and the rules behind it."""

import contextlib
import math
import random
import sys
from collections.abc import Iterator

import attrs
import pytest
from _pytest.mark import ParameterSet
from hypothesis import given
from hypothesis import strategies as st

from contactsdk.pacing.adaptive_rate import AdaptiveRate
from tests.pacing.rows import (
    Row,
    change_rows,
    limit_rows,
    noise_rows,
    noisy_limit_rows,
    shared_limit_rows,
)
from tests.pacing.simulated import Bucket, Limiter, Platform, Unlimited, Window, simulate, worst


def named(rows: list[Row]) -> list[ParameterSet]:
    return [pytest.param(row, id=row.name) for row in rows]


@contextlib.contextmanager
def untraced() -> Iterator[None]:
    """Coverage takes four times as long, and all that these runs cover other tests cover too."""
    trace = sys.gettrace()
    sys.settrace(None)
    try:
        yield
    finally:
        sys.settrace(trace)


def check(row: Row, seconds: int) -> None:
    with untraced():
        found = row.run(seconds)

    assert row.is_met(found), found


@pytest.mark.parametrize("row", named(noise_rows()))
def test_random_throttles_do_not_stop_a_run(row: Row) -> None:
    check(row, 65)


@pytest.mark.parametrize("seed", [2, 31, 32, 39])
def test_strong_noise_that_lowers_the_rate_deeply_at_first_is_soon_made_up_for(seed: int) -> None:
    row = noise_rows()[3]
    with untraced():
        found = row.run(61, seed=seed)

    assert found.good_per_s > 0.6, found


def test_weak_noise_is_found_before_it_slows_a_run_down() -> None:
    check(noise_rows()[0], 240)


@pytest.mark.parametrize("row", named(limit_rows((50, 200)) + limit_rows((1000,))[2::4]))
def test_run_finds_and_holds_the_limit(row: Row) -> None:
    check(row, 60)


def test_throttles_at_the_end_of_one_second_and_in_the_next_lower_the_rate_only_once() -> None:
    (row,) = (row for row in limit_rows((200,)) if row.name == "limit 200, fixed window")

    check(row, 300)


@pytest.mark.parametrize("row", named(noisy_limit_rows()))
def test_limit_is_held_through_random_throttles(row: Row) -> None:
    check(row, 300)


def test_trial_with_few_throttles_by_chance_does_not_end_known_noise() -> None:
    paced, chance = Paced(), random.Random(1)
    paced.answers("x" + 9 * ".", 60)
    while not paced.rate.is_measuring:
        paced.answers("x" if chance.random() < 0.1 else ".", 0.01)
    while paced.rate.is_measuring:
        paced.answers("x" + 39 * ".", 0.4)
    assert 0.05 < paced.rate.noise < 0.1

    paced.answers("x" + 9 * ".", 60)

    assert paced.rate.noise == pytest.approx(0.1, abs=0.02)


@pytest.mark.parametrize("row", named(change_rows((50, 200))))
def test_change_of_the_limit_is_followed(row: Row) -> None:
    check(row, 0)


def test_time_in_which_all_contacts_wait_as_they_were_asked_to_does_not_lower_the_rate() -> None:
    (row,) = (row for row in change_rows() if row.name == "limit 1000 -> 500, Retry-After 1")

    check(row, 0)


@pytest.mark.parametrize("row", named(shared_limit_rows()))
def test_clients_share_a_limit(row: Row) -> None:
    check(row, 60)


@pytest.mark.parametrize(("workers", "latency_s"), [(1, 0.005), (64, 0.05), (16, 1.0), (1, 0.2)])
@pytest.mark.parametrize("noise", [0.03, 0.25])
def test_random_throttles_stop_no_run_of_another_shape(
    workers: int, latency_s: float, noise: float
) -> None:
    row = attrs.evolve(
        noise_rows()[0],
        noise=noise,
        workers=workers,
        latency_s=latency_s,
        least_good=0.15,
        most_throttled=noise + 0.1,  # of a few hundred requests, chance throttles more
    )

    check(row, 65)


@pytest.mark.parametrize(("workers", "latency_s"), [(1, 0.001), (64, 0.05), (64, 0.3)])
def test_limit_is_held_by_a_run_of_another_shape(workers: int, latency_s: float) -> None:
    row = attrs.evolve(
        limit_rows()[2],
        workers=workers,
        latency_s=latency_s,
    )

    check(row, 65)


def test_long_wait_that_is_asked_for_at_random_is_one_contacts_own_in_the_end() -> None:
    platform = Platform(limiter=Unlimited(), noise=0.03, retry_after_s=5.0)

    answers = simulate(platform, 120, latency_s=0.02)

    # What waits is bounded, and so is the rate: 64 contacts for five seconds, of 3% each.
    assert answers.pacers[0].paused_s < 60
    assert worst(answers.windows(90, 120)).good_per_s > 300


def test_long_wait_that_a_limit_asks_for_is_kept_by_all() -> None:
    platform = Platform(limiter=Bucket(200, 0.2), retry_after_s=5.0)

    answers = simulate(platform, 60)

    assert answers.pacers[0].paused_s >= 5
    assert worst(answers.windows(30, 60)).throttled <= 0.02


def test_platform_that_throttles_everything_for_long_is_used_again_when_it_is_well() -> None:
    limiter = Bucket(0.0, 0.0)
    limiter.tokens = -1e9

    def recover() -> None:
        limiter.per_s, limiter.tokens, limiter.depth_s = 200.0, 0.0, 0.2

    answers = simulate(Platform(limiter=limiter), 400, changes=[(300.0, recover)])

    assert sum(answers.throttled[0][60:300]) < 30
    assert worst(answers.windows(370, 400)).good_per_s >= 190


@attrs.define
class Paced:
    """A rate, and answers to requests that leave evenly."""

    rate: AdaptiveRate = attrs.field(factory=lambda: AdaptiveRate(0.1))
    now: float = 100.0
    sent_per_s: int = 100

    def answers(self, throttled: str, seconds: float) -> None:
        """Go through `throttled`, again and again: x for a throttle, anything else for none."""
        for n in range(int(seconds * self.sent_per_s)):
            self.now += 1 / self.sent_per_s
            is_throttled = throttled[n % len(throttled)] == "x"
            self.rate.record(self.now - 0.005, self.now, is_throttled=is_throttled)


def test_there_is_no_limit_before_the_first_throttle() -> None:
    paced = Paced()
    paced.answers(".", 10)

    assert paced.rate.rate_per_s is None
    assert paced.rate.is_calm


def test_only_throttles_lower_the_rate() -> None:
    paced = Paced()
    paced.answers("x" + 9 * ".", 60)
    lowered_by = ""
    for throttled in 2000 * "x....":
        before = paced.rate.rate_per_s
        paced.answers(throttled, 0.01)
        is_lower = before is not None and (paced.rate.rate_per_s or math.inf) < before
        if is_lower and not paced.rate.is_measuring:
            lowered_by += throttled

    assert set(lowered_by) == {"x"}


def test_few_throttles_are_taken_for_chance() -> None:
    paced = Paced()
    paced.answers("x" + 399 * ".", 60)

    assert paced.rate.rate_per_s is None


def test_limit_ends_when_nothing_more_is_throttled() -> None:
    paced = Paced()
    paced.answers("x.", 0.02)
    assert not paced.rate.is_calm

    paced.answers(".", 10)

    assert paced.rate.is_calm


def test_first_rate_is_what_gets_through() -> None:
    paced = Paced()
    paced.answers("xx.", 1.03)

    assert paced.rate.rate_per_s == pytest.approx(33, rel=0.1)


def test_answers_to_requests_from_before_the_first_rate_do_not_lower_it() -> None:
    paced = Paced()
    paced.answers("xx.", 1.03)
    first, sent_at = paced.rate.rate_per_s, paced.now - 0.1
    assert first is not None

    for n in range(50):
        paced.rate.record(sent_at, paced.now + n / 100, is_throttled=True)

    assert paced.rate.rate_per_s == first


def test_first_few_throttles_at_the_first_rate_lower_it_little() -> None:
    paced = Paced(sent_per_s=3000)
    paced.answers("xx.", 1.002)
    first = paced.rate.rate_per_s
    assert first is not None

    paced.answers("x", 0.007)

    assert paced.rate.rate_per_s is not None
    assert 0.9 * first < paced.rate.rate_per_s < first


def test_rate_found_from_few_answers_rises_soon() -> None:
    paced = Paced()
    paced.answers("xxxx.", 0.99)
    while (first := paced.rate.rate_per_s) is None:
        paced.answers("x", 0.01)

    paced.answers(".", 6)

    assert paced.rate.rate_per_s is not None
    assert paced.rate.rate_per_s > 2 * first


def test_no_rate_is_found_where_nothing_gets_through() -> None:
    paced = Paced()
    paced.answers("x", 10)

    assert paced.rate.rate_per_s is None


def test_rate_that_meets_no_limit_is_none_in_the_end() -> None:
    paced = Paced()
    paced.answers("xx.", 1.2)
    paced.answers(".", 60)

    assert paced.rate.rate_per_s is None
    assert paced.rate.is_calm


def test_rate_never_falls_below_the_least() -> None:
    paced = Paced(AdaptiveRate(20.0))
    paced.answers("xx.", 1.2)
    paced.answers("x", 60)

    assert paced.rate.rate_per_s == 20.0


def test_noise_is_what_stays_throttled_at_a_lower_rate() -> None:
    paced = Paced()
    paced.answers("x" + 9 * ".", 60)

    assert paced.rate.noise == pytest.approx(0.1, abs=0.02)


@pytest.mark.parametrize("seed", range(5))
def test_trials_of_a_slow_client_find_noise_together(seed: int) -> None:
    chance, rate, now = random.Random(seed), AdaptiveRate(0.1), 100.0
    while now < 700.0 and not rate.noise:
        now += 1 / min(15.0, rate.rate_per_s or 15.0)
        rate.record(now - 0.005, now, is_throttled=chance.random() < 0.05)

    assert rate.noise == pytest.approx(0.05, abs=0.04)


def test_no_trial_follows_after_the_throttles_have_ended() -> None:
    paced, trials = Paced(sent_per_s=20), 0
    while not paced.rate.is_measuring:
        paced.answers(".........x", 0.5)
    for _ in range(600):
        was_measuring = paced.rate.is_measuring
        paced.answers(".", 1)
        trials += paced.rate.is_measuring and not was_measuring

    assert trials <= 1


def test_burst_of_throttles_is_not_noise() -> None:
    paced = Paced()
    paced.answers(100 * "x" + 900 * ".", 120)

    assert paced.rate.noise == 0.0


def test_noise_that_is_over_is_forgotten() -> None:
    paced = Paced()
    paced.answers("x" + 9 * ".", 60)
    paced.answers(".", 100)

    assert paced.rate.noise == 0.0
    assert paced.rate.rate_per_s is None
    assert paced.rate.is_calm


@pytest.mark.parametrize("lasted_s", [15, 20, 25, 30])
def test_no_trial_follows_after_the_noise_is_over(lasted_s: int) -> None:
    paced = Paced(sent_per_s=20)
    paced.answers("x.", lasted_s)
    while paced.rate.noise or paced.rate.is_measuring:
        paced.answers(".", 0.1)

    for _ in range(600):
        paced.answers(".", 0.1)
        assert not paced.rate.is_measuring


def test_doubt_that_is_unfounded_ends_with_the_former_rate() -> None:
    paced = Paced()
    paced.answers("x.......", 0.5)
    paced.rate.suspect_noise(paced.now)
    paced.answers(".", 1)
    assert paced.rate.is_measuring
    assert paced.rate.rate_per_s == pytest.approx(0.65 * 97, rel=0.1)

    paced.answers(".", 30)

    assert not paced.rate.is_measuring
    assert paced.rate.rate_per_s is None


def test_suspicion_ends_with_the_throttles() -> None:
    paced = Paced()
    paced.answers("x.......", 0.5)
    paced.rate.suspect_noise(paced.now)
    paced.answers(".", 60)
    paced.rate.suspect_noise(paced.now)
    paced.answers(".", 600)
    assert paced.rate.is_calm

    paced.answers("x" + 199 * ".", 2)

    assert not paced.rate.is_measuring


def test_platform_that_throttles_all_during_a_trial_is_no_error() -> None:
    paced = Paced(sent_per_s=20)
    paced.answers("x........", 10)
    paced.rate.suspect_noise(paced.now)
    paced.answers(".", 0.1)

    paced.answers("x", 60)
    paced.answers(".", 300)

    assert paced.rate.rate_per_s is None


def test_noise_that_is_known_is_not_doubted() -> None:
    paced = Paced()
    paced.answers("x" + 9 * ".", 20)
    assert paced.rate.noise > 0
    paced.rate.suspect_noise(paced.now)
    paced.answers("x" + 9 * ".", 2)

    assert not paced.rate.is_measuring


@pytest.mark.parametrize("limiter", [Bucket(50, 0.05), Bucket(50, 1.0), Window(50)])
def test_simulated_limits_let_through_what_they_say(limiter: Limiter) -> None:
    passed = sum(limiter.lets_through(10 + n / 1000) for n in range(10_000))

    assert math.isclose(passed, 500, rel_tol=0.11)


def test_client_that_rarely_calls_finds_that_a_limit_is_gone() -> None:
    rate = AdaptiveRate(0.5)
    for n in range(100):
        rate.record(n / 20, n / 20 + 0.01, is_throttled=n % 2 == 1)
    assert rate.rate_per_s is not None

    for n in range(2000):
        rate.record(10.0 + 5 * n, 10.01 + 5 * n, is_throttled=False)

    assert rate.rate_per_s is None


PHASES = st.lists(
    st.tuples(
        st.sampled_from([0.0, 0.02, 0.1, 0.5, 0.9, 1.0]),  # the share that is throttled
        st.sampled_from([0.2, 2.0, 20.0, 200.0]),  # requests a second
        st.sampled_from([0.01, 1.0, 20.0]),  # seconds of latency
        st.integers(1, 400),  # requests
        st.booleans(),  # whether noise is suspected at the end
    ),
    min_size=1,
    max_size=8,
)


@given(phases=PHASES, seed=st.integers(0, 1000))
def test_rate_is_sound_whatever_is_answered(
    phases: list[tuple[float, float, float, int, bool]], seed: int
) -> None:
    chance, rate, now = random.Random(seed), AdaptiveRate(0.1), 100.0
    for throttled, per_s, latency_s, requests, is_suspected in phases:
        for _ in range(requests):
            now += 1 / per_s
            rate.record(now - latency_s, now, is_throttled=chance.random() < throttled)
            assert rate.rate_per_s is None or 0.1 <= rate.rate_per_s < math.inf
            assert 0 <= rate.noise < 1
        if is_suspected:
            rate.suspect_noise(now)
