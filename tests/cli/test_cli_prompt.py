import io
import os
import pty
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeAlias

import pytest

from contactsdk.cli.prompt import answer_is_yes, drop_typed_ahead, is_terminal

Ask: TypeAlias = Callable[..., tuple[list[str], str]]

IN_A_SESSION = """
import os, sys
os.open(sys.argv[1], os.O_RDWR)  # the first terminal that a new session opens is its own
if sys.argv[2] == "background":
    os.setpgid(0, 0) if os.fork() == 0 else os._exit(os.waitstatus_to_exitcode(os.wait()[1]))
from contactsdk.cli.prompt import answer_is_yes, is_terminal
for _ in range(int(sys.argv[3])):
    print(is_terminal() and answer_is_yes("Send? "))
"""


@pytest.fixture
def ask() -> Ask:
    """Asks in a process with a terminal; what it took the answers for, and what was shown."""

    def ask(*answers: str, place: str = "foreground", **streams: Any) -> tuple[list[str], str]:
        ours, its = pty.openpty()
        os.write(ours, "".join(answers).encode())
        terminal, times = os.ttyname(its), str(len(answers))
        command = [sys.executable, "-c", IN_A_SESSION, terminal, place, times]
        given = {"stdin": subprocess.DEVNULL, "stderr": subprocess.DEVNULL, **streams}
        streams = {name: its if stream == "terminal" else stream for name, stream in given.items()}
        done = subprocess.run(
            command, stdout=subprocess.PIPE, start_new_session=True, text=True, **streams
        )
        os.write(its, b".")  # else there may be nothing to read
        shown = os.read(ours, 4096).decode()
        os.close(ours)
        os.close(its)
        return done.stdout.split(), shown

    return ask


@pytest.mark.parametrize(
    "streams",
    [
        {"stdin": "terminal", "stderr": "terminal"},
        {"stdin": "terminal"},
        {"stderr": "terminal"},
        {},
    ],
)
def test_person_is_asked_wherever_the_standard_streams_lead(
    streams: dict[str, str], ask: Ask
) -> None:
    said, shown = ask("y\n", "n\n", **streams)
    assert said == ["True", "False"]
    assert shown.count("Send? ") == 2


def test_job_in_the_background_is_not_asked(ask: Ask) -> None:
    said, shown = ask("y\n", place="background")
    assert said == ["False"]
    assert "Send? " not in shown


def test_terminal_that_cannot_be_opened_is_nobody(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    ours, its = pty.openpty()
    with os.fdopen(its) as keyboard:
        monkeypatch.setattr("sys.stdin", keyboard)
        monkeypatch.setattr(os, "ttyname", lambda _: str(tmp_path / "none"))
        assert not is_terminal()
    os.close(ours)


@pytest.mark.parametrize(
    ("typed", "is_yes"),
    [
        ("y\n", True),
        (" YES \n", True),
        ("n\n", False),
        ("No\ny\n", False),
        ("\ny\n", False),
        ("", False),
        ("j\ny\n", True),
        ("ja\nn\ny\n", False),
        ("oui\n", False),
        ("j\nja\nJA\ny\n", False),
    ],
)
def test_only_yes_is_yes(typed: str, is_yes: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO(typed))
    assert answer_is_yes("Send? ") is is_yes


def test_answer_that_is_neither_yes_nor_no_is_asked_about_again(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO("j\ny\n"))
    answer_is_yes("Send? ")
    assert capsys.readouterr().err == (
        "Send? Not understood, and nothing was done: answer y for yes, or n for no.\nSend? "
    )


def test_what_was_typed_before_the_question_is_not_an_answer(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    ours, its = pty.openpty()
    with os.fdopen(its) as terminal:
        monkeypatch.setattr("sys.stdin", terminal)
        os.write(ours, b"y\n")
        drop_typed_ahead()
        os.write(ours, b"n\n")
        assert not answer_is_yes("Record? ")
    os.close(ours)


def test_input_that_is_not_a_terminal_stays_as_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO("y\n"))
    drop_typed_ahead()
    assert answer_is_yes("Record? ")
