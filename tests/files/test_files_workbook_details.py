import datetime
import io
import zipfile

import openpyxl
import pytest

from contactsdk import Contact
from contactsdk.files import FileError
from contactsdk.files.workbook_details import SheetDetails, declares_document_type, details_of
from tests.files.made import (
    a_field,
    contact_of,
    fields_of,
    items,
    made_input,
    message_of,
    saved,
    workbook,
)


def book_of(*rows: list[object]) -> openpyxl.Workbook:
    book = openpyxl.Workbook()
    for row in rows:
        book.worksheets[0].append(row)
    return book


def changed(content: bytes, part: str, old: bytes, new: bytes) -> bytes:
    """The workbook with another text in one of its parts."""
    file = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(content)) as source, zipfile.ZipFile(file, "w") as target:
        for name in source.namelist():
            data = source.read(name)
            if name == part:
                assert old in data
                data = data.replace(old, new)
            target.writestr(name, data)
    return file.getvalue()


@pytest.mark.parametrize("error", ["#REF!", "#N/A", "#DIV/0!"])
def test_error_in_a_cell_fails_its_row(error: str) -> None:
    book = book_of(["id", "phone", "x"], [7, "1", "2"], [8, "1", "3"])
    cell = book.worksheets[0]["B2"]
    cell.value, cell.data_type = error, "e"
    bad, good = items(made_input(saved(book), "x.xlsx", ignored=["x"]))
    assert "phone holds an error of a spreadsheet" in message_of(bad)
    assert good == Contact(id=8, phone="1")


def test_error_in_a_last_cell_fails_its_row() -> None:
    book = book_of(["id", "phone", "email"], [7, "1"])
    cell = book.worksheets[0]["C2"]
    cell.value, cell.data_type = "#REF!", "e"
    [item] = items(made_input(saved(book), "x.xlsx"))
    assert "email holds an error of a spreadsheet" in message_of(item)


def test_error_in_a_column_that_is_left_out_fails_no_row() -> None:
    book = book_of(["id", "x"], [7, "1"])
    cell = book.worksheets[0]["B2"]
    cell.value, cell.data_type = "#REF!", "e"
    assert items(made_input(saved(book), "x.xlsx", ignored=["x"])) == [Contact(id=7)]


def test_cells_without_a_reference_are_counted() -> None:
    book = book_of(["id", "phone"], [7, "1"])
    cell = book.worksheets[0]["B2"]
    cell.value, cell.data_type = "#REF!", "e"
    content = changed(saved(book), "xl/worksheets/sheet1.xml", b' r="B2"', b"")
    assert details_of(io.BytesIO(content), "Sheet").texts == {2: {1: "#REF!"}}
    content = changed(content, "xl/worksheets/sheet1.xml", b"<v>#REF!</v>", b"")
    assert details_of(io.BytesIO(content), "Sheet").texts == {2: {1: "#ERROR!"}}


@pytest.mark.parametrize(
    ("format", "shown"),
    [("0000000000", "0412345678"), ('"+"000000', "412345678"), ("0", "412345678"), ("#,##0", None)],
)
def test_leading_zeros_of_a_format_are_kept(format: str, shown: str | None) -> None:
    book = book_of(["id", "phone"], [7, 412345678], [8, "412345678"], [9, 0.5])
    for cell in ("B2", "B3", "B4"):
        book.worksheets[0][cell].number_format = format
    first, second, third = items(made_input(saved(book), "x.xlsx"))
    assert contact_of(first).phone == (shown or "412345678")
    assert contact_of(second).phone == "412345678"
    assert contact_of(third).phone == "0.5"


def test_padded_cell_that_is_empty_stays_empty() -> None:
    book = book_of(["id", "phone"], [7])
    book.worksheets[0]["D2"].number_format = "00000"
    assert items(made_input(saved(book), "x.xlsx")) == [Contact(id=7)]


