"""Platforms and clients of which time itself is simulated, to see how fast a run goes.

A client has so many workers, which send contacts as fast as its pacer lets them leave; whoever is
throttled is sent again. What an event loop and the network do is reduced to three numbers: a client
sends at most `MOST_PER_S`, its timers are late by up to a millisecond, and answers take a latency
that varies by a tenth. Nothing waits for real, and the same seed gives the same run.
"""

import heapq
import itertools
import random
from collections.abc import Callable, Iterable, Iterator
from typing import Final, Protocol, TypeAlias

import attrs

from contactsdk.errors import RateLimitedError
from contactsdk.pacing import Pacer

MOST_PER_S: Final = 3000
_TIMER_S: Final = 0.001
_BASE_S: Final = 0.5
_MAX_WAIT_S: Final = 30.0
_MOST_WAITING: Final = 64


class Limiter(Protocol):
    """What a platform lets through."""

    per_s: float

    def lets_through(self, at: float) -> bool:
        """Whether a request that arrives then is let through, which it counts."""


@attrs.define
class Unlimited:
    """Everything."""

    per_s: float = 0.0

    def lets_through(self, at: float) -> bool:
        return True


@attrs.define
class Bucket:
    """As many tokens as flow in a second, and what a bucket of `depth_s` seconds of them holds."""

    per_s: float
    depth_s: float
    tokens: float = attrs.field(init=False, default=0.0)
    at: float = attrs.field(init=False, default=-60.0)

    def lets_through(self, at: float) -> bool:
        at = max(at, self.at)
        depth = max(1.0, self.per_s * self.depth_s)
        self.tokens = min(depth, self.tokens + (at - self.at) * self.per_s)
        self.at = at
        if self.tokens < 1:
            return False
        self.tokens -= 1
        return True


@attrs.define
class Window:
    """So many in each whole second."""

    per_s: float
    second: int = attrs.field(init=False, default=-1)
    taken: int = attrs.field(init=False, default=0)

    def lets_through(self, at: float) -> bool:
        if int(at) > self.second:
            self.second, self.taken = int(at), 0
        self.taken += 1
        return self.taken <= self.per_s


@attrs.frozen(kw_only=True)
class Platform:
    """A limit, and noise: a share that is throttled at random, before or after the limit counts."""

    limiter: Limiter
    noise: float = 0.0
    noise_counts: bool = False
    retry_after_s: float | None = None

    def is_throttled(self, at: float, chance: random.Random) -> bool:
        is_noise = self.noise > 0 and chance.random() < self.noise
        if is_noise and not self.noise_counts:
            return True
        return not self.limiter.lets_through(at) or is_noise


@attrs.frozen
class Answers:
    """How many requests succeeded and were throttled in each second, for each client."""

    succeeded: list[list[int]]
    throttled: list[list[int]]
    pacers: list[Pacer]

    def windows(self, begin_s: int, end_s: int, width_s: int = 30) -> Iterator["Share"]:
        """What came of each window of so many seconds, begun every five seconds."""
        for start in range(begin_s, end_s - width_s + 1, min(5, width_s)):
            window = slice(start, start + width_s)
            each = [sum(seconds[window]) for seconds in self.succeeded]
            throttled = sum(sum(seconds[window]) for seconds in self.throttled)
            yield Share(
                good_per_s=sum(each) / width_s,
                throttled=throttled / max(1, throttled + sum(each)),
                least_of_most=min(each) / max(1, max(each)),
            )


@attrs.frozen(kw_only=True)
class Share:
    """Of a window: how many a second succeeded, what share was throttled, how unequal clients are.

    `least_of_most` is what the client with the least got of what the client with the most did.
    """

    good_per_s: float
    throttled: float
    least_of_most: float

    def as_share_of(self, limit_per_s: float) -> "Share":
        """The same, with `good_per_s` as a share of this."""
        return attrs.evolve(self, good_per_s=self.good_per_s / limit_per_s)


def worst(windows: Iterable[Share]) -> Share:
    """The worst of each."""
    seen = list(windows)
    return Share(
        good_per_s=min(window.good_per_s for window in seen),
        throttled=max(window.throttled for window in seen),
        least_of_most=min(window.least_of_most for window in seen),
    )


@attrs.define(eq=False)
class _Client:
    pacer: Pacer
    free: int
    waiting: list[tuple[float, int]] = attrs.field(factory=list)
    """Of each contact that waits: until when, and how often it was throttled in a row."""
    sent_until: float = 0.0
    arrived_until: float = 0.0
    looks_at: float | None = None


