import io
import os
from pathlib import Path

import openpyxl
import pytest

from contactsdk import Contact
from contactsdk.files import (
    FileError,
    Format,
    input_options,
    open_input,
    spooled_standard_input,
)
from tests.files.made import ADA, NAMES, items, made_input, saved

CSV = "id,phone\n7,1\n"
JSON = '{"id": 7, "phone": "1"}'


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("x.csv", CSV),
        ("x.txt", CSV),
        ("x", CSV),
        ("x.jsonl", JSON),
        ("x.json", f"[{JSON}]"),
        ("x.txt", JSON),
        ("x.csv", f"[{JSON}]"),
        ("x", f" \n[{JSON}]"),
    ],
)
def test_format_of_text_is_known_by_its_name_or_its_start(name: str, text: str) -> None:
    assert items(made_input(text, name)) == [Contact(id=7, phone="1")]


@pytest.mark.parametrize(
    ("format", "name", "text"),
    [(Format.JSONL, "x.csv", JSON), (Format.CSV, "x.json", CSV), (Format.EXCEL, "x.csv", CSV)],
)
def test_format_that_the_user_names_counts(format: Format, name: str, text: str) -> None:
    assert items(made_input(text, name, format=format)) == [Contact(id=7, phone="1")]


def test_file_is_opened_and_closed(tmp_path: Path) -> None:
    path = tmp_path / "x.csv"
    path.write_text(f"{NAMES},x\n{ADA},y\n")
    with open_input(str(path), input_options(ignored=["X"])) as source:
        assert len(items(source)) == 1


def test_file_is_called_as_it_is_to_be_shown(tmp_path: Path) -> None:
    path = tmp_path / "x.csv"
    path.write_text("unknown\n1\n")
    with (
        pytest.raises(FileError, match=r"^standard input, row 1:\s+unknown column"),
        open_input(str(path), shown="standard input"),
    ):
        pass


def test_file_that_is_not_there_is_an_error(tmp_path: Path) -> None:
    with (
        pytest.raises(FileError, match=r"x\.csv: there is no such file"),
        open_input(str(tmp_path / "x.csv")),
    ):
        pass


def test_folder_is_not_a_file(tmp_path: Path) -> None:
    with (
        pytest.raises(FileError, match="it is not a regular file"),
        open_input(str(tmp_path)),
    ):
        pass


def test_file_that_may_not_be_read_is_an_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "x.csv"
    path.touch()

    def refuse(*_arguments: object, **_options: object) -> io.BytesIO:
        raise PermissionError(13, "Permission denied")

    # Not by its mode: whoever runs the tests as root may read everything.
    monkeypatch.setattr("builtins.open", refuse)
    with (
        pytest.raises(FileError, match=r"x\.csv: Permission denied"),
        open_input(str(path)),
    ):
        pass


def test_standard_input_is_spooled_and_goes() -> None:
    read, write = os.pipe()
    os.write(write, CSV.encode())
    os.close(write)
    before = os.dup(0)
    os.dup2(read, 0)
    os.close(read)
    try:
        with spooled_standard_input() as name, open_input(name) as source:
            assert items(source) == [Contact(id=7, phone="1")]
        assert not Path(name).exists()
    finally:
        os.dup2(before, 0)
        os.close(before)


def two_sheets(*, second: bool = True, third: bool = False) -> bytes:
    book = openpyxl.Workbook()
    book.worksheets[0].title = "New"
    book.worksheets[0].append(["id", "phone"])
    book.worksheets[0].append([7, "1"])
    for title, is_filled in (("Old", second), ("Older", third)):
        sheet = book.create_sheet(title)
        if is_filled:
            sheet.append(["id", "phone"])
    return saved(book)


def test_other_sheets_with_rows_are_a_note() -> None:
    note = "the sheet 'Old' has rows too, which are not imported: to import them, use --sheet."
    assert made_input(two_sheets(), "x.xlsx").warnings() == (note,)
    both = made_input(two_sheets(third=True), "x.xlsx").warnings()
    assert both[0].startswith("the sheets 'Old', 'Older' have rows too")


def test_other_sheets_without_rows_cause_no_note() -> None:
    assert made_input(two_sheets(second=False), "x.xlsx").warnings() == ()


def test_other_sheets_cause_no_note_where_one_was_chosen() -> None:
    assert made_input(two_sheets(), "x.xlsx", sheet="New").warnings() == ()


def test_encoding_of_a_workbook_is_refused() -> None:
    with pytest.raises(FileError, match="--encoding is for text files, and this is a workbook"):
        made_input(two_sheets(), "x.xlsx", encoding="cp1252")
