from pathlib import Path

from contactsdk.cli.summary import Tally
from contactsdk.cli.written_files import written_lines
from contactsdk.files import OutputNames, Result, State

COMMAND = "contactsdk import bad.csv"


def lines(
    outputs: OutputNames,
    *results: Result,
    report: Path | None = None,
    has_journal: bool = False,
    is_excel: bool = False,
) -> list[str]:
    tally = Tally()
    for result in results:
        tally.add(result)
    written = written_lines(
        outputs,
        report,
        tally,
        has_journal=has_journal,
        is_excel=is_excel,
        import_rejects=COMMAND,
    )
    return list(written)


def a_row(state: State, *, refused: bool = False) -> Result:
    return Result(line=2, row=2, state=state, refused=refused)


REFUSED = a_row(State.FAILED, refused=True)
NOT_STARTED = a_row(State.NOT_STARTED)


def test_each_file_is_named_with_its_rows() -> None:
    outputs = OutputNames(results="r.csv", rejects="bad.csv", uncertain="u.csv", merged="-")
    rows = (a_row(State.SUCCEEDED), REFUSED, NOT_STARTED)
    assert lines(outputs, *rows, report=Path("run.html")) == [
        "Wrote r.csv: 3 rows.",
        "Wrote bad.csv: 2 rows.",
        "Wrote u.csv: no rows.",
        "Wrote run.html.",
        f"To import the rejects, once they are corrected: {COMMAND}",
    ]


def test_rejects_of_a_run_that_goes_on_wait_until_it_has_ended() -> None:
    outputs = OutputNames(rejects="bad.csv")
    assert lines(outputs, REFUSED, NOT_STARTED, has_journal=True) == [
        "Wrote bad.csv: 1 row.",
        "Run that first, then correct the rejects: bad.csv is written again by it.",
    ]
    assert lines(outputs, REFUSED, has_journal=True)[-1].endswith(COMMAND)


def test_rejects_of_a_workbook_come_with_what_excel_does_to_them() -> None:
    outputs = OutputNames(rejects="bad.csv")
    assert "with the phone column as Text" in lines(outputs, REFUSED, is_excel=True)[-1]
    assert len(lines(outputs, a_row(State.SUCCEEDED), is_excel=True)) == 1
