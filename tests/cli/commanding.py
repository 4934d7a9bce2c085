"""The command line as tests call it, in this process or in one of its own."""

import contextlib
import csv
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from typer.testing import CliRunner, Result

from contactsdk.cli import app
from contactsdk.sandbox import Request, Sandbox

ADD = "contact?action=addOrUpdateContact"
"""The action to give faults to: a ping that goes before takes none of them."""

NAMES = "firstName,lastName,email"
ROOT = Path(__file__).parent.parent.parent


def call(*arguments: str, code: int = 0) -> Result:
    result = CliRunner().invoke(app, arguments, catch_exceptions=False)
    assert result.exit_code == code, result.output
    assert os.environ.get("CONTACTSDK_SECRET", "no secret") not in result.output
    return result


def sample(count: int) -> str:
    rows = [f"Ada,Archer,ada{number}@example.com" for number in range(count)]
    return "\n".join([NAMES, *rows, ""])


def contact_requests(sandbox: Sandbox) -> list[Request]:
    """The requests to add or update a contact; a ping goes before them."""
    return [request for request in sandbox.ledger.requests if request.action == ADD]


def emails(sandbox: Sandbox) -> list[str]:
    return sorted(write.body["email"] for write in sandbox.ledger.writes)


def states(path: str | Path) -> dict[int, str]:
    with open(path, newline="") as file:
        return {int(row["line"]): row["state"] for row in csv.DictReader(file)}


@contextlib.contextmanager
def standard_input(text: str) -> Iterator[None]:
    read, write = os.pipe()
    os.write(write, text.encode())
    os.close(write)
    before = os.dup(0)
    os.dup2(read, 0)
    os.close(read)
    try:
        yield
    finally:
        os.dup2(before, 0)
        os.close(before)


@contextlib.contextmanager
def started(*arguments: str, **options: Any) -> Iterator[Any]:
    process = subprocess.Popen(
        [sys.executable, "-W", "error", "-m", "contactsdk", *arguments],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        **options,
    )
    with process:
        try:
            yield process
        finally:
            process.kill()


def wait_until(is_so: Callable[[], object]) -> None:
    deadline = time.monotonic() + 120
    while not is_so():
        assert time.monotonic() < deadline
        time.sleep(0.01)
