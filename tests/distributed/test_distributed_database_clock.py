"""What a process knows of the clock of a database."""

import random

import pytest

from contactsdk.distributed.database_clock import DatabaseClock


def test_time_of_the_database_is_taken_to_be_in_the_middle_of_an_answer() -> None:
    clock = DatabaseClock()
    clock.record(100.0, 5000.0, 100.5)

    assert clock.local(5000.0) == 100.25
    assert clock.local(5010.0) == 110.25


def test_quickest_answer_counts() -> None:
    clock = DatabaseClock()
    clock.record(100.0, 5000.0, 100.5)
    clock.record(101.0, 5001.1, 101.002)
    clock.record(102.0, 5002.3, 102.8)

    assert clock.local(5001.1) == pytest.approx(101.001)


def test_it_is_off_by_half_of_the_quickest_answer_at_most() -> None:
    chance, clock = random.Random(3), DatabaseClock()
    for number in range(100):
        asked_at, there_s, back_s = float(number), chance.random() / 10, chance.random() / 10
        clock.record(asked_at, asked_at + there_s + 77.0, asked_at + there_s + back_s)
        if number == 0:
            quickest = there_s + back_s
        quickest = min(quickest, there_s + back_s) if number < 16 else 0.2

        assert abs(clock.local(77.0)) <= quickest / 2 + 1e-9


def test_old_answers_are_forgotten_since_clocks_drift() -> None:
    clock = DatabaseClock()
    clock.record(0.0, 5000.0, 0.001)
    for number in range(1, 17):
        clock.record(float(number), 5000.015 + number, number + 0.03)

    assert clock.local(5000.0) == pytest.approx(0.0)


@pytest.mark.parametrize("step_s", [3600.0, -3600.0, 0.5, -0.5])
def test_clock_that_was_set_is_believed_at_once(step_s: float) -> None:
    clock = DatabaseClock()
    clock.record(0.0, 5000.0, 0.001)
    clock.record(1.0, 5001.0 + step_s, 1.4)

    assert clock.local(5001.0 + step_s) == pytest.approx(1.2)
