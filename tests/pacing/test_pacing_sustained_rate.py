"""The rate that was kept up for a while."""

import pytest

from contactsdk.pacing.answer_counts import Count, Recent
from contactsdk.pacing.noise import Noise
from contactsdk.pacing.sustained_rate import SustainedRate


def a_second(rate: float, throttled: float) -> Recent:
    """Two seconds in which requests were sent at this rate, and a share of them was throttled."""
    recent = None
    for _ in range(2):
        recent = Recent(rate, recent)
        for n in range(int(rate)):
            recent.add(1 / rate, 1 / rate, n < rate * throttled)
    assert recent is not None
    return recent


def a_sustained_rate(per_s: float = 100.0) -> SustainedRate:
    sustained = SustainedRate()
    sustained.restart(per_s)
    return sustained


def keep(sustained: SustainedRate, rate: float, throttled: float, seconds: int) -> None:
    for _ in range(seconds):
        sustained.follow(rate, a_second(rate, throttled), Noise())


def test_second_in_which_nothing_was_to_be_sent_has_no_rate() -> None:
    recent = Recent(10.0)
    recent.add(1.5, 0.0, False)

    assert recent.sent_per_s == 0.0
    assert not recent.is_telling


def test_no_rate_falls_short_of_none() -> None:
    assert SustainedRate().shortfall(5.0) == 0.0


def test_shortfall_is_the_part_that_is_not_reached() -> None:
    sustained = a_sustained_rate(100.0)

    assert sustained.shortfall(80.0) == pytest.approx(0.2)
    assert sustained.shortfall(120.0) == 0.0


def test_higher_rate_becomes_the_sustained_one_slowly() -> None:
    sustained = a_sustained_rate()
    keep(sustained, 200.0, 0.0, 3)
    assert 100 < sustained.per_s < 130

    keep(sustained, 200.0, 0.0, 60)

    assert sustained.per_s == pytest.approx(200, rel=0.02)


def test_rate_that_is_only_sent_and_throttled_is_not_sustained() -> None:
    sustained = a_sustained_rate()
    keep(sustained, 200.0, 0.5, 60)

    assert sustained.per_s == pytest.approx(100.0)


def test_lower_rate_at_which_nothing_is_throttled_becomes_the_sustained_one_soon() -> None:
    sustained = a_sustained_rate()
    keep(sustained, 50.0, 0.0, 20)

    assert sustained.per_s == pytest.approx(50, rel=0.02)
    assert not sustained.is_doubtful


def test_throttles_that_go_on_at_a_lower_rate_are_doubtful() -> None:
    sustained = a_sustained_rate()
    keep(sustained, 80.0, 0.1, 5)
    assert not sustained.is_doubtful

    keep(sustained, 80.0, 0.1, 2)

    assert sustained.is_doubtful
    assert sustained.below.share == pytest.approx(0.1)
    assert sustained.per_s > 98


def test_few_throttles_are_not_doubtful() -> None:
    sustained = a_sustained_rate(10.0)
    keep(sustained, 8.0, 0.2, 7)

    assert not sustained.is_doubtful


@pytest.mark.parametrize(("rate", "throttled"), [(99.0, 0.1), (80.0, 0.0)])
def test_doubt_ends_when_the_rate_is_back_or_throttles_stop(rate: float, throttled: float) -> None:
    sustained = a_sustained_rate()
    keep(sustained, 80.0, 0.03, 3)
    assert sustained.below.answered == 240

    keep(sustained, rate, throttled, 15)

    assert sustained.below == Count()


def test_throttles_beyond_known_noise_are_a_limit_that_lowers_the_rate() -> None:
    known = Noise()
    known.learn(Count(1000, 100), is_noise=True, before=Count())
    sustained, in_doubt = a_sustained_rate(), a_sustained_rate()
    for _ in range(10):
        sustained.follow(80.0, a_second(80.0, 0.3), known)

    keep(in_doubt, 80.0, 0.3, 10)

    assert sustained.per_s < 95 < in_doubt.per_s


def test_first_rate_counts_only_as_far_as_the_rate_stays_up_at_first() -> None:
    sustained = SustainedRate()
    sustained.begin(400.0)
    keep(sustained, 300.0, 0.5, 2)
    assert sustained.per_s == pytest.approx(300.0)

    keep(sustained, 200.0, 0.1, 1)
    keep(sustained, 150.0, 0.1, 1)

    assert sustained.per_s == pytest.approx(200.0, rel=0.01)


def test_first_rate_returns_if_noise_lowered_it_from_the_beginning() -> None:
    sustained = SustainedRate()
    sustained.begin(400.0)
    for rate in (400.0, 300.0, 200.0, 180.0, 150.0):
        keep(sustained, rate, 0.25, 1)
    assert sustained.per_s < 250

    assert sustained.restore() == pytest.approx(0.9 * 300.0)
    assert sustained.per_s < 250
    assert sustained.below == Count()


def test_first_rate_does_not_return_if_throttles_had_stopped_since() -> None:
    sustained = SustainedRate()
    sustained.begin(400.0)
    keep(sustained, 400.0, 0.25, 1)
    keep(sustained, 200.0, 0.25, 3)
    keep(sustained, 200.0, 0.0, 2)

    assert sustained.restore() == pytest.approx(sustained.per_s)
    assert sustained.per_s < 250


def test_limit_that_was_found_ends_the_first_rate() -> None:
    sustained = SustainedRate()
    sustained.begin(400.0)
    keep(sustained, 200.0, 0.25, 1)

    sustained.restart(100.0)

    assert sustained.restore() == 100.0
