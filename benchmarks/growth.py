"""Do cost and memory of a run stay flat, as the input grows and as more are in flight?

    python -m benchmarks.growth [--quick]

Updates from a generator, made as they are read, go through `stream` to a bare server in a process
of its own: 1,000 to 1,000,000 of them 64 at a time, and 20,000 of them 1 to 1,024 at a time. The
peak is what the run adds to the memory of its process, connections included.
"""

import contextlib
from collections.abc import AsyncIterator, Iterator

from benchmarks.measuring import Batch, Rival, Table, in_turn, show
from benchmarks.rivals import CREDENTIALS
from benchmarks.stub import stub
from contactsdk import Contact, ContactClient

_COLUMNS = ("CPU us each", "contacts/s", "peak MiB")


@contextlib.asynccontextmanager
async def streamed(url: str, concurrency: int) -> AsyncIterator[Batch]:
    """Each outcome as it comes, from a generator."""
    async with ContactClient(url, CREDENTIALS, max_connections=concurrency) as client:

        async def batch(count: int) -> None:
            contacts = (Contact(id=number, first_name="Ada") for number in range(1, count + 1))
            async with client.stream(contacts, concurrency=concurrency) as outcomes:
                async for outcome in outcomes:
                    assert outcome.ok, outcome.message

        yield batch


def tables(quick: bool) -> Iterator[Table]:
    """By the size of the input, and by how many are in flight."""
    sizes = (100, 1_000) if quick else (1_000, 10_000, 100_000, 1_000_000)
    places = (1, 64) if quick else (1, 4, 16, 64, 256, 1_024)
    with stub() as url:
        rows = tuple(_row(f"{size:,}", url, 64, size) for size in sizes)
        yield Table("contacts, 64 at a time", _COLUMNS, rows)
        count = 200 if quick else 20_000
        rows = tuple(_row(f"{concurrency:,}", url, concurrency, count) for concurrency in places)
        yield Table(f"at a time, {count:,} contacts", _COLUMNS, rows)


def _row(name: str, url: str, concurrency: int, count: int) -> tuple[str | float, ...]:
    (cost,) = in_turn({name: Rival(streamed, (url, concurrency))}, count=count, rounds=1).values()
    return name, cost.cpu_us, cost.per_s, cost.peak_mib


if __name__ == "__main__":
    show(__doc__, tables)
