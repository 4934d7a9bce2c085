"""Throttles at random: what a trial finds, and what is known of them afterwards."""

import pytest

from contactsdk.pacing.answer_counts import Count
from contactsdk.pacing.noise import Noise, NoiseTrial

NOTHING = Count()


def a_noise(throttled: int = 100, answered: int = 1000) -> Noise:
    """As a trial with these answers left it."""
    noise = Noise()
    noise.learn(Count(answered, throttled), NOTHING)
    return noise


def found(
    answers: str, *, former_share: float = 0.1, longest_s: float = 6.0, earlier: Count = NOTHING
) -> Count | None:
    """What a trial finds of answers, a hundred a second, again and again, after `earlier` ones."""
    trial = NoiseTrial(0.0, former_share, longest_s, earlier)
    for n in range(6_000):
        now = 1.01 + n / 100
        if trial.record(now - 0.005, now, is_throttled=answers[n % len(answers)] == "x"):
            return trial.verdict
    pytest.fail("the trial was not over after a minute")


def test_as_many_throttles_at_the_lower_rate_are_noise() -> None:
    count = found("x.........")

    assert count is not None
    assert count.share == pytest.approx(0.1, abs=0.01)


@pytest.mark.parametrize("answers", [".", "x" + 299 * ".", "x" + 39 * "."])
def test_fewer_throttles_at_the_lower_rate_are_not_noise(answers: str) -> None:
    assert found(answers, former_share=0.2) == NOTHING


def test_burst_of_throttles_is_not_noise() -> None:
    assert found(400 * "." + 50 * "x" + 150 * ".") == NOTHING


def test_trial_ends_when_its_time_is_up() -> None:
    assert found("x" + 59 * ".", longest_s=3.0) == NOTHING
    assert found("x" + 11 * ".", longest_s=1.0) == Count(100, 9)


def test_too_few_throttles_tell_nothing() -> None:
    assert found("x" + 49 * ".", former_share=0.02, longest_s=3.0) is None
    assert found(".", former_share=0.02, longest_s=2.0) is None


def test_answers_of_earlier_trials_count_too() -> None:
    answers = "x" + 49 * "."

    count = found(answers, former_share=0.02, longest_s=3.0, earlier=Count(300, 6))

    assert count == Count(600, 12)


def test_throttles_that_are_seconds_apart_are_no_burst() -> None:
    trial = NoiseTrial(0.0, 0.05, 12.0, Count(100, 6))
    is_over = False
    for n in range(1, 80):
        now = 1.0 + n / 5
        is_over = is_over or trial.record(now - 0.1, now, is_throttled=n % 20 == 0)

    assert is_over
    assert trial.verdict is not None
    assert trial.verdict.throttled >= 8


@pytest.mark.parametrize("throttled", [0, 1])
def test_no_throttle_or_one_of_several_expected_ends_a_trial_as_a_limit(throttled: int) -> None:
    trial = NoiseTrial(0.0, 0.05, 60.0, NOTHING)
    numbers = iter(range(1, 2400))
    while not trial.record(1.0, 1.0 + (n := next(numbers)) / 40, is_throttled=n <= throttled):
        pass

    assert trial.count.answered < 200
    assert trial.verdict == NOTHING


def test_trial_of_few_requests_takes_longer_if_it_may() -> None:
    answers = "x" + 49 * "."

    short = found(answers, former_share=0.02, longest_s=5.0)
    long = found(answers, former_share=0.02, longest_s=60)

    assert short is not None
    assert long is not None
    assert short.answered <= long.answered
    assert long.throttled == 16


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

    is_confirmed = noise.learn(Count(100, 12), Count(900, 78))

    assert not is_confirmed
    assert noise.share == pytest.approx(0.09)


def test_answers_before_the_first_trial_that_are_not_alike_do_not_count() -> None:
    noise = Noise()
    noise.learn(Count(100, 12), Count(900, 450))

    assert noise.share == pytest.approx(0.12)


def test_trial_that_confirms_noise_makes_it_more_exact() -> None:
    noise = a_noise()

    assert noise.learn(Count(1000, 110), NOTHING)

    assert noise.share == pytest.approx(0.105)


def test_trials_that_find_another_share_are_believed_in_the_end() -> None:
    noise = a_noise()

    assert not noise.learn(Count(1000, 300), Count(1000, 100))
    assert noise.share == pytest.approx(0.23, abs=0.01)

    for _ in range(4):
        noise.learn(Count(1000, 300), NOTHING)
    assert noise.share == pytest.approx(0.3, abs=0.02)


def test_trial_that_finds_no_noise_ends_it() -> None:
    noise = a_noise()

    assert not noise.learn(NOTHING, NOTHING)

    assert noise.share == 0.0


def test_noise_that_was_taken_for_more_than_it_is_becomes_less() -> None:
    noise = a_noise()
    for _ in range(10):
        noise.check(Count(100, 3))

    assert 0.02 < noise.share < 0.04


def test_noise_that_is_over_is_none() -> None:
    noise = a_noise()
    for _ in range(10):
        noise.check(Count(100, 0))

    assert noise.share == 0.0


def test_noise_that_is_hardly_known_becomes_more_exact_with_time() -> None:
    noise = a_noise(12, 100)
    for _ in range(10):
        noise.check(Count(100, 10))

    assert noise.share == pytest.approx(0.1, abs=0.005)


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
