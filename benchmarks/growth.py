"""Do cost and memory of a run stay flat, as the input grows and as more are in flight?

    python -m benchmarks.growth [--quick]

Updates from a generator, made as they are read, go through `stream` to a bare server in a process
of its own: 1,000 to 1,000,000 of them 64 at a time, and 20,000 of them 1 to 1,024 at a time, beside
as many plain posts on an aiohttp session. The peak is what the run adds to the memory of its
process once its connections are made.
"""

import contextlib
from collections.abc import AsyncIterator, Iterator

from benchmarks.measuring import Batch, Rival, Table, in_turn, show
from benchmarks.rivals import CREDENTIALS, plain
from benchmarks.stub import stub
from contactsdk import Contact, ContactClient


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
        columns = ("CPU us each", "contacts/s", "peak MiB")
        rows = tuple(_row(url, size) for size in sizes)
        yield Table("How many contacts, 64 at a time", columns, rows)
        columns = ("CPU us each", "aiohttp", "ratio")
        rows = tuple(
            _row_beside(url, concurrency, 200 if quick else 20_000) for concurrency in places
        )
        yield Table("How many at a time", columns, rows)


def _row(url: str, count: int) -> tuple[str | float, ...]:
    (cost,) = in_turn({"": Rival(streamed, (url, 64))}, count=count, rounds=1).values()
    return f"{count:,}", cost.cpu_us, cost.per_s, cost.peak_mib


def _row_beside(url: str, concurrency: int, count: int) -> tuple[str | float, ...]:
    both = {"ours": Rival(streamed, (url, concurrency)), "plain": Rival(plain, (url, concurrency))}
    costs = in_turn(both, count=count, rounds=3, warm_up=concurrency)
    ours, theirs = costs["ours"].cpu_us, costs["plain"].cpu_us
    return f"{concurrency:,}", ours, theirs, ours / theirs


if __name__ == "__main__":
    show(__doc__, tables)
