"""What does a journal cost a run?

    python -m benchmarks.journal [--contacts 20000] [--rounds 5]

Updates go through `stream` at concurrency 64 to a bare server in another process that answers at
once, without a journal, with one that survives the death of the process, and with one that survives
a power cut, in turn. Printed are the medians of contacts per second and their ratio to no journal.
"""

import argparse
import asyncio
import statistics
import tempfile
import time
from pathlib import Path

from benchmarks.stub import stub
from contactsdk import Contact, ContactClient, Credentials, SqliteJournal

KINDS = ("none", "process", "power")


async def per_s(url: str, count: int, journal: SqliteJournal | None) -> float:
    contacts = (Contact(id=number, first_name="Ada") for number in range(1, count + 1))
    async with ContactClient(url, Credentials("key", "secret")) as client:
        started = time.perf_counter()
        async with client.stream(contacts, concurrency=64, journal=journal) as outcomes:
            async for outcome in outcomes:
                assert outcome.ok, outcome.message
        return count / (time.perf_counter() - started)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--contacts", type=int, default=20_000)
    parser.add_argument("--rounds", type=int, default=5)
    arguments = parser.parse_args()
    found: dict[str, list[float]] = {kind: [] for kind in KINDS}
    with stub() as url, tempfile.TemporaryDirectory() as folder:
        for number in range(arguments.rounds):
            for kind in KINDS:
                path = Path(folder) / f"{kind}{number}.sqlite"
                journal = None if kind == "none" else SqliteJournal(path, kind)
                found[kind].append(asyncio.run(per_s(url, arguments.contacts, journal)))
    medians = {kind: statistics.median(values) for kind, values in found.items()}
    for kind, median in medians.items():
        print(f"{kind:8} {median:6.0f} contacts/s  {median / medians['none']:.2f}")


if __name__ == "__main__":
    main()
