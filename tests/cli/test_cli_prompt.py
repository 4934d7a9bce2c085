import io
import os
import pty

import pytest

from contactsdk.cli.prompt import answer_is_yes, drop_typed_ahead


@pytest.mark.parametrize(
    ("typed", "is_yes"), [("y\n", True), (" YES \n", True), ("n\n", False), ("", False)]
)
def test_only_yes_is_yes(typed: str, is_yes: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO(typed))
    assert answer_is_yes("Send? ") is is_yes


def test_what_was_typed_before_the_question_is_no_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    ours, its = pty.openpty()
    with os.fdopen(its) as terminal:
        monkeypatch.setattr("sys.stdin", terminal)
        os.write(ours, b"y\n")
        drop_typed_ahead()
        os.write(ours, b"n\n")
        assert not answer_is_yes("Record? ")
    os.close(ours)


def test_input_that_is_no_terminal_stays_as_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO("y\n"))
    drop_typed_ahead()
    assert answer_is_yes("Record? ")
