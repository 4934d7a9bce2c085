"""A lease by itself, and the clock that its local deadline goes by."""

import math
import time

import pytest

from contactsdk.journal import lease
from contactsdk.journal.lease import Lease, LeaseEnds, clock_s


def test_lease_is_good_for_its_time_from_when_it_was_asked_for() -> None:
    taken = Lease.taken(3, 30.0, asked_at=100.0)

    assert taken.epoch == 3
    assert taken.is_good(129.9)
    assert not taken.is_good(130.0)


def test_extended_lease_is_good_from_when_the_extension_was_asked_for() -> None:
    taken = Lease.taken(1, 30.0, asked_at=100.0)
    taken.extend(asked_at=120.0)

    assert taken.is_good(149.9)
    assert not taken.is_good(150.0)


def test_lost_lease_is_never_good() -> None:
    taken = Lease.taken(1, 30.0, asked_at=100.0)
    taken.lose()

    assert not taken.is_good(0.0)


def test_clock_counts_the_time_in_which_the_machine_sleeps(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(time, "clock_gettime", lambda clock: {7: 5.0}[clock], raising=False)
    monkeypatch.setattr(lease, "_CLOCK", 7)

    assert clock_s() == 5.0


def test_machine_without_such_a_clock_goes_by_the_monotonic_one(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(time, "monotonic", lambda: 9.0)
    monkeypatch.setattr(lease, "_CLOCK", None)

    assert clock_s() == 9.0


def test_end_that_counts_is_the_first_from_an_epoch_on() -> None:
    ends = LeaseEnds([(2, 10.0), (5, 30.0)])

    assert [ends.until(epoch) for epoch in range(1, 7)] == [10, 10, 30, 30, 30, -math.inf]
    assert LeaseEnds().until(1) == -math.inf
