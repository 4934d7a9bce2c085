from pathlib import Path
from typing import Any

import pytest

from contactsdk.cli.summary import Tally
from contactsdk.cli.written_files import Written, next_lines
from contactsdk.files import OutputNames, Result, State, open_text

COMMAND = "contactsdk import bad.csv"
UPDATE = "contactsdk import in.csv --update-if-exists"


def lines(
    outputs: OutputNames,
    *results: Result,
    report: Path | None = None,
    has_journal: bool = False,
    is_excel: bool = False,
    is_stopped: bool = False,
    is_interrupted: bool = False,
    has_new_rejects: bool = True,
    update_instead: str = UPDATE,
) -> list[str]:
    tally = Tally()
    for result in results:
        tally.add(result)
    written = Written.of(outputs, report)
    steps = next_lines(
        outputs,
        tally,
        has_journal=has_journal,
        has_new_rejects=has_new_rejects,
        is_excel=is_excel,
        is_stopped=is_stopped,
        is_interrupted=is_interrupted,
        import_rejects=COMMAND,
        update_instead=update_instead,
    )
    return [*written.lines(tally, has_journal=has_journal), *steps]


def a_row(state: State, *, refused: bool = False) -> Result:
    return Result(line=2, row=2, state=state, refused=refused)


REFUSED = a_row(State.FAILED, refused=True)
SUCCEEDED = a_row(State.SUCCEEDED)
NOT_STARTED = a_row(State.NOT_STARTED)


def test_each_file_is_named_with_its_rows() -> None:
    outputs = OutputNames(results="r.csv", rejects="bad.csv", uncertain="u.csv", merged="-")
    rows = (a_row(State.SUCCEEDED), REFUSED, NOT_STARTED)
    assert lines(outputs, *rows, report=Path("run.html")) == [
        "Wrote r.csv: 3 rows.",
        "Wrote bad.csv: 2 rows.",
        "Wrote u.csv: no rows.",
        "Wrote run.html.",
        f"When the rejects are corrected, import them: {COMMAND}",
    ]


def test_rejects_of_a_run_that_goes_on_wait_until_it_has_ended() -> None:
    outputs = OutputNames(rejects="bad.csv")
    assert lines(outputs, REFUSED, NOT_STARTED, has_journal=True) == [
        "Wrote bad.csv: 1 row.",
        "Run that command first, and correct the rejects afterwards: it writes bad.csv again.",
    ]
    assert lines(outputs, REFUSED, has_journal=True)[-1].endswith(COMMAND)


def test_rejects_of_a_workbook_come_with_what_excel_does_to_them() -> None:
    outputs = OutputNames(rejects="bad.csv")
    assert "with the phone column as Text" in lines(outputs, REFUSED, is_excel=True)[-1]
    assert len(lines(outputs, a_row(State.SUCCEEDED), is_excel=True)) == 1
    workbook = lines(OutputNames(rejects="bad.xlsx"), REFUSED, is_excel=True)
    assert not any("Text/CSV" in line for line in workbook)


def test_run_that_something_else_than_its_rows_stopped_is_to_be_run_again() -> None:
    outputs = OutputNames(rejects="bad.csv")
    again = "Nothing was applied. When the problem is solved, run the same command again."
    assert lines(outputs, NOT_STARTED, is_stopped=True)[1:] == [again]
    assert lines(OutputNames(), NOT_STARTED, is_stopped=True) == [again]


def test_rest_of_a_stopped_run_is_in_its_rejects() -> None:
    outputs = OutputNames(rejects="bad.csv")
    assert lines(outputs, a_row(State.SUCCEEDED), NOT_STARTED, is_stopped=True)[1:] == [
        f"When the problem is solved, import the rows that were not applied: {COMMAND}"
    ]


def test_rest_of_an_interrupted_run_needs_no_correction() -> None:
    outputs = OutputNames(rejects="bad.csv")
    assert lines(outputs, SUCCEEDED, NOT_STARTED, is_interrupted=True)[1:] == [
        f"To send the rest: {COMMAND}"
    ]
    assert lines(outputs, SUCCEEDED, REFUSED, NOT_STARTED, is_interrupted=True)[1:] == [
        f"To send the rest, and the rows that failed when they are corrected: {COMMAND}"
    ]
    assert lines(outputs, SUCCEEDED, REFUSED, is_interrupted=True)[-1].startswith("When the rej")


@pytest.mark.parametrize("how", [{"is_interrupted": True}, {"is_stopped": True}])
def test_run_that_ended_early_without_a_journal_says_how_to_add_nothing_twice(how: Any) -> None:
    rows = (SUCCEEDED, NOT_STARTED)
    assert lines(OutputNames(), *rows, **how) == [
        "1 contact was added or updated; the same command would add contacts again. To send the "
        f"rest without that: {UPDATE}",
        "Next time, use --journal FILE: then the same command goes on where it stopped, and adds "
        "no contact twice.",
    ]
    assert lines(OutputNames(), *rows, **how, update_instead="") == [
        "To send the rest, run the same command again; it adds no contact twice."
    ]
    assert lines(OutputNames(), SUCCEEDED, *rows, **how)[0].startswith("2 contacts were added")
    assert lines(OutputNames(), *rows, **how, has_journal=True) == []
    uncertain = a_row(State.UNCERTAIN)
    assert lines(OutputNames(), uncertain, NOT_STARTED, **how)[0].startswith("Contacts may have ")
    assert lines(OutputNames(), SUCCEEDED, **how) == []


def test_interrupted_run_that_applied_nothing_is_to_be_run_again() -> None:
    assert lines(OutputNames(), NOT_STARTED, is_interrupted=True) == [
        "Nothing was applied. Run the same command again."
    ]


def test_rejects_of_an_earlier_run_are_not_to_be_imported_again() -> None:
    outputs = OutputNames(rejects="bad.csv")
    assert lines(outputs, REFUSED, has_journal=True, has_new_rejects=False) == [
        "Wrote bad.csv: 1 row."
    ]


def test_file_that_is_replaced_is_announced_and_named(folder: Path) -> None:
    (folder / "bad.csv").write_text("corrected by hand")
    (folder / "run.html").write_text("old")
    (folder / "empty.csv").touch()
    (folder / "run.bak.html").write_text("older")
    outputs = OutputNames(rejects="bad.csv", results="empty.csv", merged="new.csv")
    written = Written.of(outputs, Path("run.html"))
    assert written.warnings() == [
        "Note: bad.csv exists already and will be replaced; if the new file differs, the old one "
        "is kept as bad.bak.csv.",
        "Note: run.html exists already and will be replaced; if the new file differs, the old one "
        "is kept as run.bak2.html.",
    ]
    with open_text("run.html") as page:
        page.write("new")
    tally = Tally()
    tally.add(REFUSED)
    assert list(written.lines(tally, has_journal=False)) == [
        "Wrote empty.csv: 1 row.",
        "Wrote bad.csv: 1 row, as before.",
        "Wrote new.csv: 1 row.",
        "Wrote run.html; the old file is now run.bak2.html.",
    ]
