"""Imports in batches that are killed, and resumed, held against the ledger of the platform."""

import csv
import os
import random
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path

from contactsdk.sandbox import Sandbox
from tests.background import environment_of, sandbox_in_thread

BATCH_SIZE = 20
CONCURRENCY = 4
KILLS = 3


def command(folder: Path) -> list[str]:
    files = ["--journal", "run.sqlite", "--results", "out.csv"]
    sizes = ["--batch-size", str(BATCH_SIZE), "--concurrency", str(CONCURRENCY)]
    return [
        *(sys.executable, "-m", "contactsdk", "import", str(folder / "in.csv")),
        *(*sizes, *files, "--quiet", "--yes"),
    ]


def write_input(folder: Path, rows: int) -> None:
    lines = [f"Ada,No {number},ada@example.com,row-{number}" for number in range(rows)]
    (folder / "in.csv").write_text("\n".join(["firstName,lastName,email,externalId", *lines, ""]))


def run_and_kill(folder: Path, sandbox: Sandbox, is_time: Callable[[], bool]) -> None:
    environment = {**os.environ, **environment_of(sandbox)}
    process = subprocess.Popen(command(folder), cwd=folder, env=environment)
    while not is_time() and process.poll() is None:
        time.sleep(0.001)
    process.send_signal(signal.SIGKILL)
    process.wait()


def run(folder: Path, sandbox: Sandbox) -> dict[str, str]:
    """Run it to its end; the state of each row."""
    environment = {**os.environ, **environment_of(sandbox)}
    subprocess.run(command(folder), cwd=folder, env=environment, check=False)
    with (folder / "out.csv").open(newline="") as file:
        return {f"row-{int(row['line']) - 2}": row["state"] for row in csv.DictReader(file)}


def times_written(sandbox: Sandbox) -> Counter[str]:
    return Counter(write.body["externalId"] for write in sandbox.ledger.writes)


def test_import_killed_once_its_batches_were_accepted_leaves_no_contact_uncertain(
    tmp_path: Path,
) -> None:
    rows = 1 + CONCURRENCY * BATCH_SIZE
    write_input(tmp_path, rows)
    with sandbox_in_thread() as sandbox:

        def are_all_asked_for() -> bool:
            asked = {r.body for r in sandbox.ledger.requests if r.action == "batch?action=results"}
            if len(sandbox.batches) == 1:
                sandbox.batch_rate_per_s = 10.0  # two seconds a batch, from the second one on
            return len(asked) == 1 + CONCURRENCY

        run_and_kill(tmp_path, sandbox, are_all_asked_for)
        written_before = len(sandbox.ledger.writes)
        states = run(tmp_path, sandbox)
        writes = times_written(sandbox)

    assert written_before < rows
    assert set(states.values()) == {"succeeded"}
    assert writes == Counter(f"row-{number}" for number in range(rows))


def has_written(sandbox: Sandbox, count: int) -> Callable[[], bool]:
    return lambda: len(sandbox.ledger.writes) >= count


def test_import_killed_at_any_moment_loses_and_doubles_no_row(tmp_path: Path) -> None:
    chance = random.Random(1)
    rows = 600
    write_input(tmp_path, rows)
    with sandbox_in_thread(latency_s=0.01, batch_rate_per_s=100.0) as sandbox:
        for _ in range(KILLS):
            goal = len(sandbox.ledger.writes) + chance.randrange(1, rows // KILLS)
            run_and_kill(tmp_path, sandbox, has_written(sandbox, goal))
        states = run(tmp_path, sandbox)
        writes = times_written(sandbox)

    uncertain = {row for row, state in states.items() if state == "uncertain"}
    succeeded = {row for row, state in states.items() if state == "succeeded"}
    assert len(states) == rows, "a row was lost"
    assert uncertain | succeeded == set(states)
    assert max(writes.values()) == 1, "an add was doubled"
    assert succeeded <= writes.keys()
    assert writes.keys() - succeeded <= uncertain, "a write that nothing explains"
    assert len(uncertain) <= KILLS * CONCURRENCY * BATCH_SIZE
