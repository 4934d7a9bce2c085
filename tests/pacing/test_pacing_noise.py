"""Throttles at random: what a trial finds, and what is known of them afterwards."""

import itertools
import random

import pytest

from contactsdk.pacing.answer_counts import Count
from contactsdk.pacing.noise import Noise, NoiseTrial

NOTHING = Count()


def a_noise(throttled: int = 100, answered: int = 1000) -> Noise:
    """As a trial with these answers left it."""
    noise = Noise()
    noise.learn(Count(answered, throttled), is_noise=True, before=NOTHING)
    return noise


def a_trial(
    answers: str, *, former_share: float = 0.1, longest_s: float = 10.0, earlier: Count = NOTHING
) -> NoiseTrial:
    """A trial that has ended: `answers`, a hundred a second, again and again."""
    trial = NoiseTrial(0.0, former_share, longest_s, earlier)
    for n in range(6_000):
        now = 1.01 + n / 100
        if trial.record(now - 0.005, now, is_throttled=answers[n % len(answers)] == "x"):
            return trial
    pytest.fail("the trial was not over after a minute")


def test_as_many_throttles_at_the_lower_rate_are_noise() -> None:
    trial = a_trial("x.........")

    assert trial.is_noise
    assert trial.count.share == pytest.approx(0.1, abs=0.01)


@pytest.mark.parametrize("answers", [".", "x" + 299 * ".", "x" + 39 * "."])
def test_fewer_throttles_at_the_lower_rate_are_not_noise(answers: str) -> None:
    assert a_trial(answers, former_share=0.2).is_noise is False


def test_limit_is_found_sooner_than_noise() -> None:
    limit, noise = a_trial("."), a_trial("x.........")

    assert limit.count.answered < noise.count.answered
    assert noise.count.answered > 300


def test_burst_of_throttles_is_not_noise() -> None:
    trial = a_trial(120 * "." + 50 * "x" + 830 * ".")

    assert trial.count.throttled == 50
    assert trial.is_noise is False


def test_trial_in_which_hardly_anything_gets_through_is_no_noise() -> None:
    assert a_trial("xxxxxxxxx.", former_share=0.9).is_noise is False


def test_answers_of_earlier_trials_alone_are_no_noise() -> None:
    trial = a_trial(".", longest_s=4.0, earlier=Count(72, 30))

    assert trial.is_noise is None


def test_trial_ends_when_its_time_is_up() -> None:
    trial = a_trial("x" + 23 * ".", longest_s=3.0)

    assert trial.is_noise is None
    assert trial.count.answered in (300, 301)


@pytest.mark.parametrize("answers", [".", "x" + 49 * "."])
def test_too_few_answers_tell_nothing(answers: str) -> None:
    assert a_trial(answers, former_share=0.02, longest_s=3.0).is_noise is None


def test_answers_of_earlier_trials_count_too() -> None:
    trial = a_trial("x" + 49 * ".", former_share=0.02, longest_s=3.0, earlier=Count(300, 6))

    assert trial.is_noise
    assert trial.count == Count(600, 12)


def test_throttles_that_are_seconds_apart_are_no_burst() -> None:
    trial = NoiseTrial(0.0, 0.05, 12.0, Count(100, 5))
    numbers = itertools.count(1)
    while not trial.record(10.0, 1.0 + (n := next(numbers)) / 5, is_throttled=n % 20 == 0):
        pass

    # Two throttles in seven seconds and more: not one in every other second, and yet no burst.
    assert trial.count.throttled == 7
    assert trial.is_noise


def test_few_throttles_of_many_expected_are_a_limit_hardly_ever_by_chance() -> None:
    wrong = 0
    for seed in range(1000):
        chance, trial, now = random.Random(seed), NoiseTrial(0.0, 0.05, 20.0, NOTHING), 1.0
        while not trial.record(now, now, is_throttled=chance.random() < 0.05):
            now += 1 / 50
        wrong += trial.is_noise is False

    assert wrong <= 5


def test_answers_from_before_the_trial_and_of_its_first_second_do_not_count() -> None:
    trial = NoiseTrial(10.0, 0.5, 1.0, NOTHING)

    assert not trial.record(9.9, 20.0, is_throttled=True)
    assert not trial.record(10.9, 20.0, is_throttled=True)

    assert trial.count == NOTHING


def test_nothing_is_known_before_a_trial() -> None:
    noise = Noise()
    noise.check(Count(1000, 900))

    assert noise.share == 0.0
    assert 0 < noise.tolerated < 0.01


def test_a_little_more_than_the_noise_is_tolerated() -> None:
    noise = a_noise()

    assert 0.11 < noise.tolerated < 0.13


