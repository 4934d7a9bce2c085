"""What becomes of a run when the platform is away for a while?

    python -m benchmarks.outage [--away 60]

5,000 updates at concurrency 32; after 1 second the sandbox (in another process, with 5 ms of
latency) refuses connections for `--away` seconds and then comes back. Printed is what became of the
contacts, how many requests were tried once the outage was noticed, and the most at the same time.
"""

import argparse
import asyncio
import time

import aiohttp

from benchmarks.platforms import Platform, Setting, sandbox
from contactsdk import BulkReport, Contact, ContactClient, Credentials


class Tries:
    """When each request began, and how many were under way at that moment."""

    def __init__(self) -> None:
        self.began: list[tuple[float, int]] = []
        self.under_way = 0
        self.config = aiohttp.TraceConfig()
        self.config.on_request_start.append(self._begin)
        self.config.on_request_exception.append(self._end)
        self.config.on_request_end.append(self._end)

    async def _begin(self, *_: object) -> None:
        self.under_way += 1
        self.began.append((time.time(), self.under_way))

    async def _end(self, *_: object) -> None:
        self.under_way -= 1


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
    gone, back = started + 1, started + 1 + away_s
    # Half a second: what was in flight when the platform went fails, and then it is noticed.
    away = [under_way for at, under_way in tries.began if gone + 0.5 <= at < back]
    print(report)
    print(f"tries once noticed: {len(away)}; most of them at the same time: {max(away)}")


if __name__ == "__main__":
    main()
