"""What does a journal cost a run?

    python -m benchmarks.journal [--contacts 20000] [--rounds 5] [--latency 0.02]

Updates go through `stream` at concurrency 64 to a bare server in another process that answers at
once, or after the given latency in seconds: without a journal, with one that survives the death of
the process, and with one that survives a power cut, in turn. Printed are the medians of contacts
per second and of CPU time a contact in this process (which does not count waiting for the disk),
and for each the median of its ratios to the round's run without a journal.

Then rows are recorded without any HTTP, an intent and an outcome for each of 32 tasks at a time, so
in groups of 32. Printed are rows written per second and CPU time a row, digests and tasks included.
At last such a journal is opened again, all its rows verified and recalled.
"""

import argparse
import asyncio
import statistics
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Literal

from benchmarks.stub import stub
from contactsdk import Contact, ContactClient, Credentials, SqliteJournal
from contactsdk.journal import Account, Journal, JournalRun

KINDS: tuple[Literal["process", "power"], ...] = ("process", "power")
ACCOUNT = Account(url="https://api.example.com", key="key", secret="secret")
GROUP = 32


def contacts(count: int) -> Iterator[Contact]:
    return (Contact(id=number, first_name="Ada") for number in range(1, count + 1))


async def run(url: str, count: int, journal: SqliteJournal | None) -> tuple[float, float]:
    """Contacts per second, and CPU microseconds a contact."""
    async with ContactClient(url, Credentials("key", "secret")) as client:
        started, cpu = time.perf_counter(), time.process_time()
        async with client.stream(contacts(count), concurrency=64, journal=journal) as outcomes:
            async for outcome in outcomes:
                assert outcome.ok, outcome.message
        taken, cpu = time.perf_counter() - started, time.process_time() - cpu
    return count / taken, cpu / count * 1e6


async def record(run: JournalRun, items: list[Contact], group: int) -> None:
    numbered = enumerate(items)

    async def work() -> None:
        for number, item in numbered:
            await run.record_intent(number, item)
            await run.record_outcome(number, item, item.id, None, 1)

    writer = asyncio.create_task(run.write_loop())
    await asyncio.gather(*(work() for _ in range(group)))
    writer.cancel()


async def recorded(
    journal: Journal, items: list[Contact], *, group: int = GROUP
) -> tuple[float, float]:
    """Rows written per second, and CPU microseconds a row."""
    run = await journal.open_run(ACCOUNT)
    started, cpu = time.perf_counter(), time.process_time()
    await record(run, items, group)
    taken, cpu = time.perf_counter() - started, time.process_time() - cpu
    await run.close()
    rows = 2 * len(items)
    return rows / taken, cpu / rows * 1e6


async def recalled(journal: SqliteJournal, items: list[Contact]) -> tuple[float, float]:
    """CPU microseconds a row to open the journal, and to recall all of it."""
    started = time.process_time()
    run = await journal.open_run(ACCOUNT)
    opened = time.process_time()
    for number, item in enumerate(items):
        if run.needs_load(number):
            await run.load(number)
        assert run.recall(number, item, idempotent=True) is not None
    ended = time.process_time()
    await run.close()
    return (opened - started) / len(items) * 1e6, (ended - opened) / len(items) * 1e6


def medians(found: list[tuple[float, float]]) -> tuple[float, float]:
    return statistics.median(a for a, _ in found), statistics.median(b for _, b in found)


def compare_runs(count: int, rounds: int, folder: Path, latency_s: float) -> None:
    found: dict[str, list[tuple[float, float]]] = {"none": [], "process": [], "power": []}
    with stub(latency_s) as url:
        for number in range(rounds):
            found["none"].append(asyncio.run(run(url, count, None)))
            for kind in KINDS:
                journal = SqliteJournal(folder / f"{kind}{number}.sqlite", kind)
                found[kind].append(asyncio.run(run(url, count, journal)))
    for name, values in found.items():
        per_s, cpu_us = medians(values)
        of_none = [(a / c, b / d) for (a, b), (c, d) in zip(values, found["none"], strict=True)]
        rate, cpu = medians(of_none)
        print(
            f"{name:8} {per_s:7,.0f} contacts/s  {rate:.2f} of none   "
            f"{cpu_us:5.0f} us CPU a contact  {cpu:.2f} of none"
        )


def compare_groups(count: int, rounds: int, folder: Path) -> None:
    items = list(contacts(count))
    for kind in KINDS:
        paths = [folder / f"groups-{kind}{number}.sqlite" for number in range(rounds)]
        written = [asyncio.run(recorded(SqliteJournal(path, kind), items)) for path in paths]
        per_s, cpu_us = medians(written)
        print(f"{kind:8} {per_s:7,.0f} rows written/s  {cpu_us:.1f} us CPU a row")
    opening, recall = medians([asyncio.run(recalled(SqliteJournal(p, kind), items)) for p in paths])
    print(f"opening  {opening:.1f} us CPU a row; recalling {recall:.1f} us CPU a row")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--contacts", type=int, default=20_000)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--latency", type=float, default=0.0, help="of each answer, in seconds")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        compare_runs(arguments.contacts, arguments.rounds, Path(folder), arguments.latency)
        compare_groups(arguments.contacts, arguments.rounds, Path(folder))


if __name__ == "__main__":
    main()
