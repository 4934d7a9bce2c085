"""How close does a bulk run come to the rate that a platform allows, and how much is throttled?

    python -m benchmarks.pace               all of it, about 20 minutes
    python -m benchmarks.pace --only noise  one kind: steady, changes or noise
    python -m benchmarks.pace --quick       a look at each kind, about a minute

Adds go through `stream` to a sandbox in another process, on loopback, at concurrency 32. "good"
is how many a second succeeded, as a part of the rate R that the sandbox allows; "throttled" is the
part of the requests that it answered with 429. Both are over the last 20 of 30 seconds (after a
change: over the 5 seconds that begin when the run should have followed it), with the pauses that
the platform itself asked for taken out of the time.
"""

import argparse
import asyncio
import itertools
import time

from attrs import frozen

from benchmarks.platforms import Platform, Setting, sandbox
from contactsdk import Contact, ContactClient, Credentials, Progress
from contactsdk.sandbox import Fault, FaultKind, RateLimit


@frozen
class Run:
    """When each contact succeeded and how long the run had been paused by then, since its start."""

    successes: list[float]
    pauses: list[tuple[float, float]]
    started: float

    def paused_s(self, start_s: float, end_s: float) -> float:
        """For how long the run was paused between these two."""
        return self._paused_by(end_s) - self._paused_by(start_s)

    def _paused_by(self, at_s: float) -> float:
        return max((paused for at, paused in self.pauses if at <= at_s), default=0.0)


async def run(platform: Platform, seconds: float, *, concurrency: int = 32) -> Run:
    successes: list[float] = []
    pauses: list[tuple[float, float]] = []
    started = time.time()

    def note(progress: Progress) -> None:
        pauses.append((time.time() - started, progress.paused_s))

    items = (
        Contact(first_name="Ada", last_name=f"No {n}", email=f"a{n}@example.com")
        for n in itertools.takewhile(lambda _: time.time() < started + seconds, itertools.count())
    )
    async with (
        ContactClient(platform.url, Credentials(platform.key, platform.secret)) as client,
        client.stream(items, concurrency=concurrency, on_progress=note) as outcomes,
    ):
        async for outcome in outcomes:
            if outcome.ok:
                successes.append(time.time() - started)
            else:
                print("   failed:", outcome.message)
    return Run(successes, pauses, started)


def measure(
    settings: tuple[Setting, ...], rate: float, start_s: float, end_s: float, *, asked: bool
) -> tuple[float, float]:
    """What part of `rate` succeeded between these seconds, and what part was throttled."""
    with sandbox(*settings) as platform:
        result = asyncio.run(run(platform, end_s))
    seconds = end_s - start_s - (result.paused_s(start_s, end_s) if asked else 0.0)
    good = sum(start_s <= at < end_s for at in result.successes) / seconds
    codes = [code for at, code in platform.answers if start_s <= at - result.started < end_s]
    return good / rate, codes.count(429) / max(1, len(codes))


def limits(rate: float, *, retry_after: bool) -> dict[str, RateLimit]:
    return {
        "bucket 0.05 s": RateLimit(per_s=rate, depth_s=0.05, retry_after=retry_after),
        "bucket 0.2 s": RateLimit(per_s=rate, depth_s=0.2, retry_after=retry_after),
        "bucket 1 s": RateLimit(per_s=rate, depth_s=1.0, retry_after=retry_after),
        "window 1 s": RateLimit(per_s=rate, window=True, retry_after=retry_after),
    }


def steady(rates: tuple[float, ...], seconds: float) -> None:
    print(f"{'R':>6} {'limit':14} {'Retry-After':12} {'good':>6} {'throttled':>10}")
    for rate, retry_after in itertools.product(rates, (False, True)):
        for name, limit in limits(rate, retry_after=retry_after).items():
            good, throttled = measure(
                (Setting(rate_limit=limit),), rate, seconds / 3, seconds, asked=retry_after
            )
            asked = "yes" if retry_after else "no"
            print(f"{rate:6.0f} {name:14} {asked:12} {good:6.1%} {throttled:10.2%}", flush=True)


def changes(rates: tuple[tuple[float, float, float], ...]) -> None:
    print(f"\n{'R':>12} {'Retry-After':12} {'after':>6} {'good':>6} {'throttled':>10}")
    for (before, after, within_s), retry_after in itertools.product(rates, (False, True)):
        settings = (
            Setting(rate_limit=RateLimit(per_s=before, retry_after=retry_after)),
            Setting(at_s=15, rate_limit=RateLimit(per_s=after, retry_after=retry_after)),
        )
        start_s = 15 + within_s
        good, throttled = measure(settings, after, start_s, start_s + 5, asked=retry_after)
        name, asked = f"{before:.0f} -> {after:.0f}", "yes" if retry_after else "no"
        print(f"{name:>12} {asked:12} {within_s:4.0f} s {good:6.1%} {throttled:10.2%}", flush=True)


def noise(seconds: float) -> None:
    faults = (Fault(FaultKind.THROTTLED, retry_after_s=0), Fault(FaultKind.UNAVAILABLE))
    per_s: dict[float, float] = {0.0: 0.0, 0.06: 0.0}
    print()
    for share in (0.0, 0.06) * 2:
        good, _ = measure((Setting(mix=(share, faults)),), 1.0, seconds / 3, seconds, asked=False)
        per_s[share] += good
        print(f"{share:.0%} random 429 and 503: {good:.0f} contacts/s", flush=True)
    print(f"{per_s[0.06] / per_s[0.0]:.1%} of the undisturbed")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--only", choices=("steady", "changes", "noise"))
    arguments = parser.parse_args()
    if arguments.only in (None, "steady"):
        steady((200,) if arguments.quick else (50, 200, 1000), 9 if arguments.quick else 30)
    if arguments.only in (None, "changes"):
        quick = ((400, 200, 5),)
        whole = ((200, 400, 20), (400, 200, 5), (500, 1000, 20), (1000, 500, 5))
        changes(quick if arguments.quick else whole)
    if arguments.only in (None, "noise"):
        noise(6 if arguments.quick else 20)


if __name__ == "__main__":
    main()
