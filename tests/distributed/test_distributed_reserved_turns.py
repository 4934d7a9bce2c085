"""Turns that a process has reserved, by themselves."""

import bisect
import math
import random
from collections.abc import Callable

import pytest

from contactsdk.distributed.reserved_turns import (
    BLOCK_S,
    TOLERANCE_S,
    ReservedTurns,
    block_size,
    spacing_s,
    tolerance_s,
)


def turns_of(rate_per_s: float, *, first_at: float = 0.0, count: int = 1) -> ReservedTurns:
    turns = ReservedTurns(rate_per_s)
    turns.add(first_at, count)
    return turns


def test_each_turn_lets_one_request_leave_when_its_time_has_come() -> None:
    turns = turns_of(50.0, first_at=10.0, count=2)

    assert not turns.take(9.99)
    assert turns.take(10.0)
    assert not turns.take(10.0)
    assert turns.next_at(10.0) == pytest.approx(10.0 + spacing_s(50.0))
    assert turns.take(10.0 + spacing_s(50.0))
    assert turns.next_at(11.0) is None
    assert turns.thrown_away == 0


def test_turn_that_nobody_used_in_time_is_thrown_away() -> None:
    turns = turns_of(50.0, first_at=10.0, count=2)

    assert turns.next_at(10.0 + 1.01 * TOLERANCE_S) == pytest.approx(10.0 + spacing_s(50.0))
    assert turns.thrown_away == 1
    assert len(turns) == 1


def test_request_may_be_late_by_the_tolerance() -> None:
    assert turns_of(50.0, first_at=10.0).take(10.0 + TOLERANCE_S)


@pytest.mark.parametrize("rate_per_s", [0.01, 0.1, 0.5, 0.97, 1.0, 1.5, 2.0, 7.3, 50.0, 333.3])
def test_no_second_has_more_than_the_ceiling_however_late_requests_are(rate_per_s: float) -> None:
    chance, late = random.Random(5), tolerance_s(rate_per_s)
    turns = [number * spacing_s(rate_per_s) for number in range(int(10 * rate_per_s) + 30)]
    kinds: list[Callable[[], float]] = [
        lambda: chance.random() * late,
        lambda: chance.choice([0.0, late]),
    ]
    for lateness in kinds:
        times = sorted(at + lateness() for at in turns)

        most = max(bisect.bisect_left(times, at + 1 - 1e-6) - n for n, at in enumerate(times))
        assert most <= math.ceil(rate_per_s)


@pytest.mark.parametrize(
    ("rate_per_s", "wanted", "usable_per_s", "size"),
    [
        (200.0, 32, None, 9),  # what is due within a block
        (200.0, 3, None, 3),  # no more than wait
        (200.0, 32, 300.0, 9),  # the process is fast enough for all
        (200.0, 32, 100.0, 4),  # the fourth is 19.6 ms late
        (200.0, 32, 20.0, 1),
        (0.1, 32, None, 1),
        (1e9, 32, None, 32),
    ],
)
def test_no_more_turns_are_reserved_than_can_be_used(
    rate_per_s: float, wanted: int, usable_per_s: float | None, size: int
) -> None:
    assert block_size(rate_per_s, wanted, usable_per_s) == size


def test_block_lasts_no_longer_than_it_may() -> None:
    assert block_size(1000.0, 10**6, None) * spacing_s(1000.0) <= BLOCK_S
