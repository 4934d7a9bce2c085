"""Imports that are killed at any point, and resumed, held against the ledger of the platform."""

import csv
import os
import random
import signal
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import pytest
from background import environment_of, sandbox_in_thread

ROWS = 1500
CONCURRENCY = 8
KILLS = 6


def command(folder: Path) -> list[str]:
    files = ["--journal", "run.sqlite", "--results", "out.csv"]
    return [
        *(sys.executable, "-m", "contactsdk", "import", str(folder / "in.csv")),
        *("--concurrency", str(CONCURRENCY), *files, "--quiet"),
    ]


@pytest.mark.parametrize("seed", [1, 2])
def test_killed_import_goes_on_without_losing_or_doubling_a_row(seed: int, tmp_path: Path) -> None:
    chance = random.Random(seed)
    rows = [f"Ada,No {number},ada@example.com,row-{number}" for number in range(ROWS)]
    (tmp_path / "in.csv").write_text("\n".join(["firstName,lastName,email,externalId", *rows, ""]))
    with sandbox_in_thread(latency_s=0.002) as sandbox:
        environment = {**os.environ, **environment_of(sandbox)}
        for _ in range(KILLS):
            goal = len(sandbox.ledger.writes) + chance.randrange(1, ROWS // KILLS)
            process = subprocess.Popen(command(tmp_path), cwd=tmp_path, env=environment)
            while len(sandbox.ledger.writes) < goal and process.poll() is None:
                time.sleep(0.001)
            process.send_signal(signal.SIGKILL)
            process.wait()
        subprocess.run(command(tmp_path), cwd=tmp_path, env=environment, check=False)
        writes = Counter(write.body["externalId"] for write in sandbox.ledger.writes)
        ids = {write.body["externalId"]: write.contact_id for write in sandbox.ledger.writes}

    with (tmp_path / "out.csv").open(newline="") as file:
        results = {f"row-{int(row['line']) - 2}": row for row in csv.DictReader(file)}
    uncertain = {row for row, result in results.items() if result["state"] == "uncertain"}
    succeeded = {row for row, result in results.items() if result["state"] == "succeeded"}
    assert len(results) == ROWS, "a row was lost"
    assert uncertain | succeeded == set(results)
    assert max(writes.values()) == 1, "an add was doubled"
    assert all(int(results[row]["id"]) == ids[row] for row in succeeded)
    assert writes.keys() - succeeded <= uncertain, "a write that nothing explains"
    assert len(uncertain) <= KILLS * CONCURRENCY
