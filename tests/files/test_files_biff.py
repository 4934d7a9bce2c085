import io

import pytest
import xlwt
from files.made import items, made_input, message_of

from contactsdk import Contact
from contactsdk.files.biff import error_cells


def old_workbook(rows: int = 2, error: int = 0x17) -> bytes:
    """An .xls whose last row has an error in its second cell, on the sheet 'Gäste'."""
    book = xlwt.Workbook()
    book.add_sheet("Other").write(0, 0, "x")
    sheet = book.add_sheet("G\u00e4ste")
    sheet.write(0, 0, "id")
    sheet.write(0, 1, "phone")
    sheet.write(0, 2, "privacyConsent")
    for row in range(1, rows):
        sheet.write(row, 0, row)
        sheet.row(row).set_cell_boolean(2, True)
    sheet.row(rows - 1).set_cell_error(1, error)
    file = io.BytesIO()
    book.save(file)
    return file.getvalue()


@pytest.mark.parametrize(
    ("code", "text"), [(0x00, "#NULL!"), (0x07, "#DIV/0!"), (0x17, "#REF!"), (0x2A, "#N/A")]
)
def test_errors_are_found_with_their_place(code: int, text: str) -> None:
    stream = io.BytesIO(old_workbook(error=code))
    assert error_cells(stream, "G\u00e4ste") == {2: {1: text}}
    assert error_cells(stream, "Other") == {}
    assert error_cells(stream, "None") == {}


@pytest.mark.parametrize("rows", [100, 20_000])
def test_errors_of_larger_workbooks_are_found(rows: int) -> None:
    assert error_cells(io.BytesIO(old_workbook(rows)), "G\u00e4ste") == {rows: {1: "#REF!"}}


def test_error_fails_its_row() -> None:
    good, bad = items(made_input(old_workbook(3), "x.xls", sheet="G\u00e4ste"))
    assert good == Contact(id=1, privacy_consent=True)
    assert "phone holds an error of a spreadsheet" in message_of(bad)


def formula_result(content: bytes) -> bytes:
    """The workbook with the empty result of its formula made the error #DIV/0!."""
    number = b"\x00" * 6 + b"\x00\x00"
    place = content.index(b"\x06\x00", content.index(b"\x09\x08", 4000))
    while content[place + 4 : place + 8] != b"\x01\x00\x01\x00":
        place = content.index(b"\x06\x00", place + 1)
    start = place + 10
    assert content[start : start + 8] in (number, content[start : start + 8])
    return content[:start] + b"\x02\x00\x07\x00\x00\x00\xff\xff" + content[start + 8 :]


def test_formula_whose_result_is_an_error_is_found() -> None:
    book = xlwt.Workbook()
    sheet = book.add_sheet("List")
    sheet.write(0, 0, "id")
    sheet.write(1, 0, 7)
    sheet.write(1, 1, xlwt.Formula("1/0"))
    sheet.write(2, 1, xlwt.Formula("1+1"))
    for row in range(3, 400):
        sheet.write(row, 0, f"text {row}")
    file = io.BytesIO()
    book.save(file)
    content = formula_result(file.getvalue())
    assert error_cells(io.BytesIO(content), "List") == {2: {1: "#DIV/0!"}}


@pytest.mark.parametrize(
    "content",
    [b"", b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", old_workbook()[:600], old_workbook()[:3000]],
)
def test_damaged_workbook_has_no_errors(content: bytes) -> None:
    assert error_cells(io.BytesIO(content), "List") == {}
