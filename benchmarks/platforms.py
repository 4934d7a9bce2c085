"""Platforms in a process of their own, so that they do not share the client's core."""

import asyncio
import contextlib
import gc
import itertools
import multiprocessing
import time
from collections import deque
from collections.abc import Iterator
from multiprocessing.connection import Connection

from attrs import define, field, frozen

from contactsdk.sandbox import Answer, Fault, RateLimit, Request, Sandbox, Write


@frozen
class Setting:
    """What a sandbox is set to, from `at_s` after its first request on."""

    at_s: float = 0.0
    rate_limit: RateLimit | None = None
    latency_s: float = 0.0
    mix: tuple[float, tuple[Fault, ...]] | None = None
    is_up: bool = True


@define
class Platform:
    """A sandbox in another process; `answers` has the time and error code of each, once stopped."""

    url: str
    key: str
    secret: str
    _pipe: Connection
    answers: list[tuple[float, int | None]] = field(factory=list)

    def stop(self) -> None:
        """Fetch the answers and end the process."""
        self._pipe.send(None)
        self.answers = self._pipe.recv()


@contextlib.contextmanager
def sandbox(*settings: Setting) -> Iterator[Platform]:
    """A sandbox that goes through `settings`, the first at once."""
    here, there = multiprocessing.Pipe()
    context = multiprocessing.get_context("spawn")
    process = context.Process(target=_serve, args=(there, settings), daemon=True)
    process.start()
    url, key, secret = here.recv()
    platform = Platform(url, key, secret, here)
    try:
        yield platform
        if not platform.answers:
            platform.stop()
    finally:
        process.join(10)
        process.kill()


def _serve(pipe: Connection, settings: tuple[Setting, ...]) -> None:
    # A full garbage collection among 300,000 contacts would stop the platform for most of a second.
    gc.set_threshold(700, 10, 1_000_000)
    asyncio.run(_serve_until_told(pipe, settings))


async def _serve_until_told(pipe: Connection, settings: tuple[Setting, ...]) -> None:
    platform = Sandbox()
    requests = _Requests()
    platform.ledger.requests = requests
    platform.ledger.writes = _Nothing()
    await platform.start()
    await _set(platform, settings[0], was_up=True)
    pipe.send((platform.url, platform.key, platform.secret))
    changes = asyncio.create_task(_go_through(platform, settings, requests))
    while not pipe.poll():
        await asyncio.sleep(0.05)
    pipe.recv()
    changes.cancel()
    pipe.send(requests.answers())
    await platform.stop()


async def _go_through(
    platform: Sandbox, settings: tuple[Setting, ...], requests: "_Requests"
) -> None:
    while not requests:
        await asyncio.sleep(0.001)
    started = time.time()
    for before, setting in itertools.pairwise(settings):
        await asyncio.sleep(max(0.0, started + setting.at_s - time.time()))
        await _set(platform, setting, was_up=before.is_up)


async def _set(platform: Sandbox, setting: Setting, *, was_up: bool) -> None:
    platform.rate_limit = setting.rate_limit
    platform.latency_s = setting.latency_s
    share, faults = setting.mix or (0.0, ())
    platform.mix(1, share, faults)
    if setting.is_up is not was_up:
        await (platform.start() if setting.is_up else platform.stop())


class _Requests(list[Request]):
    """In place of the ledger's requests: the time and error code of each; no headers, no bodies."""

    def __init__(self) -> None:
        self._answered: list[tuple[float, int | None]] = []
        self._pending: deque[tuple[float, Request]] = deque()

    def append(self, entry: Request) -> None:
        self._pending.append((time.time(), entry))
        while self._pending[0][1].answer is not Answer.PENDING:
            self._record_first()

    def answers(self) -> list[tuple[float, int | None]]:
        """The time and error code of each, in the order in which they came."""
        while self._pending:
            self._record_first()
        return self._answered

    def _record_first(self) -> None:
        at, entry = self._pending.popleft()
        self._answered.append((at, entry.error_code))

    def __len__(self) -> int:
        return len(self._answered) + len(self._pending)


class _Nothing(list[Write]):
    def append(self, entry: Write) -> None:
        pass