_Event: TypeAlias = tuple[float, int, _Client, float | None, bool, int]
"""When, a number to tell those of one time apart, whose; then of an answer: the turn of its
request, whether it was throttled, and how often its contact had been in a row before."""


def simulate(
    platform: Platform,
    seconds: int,
    *,
    workers: int = 16,
    latency_s: float = 0.005,
    clients: int = 1,
    apart_s: float = 0.0,
    seed: int = 1,
    changes: Iterable[tuple[float, Callable[[], None]]] = (),
) -> Answers:
    """Run clients, which start so many seconds apart, against the platform.

    Each of `changes` is called at its time.
    """
    simulation = _Simulation(platform, workers, latency_s, random.Random(seed))
    return simulation.run(seconds, clients, apart_s, list(changes))


class _Simulation:
    def __init__(
        self, platform: Platform, workers: int, latency_s: float, chance: random.Random
    ) -> None:
        self._platform = platform
        self._workers = workers
        self._latency_s = latency_s
        self._chance = chance
        self._now = 0.0
        self._events: list[_Event] = []
        self._numbers = itertools.count()
        self._most_waiting = max(_MOST_WAITING, 4 * workers)

    def run(
        self,
        seconds: int,
        clients: int,
        apart_s: float,
        changes: list[tuple[float, Callable[[], None]]],
    ) -> Answers:
        everyone = [self._client() for _ in range(clients)]
        for number, client in enumerate(everyone):
            self._look(client, number * apart_s)
        index = {client: number for number, client in enumerate(everyone)}
        succeeded = [[0] * (seconds + 1) for _ in everyone]
        throttled = [[0] * (seconds + 1) for _ in everyone]
        while True:
            self._now, _, client, turn, is_throttled, in_a_row = heapq.heappop(self._events)
            if self._now >= seconds:
                return Answers(succeeded, throttled, [each.pacer for each in everyone])
            while changes and self._now >= changes[0][0]:
                changes.pop(0)[1]()
            if turn is None:
                if self._now != client.looks_at:
                    continue  # it has looked earlier since, and would look ever more often
                client.looks_at = None
            else:
                (throttled if is_throttled else succeeded)[index[client]][int(self._now)] += 1
                self._answered(client, turn, is_throttled, in_a_row)
            self._send_what_may_be_sent(client)

    def _client(self) -> _Client:
        pacer = Pacer(
            base_s=_BASE_S,
            max_wait_s=_MAX_WAIT_S,
            clock=lambda: self._now,
            random=self._chance.random,
        )
        return _Client(pacer, self._workers)

    def _look(self, client: _Client, at: float) -> None:
        if client.looks_at is None or at < client.looks_at - _TIMER_S:
            client.looks_at = at
            heapq.heappush(self._events, (at, next(self._numbers), client, None, False, 0))

    def _answered(self, client: _Client, turn: float, is_throttled: bool, in_a_row: int) -> None:
        client.free += 1
        if not is_throttled:
            client.pacer.record_result(turn, None)
            return
        in_a_row += 1
        asked_s = self._platform.retry_after_s
        client.pacer.record_result(
            turn, RateLimitedError("slow down", retry_after_s=asked_s), in_a_row=in_a_row
        )
        wait_s = asked_s or 0.0
        if in_a_row > 2:
            longest = min(_BASE_S * 2.0 ** (in_a_row - 3), _MAX_WAIT_S)
            wait_s = max(wait_s, self._chance.random() * longest)
        heapq.heappush(client.waiting, (self._now + wait_s, in_a_row))

    def _send_what_may_be_sent(self, client: _Client) -> None:
        while client.free:
            is_due = bool(client.waiting) and client.waiting[0][0] <= self._now
            if not is_due and len(client.waiting) >= self._most_waiting:
                self._look(client, client.waiting[0][0])
                return
            turn = client.pacer.acquire_nowait()
            if turn is None:
                if client.pacer.ready_at < float("inf"):
                    self._look(client, client.pacer.ready_at + self._chance.random() * _TIMER_S)
                return
            self._send(client, turn, heapq.heappop(client.waiting)[1] if is_due else 0)

    def _send(self, client: _Client, turn: float, in_a_row: int) -> None:
        client.free -= 1
        client.sent_until = max(client.sent_until, self._now) + 1 / MOST_PER_S
        way_s = self._latency_s * (0.4 + 0.2 * self._chance.random())
        client.arrived_until = max(client.arrived_until, client.sent_until + way_s)
        is_throttled = self._platform.is_throttled(client.arrived_until, self._chance)
        back_at = client.arrived_until + self._latency_s / 2
        number = next(self._numbers)
        heapq.heappush(self._events, (back_at, number, client, turn, is_throttled, in_a_row))
