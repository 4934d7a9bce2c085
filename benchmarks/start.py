"""What does the start of a program cost?

    python -m benchmarks.start [--quick]

New interpreters, in turn, the median of 21, with all modules compiled as an installation has them:
how long an `import` takes, and how long it is from the start of the process to the first answer of
a bare server, of a contact with an email: the library that checks it is imported for the first
one. The ratio is to aiohttp.
"""

import functools
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping

from benchmarks.measuring import Table, show
from benchmarks.stub import stub

_IMPORT = "import time; at = time.perf_counter(); import {0}; print(time.perf_counter() - at)"

_BARE = """
import asyncio, aiohttp

async def main():
    async with aiohttp.ClientSession() as session:
        address = "{0}/api/1.0/contact?action=addOrUpdateContact"
        fields = {{"firstName": "Ada", "lastName": "Archer", "email": "ada@example.com"}}
        async with session.post(address, json=fields) as response:
            assert (await response.json())["id"]

asyncio.run(main())
"""

_OURS = """
import asyncio
from contactsdk import Contact, ContactClient, Credentials

async def main():
    async with ContactClient("{0}", Credentials("key", "secret")) as client:
        assert await client.add_or_update(
            Contact(first_name="Ada", last_name="Archer", email="ada@example.com")
        )

asyncio.run(main())
"""


def tables(quick: bool) -> Iterator[Table]:
    """The import, and the first call."""
    rounds = 1 if quick else 21
    imports = {name: _IMPORT.format(name) for name in ("aiohttp", "contactsdk")}
    with tempfile.TemporaryDirectory() as compiled, stub() as url:
        programs = {"aiohttp": _BARE.format(url), "contactsdk": _OURS.format(url)}
        environment = {**os.environ, "PYTHONPYCACHEPREFIX": compiled}
        environment.pop("PYTHONDONTWRITEBYTECODE", None)
        run = functools.partial(_run, environment)
        yield _table("Import", imports, lambda code: run(code)[1], rounds)
        yield _table("Process start to first answer", programs, lambda code: run(code)[0], rounds)


def _table(
    title: str, programs: Mapping[str, str], measure: Callable[[str], float], rounds: int
) -> Table:
    measured: dict[str, list[float]] = {name: [] for name in programs}
    for code in programs.values():
        measure(code)  # what is not yet compiled is
    for _ in range(rounds):
        for name, code in programs.items():
            measured[name].append(measure(code))
    medians = {name: statistics.median(times) for name, times in measured.items()}
    base = next(iter(medians.values()))
    rows = tuple((name, median * 1e3, median / base) for name, median in medians.items())
    return Table(title, ("ms", "ratio"), rows)


def _run(environment: dict[str, str], code: str) -> tuple[float, float]:
    """How long the process took, in seconds, and what it printed, 0 for nothing."""
    at = time.perf_counter()
    done = subprocess.run(
        [sys.executable, "-c", code], check=True, stdout=subprocess.PIPE, text=True, env=environment
    )
    return time.perf_counter() - at, float(done.stdout or 0)


if __name__ == "__main__":
    show(__doc__, tables)
