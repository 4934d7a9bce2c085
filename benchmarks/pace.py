"""How close does a bulk run come to the rate that a platform allows, and how much is throttled?

    python -m benchmarks.pace --simulated      every row over 5 minutes of simulated time
    python -m benchmarks.pace                  every row over real sockets, 90 seconds each
    python -m benchmarks.pace --only "^noise"   only rows whose names match this regular expression

The rows are those of `tests/pacing/rows.py`: random throttles, limits, both, limits that change,
and limits that four clients share, 16 requests at a time. "good" is how many requests a second
succeeded, as a share of the limit, or of what the same platform gave without noise; "throttled" the
share of the requests that were answered with 429. Both are the worst of all windows of 30 seconds
from 30 seconds on (where the limit changes: of 5 seconds, after the time in which it is to be
followed). Time in which the platform had asked to wait is not taken out. "!" marks a row that is
not what is wanted.

Over real sockets, adds go through `stream` to a sandbox in another process, on loopback; each of
several clients is a process of its own. There is no row with noise before the limit: a request that
a sandbox throttles at random has counted for the limit.
"""

import argparse
import asyncio
import itertools
import multiprocessing
import re
import sys
import time
from pathlib import Path

from benchmarks.platforms import Platform, Setting, sandbox
from contactsdk import Contact, ContactClient, Credentials
from contactsdk.sandbox import Fault, FaultKind, RateLimit

# The table belongs to the tests, and is found as they find it.
sys.path.insert(0, str(Path(__file__).parent.parent / "tests"))

from tests.pacing.rows import SETTLED_S, Row, all_rows
from tests.pacing.simulated import Answers, Share, worst


async def _send(url: str, key: str, secret: str, until: float, concurrency: int) -> list[float]:
    items = (
        Contact(first_name="Ada", last_name=f"No {n}", email=f"a{n}@example.com")
        for n in itertools.takewhile(lambda _: time.time() < until, itertools.count())
    )
    successes = []
    async with (
        ContactClient(url, Credentials(key, secret)) as client,
        client.stream(items, concurrency=concurrency) as outcomes,
    ):
        async for outcome in outcomes:
            if outcome.ok:
                successes.append(time.time())
            else:
                print("   failed:", outcome.message)
    return successes


def _client(url: str, key: str, secret: str, until: float, concurrency: int) -> list[float]:
    return asyncio.run(_send(url, key, secret, until, concurrency))


def _settings(row: Row) -> tuple[Setting, ...]:
    faults = (Fault(FaultKind.THROTTLED, retry_after_s=row.retry_after_s),)
    mix = (row.noise, faults) if row.noise else None

    def setting(at_s: float, per_s: float | None) -> Setting:
        limit = None
        if per_s is not None:
            limit = RateLimit(
                per_s=per_s,
                depth_s=row.depth_s or 0.0,
                window=row.depth_s is None,
                retry_after=row.retry_after_s is not None,
            )
        return Setting(at_s=at_s, rate_limit=limit, latency_s=row.latency_s, mix=mix)

    first = setting(0.0, row.limit_per_s)
    if row.changes_to is None:
        return (first,)
    return (first, setting(row.changes_at_s, row.changes_to))


def _answers(row: Row, platform: Platform, seconds: int) -> Answers:
    began = time.time() + 2 * (row.clients > 1)  # processes take that long to start
    arguments = (platform.url, platform.key, platform.secret, began + seconds, row.workers)
    if row.clients == 1:
        successes = [_client(*arguments)]
    else:
        context = multiprocessing.get_context("spawn")
        with context.Pool(row.clients) as pool:
            successes = pool.starmap(_client, [arguments] * row.clients)
    platform.stop()
    throttled = [at for at, code in platform.answers if code == 429]
    return Answers(
        succeeded=[_by_second(times, began, seconds) for times in successes],
        throttled=[_by_second(throttled, began, seconds)],
        pacers=[],
    )


def _by_second(times: list[float], began: float, seconds: int) -> list[int]:
    counts = [0] * (seconds + 1)
    for at in times:
        if 0 <= at - began < seconds:
            counts[int(at - began)] += 1
    return counts


def _measured(row: Row, seconds: int, unlimited: dict[float, float]) -> Share:
    begin_s, seconds, width_s = row.windows(seconds)
    with sandbox(*_settings(row)) as platform:
        found = worst(_answers(row, platform, seconds).windows(begin_s, seconds, width_s))
    limit_per_s = row.changes_to or row.limit_per_s
    if limit_per_s is None:
        limit_per_s = unlimited.get(row.latency_s) or _unlimited_per_s(row)
        unlimited[row.latency_s] = limit_per_s
    return found.as_share_of(limit_per_s)


def _unlimited_per_s(row: Row) -> float:
    with sandbox(Setting(latency_s=row.latency_s)) as platform:
        answers = _answers(Row.unlimited(row), platform, SETTLED_S)
    return worst(answers.windows(5, 25, 20)).good_per_s


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--simulated", action="store_true", help="in simulated time")
    parser.add_argument("--seconds", type=int, help="of each run")
    parser.add_argument("--seeds", type=int, default=3, help="how many simulations of each row")
    parser.add_argument("--only", default="", help="a regular expression for the names of rows")
    arguments = parser.parse_args()
    seconds = arguments.seconds or (300 if arguments.simulated else 90)
    unlimited: dict[float, float] = {}
    print(f"{'platform':52} {'good':>6} {'throttled':>10} {'least of most':>14}")
    for row in all_rows():
        if not re.search(arguments.only, row.name):
            continue
        if arguments.simulated:
            runs = [row.run(seconds, seed=seed) for seed in range(1, arguments.seeds + 1)]
        elif row.noise and row.limit_per_s is not None and not row.noise_counts:
            continue
        else:
            runs = [_measured(row, seconds, unlimited)]
        for found in runs:
            equal = f"{found.least_of_most:.2f}" if row.clients > 1 else ""
            mark = "" if row.is_met(found) else " !"
            shares = f"{found.good_per_s:6.1%} {found.throttled:10.2%}"
            print(f"{row.name:52} {shares} {equal:>14}{mark}", flush=True)


if __name__ == "__main__":
    main()
