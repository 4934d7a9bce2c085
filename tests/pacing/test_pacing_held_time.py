"""For how long requests were held back."""

import math

import pytest

from contactsdk.pacing.held_time import HeldTime


def test_held_time_is_counted_as_it_passes() -> None:
    held = HeldTime()
    held.hold(10.0, 30.0)

    totals = [held.total_s(at) for at in (10.0, 18.0, 26.0, 34.0)]

    assert totals == pytest.approx([0.0, 8.0, 16.0, 20.0])


def test_longer_hold_goes_on_from_where_the_shorter_was() -> None:
    held = HeldTime()
    held.hold(10.0, 20.0)
    held.hold(15.0, 40.0)

    assert held.total_s(50.0) == pytest.approx(30.0)


def test_time_between_two_holds_does_not_count() -> None:
    held = HeldTime()
    held.hold(10.0, 20.0)
    held.hold(30.0, 35.0)

    assert held.total_s(100.0) == pytest.approx(15.0)


def test_hold_without_an_end_lasts_until_it_is_released() -> None:
    held = HeldTime()
    held.hold(10.0, math.inf)
    before = held.total_s(25.0)
    held.hold(40.0, -math.inf)

    assert before == pytest.approx(15.0)
    assert held.total_s(100.0) == pytest.approx(30.0)
