"""What does `contactsdk import` cost, against `stream` over contacts that are ready?

    python -m benchmarks.importing [--quick]

The same 20,000 contacts to add go 64 at a time to a bare server in a process of its own. Each
figure is the CPU time of a whole process, less that of one that does the same with a tenth of the
contacts, for each contact more: so what a program's start costs is left out. `stream` has its
contacts made before. The others are the command: a CSV with `--results`, the same with rejects and
merged rows, with a journal, the same as JSON Lines and as Excel, and a dry run. The ratio is to
`stream`; the figures are medians of rounds in turn.

The second table is how far the resident memory of the command rose at its peak for 10,000 rows of
CSV and for more.
"""

import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import openpyxl

from benchmarks.measuring import Table, show
from benchmarks.stub import stub

_HEADER = "firstName,lastName,email,phone,externalId,groups"
_STREAM = """
import asyncio, sys, time
from contactsdk import Contact, ContactClient
async def main(count):
    contacts = [
        Contact(first_name="Ada", last_name=f"No {n}", email=f"ada{n}@example.com",
                phone="+61 400 000 000", external_id=f"row-{n}", groups=[10, 11])
        for n in range(count)
    ]
    async with ContactClient.from_env() as client:
        before = time.process_time()
        async with client.stream(contacts, concurrency=64) as outcomes:
            async for outcome in outcomes:
                assert outcome.ok, outcome.message
        print(time.process_time() - before)
asyncio.run(main(int(sys.argv[1])))
"""
_COMMAND = (sys.executable, "-m", "contactsdk", "import")
_MORE = ("--concurrency", "64", "--quiet", "--yes")


def write_csv(path: Path, count: int) -> None:
    """A file of so many contacts to add."""
    with path.open("w") as file:
        file.write(f"{_HEADER}\n")
        for n in range(count):
            file.write(f"Ada,No {n},ada{n}@example.com,+61 400 000 000,row-{n},10;11\n")


def write_json_lines(path: Path, count: int) -> None:
    """The same contacts."""
    with path.open("w") as file:
        for n in range(count):
            file.write(
                f'{{"firstName":"Ada","lastName":"No {n}","email":"ada{n}@example.com",'
                f'"phone":"+61 400 000 000","externalId":"row-{n}","groups":[10,11]}}\n'
            )


def write_workbook(path: Path, count: int) -> None:
    """The same contacts."""
    book = openpyxl.Workbook(write_only=True)
    sheet = book.create_sheet("Contacts")
    sheet.append(_HEADER.split(","))
    for n in range(count):
        row = ("Ada", f"No {n}", f"ada{n}@example.com", "+61 400 000 000", f"row-{n}", "10;11")
        sheet.append(row)
    book.save(path)


def cpu_s(command: Sequence[str], folder: Path) -> float:
    """The CPU time of a process; or what it prints, where it measures a part of itself."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    done = subprocess.run(command, cwd=folder, check=True, stdout=subprocess.PIPE)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    if done.stdout:
        return float(done.stdout)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def peak_mib(command: Sequence[str], folder: Path) -> float:
    """The highest resident memory of a process."""
    process = subprocess.Popen(command, cwd=folder)
    peak = 0.0
    while process.poll() is None:
        status = Path(f"/proc/{process.pid}/status").read_text()
        found = [line for line in status.splitlines() if line.startswith("VmHWM:")]
        peak = max(peak, int(found[0].split()[1]) / 1024) if found else peak
        time.sleep(0.05)
    assert process.returncode == 0
    return peak


def commands(count: int) -> Mapping[str, Sequence[str]]:
    """What is measured, for a file of so many rows."""
    csv_file, json_file = f"{count}.csv", f"{count}.jsonl"
    results = ("--results", "out.csv")
    rows = ("--rejects", "bad.csv", "--uncertain", "unsure.csv", "--merged", "all.csv")
    journal = ("--journal", "run.sqlite")
    return {
        "stream, contacts ready": (sys.executable, "-c", _STREAM, str(count)),
        "import of CSV": (*_COMMAND, csv_file, *_MORE, *results),
        "import of CSV, and rejects and merged rows": (
            *_COMMAND,
            csv_file,
            *_MORE,
            *results,
            *rows,
        ),
        "import of CSV, with a journal": (*_COMMAND, csv_file, *_MORE, *results, *journal),
        "import of JSON Lines": (*_COMMAND, json_file, *_MORE, *results),
        "import of Excel": (*_COMMAND, f"{count}.xlsx", *_MORE, *results),
        "dry run of CSV": (*_COMMAND, csv_file, *_MORE, "--dry-run"),
    }


def _costs(folder: Path, count: int, rounds: int) -> dict[str, float]:
    few = count // 10
    measured: dict[str, list[float]] = {name: [] for name in commands(count)}
    for _ in range(rounds):
        for name in measured:
            spent = []
            for rows in (few, count):
                for left in folder.glob("run.sqlite*"):
                    left.unlink()
                spent.append(cpu_s(commands(rows)[name], folder))
            measured[name].append((spent[1] - spent[0]) / (count - few) * 1e6)
    return {name: statistics.median(figures) for name, figures in measured.items()}


def tables(quick: bool) -> Iterator[Table]:
    """Two tables."""
    count, rounds = (200, 1) if quick else (20_000, 5)
    few, many = (100, 200) if quick else (10_000, 1_000_000)
    with stub() as url, tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        os.environ |= {
            "CONTACTSDK_URL": url,
            "CONTACTSDK_KEY": "key",
            "CONTACTSDK_SECRET": "secret",
        }
        for rows in (count // 10, count):
            write_csv(folder / f"{rows}.csv", rows)
            write_json_lines(folder / f"{rows}.jsonl", rows)
            write_workbook(folder / f"{rows}.xlsx", rows)
        costs = _costs(folder, count, rounds)
        base = next(iter(costs.values()))
        yield Table(
            f"{count:,} contacts, 64 at a time",
            ("CPU us each", "ratio"),
            tuple((what, cost, cost / base) for what, cost in costs.items()),
        )
        peaks = {}
        for rows in (few, many):
            write_csv(folder / f"{rows}.csv", rows)
            peaks[rows] = peak_mib(commands(rows)["import of CSV"], folder)
        yield Table(
            "memory of an import of CSV with --results",
            ("peak MiB", "more than the first"),
            tuple((f"{rows:,} rows", peak, peak - peaks[few]) for rows, peak in peaks.items()),
        )


if __name__ == "__main__":
    show(__doc__, tables)
