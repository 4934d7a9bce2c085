"""The table that pacing is held to: against which platform a run is to reach what.

`python -m benchmarks.pace` measures the same rows over real sockets.
"""

import functools
from typing import Final

import attrs

from tests.pacing.simulated import (
    Bucket,
    Limiter,
    Platform,
    Share,
    Unlimited,
    Window,
    simulate,
    worst,
)

KINDS: Final[dict[str, float | None]] = {
    "bucket of 0.05 s": 0.05,
    "bucket of 0.2 s": 0.2,
    "bucket of 1 s": 1.0,
    "fixed window": None,
}
"""Of each kind of limit, how many seconds deep its bucket is."""

SETTLED_S: Final = 30
"""From when on each window of 30 seconds counts."""


@attrs.frozen(kw_only=True)
class Row:
    """A platform and what is wanted of a run against it.

    `depth_s` is the depth of the limit's bucket, `None` for a fixed window of a second.
    `least_good` is a share of the limit, or of what the same platform gives without noise.
    """

    name: str
    limit_per_s: float | None = None
    depth_s: float | None = None
    least_good: float
    most_throttled: float
    noise: float = 0.0
    noise_counts: bool = False
    retry_after_s: float | None = None
    workers: int = 16
    latency_s: float = 0.005
    clients: int = 1
    apart_s: float = 0.0
    least_of_most: float = 0.0
    changes_to: float | None = None
    changes_at_s: int = 40
    follows_within_s: int = 0

    def run(self, seconds: int, *, seed: int = 1) -> Share:
        """The worst window of a run of so many seconds; of one with a change, what follows it."""
        limiter = self._limiter()
        limit_per_s = limiter.per_s or _unlimited_per_s(self.workers, self.latency_s)
        changes = []
        if self.changes_to is not None:
            limit_per_s = self.changes_to
            change = functools.partial(setattr, limiter, "per_s", limit_per_s)
            changes.append((float(self.changes_at_s), change))
        begin_s, seconds, width_s = self.windows(seconds)
        platform = Platform(
            limiter=limiter,
            noise=self.noise,
            noise_counts=self.noise_counts,
            retry_after_s=self.retry_after_s,
        )
        answers = simulate(
            platform,
            seconds,
            workers=self.workers,
            latency_s=self.latency_s,
            clients=self.clients,
            apart_s=self.apart_s,
            seed=seed,
            changes=changes,
        )
        return worst(answers.windows(begin_s, seconds, width_s)).as_share_of(limit_per_s)

    def windows(self, seconds: int) -> tuple[int, int, int]:
        """Of a run of so many seconds: when the windows that count begin and end, their width."""
        if self.changes_to is None:
            return SETTLED_S, seconds, 30
        begin_s = self.changes_at_s + self.follows_within_s
        return begin_s, begin_s + 10, 5

    @classmethod
    def unlimited(cls, row: "Row") -> "Row":
        """A platform with the same latency that throttles nothing."""
        return cls(name="unlimited", latency_s=row.latency_s, least_good=0.0, most_throttled=1.0)

    def _limiter(self) -> Limiter:
        if self.limit_per_s is None:
            return Unlimited()
        if self.depth_s is None:
            return Window(self.limit_per_s)
        return Bucket(self.limit_per_s, self.depth_s)

    def is_met(self, found: Share) -> bool:
        """Whether that is what is wanted; `good_per_s` being a share, as `run` gives it."""
        return (
            found.good_per_s >= self.least_good
            and found.throttled <= self.most_throttled
            and found.least_of_most >= self.least_of_most
        )


@functools.cache
def _unlimited_per_s(workers: int, latency_s: float) -> float:
    answers = simulate(Platform(limiter=Unlimited()), 20, workers=workers, latency_s=latency_s)
    return worst(answers.windows(5, 20, 15)).good_per_s


def noise_rows() -> list[Row]:
    """Platforms without a limit that throttle at random."""
    rows = [
        Row(
            name=f"noise {noise:.0%}{asks}",
            noise=noise,
            retry_after_s=retry_after_s,
            latency_s=0.02,
            least_good=least_good,
            most_throttled=noise + 0.01,
        )
        for noise, least_good, retry_after_s, asks in (
            (0.01, 0.8, None, ""),
            (0.03, 0.8, None, ""),
            (0.10, 0.5, None, ""),
            (0.25, 0.25, None, ""),
            (0.03, 0.5, 1.0, ", Retry-After 1"),
        )
    ]
    return rows


def limit_rows(limits: tuple[int, ...] = (50, 200, 1000)) -> list[Row]:
    """Platforms with a limit."""
    return [
        Row(
            name=f"limit {per_s}, {kind}{asks}",
            limit_per_s=per_s,
            depth_s=depth_s,
            retry_after_s=retry_after_s,
            least_good=0.95,
            most_throttled=0.02,
        )
        for per_s in limits
        for kind, depth_s in KINDS.items()
        for retry_after_s, asks in ((None, ""), (1.0, ", Retry-After 1"))
    ]


def noisy_limit_rows() -> list[Row]:
    """Platforms with a limit that throttle at random besides."""
    return [
        Row(
            name=f"limit 200, {kind}, noise {noise:.0%} {order} it",
            limit_per_s=200,
            depth_s=depth_s,
            noise=noise,
            noise_counts=noise_counts,
            least_good=least_good,
            most_throttled=noise + 0.03,
        )
        for noise, least_good in ((0.03, 0.8), (0.10, 0.5))
        for noise_counts, order in ((False, "before"), (True, "after"))
        for kind, depth_s in KINDS.items()
    ]


def change_rows(limits: tuple[int, ...] = (50, 200, 500)) -> list[Row]:
    """Platforms whose limit doubles, or falls to half again."""
    return [
        Row(
            name=f"limit {before} -> {after}{asks}",
            limit_per_s=before,
            depth_s=0.2,
            retry_after_s=retry_after_s,
            changes_to=after,
            follows_within_s=within_s,
            least_good=0.9,
            most_throttled=1.0,
        )
        for limit in limits
        for before, after, within_s in ((limit, 2 * limit, 20), (2 * limit, limit, 10))
        for retry_after_s, asks in ((None, ""), (1.0, ", Retry-After 1"))
    ]


def shared_limit_rows() -> list[Row]:
    """Platforms with one limit for four clients."""
    return [
        Row(
            name=f"4 clients, limit 200, {kind}{asks}",
            limit_per_s=200,
            depth_s=depth_s,
            retry_after_s=retry_after_s,
            clients=4,
            apart_s=0.3,
            least_good=0.9,
            most_throttled=0.02,
            least_of_most=0.2,
        )
        for kind, depth_s in KINDS.items()
        for retry_after_s, asks in ((None, ""), (1.0, ", Retry-After 1"))
    ]


def all_rows() -> list[Row]:
    """Every row."""
    return [
        *noise_rows(),
        *limit_rows(),
        *noisy_limit_rows(),
        *change_rows(),
        *shared_limit_rows(),
    ]
