"""What do many contacts cost, against what people would write instead?

    python -m benchmarks.many [--quick]

50,000 updates, made before, go 64 at a time to a bare server in a process of its own: through
`stream` and `add_or_update_many` (each with its outcome, order, pace and proof), through 64 loops
over `add_or_update`, through `gather` over a semaphore with a tenacity decorator, and through a
`TaskGroup` with a semaphore, which post them as JSON. The ratio is to the rate of `gather`. The
peak is what the run itself adds to the memory of its process, what it returns included. The second
table has those of the SDK once more, in turn in one process: what they differ by is less than what
two processes do. The third has 1,000 updates of one contact, of which a stream sends one at a time,
against a loop that awaits one call after another.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Iterator
from typing import Any

from benchmarks.measuring import Batch, Rival, Table, in_turn, show
from benchmarks.rivals import CREDENTIALS, posting, tries_again
from benchmarks.stub import stub
from contactsdk import Contact, ContactClient

SHOWN = "50,000 contacts, 64 at a time"

_CONCURRENCY = 64


@contextlib.asynccontextmanager
async def streamed(url: str, most: int) -> AsyncIterator[Batch]:
    """Each outcome as it comes."""
    contacts = _contacts(most)
    async with ContactClient(url, CREDENTIALS) as client:

        async def batch(count: int) -> None:
            async with client.stream(contacts[:count], concurrency=_CONCURRENCY) as outcomes:
                async for outcome in outcomes:
                    assert outcome.ok, outcome.message

        yield batch


@contextlib.asynccontextmanager
async def reported(url: str, most: int) -> AsyncIterator[Batch]:
    """All outcomes at the end."""
    contacts = _contacts(most)
    async with ContactClient(url, CREDENTIALS) as client:

        async def batch(count: int) -> None:
            report = await client.add_or_update_many(contacts[:count], concurrency=_CONCURRENCY)
            assert len(report.ids) == count, report

        yield batch


@contextlib.asynccontextmanager
async def called(url: str, most: int) -> AsyncIterator[Batch]:
    """One call after another in so many loops."""
    contacts = _contacts(most)
    async with ContactClient(url, CREDENTIALS) as client:

        async def some(left: Iterator[Contact]) -> None:
            for contact in left:
                await client.add_or_update(contact)

        async def batch(count: int) -> None:
            left = iter(contacts[:count])
            await asyncio.gather(*(some(left) for _ in range(_CONCURRENCY)))

        yield batch


@contextlib.asynccontextmanager
async def streamed_with_one_key(url: str) -> AsyncIterator[Batch]:
    """A stream of updates of one contact."""
    async with ContactClient(url, CREDENTIALS) as client:

        async def batch(count: int) -> None:
            async with client.stream(_updates(count), concurrency=_CONCURRENCY) as outcomes:
                async for outcome in outcomes:
                    assert outcome.ok, outcome.message

        yield batch


@contextlib.asynccontextmanager
async def called_with_one_key(url: str) -> AsyncIterator[Batch]:
    """One call after another."""
    async with ContactClient(url, CREDENTIALS) as client:

        async def batch(count: int) -> None:
            for contact in _updates(count):
                await client.add_or_update(contact)

        yield batch


@contextlib.asynccontextmanager
async def gathered(url: str, most: int) -> AsyncIterator[Batch]:
    """A task for each, a semaphore, and a retry decorator."""
    rows = _rows(most)
    async with posting(url) as post:
        places = asyncio.Semaphore(_CONCURRENCY)

        @tries_again
        async def one(row: dict[str, Any]) -> int:
            async with places:
                return await post(row)

        async def batch(count: int) -> None:
            ids = await asyncio.gather(*map(one, rows[:count]), return_exceptions=True)
            assert all(isinstance(id_, int) for id_ in ids)

        yield batch


@contextlib.asynccontextmanager
async def grouped(url: str, most: int) -> AsyncIterator[Batch]:
    """A task for each, in a group, and a semaphore."""
    rows = _rows(most)
    async with posting(url) as post:
        places = asyncio.Semaphore(_CONCURRENCY)

        async def one(row: dict[str, Any]) -> int:
            async with places:
                return await post(row)

        async def batch(count: int) -> None:
            async with asyncio.TaskGroup() as tasks:
                made = [tasks.create_task(one(row)) for row in rows[:count]]
            assert all(task.result() for task in made)

        yield batch


def _contacts(most: int) -> list[Contact]:
    return [Contact(id=number, first_name="Ada") for number in range(1, most + 1)]


def _updates(count: int) -> list[Contact]:
    return [Contact(id=1, first_name=f"Ada {number}") for number in range(count)]


def _rows(most: int) -> list[dict[str, Any]]:
    return [{"id": number, "firstName": "Ada"} for number in range(1, most + 1)]


def tables(quick: bool) -> Iterator[Table]:
    """Three tables."""
    count, part, equal = (200, 100, 100) if quick else (50_000, 5_000, 1_000)
    starts = 1 if quick else 5
    with stub() as url:
        ours = {
            "contactsdk, add_or_update alone": Rival(called, (url, count)),
            "contactsdk, stream": Rival(streamed, (url, count)),
            "contactsdk, add_or_update_many": Rival(reported, (url, count)),
        }
        theirs = {
            "gather, semaphore, tenacity": Rival(gathered, (url, count)),
            "TaskGroup, semaphore": Rival(grouped, (url, count)),
        }
        costs = in_turn({**theirs, **ours}, count=count, rounds=1, starts=starts)
        rounds = 1 if quick else 9
        shared = in_turn(ours, count=part, rounds=rounds, starts=starts, together=True)
        with_one_key = {
            "contactsdk, one call after another": Rival(called_with_one_key, (url,)),
            "contactsdk, stream": Rival(streamed_with_one_key, (url,)),
        }
        lined_up = in_turn(with_one_key, count=equal, rounds=rounds, starts=starts, together=True)
    base = next(iter(costs.values())).per_s
    yield Table(
        f"{count:,} contacts, {_CONCURRENCY} at a time",
        ("contacts/s", "ratio", "CPU us each", "peak MiB"),
        tuple(
            (name, cost.per_s, cost.per_s / base, cost.cpu_us, cost.peak_mib)
            for name, cost in costs.items()
        ),
    )
    alone = next(iter(shared.values())).cpu_us
    yield Table(
        f"{part:,} contacts at a time, in turn in one process",
        ("CPU us each", "ratio"),
        tuple((name, cost.cpu_us, cost.cpu_us / alone) for name, cost in shared.items()),
    )
    serial = next(iter(lined_up.values())).per_s
    yield Table(
        f"{equal:,} updates of one contact, in turn in one process",
        ("contacts/s", "ratio", "CPU us each"),
        tuple((n, cost.per_s, cost.per_s / serial, cost.cpu_us) for n, cost in lined_up.items()),
    )


if __name__ == "__main__":
    show(__doc__, tables)
