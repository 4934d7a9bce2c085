"""What becomes of a run when the platform is away for a while?

    python -m benchmarks.outage [--away 60]

5,000 updates at concurrency 32; after 1 second the sandbox (in another process, with 5 ms of
latency) refuses connections for `--away` seconds and then comes back. Printed is what became of the
contacts, how many connections were tried while it was away, and the most tries at the same time
once the outage was noticed.
"""

import argparse
import asyncio
import time

import aiohttp

from benchmarks.platforms import Platform, Setting, sandbox
from contactsdk import BulkReport, Contact, ContactClient, Credentials


class Tries:
    """Counts the connections that are being made."""

    def __init__(self) -> None:
        self.started: list[float] = []
        self.now = 0
        self.most: list[tuple[float, int]] = []
        self.config = aiohttp.TraceConfig()
        self.config.on_connection_create_start.append(self._start)
        self.config.on_request_exception.append(self._end)
        self.config.on_connection_create_end.append(self._end)

    async def _start(self, *_: object) -> None:
        self.started.append(time.time())
        self.now += 1
        self.most.append((time.time(), self.now))

    async def _end(self, *_: object) -> None:
        self.now -= 1


async def run(platform: Platform, tries: Tries) -> BulkReport:
    credentials = Credentials(platform.key, platform.secret)
    contacts = (
        Contact(first_name="Ada", last_name=f"No {n}", email="a@example.com", update_if_exists=True)
        for n in range(5_000)
    )
    async with ContactClient(platform.url, credentials, trace_configs=[tries.config]) as client:
        return await client.add_or_update_many(contacts)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--away", type=float, default=60.0)
    away_s = parser.parse_args().away
    tries = Tries()
    settings = (
        Setting(latency_s=0.005),
        Setting(at_s=1.0, latency_s=0.005, is_up=False),
        Setting(at_s=1.0 + away_s, latency_s=0.005),
    )
    with sandbox(*settings) as platform:
        report = asyncio.run(run(platform, tries))
        platform.stop()
    started = platform.answers[0][0]
    away = [at for at in tries.started if started + 1 <= at < started + 1 + away_s]
    noticed = [most for at, most in tries.most if started + 2 <= at < started + 1 + away_s]
    print(report)
    print(f"tries while away: {len(away)}; most at the same time once noticed: {max(noticed)}")


if __name__ == "__main__":
    main()
