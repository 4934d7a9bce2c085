"""Rivals measured in turn, each in a process of its own, and the tables that come of it.

A process for each keeps them from sharing a heap, an import or a warm cache; taking turns (A B A B)
lets whatever else the machine does meet them all. One process may be a tenth faster than the next
with the same code, by the luck of where its memory lies, so what is to be told apart more finely
than that is measured in several. Rivals that are mostly the same code may also share one, with its
luck.
"""

import argparse
import asyncio
import contextlib
import multiprocessing
import os
import platform
import resource
import statistics
import sys
import time
from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping
from contextlib import AbstractAsyncContextManager
from importlib.metadata import PackageNotFoundError, version
from multiprocessing.connection import Connection
from typing import Any, TypeAlias

from attrs import frozen

Batch: TypeAlias = Callable[[int], Awaitable[None]]
"""Makes so many calls."""

_PEAK_UNIT = 1 if sys.platform == "darwin" else 1024
_PACKAGES = (
    "contactsdk",
    "aiohttp",
    "attrs",
    "cattrs",
    "orjson",
    "tenacity",
    "email-validator",
    "httpx",
    "openapi-python-client",
    "uvloop",
)


@frozen
class Rival:
    """`make(*args)` opens it in its own process and gives what makes its calls."""

    make: Callable[..., AbstractAsyncContextManager[Batch]]
    args: tuple[Any, ...]
    with_uvloop: bool = False


@frozen
class Cost:
    """Of one call: process CPU time; of all: calls per second, and how far memory rose for them."""

    cpu_us: float
    per_s: float
    peak_mib: float


@frozen
class Table:
    """The answer to one question; a row begins with its name."""

    title: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str | float, ...], ...]

    def __str__(self) -> str:
        lines = [("", *self.columns), *(tuple(map(_text, row)) for row in self.rows)]
        widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
        return "\n".join(
            [self.title]
            + [
                "  ".join(
                    cell.ljust(width) if at == 0 else cell.rjust(width)
                    for at, (cell, width) in enumerate(zip(line, widths, strict=True))
                )
                for line in lines
            ]
        )


def _text(value: str | float) -> str:
    if isinstance(value, str):
        return value
    return f"{value:,.2f}" if abs(value) < 10 and value != int(value) else f"{value:,.0f}"


def in_turn(
    rivals: Mapping[str, Rival],
    *,
    count: int,
    rounds: int,
    warm_up: int = 64,
    starts: int = 1,
    together: bool = False,
) -> dict[str, Cost]:
    """The median cost of each, over `rounds` in which each makes `count` calls.

    There are so many rounds in each of `starts`, at which all begin in new processes, or `together`
    in a single one. Before each round come `warm_up` calls: connections that idled too long are
    made again.
    """
    groups = [rivals] if together else [{name: rival} for name, rival in rivals.items()]
    measured: dict[str, list[Cost]] = {name: [] for name in rivals}
    for _ in range(starts):
        with contextlib.ExitStack() as running:
            pipes = {
                name: pipe
                for group in groups
                for pipe in [running.enter_context(_running(group))]
                for name in group
            }
            for _ in range(rounds):
                for name, pipe in pipes.items():
                    pipe.send((name, warm_up, count))
                    measured[name].append(pipe.recv())
    return {
        name: Cost(
            statistics.median(cost.cpu_us for cost in costs),
            statistics.median(cost.per_s for cost in costs),
            max(cost.peak_mib for cost in costs),
        )
        for name, costs in measured.items()
    }


@contextlib.contextmanager
def _running(rivals: Mapping[str, Rival]) -> Iterator[Connection]:
    here, there = multiprocessing.Pipe()
    context = multiprocessing.get_context("spawn")
    process = context.Process(target=_serve, args=(there, rivals), daemon=True)
    process.start()
    there.close()
    try:
        here.recv()
        yield here
    finally:
        process.kill()
        process.join()


def _serve(pipe: Connection, rivals: Mapping[str, Rival]) -> None:
    # Until a process has let go of a large piece of memory, as after its first answer over TLS,
    # glibc may fetch the 256 KiB that asyncio reads into from the kernel anew for each answer over
    # plain http, by the luck of what was imported: 15 us that one rival pays and another does not.
    bytes(2**20)
    run: Callable[[Any], None] = asyncio.run
    if any(rival.with_uvloop for rival in rivals.values()):
        import uvloop

        run = uvloop.run
    run(_answer(pipe, rivals))


async def _answer(pipe: Connection, rivals: Mapping[str, Rival]) -> None:
    async with contextlib.AsyncExitStack() as opened:
        batches = {
            name: await opened.enter_async_context(rival.make(*rival.args))
            for name, rival in rivals.items()
        }
        pipe.send("ready")
        while True:
            name, warm_up, count = pipe.recv()  # blocks the loop, which has nothing to do meanwhile
            batch = batches[name]
            await batch(warm_up)
            peak = _peak_mib()
            cpu, wall = time.process_time(), time.perf_counter()
            await batch(count)
            cpu, wall = time.process_time() - cpu, time.perf_counter() - wall
            pipe.send(Cost(cpu / count * 1e6, count / wall, _peak_mib() - peak))


def _peak_mib() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * _PEAK_UNIT / 2**20


def machine() -> dict[str, str]:
    """What the figures were measured with: Python, the cores, and the versions of all."""
    found = {"Python": platform.python_version(), "cores": str(os.cpu_count())}
    for package in _PACKAGES:
        with contextlib.suppress(PackageNotFoundError):
            found[package] = version(package)
    return found


def show(docstring: str | None, tables: Callable[[bool], Iterable[Table]]) -> None:
    """The command of one question: `--quick` only to see that it works."""
    parser = argparse.ArgumentParser(description=(docstring or "").splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="seconds: only to see that it works")
    quick = parser.parse_args().quick
    print(", ".join(f"{name} {what}" for name, what in machine().items()))
    for table in tables(quick):
        print(f"\n{table}", flush=True)
