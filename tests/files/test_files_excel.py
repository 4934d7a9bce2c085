import datetime
import io
import sys
from typing import Any

import openpyxl
import pytest
import xlwt  # type: ignore[import-untyped]  # it has no types

from contactsdk import Contact
from contactsdk.files import FileError, Input
from contactsdk.files.excel import text_of_value
from tests.files.made import (
    ADA,
    NAMES,
    a_field,
    contact_of,
    csv_input,
    fields_of,
    items,
    made_input,
    message_of,
    saved,
    workbook,
    written_back,
)

HEADER: list[Any] = NAMES.split(",")
ROW: list[Any] = ADA.split(",")


def xlsx_input(content: bytes, **options: Any) -> Input:
    return made_input(content, "x.xlsx", **options)


def cell_of(value: Any) -> Any:
    """The item of an update whose phone is this value of a cell."""
    return items(xlsx_input(workbook([["id", "phone"], [7.0, value]])))[0]


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (10.0, "10"),
        (61412345678, "61412345678"),
        (0.1 + 0.2, "0.3"),
        (-3, "-3"),
        (True, "TRUE"),
        ("'+61 400", "+61 400"),
        (datetime.date(2024, 12, 31), "2024-12-31"),
        (datetime.datetime(2024, 12, 31), "2024-12-31"),
        (datetime.datetime(2024, 12, 31, 3, 4, 5), "2024-12-31 03:04:05"),
        (datetime.time(3, 4), "03:04:00"),
        (datetime.timedelta(hours=30, seconds=5), "30:00:05"),
    ],
)
def test_value_is_what_people_see(value: object, text: str) -> None:
    assert cell_of(value) == Contact(id=7, phone=text)


def test_value_of_an_unknown_kind_is_its_text() -> None:
    assert text_of_value(None) == "None"


@pytest.mark.parametrize("number", [1234567890123456, 1e15, -2e20])
def test_number_whose_digits_a_spreadsheet_lost_fails(number: float) -> None:
    [item] = items(xlsx_input(workbook([["id", "externalId"], [7, abs(number)]])))
    assert "a spreadsheet rounded" in message_of(item)
    assert text_of_value(number).startswith(("1.", "-2."))


def test_first_sheet_with_rows_is_read_and_the_others_are_named() -> None:
    book = openpyxl.Workbook()
    book.worksheets[0].title = "Cover"
    hidden = book.create_sheet("Hidden")
    hidden.sheet_state = "hidden"
    book.create_chartsheet("Chart")
    sheet = book.create_sheet("Guests")
    for name in ("Hidden", "Guests"):
        book[name].append(HEADER)
        book[name].append([name, *ROW[1:]])
    assert sheet.title == "Guests"
    source = xlsx_input(saved(book))
    assert [contact_of(item).first_name for item in items(source)] == ["Guests"]
    assert source.description.sheet == "Guests"
    assert "Cover" in source.description.other_sheets
    assert "Hidden" not in source.description.other_sheets
    [item] = items(xlsx_input(saved(book), sheet=" hidden"))
    assert contact_of(item).first_name == "Hidden"


def test_sheet_that_is_not_there_is_refused_with_the_sheets() -> None:
    with pytest.raises(
        FileError, match=r"x\.xlsx: there is no sheet 'Guests'; its sheets are 'List'"
    ):
        xlsx_input(workbook([HEADER, ROW]), sheet="Guests")


def test_sheet_is_only_for_workbooks() -> None:
    with pytest.raises(FileError, match="--sheet is for workbooks, and this is a text file"):
        csv_input(f"{NAMES}\n{ADA}\n", sheet="List")


def test_empty_rows_and_columns_are_left_out_and_rows_keep_their_numbers() -> None:
    book = openpyxl.Workbook()
    sheet = book.worksheets[0]
    for place, (name, value) in enumerate(zip(HEADER, ROW, strict=True), 2):
        sheet.cell(3, place, name)
        sheet.cell(6, place, value)
    sheet["Z99"].number_format = "0.00"
    source = xlsx_input(saved(book))
    [row] = source
    assert (row.number, row.line) == (6, 6)
    assert row.cells == ("", *ROW)
    assert contact_of(source.item(row)).email == "ada@example.com"


@pytest.mark.parametrize("rows", [[], [[]], [[None, None], [""]]])
def test_workbook_without_rows_has_nothing_to_import(rows: list[list[Any]]) -> None:
    with pytest.raises(FileError, match="nothing to import: the workbook has no rows"):
        xlsx_input(workbook(rows))


def test_rejects_are_csv_that_imports_again() -> None:
    rows = [[*HEADER, "phone"], [*ROW, 61400000000], ["Ben", "B\u00f6hm", "x", None]]
    back = written_back(xlsx_input(workbook(rows)))
    assert back == (
        f"\ufeff{NAMES},phone,contactsdk_message\r\n{ADA},61400000000,why\r\n"
        "Ben,B\u00f6hm,x,,why\r\n"
    )
    first, second = items(csv_input(back))
    assert contact_of(first).phone == "61400000000"
    assert "has no @" in message_of(second)


def test_dates_of_a_date_field_are_read_as_dates() -> None:
    day = datetime.date(2024, 12, 31)
    rows: list[list[Any]] = [
        ["id", "Birth date"],
        [1, day],
        [2, 45657],
        [3, "01/12/2024"],
        [4, "2024-12-31"],
    ]
    fields = [a_field(8, "Birth date", 5)]
    *good, late = items(xlsx_input(workbook(rows), custom_fields=fields))[0:3]
    assert [fields_of(contact_of(item)) for item in good] == [[(8, day)]] * 2
    assert "--date-order" in message_of(late)


@pytest.mark.parametrize(
    "content",
    [
        b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + b"\x00" * 4000,
        workbook([HEADER, ROW]).replace(b"xl/worksheets", b"xl/worksheetz"),
    ],
    ids=["zeros", "a sheet is missing"],
)
def test_workbook_that_cannot_be_read_is_refused(content: bytes) -> None:
    with pytest.raises(FileError, match="this workbook cannot be read: save it again"):
        xlsx_input(content)


def test_without_the_library_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "python_calamine", None)
    with pytest.raises(FileError, match=r"to read workbooks, pip install 'contactsdk\[cli\]"):
        xlsx_input(workbook([HEADER, ROW]))


def test_old_workbook_is_read() -> None:
    book = xlwt.Workbook()
    sheet = book.add_sheet("List")
    for place, name in enumerate(("id", "phone")):
        sheet.write(0, place, name)
        sheet.write(1, place, 7 + place)
    file = io.BytesIO()
    book.save(file)
    assert items(made_input(file.getvalue(), "x.xls")) == [Contact(id=7, phone="8")]
