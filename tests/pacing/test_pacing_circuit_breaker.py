"""When requests are held back, and when one of them probes."""

import pytest

from contactsdk.pacing.circuit_breaker import BreakerState, CircuitBreaker


def a_breaker(*, failures: int = 3, over_s: float = 0.0, random: float = 1.0) -> CircuitBreaker:
    return CircuitBreaker(
        failures=failures, over_s=over_s, base_s=0.5, max_wait_s=30.0, random=lambda: random
    )


def opened(at: float = 10.0, asked_s: float = 0.0) -> CircuitBreaker:
    breaker = a_breaker()
    for _ in range(3):
        breaker.record_failure(at - 1, at, asked_s=asked_s)
    return breaker


def test_breaker_opens_after_a_number_of_failures_in_a_row() -> None:
    breaker = a_breaker()
    states = []
    for _ in range(3):
        breaker.record_failure(9.0, 10.0)
        states.append(breaker.state)

    assert states == [BreakerState.CLOSED, BreakerState.CLOSED, BreakerState.OPEN]


def test_answer_between_failures_starts_the_count_anew() -> None:
    breaker = a_breaker()
    for _ in range(10):
        breaker.record_failure(9.0, 10.0)
        breaker.record_failure(9.0, 10.0)
        breaker.record_answer()

    assert breaker.state is BreakerState.CLOSED


def test_failures_within_too_short_a_time_do_not_open_it() -> None:
    breaker = a_breaker(over_s=1.0)
    for _ in range(100):
        breaker.record_failure(9.0, 10.0)
    before = breaker.state
    breaker.record_failure(10.5, 11.0)

    assert before is BreakerState.CLOSED
    assert breaker.state is BreakerState.OPEN


def test_probes_wait_longer_and_longer_up_to_the_maximum() -> None:
    breaker = opened(at=10.0)
    now, waits = 10.0, []
    for _ in range(8):
        waits.append(breaker.probe_at - now)
        now = breaker.probe_at
        breaker.begin_probe(now)
        breaker.record_failure(now, now)

    assert waits == pytest.approx([0.5, 1.0, 2.0, 4.0, 8.0, 16.0, 30.0, 30.0])


def test_waits_are_fully_jittered() -> None:
    breaker = a_breaker(failures=1, random=0.25)
    breaker.record_failure(9.0, 10.0)

    assert breaker.probe_at == pytest.approx(10.125)


def test_wait_that_the_platform_asked_for_is_kept() -> None:
    assert opened(at=10.0, asked_s=7.0).probe_at == pytest.approx(17.0)


def test_waits_are_short_again_after_an_answer() -> None:
    breaker = opened()
    for at in (20.0, 30.0):
        breaker.begin_probe(at)
        breaker.record_failure(at, at)
    breaker.record_answer()
    for _ in range(3):
        breaker.record_failure(40.0, 40.0)

    assert breaker.probe_at == pytest.approx(40.5)


def test_only_the_probe_reopens_it() -> None:
    breaker = opened(at=10.0)
    breaker.begin_probe(11.0)
    breaker.record_failure(9.0, 12.0)

    assert breaker.state is BreakerState.HALF_OPEN


def test_failure_from_before_it_opened_does_not_count_after_it_closed() -> None:
    breaker = opened(at=10.0)
    breaker.record_answer()
    for _ in range(10):
        breaker.record_failure(9.5, 11.0)

    assert breaker.state is BreakerState.CLOSED


def test_abandoned_probe_makes_way_for_the_next() -> None:
    breaker = opened(at=10.0)
    breaker.begin_probe(11.0)
    breaker.abandon(11.0)

    assert breaker.state is BreakerState.OPEN
    assert breaker.probe_at <= 11.0


def test_no_other_request_can_be_abandoned_in_place_of_the_probe() -> None:
    breaker = opened(at=10.0)
    breaker.begin_probe(11.0)
    breaker.abandon(9.5)

    assert breaker.state is BreakerState.HALF_OPEN


def test_nothing_probes_a_closed_breaker() -> None:
    breaker = a_breaker()
    breaker.begin_probe(1.0)

    assert breaker.state is BreakerState.CLOSED
