"""What does one call cost, compared with what people would write instead?

    python -m benchmarks.calls [--calls 3000] [--rounds 7] [--quick]

The same contact goes to a bare server in another process that answers at once: through the SDK
(validated before; encoded, signed, with deadline, proof of never sent and retries at hand), through
`stream`, through a plain `async with session.post(...)` of the same bytes on a default session, and
through the same under a tenacity decorator; and through httpx where it is installed. All take turns
in each round. Printed are the medians of process CPU time and of calls per second, and the CPU time
as a multiple of the plain call's.
"""

import argparse
import asyncio
import platform
import statistics
import time
from collections.abc import Awaitable, Callable
from importlib.metadata import version
from importlib.util import find_spec

import aiohttp
import tenacity
from attrs import evolve

from benchmarks.stub import stub
from contactsdk import Contact, ContactClient, Credentials, EmailStatus
from contactsdk.wire import encode

CONTACT = Contact(
    first_name="Bobby",
    last_name="Smith",
    email="bobbysmith@hotmail.com",
    groups=[10],
    custom_fields={33443: "No"},
    companies=[4, 5],
    status=EmailStatus.UNSUBSCRIBED,
    external_id="12345",
)
BODY = encode(CONTACT)
HEADERS = {"Content-Type": "application/json"}
PATH = "/api/1.0/contact?action=addOrUpdateContact"

Measure = Callable[[str, int, int], Awaitable[tuple[float, float]]]


async def timed(
    call: Callable[[], Awaitable[object]], concurrency: int, calls: int
) -> tuple[float, float]:
    """CPU microseconds per call, and calls per second."""

    async def some(count: int) -> None:
        for _ in range(count):
            await call()

    await asyncio.gather(*(call() for _ in range(concurrency)))  # connections are made
    cpu, wall = time.process_time(), time.perf_counter()
    await asyncio.gather(*(some(calls // concurrency) for _ in range(concurrency)))
    made = calls // concurrency * concurrency
    return (time.process_time() - cpu) / made * 1e6, made / (time.perf_counter() - wall)


async def plain(url: str, concurrency: int, calls: int) -> tuple[float, float]:
    async with aiohttp.ClientSession() as session:

        async def call() -> None:
            async with session.post(url + PATH, data=BODY, headers=HEADERS) as response:
                await response.read()

        return await timed(call, concurrency, calls)


async def plain_with_tenacity(url: str, concurrency: int, calls: int) -> tuple[float, float]:
    async with aiohttp.ClientSession() as session:

        @tenacity.retry(stop=tenacity.stop_after_attempt(5), wait=tenacity.wait_random(0, 1))
        async def call() -> None:
            async with session.post(url + PATH, data=BODY, headers=HEADERS) as response:
                await response.json()

        return await timed(call, concurrency, calls)


async def sdk(url: str, concurrency: int, calls: int) -> tuple[float, float]:
    async with ContactClient(url, Credentials("key", "secret")) as client:
        return await timed(lambda: client.add_or_update(CONTACT), concurrency, calls)


async def sdk_stream(url: str, concurrency: int, calls: int) -> tuple[float, float]:
    contacts = [evolve(CONTACT, id=number) for number in range(1, calls + 1)]
    async with ContactClient(url, Credentials("key", "secret")) as client:
        await asyncio.gather(*(client.add_or_update(CONTACT) for _ in range(concurrency)))
        cpu, wall = time.process_time(), time.perf_counter()
        async with client.stream(contacts, concurrency=concurrency) as outcomes:
            async for outcome in outcomes:
                assert outcome.ok, outcome.message
        return (time.process_time() - cpu) / calls * 1e6, calls / (time.perf_counter() - wall)


async def httpx(url: str, concurrency: int, calls: int) -> tuple[float, float]:
    import httpx

    async with httpx.AsyncClient() as client:
        return await timed(
            lambda: client.post(url + PATH, content=BODY, headers=HEADERS), concurrency, calls
        )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--calls", type=int, default=3000)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--quick", action="store_true", help="only to see that it works")
    arguments = parser.parse_args()
    calls, rounds = (200, 1) if arguments.quick else (arguments.calls, arguments.rounds)
    rivals: list[Measure] = [plain, plain_with_tenacity, sdk, sdk_stream]
    if find_spec("httpx"):
        rivals.append(httpx)
    else:
        print("httpx is not installed: left out")
    names = ("aiohttp", "tenacity", "contactsdk")
    versions = ", ".join(f"{name} {version(name)}" for name in names)
    print(f"Python {platform.python_version()}, {versions}")
    with stub() as url:
        for concurrency in (1, 8, 64):
            found: dict[str, list[tuple[float, float]]] = {rival.__name__: [] for rival in rivals}
            for _ in range(rounds):
                for rival in rivals:
                    found[rival.__name__].append(asyncio.run(rival(url, concurrency, calls)))
            base = statistics.median(cpu for cpu, _ in found["plain"])
            print(f"\nconcurrency {concurrency}")
            for name, measured in found.items():
                cpu = statistics.median(cpu for cpu, _ in measured)
                rate = statistics.median(rate for _, rate in measured)
                print(f"  {name:20} {cpu:7.1f} us of CPU  {cpu / base:5.2f}  {rate:7.0f} calls/s")


if __name__ == "__main__":
    main()
