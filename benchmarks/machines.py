"""What do several workers make of one run, on one database?

    python -m benchmarks.machines [--only rate|takeover|copy|slow] [--rate 200]
    python -m benchmarks.machines --chaos [--workers 4 --kills 50 --pauses 50 --seed 1]

Each worker is a process of its own, the platform is a sandbox in another, and the database is a
PostgreSQL server that is made for it, with its default settings but for 32 MB of buffers, on this
machine and this disk.

rate: eight workers keep `rate_per_s` together. The platform has no limit in the first row, and is
measured: "of the ceiling" is how many requests a second it got, "most in a second" the most of any
second, "least of most" the share of the worker that sent least in that of the one that sent most,
from when all send until the first has nothing more to send. In the second row its limit is the
ceiling itself, a token bucket that holds a fifth of a second: "throttled" is the share of requests
that it refused.

takeover: a worker is killed while it sends a partition, and another one is there. How long it takes
from then until the next contact of that partition is about to be sent, against the longer of the
lease and the time after which the engine counts a worker as dead, plus 5 seconds.

copy: how many rows a second are submitted, contacts made before, in one run.

slow: a platform that takes 50 ms and has no limit, eight requests at a time in each worker. How
many contacts a second two workers send, as a multiple of what one does, in turn, several rounds.
"""

import argparse
import asyncio
import bisect
import contextlib
import itertools
import logging
import multiprocessing
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from multiprocessing.connection import Connection as Pipe

import aiohttp
import psycopg
from attrs import frozen

from benchmarks.platforms import Platform, Setting, sandbox
from contactsdk import Contact, ContactClient, Credentials
from contactsdk.distributed import SubmittedRun
from contactsdk.journal.postgres import PostgresJournal
from contactsdk.sandbox import RateLimit
from contactsdk.workers.sweep import STALLED_S
from contactsdk.workers.worker import Worker
from tests.distributed import chaos
from tests.postgres.servers import own_server

WORKERS = 8
LEASE_S = 30.0
SLOW_S = 0.05
SLOW_CONCURRENCY = 8


def contacts(count: int) -> Iterator[Contact]:
    return (
        Contact(first_name="Ada", last_name="Lovelace", email=f"n{number}@example.com")
        for number in range(count)
    )


async def submit(
    url: str, platform: Platform, run: str, items: Sequence[Contact], **options: float | None
) -> SubmittedRun:
    credentials = Credentials(platform.key, platform.secret)
    async with ContactClient(platform.url, credentials) as client:
        journal = PostgresJournal(url, run=run)
        return await client.submit(items, journal=journal, **options)  # type: ignore[arg-type]


class Machine:
    """A worker in a process of its own."""

    def __init__(self, url: str, platform: Platform, concurrency: int) -> None:
        context = multiprocessing.get_context("spawn")
        self._pipe, there = context.Pipe()
        account = platform.url, platform.key, platform.secret
        arguments = (there, url, account, concurrency)
        self._process = context.Process(target=_work, args=arguments, daemon=True)
        self._process.start()

    @property
    def pid(self) -> int | None:
        return self._process.pid

    def until_it_sends(self) -> None:
        assert self._pipe.recv() == "sends"

    def stop(self) -> list[float]:
        """End it in order; when each of its requests left."""
        self._pipe.send("stop")
        times: list[float] = self._pipe.recv()
        self._process.join()
        return times

    def kill(self) -> None:
        self._process.kill()
        self._process.join()


def _work(pipe: Pipe, url: str, account: tuple[str, str, str], concurrency: int) -> None:
    logging.getLogger("procrastinate").setLevel(logging.CRITICAL)
    asyncio.run(_send_until_stopped(pipe, url, account, concurrency))


async def _send_until_stopped(
    pipe: Pipe, url: str, account: tuple[str, str, str], concurrency: int
) -> None:
    times: list[float] = []

    async def note(*_: object) -> None:
        if not times:
            pipe.send("sends")
        times.append(time.time())

    tracing = aiohttp.TraceConfig()
    tracing.on_request_start.append(note)
    address, *credentials = account
    async with ContactClient(address, Credentials(*credentials), trace_configs=[tracing]) as client:
        worker = Worker(client, url, concurrency=concurrency, lease_s=LEASE_S)
        asyncio.get_running_loop().add_reader(pipe.fileno(), worker.stop)
        await worker.work()
    pipe.recv()
    pipe.send(times)


@contextlib.contextmanager
def machines(
    count: int, url: str, platform: Platform, *, concurrency: int = 32
) -> Iterator[list[Machine]]:
    """So many workers, which may be stopped or killed meanwhile."""
    running = [Machine(url, platform, concurrency) for _ in range(count)]
    try:
        yield running
    finally:
        for machine in running:
            machine.kill()


@frozen
class Sent:
    """What workers sent in the time in which all did."""

    per_s: float
    most_in_a_second: int
    least_of_most: float
    throttled: float