def test_answers_before_the_first_trial_make_it_more_exact() -> None:
    noise = Noise()

    is_confirmed = noise.learn(Count(100, 12), is_noise=True, before=Count(100, 8))

    assert not is_confirmed
    assert noise.share == pytest.approx(0.1)


def test_throttles_of_a_limit_before_the_first_trial_do_not_count_for_much() -> None:
    noise = Noise()

    noise.learn(Count(100, 10), is_noise=True, before=Count(10_000, 1_600))

    assert noise.share == pytest.approx(0.13)


def test_answers_before_the_first_trial_that_are_not_alike_do_not_count() -> None:
    noise = Noise()
    noise.learn(Count(100, 12), is_noise=True, before=Count(900, 450))

    assert noise.share == pytest.approx(0.12)


def test_trial_that_confirms_noise_makes_it_more_exact() -> None:
    noise = a_noise()

    assert noise.learn(Count(1000, 110), is_noise=True, before=NOTHING)

    assert noise.share == pytest.approx(0.105)


def test_throttles_before_a_later_trial_count_too_if_they_are_alike() -> None:
    noise = a_noise()

    assert noise.learn(Count(200, 26), is_noise=True, before=Count(200, 32))

    assert noise.share == pytest.approx((100 + 26 + 16) / (1000 + 200 + 100))


def test_trials_that_find_another_share_are_believed_in_the_end() -> None:
    noise = a_noise()

    assert not noise.learn(Count(1000, 300), is_noise=True, before=Count(1000, 100))
    assert noise.share == pytest.approx(0.23, abs=0.01)

    for _ in range(4):
        noise.learn(Count(1000, 300), is_noise=True, before=NOTHING)
    assert noise.share == pytest.approx(0.3, abs=0.02)


def test_trial_that_finds_hardly_any_throttles_ends_the_noise() -> None:
    noise = a_noise()

    assert not noise.learn(Count(500, 2), is_noise=False, before=NOTHING)

    assert noise.share == 0.0


def test_trial_with_few_throttles_lowers_the_noise_and_does_not_end_it() -> None:
    noise = a_noise()

    assert not noise.learn(Count(500, 15), is_noise=False, before=NOTHING)

    assert noise.share == pytest.approx(0.065)


def test_burst_in_a_trial_tells_nothing_about_known_noise() -> None:
    noise = a_noise()

    assert not noise.learn(Count(500, 100), is_noise=False, before=NOTHING)

    assert noise.share == pytest.approx(0.1)


def test_many_trials_do_not_keep_noise_from_being_less_later() -> None:
    noise = a_noise()
    for _ in range(60):
        noise.learn(Count(500, 50), is_noise=True, before=NOTHING)

    for _ in range(10):
        noise.learn(Count(500, 35), is_noise=True, before=NOTHING)

    assert noise.share < 0.08


def test_first_trial_that_finds_a_limit_finds_no_noise() -> None:
    noise = Noise()

    assert not noise.learn(Count(500, 15), is_noise=False, before=Count(500, 100))

    assert noise.share == 0.0


def test_noise_that_was_taken_for_more_than_it_is_becomes_less() -> None:
    noise = a_noise()
    for _ in range(3):
        noise.check(Count(100, 3))
    assert 0.05 < noise.share < 0.09

    for _ in range(60):
        noise.check(Count(100, 3))

    assert 0.025 < noise.share < 0.05


@pytest.mark.parametrize("known", [Count(1000, 100), Count(50, 5)])
def test_noise_that_is_over_is_none(known: Count) -> None:
    noise = a_noise(known.throttled, known.answered)
    for _ in range(10):
        noise.check(Count(100, 0))

    assert noise.share == 0.0


def test_noise_that_is_hardly_known_becomes_more_exact_with_time() -> None:
    noise = a_noise(12, 100)
    for _ in range(10):
        noise.check(Count(100, 10))

    assert noise.share == pytest.approx(0.1, abs=0.005)


def test_strong_noise_takes_more_throttles_to_be_known_well() -> None:
    noise = a_noise(110, 500)
    for _ in range(40):
        noise.check(Count(100, 25))

    assert noise.share == pytest.approx(0.25, abs=0.01)


def test_noise_that_is_known_well_stays_as_it_is() -> None:
    noise = a_noise(1000, 10_000)
    for _ in range(10):
        noise.check(Count(100, 9))

    assert noise.share == pytest.approx(0.1)


def test_throttles_of_a_limit_are_not_taken_for_noise() -> None:
    noise = a_noise(12, 100)
    for _ in range(10):
        noise.check(Count(100, 40))

    assert noise.share == pytest.approx(0.12)
