"""What does a contact in a batch cost, against one that is sent by itself?

    python -m benchmarks.batches [--quick]

Contacts with eight fields go through `stream` to a server in a process of its own that checks every
signature and parses every body: one a request, 32 at a time, and in batches of 200, 4 at a time.
The first table has both in turn, of contacts that were made before, since to make one costs the
same either way. A batch waits a quarter of a second
before it asks for its results, so without a limit its rate is that wait; the CPU time is what
counts there.

The second is what batches are for: a platform that lets 10 requests a second in. `rate_per_s=10`
says so to the client; without it, the client finds the limit. Each batch of 200 needs two requests,
so 1,000 contacts a second are all there can be.

The third is what a run adds to the memory of its process at its peak, with contacts from a
generator.
"""

import contextlib
from collections.abc import AsyncIterator, Iterator
from typing import Any

from benchmarks.batch_stub import batch_stub
from benchmarks.measuring import Batch, Cost, Rival, Table, in_turn, show
from benchmarks.rivals import CREDENTIALS
from contactsdk import Contact, ContactClient, EmailStatus


@contextlib.asynccontextmanager
async def streamed(url: str, most: int | None, options: dict[str, Any]) -> AsyncIterator[Batch]:
    """Each outcome as it comes; of `most` contacts made before, or of a generator's."""
    made = None if most is None else list(_contacts(most))
    async with ContactClient(url, CREDENTIALS) as client:

        async def batch(count: int) -> None:
            contacts = _contacts(count) if made is None else made[:count]
            async with client.stream(contacts, **options) as outcomes:
                async for outcome in outcomes:
                    assert outcome.ok, outcome.message

        yield batch


def _contacts(count: int) -> Iterator[Contact]:
    for number in range(count):
        yield Contact(
            first_name="Bobby",
            last_name=f"Smith {number}",
            email="bobbysmith@hotmail.com",
            groups=[10],
            custom_fields={33443: "No"},
            companies=[4, 5],
            status=EmailStatus.UNSUBSCRIBED,
            external_id=str(number),
        )


_ALONE: dict[str, Any] = {"concurrency": 32}
_BATCHES: dict[str, Any] = {"batch_size": 200}


def tables(quick: bool) -> Iterator[Table]:
    """Three tables."""
    yield _costs(2_000 if quick else 20_000, rounds=1 if quick else 5)
    yield _rates(2_000 if quick else 60_000)
    yield _memory((1_000, 2_000) if quick else (100_000, 1_000_000))


def _costs(count: int, rounds: int) -> Table:
    with batch_stub(CREDENTIALS) as url:
        rivals = {
            "one a request": Rival(streamed, (url, count, _ALONE)),
            "batches of 200": Rival(streamed, (url, count, _BATCHES)),
        }
        costs = in_turn(rivals, count=count, rounds=rounds)
    base = costs["one a request"].cpu_us
    rows = tuple((name, c.cpu_us, c.cpu_us / base, c.per_s) for name, c in costs.items())
    return Table(f"{count:,} contacts", ("CPU us each", "ratio", "contacts/s"), rows)


def _rates(count: int) -> Table:
    with batch_stub(
        CREDENTIALS, limit_per_s=10.5
    ) as url:  # a little above, so that none is refused
        said = _cost(url, count, rate_per_s=10.0)
    with batch_stub(CREDENTIALS, limit_per_s=10.0) as url:
        found = _cost(url, count)
    rows = (("rate_per_s=10", said.per_s), ("found by the client", found.per_s))
    return Table(f"{count:,} contacts at 10 requests a second", ("contacts/s",), rows)


def _memory(counts: tuple[int, ...]) -> Table:
    with batch_stub(CREDENTIALS) as url:
        costs = {count: _cost(url, count, concurrency=16) for count in counts}
    rows = tuple((f"{count:,}", cost.peak_mib, cost.per_s) for count, cost in costs.items())
    return Table("How many contacts, 16 batches at a time", ("peak MiB", "contacts/s"), rows)


def _cost(url: str, count: int, **options: Any) -> Cost:
    rival = Rival(streamed, (url, None, {**_BATCHES, **options}))
    (cost,) = in_turn({"": rival}, count=count, rounds=1).values()
    return cost


if __name__ == "__main__":
    show(__doc__, tables)
