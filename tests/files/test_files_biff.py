import io
import struct

import pytest
import xlwt  # type: ignore[import-untyped]  # it has no types

from contactsdk import Contact
from contactsdk.files import FileError
from contactsdk.files.biff import error_cells, has_password
from tests.files.made import items, made_input, message_of

FREE, END, FAT, DIFAT = 0xFFFFFFFF, 0xFFFFFFFE, 0xFFFFFFFD, 0xFFFFFFFC


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


def record(kind: int, data: bytes = b"") -> bytes:
    return struct.pack("<HH", kind, len(data)) + data


def book_of(*records: bytes, name: bytes = b"List") -> bytes:
    """The stream of a workbook with one sheet of these records."""
    sheet = struct.pack("<BBBB", 0, 0, len(name), 0) + name
    start = len(record(0x0085, b"\0" * 4 + sheet)) + len(record(0x000A))
    return b"".join((record(0x0085, struct.pack("<I", start) + sheet), record(0x000A), *records))


def sectors_of(data: bytes) -> list[bytes]:
    return [data[place : place + 512].ljust(512, b"\0") for place in range(0, len(data), 512)]


def entry(name: str, start: int, length: int) -> bytes:
    """An entry of the directory."""
    text = f"{name}\0".encode("utf-16-le")
    data = text.ljust(64, b"\0") + struct.pack("<H", len(text))
    return data.ljust(116, b"\0") + struct.pack("<III", start, length, 0)


def compound_file(book: bytes, name: str = "Workbook") -> bytes:
    """A compound file that holds `book` as its stream `name`, small or large.

    Its sectors: the table, what names further sectors of the table, the directory, the table of
    small sectors where there are some, and the stream.
    """
    is_small = len(book) < 4096
    contents = sectors_of(book)
    count = -(-len(book) // 64)
    links = struct.pack(f"<{count}I", *range(1, count), END).ljust(512, b"\xff")
    small = [links] if is_small else []
    table_size = 1 + (len(contents) + 16) // 120
    more = max(0, -(-(table_size - 109) // 127))
    directory = table_size + more
    start = directory + 1 + len(small)
    table = [FAT] * table_size + [DIFAT] * more + [END] + [END] * len(small)
    table += [*range(start + 1, start + len(contents)), END]
    table += [FREE] * (table_size * 128 - len(table))
    numbers = [*range(table_size), *[FREE] * (109 + more * 127 - table_size)]
    further = []
    for place in range(more):
        following = table_size + place + 1 if place + 1 < more else END
        part = numbers[109 + place * 127 : 109 + (place + 1) * 127]
        further.append(struct.pack("<128I", *part, following))
    header = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1".ljust(30, b"\0") + struct.pack("<HH", 9, 6)
    header = header.ljust(44, b"\0") + struct.pack("<IIII", table_size, directory, 0, 4096)
    header += struct.pack("<II", directory + 1 if is_small else END, len(small))
    header += struct.pack("<II", table_size if more else END, more)
    header += struct.pack("<109I", *numbers[:109])
    root = entry("Root Entry", start if is_small else END, len(contents) * 512)
    names = root + entry(name, 0 if is_small else start, len(book))
    packed = struct.pack(f"<{len(table)}I", *table)
    return b"".join((header, packed, *further, names.ljust(512, b"\0"), *small, *contents))


ERROR = record(0x0205, struct.pack("<HHHBB", 4, 2, 0, 0x17, 1))
FORMULA = record(0x0006, struct.pack("<HHH8sHI", 5, 1, 0, b"\x02\0\x07\0\0\0\xff\xff", 0, 0))
NUMBER = record(0x0006, struct.pack("<HHHdHI", 6, 1, 0, 1.5, 0, 0))
UNKNOWN = record(0x0205, struct.pack("<HHHBB", 7, 0, 0, 0x99, 1))


@pytest.mark.parametrize("filler", [0, 900, 1_200])
def test_errors_are_found_in_small_and_large_streams(filler: int) -> None:
    rows = [record(0x0001, b"x" * 8_000)] * filler
    book = book_of(*rows, ERROR, FORMULA, NUMBER, UNKNOWN, record(0x000A), ERROR)
    found = error_cells(io.BytesIO(compound_file(book)), "List")
    assert found == {5: {2: "#REF!"}, 6: {1: "#DIV/0!"}, 8: {0: "#ERROR!"}}


def test_stream_that_ends_early_is_read_up_to_there() -> None:
    assert error_cells(io.BytesIO(compound_file(book_of(ERROR))), "List") == {5: {2: "#REF!"}}
    assert error_cells(io.BytesIO(compound_file(record(0x0001))), "List") == {}


@pytest.mark.parametrize(
    "content",
    [
        compound_file(b"x" * 5000, "EncryptedPackage"),
        compound_file(record(0x0809, b"x" * 16) + record(0x002F, b"x" * 54) + record(0x000A)),
    ],
)
def test_workbook_with_a_password_is_refused_as_such(content: bytes) -> None:
    for name in ("x.xls", "x.xlsx"):
        with pytest.raises(FileError, match="protected with a password: save it without one"):
            made_input(content, name)


@pytest.mark.parametrize("content", [compound_file(book_of(ERROR)), old_workbook()[:600], b""])
def test_workbook_without_a_password_has_none(content: bytes) -> None:
    assert not has_password(io.BytesIO(content))


def test_sectors_in_a_circle_end() -> None:
    content = bytearray(compound_file(book_of(*[record(0x0001, b"x" * 8_000)] * 2, ERROR)))
    content[512 + 4 * 2 : 512 + 4 * 3] = struct.pack("<I", 2)
    assert error_cells(io.BytesIO(bytes(content)), "List") == {}


@pytest.mark.parametrize(
    "content",
    [b"", b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", old_workbook()[:600], old_workbook()[:3000]],
)
def test_damaged_workbook_has_no_errors(content: bytes) -> None:
    assert error_cells(io.BytesIO(content), "List") == {}
