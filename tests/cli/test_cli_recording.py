import contextlib
import os
import resource
from collections.abc import Iterator
from pathlib import Path

import pytest

from contactsdk.cli.checking import CheckedInput, InputFile, checked
from contactsdk.cli.recording import Recording
from contactsdk.cli.run import Ending
from contactsdk.files import InputOptions, OutputNames, Result, State

NAMES = OutputNames(results="r.csv", merged="m.csv")


@pytest.fixture
def found(folder: Path) -> Iterator[CheckedInput]:
    rows = [f"A,A,ada{number}@example.com" for number in range(6)]
    (folder / "in.csv").write_text("\n".join(["firstName,lastName,email", *rows]))
    with checked(InputFile(name="in.csv", options=InputOptions()), NAMES) as found:
        list(found.rows)  # so that they are in their file before files are limited
        yield found


@contextlib.contextmanager
def files_no_larger_than(size: int) -> Iterator[None]:
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def result(row: int, state: State = State.SUCCEEDED, message: str = "") -> Result:
    return Result(line=row, row=row, id=row, state=state, message=message)


def test_rows_that_a_failed_file_lacks_are_named(found: CheckedInput, folder: Path) -> None:
    recording = Recording(NAMES, found, resumable=False)
    with recording:
        recording.open()
        recording.write(result(2))
        with files_no_larger_than(200):
            recording.write(result(3, State.UNCERTAIN, "x" * 150))
        assert recording.has_failed
        recording.write(result(4))
        recording.write(result(5))
        recording.write(result(6, State.NOT_STARTED))
        recording.write(result(7))
    first, *others = recording.complaints()
    assert first.startswith(
        f"{folder}/r.partial.csv ends before row 3, perhaps in the middle of a line: File too large"
    )
    assert others[-2:] == [
        "rows that were applied since then: 4-5, 7",
        "rows that are uncertain since then: 3",
    ]


def test_failed_file_is_why_the_run_ended(found: CheckedInput, folder: Path) -> None:
    recording = Recording(NAMES, found, resumable=False)
    with recording:
        recording.open()
        assert recording.seen_in(Ending()) == Ending()
        with files_no_larger_than(1):
            recording.write(result(2))
    assert recording.seen_in(Ending()).reason == f"{folder}/r.partial.csv: File too large"
    earlier = Ending(ValueError("earlier"))
    assert recording.seen_in(earlier) is earlier


def test_file_that_cannot_get_its_name_is_reported(found: CheckedInput, folder: Path) -> None:
    recording = Recording(NAMES, found, resumable=False)
    with recording:
        recording.open()
        recording.write(result(2))
        os.mkdir("r.csv")
    assert list(recording.complaints()) == [
        f"{folder}/r.partial.csv may not be complete: Is a directory",
    ]
    assert Path("m.csv").read_text().count("succeeded") == 1


def test_file_that_cannot_be_written_from_its_start_is_an_error(found: CheckedInput) -> None:
    recording = Recording(NAMES, found, resumable=False)
    with files_no_larger_than(1), pytest.raises(OSError, match="File too large"), recording:
        recording.open()
    assert not recording.is_open
    assert list(recording.complaints()) == []


def test_what_comes_before_the_files_are_open_is_not_written(found: CheckedInput) -> None:
    recording = Recording(NAMES, found, resumable=False)
    with recording:
        recording.write(result(2))
    assert not Path("r.csv").exists()


def test_run_that_never_began_has_a_report_nevertheless(found: CheckedInput) -> None:
    with Recording(NAMES, found, report=Path("run.html"), resumable=False) as recording:
        recording.finish()
        recording.write_report("page")
    assert Path("run.html").read_text() == "page"
