import sys
import zipfile
from pathlib import Path

import pytest
import xlsxwriter  # type: ignore[import-untyped]  # it has no annotations
from xlsxwriter.exceptions import (  # type: ignore[import-untyped]  # as above
    FileSizeError,
)

from contactsdk.files import FileError
from contactsdk.files.sheet_output import SheetOutput


class Failures(list[tuple[str, OSError]]):
    """What was told of files that cannot be written any more."""

    def __call__(self, name: str, error: OSError) -> None:
        self.append((name, error))


def test_bytes_that_are_not_text_become_question_marks(tmp_path: Path) -> None:
    failures = Failures()
    output = SheetOutput(tmp_path / "x.xlsx", failures)
    output.write(["a\udce4b", None, ""])
    output.close()
    assert failures == []
    with zipfile.ZipFile(tmp_path / "x.xlsx") as archive:
        assert b"a?b" in archive.read("xl/worksheets/sheet1.xml")


def test_cell_that_is_too_long_is_a_failure_and_not_cut_off(tmp_path: Path) -> None:
    failures = Failures()
    output = SheetOutput(tmp_path / "x.xlsx", failures)
    output.write(["x" * 32_767])
    assert not output.has_failed
    output.write(["x" * 32_768])
    output.write(["more"])
    output.close()
    [(name, error)] = failures
    assert name == str(tmp_path / "x.xlsx")
    assert "a cell 32,767 characters" in str(error)


def test_disk_that_is_full_is_a_failure(tmp_path: Path) -> None:
    failures = Failures()
    (tmp_path / "x.xlsx").symlink_to("/dev/full")
    output = SheetOutput(tmp_path / "x.xlsx", failures)
    output.write(["x"])
    output.close()
    [(_, error)] = failures
    assert "No space left on device" in str(error)


def test_only_the_first_failure_is_told(tmp_path: Path) -> None:
    failures = Failures()
    (tmp_path / "x.xlsx").symlink_to("/dev/full")
    output = SheetOutput(tmp_path / "x.xlsx", failures)
    output.write(["x" * 32_768])
    output.close()
    [(_, error)] = failures
    assert "a cell 32,767 characters" in str(error)


def test_failure_of_xlsxwriter_itself_is_one_of_the_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    close = xlsxwriter.Workbook.close

    def fail(book: xlsxwriter.Workbook) -> None:
        close(book)  # so that no file stays open
        raise FileSizeError("too large")

    failures = Failures()
    output = SheetOutput(tmp_path / "x.xlsx", failures)
    with monkeypatch.context() as patched:
        patched.setattr(xlsxwriter.Workbook, "close", fail)
        output.close()
    [(_, error)] = failures
    assert "too large" in str(error)


def test_workbook_that_cannot_be_opened_is_named(tmp_path: Path) -> None:
    with pytest.raises(FileError, match=r"none/x\.xlsx: No such file or directory"):
        SheetOutput(tmp_path / "none" / "x.xlsx", Failures())


def test_without_xlsxwriter_it_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "xlsxwriter", None)
    with pytest.raises(
        FileError, match=r"install contactsdk\[cli\]; or use a name that ends in \.csv"
    ):
        SheetOutput(tmp_path / "x.xlsx", Failures())