def sent(
    url: str, limit: RateLimit | None, count: int, seconds: float, *, rate_per_s: float | None
) -> Sent:
    """What so many workers send of one run in so many seconds."""
    latency_s, concurrency = (0.02, 32) if rate_per_s else (SLOW_S, SLOW_CONCURRENCY)
    items = list(contacts(int((rate_per_s or 200 * count) * (seconds + 60))))
    name = f"run {time.time()}"
    with sandbox(Setting(rate_limit=limit, latency_s=latency_s)) as platform:
        run = asyncio.run(submit(url, platform, name, items, rate_per_s=rate_per_s))
        with machines(count, url, platform, concurrency=concurrency) as running:
            for machine in running:
                machine.until_it_sends()
            time.sleep(1 + seconds)
            asyncio.run(run.stop())
            times = [machine.stop() for machine in running]
        platform.stop()
    began = max(each[0] for each in times) + 1
    ended = began + seconds
    shares = [sum(began <= at < ended for at in each) for each in times]
    answers = sorted(at for at, _ in platform.answers if began <= at < ended)
    refused = sum(code == 429 for _, code in platform.answers)
    return Sent(
        per_s=len(answers) / seconds,
        most_in_a_second=max(
            bisect.bisect_left(answers, at + 1) - n for n, at in enumerate(answers)
        ),
        least_of_most=min(shares) / max(shares),
        throttled=refused / len(platform.answers),
    )


def rate(url: str, rate_per_s: float, seconds: float, rounds: int) -> None:
    for what, limit in (("no limit", None), ("the ceiling", RateLimit(per_s=rate_per_s))):
        for _ in range(rounds):
            found = sent(url, limit, WORKERS, seconds, rate_per_s=rate_per_s)
            print(
                f"rate_per_s={rate_per_s:g}, {WORKERS} workers, the platform's limit: {what}: "
                f"{found.per_s / rate_per_s:.1%} of the ceiling, "
                f"{found.most_in_a_second} most in a second, {found.throttled:.3%} throttled, "
                f"{found.least_of_most:.2f} least of most",
                flush=True,
            )


def slow(url: str, seconds: float, rounds: int) -> None:
    for _ in range(rounds):
        one, two = (sent(url, None, count, seconds, rate_per_s=None) for count in (1, 2))
        print(
            f"a platform that takes {SLOW_S * 1000:.0f} ms: one worker {one.per_s:.0f} a second, "
            f"two {two.per_s:.0f}: {two.per_s / one.per_s:.2f} times",
            flush=True,
        )


def takeover(url: str, rounds: int) -> None:
    wanted_s = max(LEASE_S, STALLED_S) + 5
    for number in range(rounds):
        with sandbox(Setting(latency_s=SLOW_S)) as platform:
            name = f"takeover {number} {time.time()}"
            asyncio.run(submit(url, platform, name, list(contacts(50_000)), partitions=2))
            with machines(3, url, platform, concurrency=4) as running:
                taken_s = _kill_one(url, name, running)
        print(
            f"killed, and its partition sent again after {taken_s:.1f} s "
            f"({wanted_s:.0f} s at most are wanted)",
            flush=True,
        )


def _kill_one(url: str, run: str, running: list[Machine]) -> float:
    """Kill a worker that sends; after how long another is about to send what it sent."""
    owned = """
        SELECT lease.run, part, epoch FROM contactsdk.lease AS lease
        JOIN contactsdk.run AS run ON run.id = lease.run
        WHERE run.name = %s AND owner LIKE %s AND until > clock_timestamp() AND succeeded > 0
    """
    with psycopg.connect(url, autocommit=True) as connection:
        for machine in itertools.cycle(running):
            time.sleep(0.05)
            values = run, f"%process {machine.pid} %"
            lease = connection.execute(owned, values).fetchone()
            if lease is not None:
                break
        killed_at = time.monotonic()
        machine.kill()
        newer = """
            SELECT FROM contactsdk.lease WHERE run = %s AND part = %s AND epoch > %s
            AND EXISTS (
                SELECT FROM contactsdk.row
                WHERE row.run = lease.run AND row.part = lease.part AND row.epoch = lease.epoch
                AND row.number >= lease.first_open
            )
        """
        while connection.execute(newer, lease).fetchone() is None:
            time.sleep(0.02)
        return time.monotonic() - killed_at


def copy(url: str, rounds: int) -> None:
    items = list(contacts(200_000))
    with sandbox(Setting()) as platform:
        for number in range(rounds):
            started, cpu = time.perf_counter(), time.process_time()
            asyncio.run(submit(url, platform, f"copy {number} {time.time()}", items))
            per_s = len(items) / (time.perf_counter() - started)
            per_cpu_s = len(items) / (time.process_time() - cpu)
            print(
                f"submitted: {per_s:,.0f} rows a second, {per_cpu_s:,.0f} a second of the "
                "process's own CPU time",
                flush=True,
            )


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--only", choices=("rate", "takeover", "copy", "slow"))
    parser.add_argument("--rate", type=float, default=200.0, help="requests a second")
    parser.add_argument("--seconds", type=float, default=30.0, help="of each measurement")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--chaos", action="store_true", help="workers killed and paused at random")
    arguments, others = parser.parse_known_args()
    if arguments.chaos:
        sys.argv[1:] = others
        return chaos.main()
    seconds, rounds = arguments.seconds, arguments.rounds
    questions: dict[str, Callable[[str], None]] = {
        "rate": lambda url: rate(url, arguments.rate, seconds, rounds),
        "takeover": lambda url: takeover(url, rounds),
        "copy": lambda url: copy(url, rounds),
        "slow": lambda url: slow(url, seconds, rounds),
    }
    for name, ask in questions.items():
        if arguments.only in (None, name):
            with own_server() as server:
                ask(server.url)


if __name__ == "__main__":
    main()
