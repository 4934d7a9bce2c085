from typing import Any

import pytest

from contactsdk.sandbox import RateLimit
from contactsdk.sandbox.limits import Limiter


class Clock:
    def __init__(self) -> None:
        self.now = 100.25

    def __call__(self) -> float:
        return self.now


def test_bucket_holds_its_depth_and_fills_at_its_rate() -> None:
    clock = Clock()
    limiter = Limiter(RateLimit(per_s=10, depth_s=0.3), clock)
    assert [limiter.take() for _ in range(4)] == [0, 0, 0, pytest.approx(0.1)]
    clock.now += 0.11
    assert limiter.take() == 0
    assert limiter.take() > 0


def test_bucket_holds_at_least_one_and_never_more_than_its_depth() -> None:
    clock = Clock()
    limiter = Limiter(RateLimit(per_s=1, depth_s=0), clock)
    clock.now += 1000
    assert limiter.take() == 0
    assert limiter.take() == pytest.approx(1)


def test_window_starts_anew_with_each_whole_second() -> None:
    clock = Clock()
    limiter = Limiter(RateLimit(per_s=2, window=True), clock)
    assert [limiter.take() for _ in range(3)] == [0, 0, 0.75]
    clock.now = 101.0
    assert limiter.take() == 0


@pytest.mark.parametrize("wrong", [{"per_s": 0}, {"depth_s": -1}])
def test_limit_out_of_range_is_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=next(iter(wrong))):
        RateLimit(**wrong)
