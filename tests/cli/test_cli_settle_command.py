import csv
from pathlib import Path

import pytest
import typer
from typer.testing import Result

from contactsdk import SqliteJournal
from contactsdk.cli import settle_command
from contactsdk.files import State
from contactsdk.sandbox import Fault, FaultKind, Sandbox
from tests.cli.commanding import ADD, call, sample

LOST = Fault(FaultKind.ERROR_AFTER_WRITE)
NOT_WRITTEN = Fault(FaultKind.ERROR_BEFORE_WRITE)
LIST = "contact?action=getContactList"


def import_with(sandbox: Sandbox, *faults: Fault | None, rows: int = 3, code: int = 1) -> Result:
    Path("in.csv").write_text(sample(rows))
    sandbox.script(None, *faults, action=ADD)
    return call("import", "in.csv", "--journal", "run.sqlite", "--concurrency", "1", code=code)


def recorded() -> list[tuple[str, bool]]:
    return [(row.state.value, row.settled) for row in SqliteJournal("run.sqlite").rows()]


def test_found_row_is_recorded_with_its_id_and_nothing_is_sent_again(
    sandbox: Sandbox, folder: Path
) -> None:
    import_with(sandbox, LOST)
    sent = len(sandbox.ledger.writes)

    result = call("settle", "run.sqlite", "--input", "in.csv")

    assert result.stderr.startswith("Looking for the uncertain rows on the platform ...\n")
    assert "row 3: found, id 1002" in result.stderr
    written = "contactsdk journal run.sqlite --input in.csv --merged FILE"
    assert f"To write the ids that were found: {written}\n" in result.stderr
    assert "1 were uncertain and then found; 0 are still uncertain." in result.stdout
    assert recorded() == [("succeeded", False), ("succeeded", True), ("succeeded", False)]
    assert len(sandbox.ledger.writes) == sent
    assert "1 were uncertain and then found" in call("journal", "run.sqlite").stdout


def test_row_that_is_not_there_is_written_to_uncertain_and_stays_so(
    sandbox: Sandbox, folder: Path
) -> None:
    import_with(sandbox, NOT_WRITTEN, LOST)

    result = call("settle", "run.sqlite", "--input", "in.csv", "--uncertain", "left.csv", code=1)

    assert "row 3: Internal error; looked up and not found" in result.stderr
    assert "1 were uncertain and then found; 1 are still uncertain." in result.stdout
    with open("left.csv", newline="") as file:
        assert [row["email"] for row in csv.DictReader(file)] == ["ada1@example.com"]
    assert recorded()[1:] == [("uncertain", False), ("succeeded", True)]


def test_journal_without_uncertain_rows_needs_no_look_up(sandbox: Sandbox, folder: Path) -> None:
    import_with(sandbox, code=0)

    result = call("settle", "run.sqlite", "--input", "in.csv")
    assert "No row is uncertain." in result.stdout
    assert result.stderr == ""
    assert LIST not in {request.action for request in sandbox.ledger.requests}


@pytest.mark.parametrize(("answer", "state"), [("n", "uncertain"), ("y", "succeeded")])
def test_person_at_a_terminal_sees_what_was_found_and_is_asked(
    answer: str, state: str, sandbox: Sandbox, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import_with(sandbox, LOST)
    shown: list[str] = []
    monkeypatch.setattr(settle_command, "is_terminal", lambda: True)
    monkeypatch.setattr(typer, "echo", lambda text, **_: shown.append(text))

    def answer_is_yes(question: str) -> bool:
        shown.append(question)
        return answer == "y"

    monkeypatch.setattr(settle_command, "answer_is_yes", answer_is_yes)

    call("settle", "run.sqlite", "--input", "in.csv", code=0 if answer == "y" else 3)

    assert "row 3: found, id 1002" in shown
    assert "Record what was found? [y/N] " in shown
    assert recorded()[1][0] == state


def test_yes_records_without_asking(
    sandbox: Sandbox, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import_with(sandbox, LOST)
    monkeypatch.setattr(settle_command, "is_terminal", lambda: True)

    call("settle", "run.sqlite", "--input", "in.csv", "--yes")

    assert recorded()[1] == ("succeeded", True)


def test_many_rows_are_not_all_shown(sandbox: Sandbox, folder: Path) -> None:
    import_with(sandbox, *[LOST, None] * 29, rows=59)

    assert "and 4 more" in call("settle", "run.sqlite", "--input", "in.csv").stderr


def test_journal_that_is_not_there_is_an_error(sandbox: Sandbox, folder: Path) -> None:
    Path("in.csv").write_text(sample(1))

    result = call("settle", "run.sqlite", "--input", "in.csv", code=2)

    assert "run.sqlite: there is no such journal" in result.stderr
    assert not Path("run.sqlite").exists()


def test_key_that_may_not_look_contacts_up_is_reported(sandbox: Sandbox, folder: Path) -> None:
    import_with(sandbox, LOST)
    sandbox.script(Fault(FaultKind.REDIRECT), action=LIST)

    result = call("settle", "run.sqlite", "--input", "in.csv", code=3)

    assert "contacts cannot be looked up" in result.stderr
    assert recorded()[1] == ("uncertain", False)


def test_import_with_settle_finds_what_was_uncertain(sandbox: Sandbox, folder: Path) -> None:
    Path("in.csv").write_text(sample(3))
    sandbox.script(None, LOST, action=ADD)

    result = call("import", "in.csv", "--settle", "2", "--results", "out.csv")

    assert "1 were uncertain and then found" in result.stdout
    with open("out.csv", newline="") as file:
        assert {row["state"] for row in csv.DictReader(file)} == {State.SUCCEEDED}
