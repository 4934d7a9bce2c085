"""Does what the client says still match the ledger after hours of faults, and does nothing grow?

    python -m benchmarks.soak --calls 1000000
    python -m benchmarks.soak --seed 17        from this round on, as a failure names it

Rounds of calls of three kinds (add, add with `update_if_exists`, update) against a sandbox in the
same process, on loopback and by the real clock, each round with the next seed: 500 single calls
through every fault, 250 in a stream, 500 in a stream that is throttled at random, 500 single calls
around restarts of the sandbox, 250 of which many are cancelled, and a stream that is cancelled.
After each of the six, every outcome is compared with the ledger, as in `tests/system`; the first
that does not match ends the soak with its seed.

Printed for each round: its seed; how many calls ended how (a `CancelledError` is a call that its
caller cancelled); and after the round, with all clients closed, the resident memory of the process
in MiB, its open file descriptors, and its asyncio tasks. The last two must stay what they were
after the first round, and from 100,000 calls on the memory may grow by 5 MiB; otherwise the exit
code is 1.

By the real clock, a timeout can strike an answer on its way. Such a call is uncertain though the
sandbox answered it well, which the tests, by a clock of their own, do not allow.
"""

import argparse
import asyncio
import gc
import itertools
import os
import platform
import random
import sys
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import AsyncExitStack
from pathlib import Path

import aiohttp

from contactsdk import ContactClient, Credentials, RetryPolicy
from contactsdk.sandbox import DEFAULT_MIX, Fault, FaultKind
from tests.system.reconcile import (
    MIX_FOR_STREAMS,
    End,
    Sent,
    calls_of,
    counts,
    populate,
    reconcile,
    restarting,
    sandbox_for_calls,
    settled,
    singly,
    singly_cancelling,
    stream_cancelled,
    streamed,
)

CONCURRENCY = 32
POLICY = RetryPolicy(base_s=0.001, max_wait_s=0.05)

THROTTLES = (Fault(FaultKind.THROTTLED), Fault(FaultKind.RACED))
"""Throttles that do not depend on the rate, and races on one record."""

SETTLED_AFTER = 100_000
"""Calls after which the memory of the process should no longer grow."""

MOST_GROWTH_MIB = 5.0

Drive = Callable[[ContactClient, Sequence[Sent]], Awaitable[dict[int, End]]]


async def run(
    seed: int,
    drive: Drive,
    *,
    count: int,
    faults: Sequence[Fault] = MIX_FOR_STREAMS,
    restarts: bool = False,
) -> Mapping[str, int]:
    """Make `count` calls, hold their ends against the ledger, and count them."""
    rng = random.Random(seed)
    async with (
        sandbox_for_calls(errors_at_200=rng.random() < 0.5) as sandbox,
        AsyncExitStack() as stack,
    ):
        credentials = Credentials(sandbox.key, sandbox.secret)
        populate(sandbox, 100)
        client = await stack.enter_async_context(
            ContactClient(sandbox.url, credentials, retry=POLICY, timeout_s=0.1)
        )
        calls = calls_of(seed, count, sandbox.contacts.values())
        # The last of these makes answers come just as the client's patience ends; to a stream, a
        # platform that is always late is one that is down.
        sandbox.latency_s = rng.choice((0.0, 0.005, 0.005 if drive is stream else 0.095))
        sandbox.mix(seed, 0.3, faults)
        stops: list[float] = []
        if restarts:
            stops = await stack.enter_async_context(restarting(sandbox, every=150, away_s=0.02))
        ends = await drive(client, calls)
        await settled(sandbox)
        cuts = len(stops)
        if drive is cancelled_stream:
            calls, cuts = calls[: len(ends)], 1
        unseen = CONCURRENCY * cuts
        reconcile(sandbox, calls, ends, seed=seed, unseen=unseen, hasty=True)
    return counts(ends)


async def singles(client: ContactClient, calls: Sequence[Sent]) -> dict[int, End]:
    return await singly(client, calls, concurrency=CONCURRENCY)


async def stream(client: ContactClient, calls: Sequence[Sent]) -> dict[int, End]:
    return await streamed(client, calls, concurrency=CONCURRENCY)


async def cancelled_singles(client: ContactClient, calls: Sequence[Sent]) -> dict[int, End]:
    return await singly_cancelling(client, calls, concurrency=CONCURRENCY, seed=len(calls))


async def cancelled_stream(client: ContactClient, calls: Sequence[Sent]) -> dict[int, End]:
    seed = int(time.time() * 1000)  # the moment is up to the clock anyway
    return await stream_cancelled(client, calls, concurrency=CONCURRENCY, seed=seed)


async def one_round(seed: int) -> Counter[str]:
    ends = Counter[str]()
    ends.update(await run(seed, singles, count=500, faults=DEFAULT_MIX))
    ends.update(await run(seed, stream, count=250))
    ends.update(await run(seed, stream, count=500, faults=THROTTLES))
    ends.update(await run(seed, singles, count=500, restarts=True))
    ends.update(await run(seed, cancelled_singles, count=250))
    ends.update(await run(seed, cancelled_stream, count=250))
    return ends


def resident_mib() -> float:
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 2**20


async def soak(calls: int, first_seed: int) -> list[str]:
    """Run rounds until there were so many calls; what grew, in words."""
    total = 0
    first: tuple[int, int] | None = None
    memory_before = memory = 0.0
    for seed in itertools.count(first_seed):
        try:
            ends = await one_round(seed)
        except BaseException:
            print(f"seed {seed} failed: python -m benchmarks.soak --seed {seed}", flush=True)
            raise
        await asyncio.sleep(0.2)  # sockets that were closed are let go of a little later
        gc.collect()
        total += ends.total()
        memory = resident_mib()
        held = len(os.listdir("/proc/self/fd")), len(asyncio.all_tasks())
        first = first or held
        if total <= SETTLED_AFTER:
            memory_before = memory
        counted = ", ".join(f"{count} {name}" for name, count in ends.most_common())
        print(
            f"seed {seed}: {total} calls, of which now {counted}; {memory:.1f} MiB, "
            f"{held[0]} descriptors, {held[1]} tasks",
            flush=True,
        )
        if held != first:
            return [f"descriptors and tasks were {first} after the first round and are {held}"]
        if total >= calls:
            break
    print(f"{total} calls, every one as the ledger has it")
    growth = memory - memory_before
    return [f"memory grew by {growth:.1f} MiB"] if growth > MOST_GROWTH_MIB else []


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--calls", type=int, default=10_000)
    parser.add_argument("--seed", type=int, default=1)
    arguments = parser.parse_args()
    print(f"Python {platform.python_version()}, aiohttp {aiohttp.__version__}")
    if grown := asyncio.run(soak(arguments.calls, arguments.seed)):
        sys.exit("; ".join(grown))


if __name__ == "__main__":
    main()
