"""Does the memory of a run follow its input?

    python -m benchmarks.memory [--contacts 1000000]

`stream` over a generator of updates, at concurrency 64, with a function that answers at once in
place of HTTP, so that a million contacts take a minute. Printed is the peak of all Python
allocations (tracemalloc) of a run over 10,000 contacts and of one over `--contacts`, each in a
process of its own, and the difference.
"""

import argparse
import asyncio
import multiprocessing
import tracemalloc
from collections.abc import Awaitable, Callable

from contactsdk import Contact, OutcomeStream, RetryPolicy
from contactsdk.retry import Call


def prepare(contact: Contact) -> Callable[[Call], Awaitable[int]]:
    async def attempt(call: Call) -> int:
        await asyncio.sleep(0)
        return contact.id or 0

    return attempt


async def run(count: int) -> None:
    contacts = (Contact(id=n, first_name="Ada") for n in range(1, count + 1))
    settled = 0
    async with OutcomeStream(contacts, prepare, RetryPolicy(), concurrency=64) as outcomes:
        async for outcome in outcomes:
            settled += outcome.ok
    assert settled == count


def peak_mib(count: int) -> float:
    tracemalloc.start()
    asyncio.run(run(count))
    return tracemalloc.get_traced_memory()[1] / 2**20


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--contacts", type=int, default=1_000_000)
    few, many = 10_000, parser.parse_args().contacts
    with multiprocessing.get_context("spawn").Pool(1, maxtasksperchild=1) as pool:
        small, large = (pool.apply(peak_mib, (count,)) for count in (few, many))
    print(f"{few:>9,} contacts: peak {small:.2f} MiB")
    print(f"{many:>9,} contacts: peak {large:.2f} MiB, {large - small:+.2f} MiB")


if __name__ == "__main__":
    main()
