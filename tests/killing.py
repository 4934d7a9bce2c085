"""Imports that are killed at any moment and started again, held against the platform's ledger."""

import csv
import os
import random
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Mapping
from pathlib import Path

from attrs import frozen

from contactsdk.sandbox import Sandbox


@frozen(kw_only=True)
class Found:
    """What the import said of its rows, and what the ledger says."""

    rows: int
    """How many rows there were."""
    kills: int
    """How often the import was killed before it ended."""
    succeeded: int
    """How many rows it calls succeeded at last."""
    uncertain: int
    """How many it calls uncertain."""
    lost: int
    """Rows it says nothing of, or says something else of."""
    doubled: int
    """Rows that the platform wrote twice."""
    misreported: int
    """Rows with another id than the platform's, and rows it wrote that are said to have failed."""

    @property
    def is_right(self) -> bool:
        """Whether nothing was lost, doubled or misreported."""
        return not (self.lost or self.doubled or self.misreported)


def import_and_kill(
    sandbox: Sandbox,
    environment: Mapping[str, str],
    folder: Path,
    *,
    rows: int,
    kills: int,
    concurrency: int,
    seed: int,
    any_time_every: int = 10,
) -> Found:
    """Import so many new contacts with a journal, killing the command at random moments.

    Each kill strikes some writes after the last one and up to 2 ms later; one in `any_time_every`
    strikes at a time of its own, so also while the command starts or reads its input.
    """
    chance = random.Random(seed)
    lines = [f"Ada,No {number},ada@example.com,row-{number}" for number in range(rows)]
    (folder / "in.csv").write_text("\n".join(["firstName,lastName,email,externalId", *lines, ""]))
    command = [
        *(sys.executable, "-m", "contactsdk", "import", "in.csv", "--quiet", "--yes"),
        *("--journal", "run.sqlite", "--results", "out.csv", "--concurrency", str(concurrency)),
    ]
    env = {**os.environ, **environment}
    killed = 0
    for number in range(kills):
        process = subprocess.Popen(command, cwd=folder, env=env, stderr=subprocess.DEVNULL)
        if number % any_time_every == any_time_every - 1:
            time.sleep(chance.uniform(0, 1))
        else:
            goal = len(sandbox.ledger.writes) + chance.randrange(1, max(2, rows // kills))
            while len(sandbox.ledger.writes) < goal and process.poll() is None:
                time.sleep(0.0005)
            time.sleep(chance.uniform(0, 0.002))
        killed += process.poll() is None
        process.send_signal(signal.SIGKILL)
        process.wait()
    subprocess.run(command, cwd=folder, env=env, check=False)
    return _found(sandbox, folder / "out.csv", rows, killed)


def _found(sandbox: Sandbox, results: Path, rows: int, kills: int) -> Found:
    writes = Counter(write.body["externalId"] for write in sandbox.ledger.writes)
    ids = {write.body["externalId"]: write.contact_id for write in sandbox.ledger.writes}
    with results.open(newline="") as file:
        said = {f"row-{int(row['line']) - 2}": row for row in csv.DictReader(file)}
    uncertain = {row for row, result in said.items() if result["state"] == "uncertain"}
    succeeded = {row for row, result in said.items() if result["state"] == "succeeded"}
    wrong = [row for row in succeeded if str(ids.get(row)) != said[row]["id"]]
    return Found(
        rows=rows,
        kills=kills,
        succeeded=len(succeeded),
        uncertain=len(uncertain),
        lost=rows - len(succeeded | uncertain),
        doubled=sum(count > 1 for count in writes.values()),
        misreported=len(wrong) + len(writes.keys() - succeeded - uncertain),
    )