@pytest.mark.parametrize(
    ("count", "note"),
    [
        (1, "1 row is hidden, and is imported as well."),
        (2, "2 rows are hidden, and are imported as well."),
    ],
)
def test_hidden_rows_are_noted(count: int, note: str) -> None:
    book = book_of(["id", "phone"], [7, 1], [8, 1], [9, 1])
    for row in range(2, 2 + count):
        book.worksheets[0].row_dimensions[row].hidden = True
    source = made_input(saved(book), "x.xlsx")
    assert len(items(source)) == 3
    assert source.warnings() == (note,)


@pytest.mark.parametrize("value", [b'"1"', b'"true"'])
def test_workbook_that_counts_days_from_1904_is_known(value: bytes) -> None:
    content = changed(
        workbook([["id", "customFields.8"], [7, 45657 - 1462]]),
        "xl/workbook.xml",
        b"<workbookPr />",
        b"<workbookPr date1904=" + value + b"/>",
    )
    source = made_input(content, "x.xlsx", custom_fields=[a_field(8, "Day", 5)])
    assert fields_of(contact_of(items(source)[0])) == [(8, datetime.date(2024, 12, 31))]


def test_parts_may_be_named_from_the_root_or_not() -> None:
    content = workbook([["id"], [7]])
    relations = "xl/_rels/workbook.xml.rels"
    for target in (b'"/xl/worksheets/sheet1.xml"', b'"worksheets/sheet1.xml"'):
        other = changed(content, relations, b'"/xl/worksheets/sheet1.xml"', target)
        assert details_of(io.BytesIO(other), "List").day_zero is not None


def test_workbook_without_styles_has_no_padded_numbers() -> None:
    file = io.BytesIO()
    with (
        zipfile.ZipFile(io.BytesIO(workbook([["id"], [7]]))) as source,
        zipfile.ZipFile(file, "w") as target,
    ):
        for name in source.namelist():
            if name != "xl/styles.xml":
                target.writestr(name, source.read(name))
    assert details_of(file, "List").padded == {}


def test_styles_without_formats_of_cells_pad_nothing() -> None:
    content = workbook([["id"], [7]])
    content = changed(content, "xl/styles.xml", b"cellXfs", b"other")
    assert details_of(io.BytesIO(content), "List").padded == {}


@pytest.mark.parametrize(
    "content",
    [
        b"PK\x03\x04nothing",
        changed(workbook([["id"]]), "xl/workbook.xml", b"<workbook", b"<<workbook"),
        changed(workbook([["id"]]), "xl/_rels/workbook.xml.rels", b"sheet1.xml", b"sheet9.xml"),
    ],
)
def test_damage_that_hinders_nobody_is_ignored(content: bytes) -> None:
    assert details_of(io.BytesIO(content), "Sheet") == SheetDetails()


def test_workbook_whose_cell_is_an_entity_is_refused() -> None:
    content = workbook([["phone"], [61400000000]])
    part = "xl/worksheets/sheet1.xml"
    content = changed(content, part, b"<v>61400000000</v>", b"<v>&p;</v>")
    declared = b'<!DOCTYPE worksheet [<!ENTITY p "61400000000">]><worksheet'
    content = changed(content, part, b"<worksheet", declared)
    with pytest.raises(FileError, match="has a DOCTYPE, so cells could be lost: save it again"):
        made_input(content, "in.xlsx")


@pytest.mark.parametrize(
    "content",
    [
        workbook([["id"], [7]]),
        changed(workbook([["id"]]), "xl/workbook.xml", b"<workbook", b"<<workbook"),
        changed(workbook([["id"]]), "xl/styles.xml", b"<styleSheet", b" " * 9000 + b"<styleSheet"),
        b"PK\x03\x04nothing",
        b"no archive",
    ],
)
def test_other_workbooks_declare_no_document_type(content: bytes) -> None:
    assert not declares_document_type(io.BytesIO(content))
