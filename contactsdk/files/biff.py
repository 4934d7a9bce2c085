"""Finds error cells of an .xls workbook, and whether the workbook needs a password.

python-calamine gives error cells as empty ones. The format is described in Microsoft's [MS-XLS]: a
stream of records, each with a number, a length and data.
"""

import itertools
import struct
from collections.abc import Iterator
from typing import BinaryIO, Final

from contactsdk.files.compound import CompoundFile

_ENCRYPTED: Final = "EncryptedPackage"
_BOUND_SHEET: Final = 0x0085
_BOOL_OR_ERROR: Final = 0x0205
_FORMULA: Final = 0x0006
_END: Final = 0x000A
_PASSWORD: Final = 0x002F
_ERRORS: Final = {
    0x00: "#NULL!",
    0x07: "#DIV/0!",
    0x0F: "#VALUE!",
    0x17: "#REF!",
    0x1D: "#NAME?",
    0x24: "#NUM!",
    0x2A: "#N/A",
}


def error_cells(stream: BinaryIO, sheet: str) -> dict[int, dict[int, str]]:
    """Row number -> place of a cell -> the error that it shows, for the sheet of this name."""
    stream.seek(0)
    try:
        book = CompoundFile(stream.read()).stream("Workbook")
        start = _start_of(book, sheet)
        cells = [] if start is None else list(_errors_from(book, start))
    except (struct.error, IndexError, KeyError, ValueError):
        # python-calamine has read the workbook, so a fault that is found here is ignored.
        return {}
    errors: dict[int, dict[int, str]] = {}
    for row, place, code in cells:
        errors.setdefault(row + 1, {})[place] = _ERRORS.get(code, "#ERROR!")
    return errors


def has_password(stream: BinaryIO) -> bool:
    """Whether a compound file is a workbook that only a password opens."""
    stream.seek(0)
    try:
        file = CompoundFile(stream.read())
        if _ENCRYPTED in file.streams():
            return True  # an .xlsx with a password is encrypted as a whole
        kinds = (kind for kind, _ in _records(file.stream("Workbook"), 0))
        return any(kind == _PASSWORD for kind in itertools.takewhile(lambda it: it != _END, kinds))
    except (struct.error, IndexError, KeyError, ValueError):
        return False


def _records(book: bytes, place: int) -> Iterator[tuple[int, bytes]]:
    while place + 4 <= len(book):
        kind, length = struct.unpack_from("<HH", book, place)
        yield kind, book[place + 4 : place + 4 + length]
        place += 4 + length


def _start_of(book: bytes, sheet: str) -> int | None:
    for kind, data in _records(book, 0):
        if kind == _BOUND_SHEET:
            encoding = "utf-16-le" if data[7] & 1 else "latin-1"
            if data[8:].decode(encoding) == sheet:
                (start,) = struct.unpack_from("<I", data)
                return int(start)
        elif kind == _END:
            return None
    return None


def _errors_from(book: bytes, start: int) -> Iterator[tuple[int, int, int]]:
    """The row, the column and the code of each error; rows and columns are counted from 0."""
    for kind, data in _records(book, start):
        if kind == _END:
            return
        row, column = struct.unpack_from("<HH", data) if len(data) >= 8 else (0, 0)
        if kind == _BOOL_OR_ERROR and data[7]:
            yield row, column, data[6]
        # If the result of a formula is not a number, it ends in FFFF and begins with its kind.
        elif kind == _FORMULA and data[12:14] == b"\xff\xff" and data[6] == 2:
            yield row, column, data[8]
