"""Does a run keep all its places busy when each answer takes a while?

    python -m benchmarks.latency [--concurrency 256] [--latency 0.05]

Updates go through `stream` for 10 seconds to a bare server in another process that answers each
request after a fixed time; the most that is possible is concurrency / latency a second. One core
does both Python and the kernel's part of the sending, so the figure also shows what that core can
do without any latency.
"""

import argparse
import asyncio
import time
from collections.abc import Iterator

from benchmarks.stub import stub
from contactsdk import Contact, ContactClient, Credentials


async def per_s(url: str, concurrency: int, seconds: float) -> tuple[float, float]:
    """Contacts per second in the second half of the time, and the part of one core that took."""
    async with ContactClient(
        url, Credentials("key", "secret"), max_connections=concurrency
    ) as client:
        number = 0
        end = time.perf_counter() + seconds

        def contacts() -> Iterator[Contact]:
            nonlocal number
            while time.perf_counter() < end:
                number += 1
                yield Contact(id=number, first_name="Ada")

        settled = 0
        half: tuple[float, int, float] = (0.0, 0, 0.0)
        async with client.stream(contacts(), concurrency=concurrency) as outcomes:
            async for outcome in outcomes:
                assert outcome.ok, outcome.message
                settled += 1
                if not half[1] and time.perf_counter() > end - seconds / 2:
                    half = time.perf_counter(), settled, time.process_time()
                last = time.perf_counter()
        wall = last - half[0]
        return (settled - half[1]) / wall, (time.process_time() - half[2]) / wall


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--concurrency", type=int, default=256)
    parser.add_argument("--latency", type=float, default=0.05)
    arguments = parser.parse_args()
    possible = arguments.concurrency / arguments.latency
    with stub(arguments.latency) as url:
        late, core = asyncio.run(per_s(url, arguments.concurrency, 10.0))
    with stub() as url:
        at_once, _ = asyncio.run(per_s(url, arguments.concurrency, 5.0))
    print(f"possible with this latency: {possible:7.0f} contacts/s")
    print(
        f"reached:                    {late:7.0f} contacts/s, {late / possible:.1%}, "
        f"with {core:.0%} of one core"
    )
    print(f"this core without latency:  {at_once:7.0f} contacts/s")


if __name__ == "__main__":
    main()
