import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from contactsdk import starting

ROOT = Path(__file__).parent.parent


@pytest.mark.parametrize(
    ("arguments", "is_own"),
    [
        (["python", "/bin/contactsdk", "import", "in.csv"], True),
        (["python", "-I", "C:/contactsdk.exe"], True),
        (["python", "-W", "error", "-m", "contactsdk", "ping"], True),
        (["python", "-m", "contactsdk"], True),
        (["python", "-m", "pytest", "contactsdk"], False),
        (["python", "-m"], False),
        (["python", "worker.py", "contactsdk"], False),
        (["python", "-c", "import contactsdk"], False),
        (["python"], False),
    ],
)
def test_own_command_is_recognised_among_other_programs(arguments: list[str], is_own: bool) -> None:
    assert starting.is_own_command(arguments) == is_own


def test_other_programs_keep_their_handler() -> None:
    before = signal.getsignal(signal.SIGINT)
    starting.begin(["python", "worker.py"])
    assert signal.getsignal(signal.SIGINT) is before
    starting.end()
    assert signal.getsignal(signal.SIGINT) is before


def test_handler_is_put_back_once_the_command_has_started() -> None:
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        starting.begin(["python", "contactsdk"])
        assert signal.getsignal(signal.SIGINT) is not signal.default_int_handler
        starting.end()
        assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
    finally:
        signal.signal(signal.SIGINT, before)


def test_closed_streams_are_the_null_device(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("stdin", "stdout", "stderr"):
        monkeypatch.setattr(sys, name, None)
    starting.fill_closed_streams()
    with sys.stdin, sys.stdout, sys.stderr:
        assert sys.stdin.read() == ""
        sys.stdout.write("nobody sees this")
        sys.stderr.write("nor this")


@pytest.mark.parametrize(
    ("closing", "arguments", "code"),
    [
        ("<&-", "in.csv --dry-run", 0),
        ("2>&-", "in.csv --dry-run", 0),
        (">&-", "in.csv --dry-run", 0),
        (">&-", "in.csv --dry-run --results -", 2),
    ],
)
def test_command_runs_with_a_closed_stream(
    closing: str, arguments: str, code: int, tmp_path: Path
) -> None:
    (tmp_path / "in.csv").write_text("firstName,lastName,email\nA,A,a@example.com\n")
    done = subprocess.run(
        ["/bin/sh", "-c", f"'{sys.executable}' -m contactsdk import {arguments} {closing}"],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == code
    assert "Traceback" not in done.stderr
    assert ("standard output is closed" in done.stderr) == (code == 2)


def test_interrupt_that_is_ignored_stays_ignored() -> None:
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        starting.begin(["python", "contactsdk"])
        assert signal.getsignal(signal.SIGINT) is signal.SIG_IGN
    finally:
        signal.signal(signal.SIGINT, before)


def test_ctrl_c_while_the_command_starts_is_an_interruption_without_a_traceback(
    tmp_path: Path,
) -> None:
    # What the package imports first is a module that interrupts it, in the middle of its start.
    (tmp_path / "aiohttp.py").write_text("import signal\nsignal.raise_signal(signal.SIGINT)\n")
    done = subprocess.run(
        [sys.executable, "-m", "contactsdk", "ping"],
        env={**os.environ, "PYTHONPATH": f"{tmp_path}{os.pathsep}{ROOT}"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stdout, done.stderr) == (130, "", "")
