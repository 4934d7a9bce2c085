"""Error cells of an .xls workbook, which python-calamine gives as empty ones.

As described in Microsoft's [MS-CFB] (the container: a small file system of sectors) and [MS-XLS]
(the stream in it: records of a number, a length and data).
"""

import struct
from collections.abc import Iterator
from typing import BinaryIO, Final

from attrs import frozen

_FREE: Final = 0xFFFFFFFA  # from here on, a sector's number means something else, such as the end
_IN_HEADER: Final = 109  # how many sectors of the table the header names by itself
_SMALL: Final = 64  # the size of a sector of a small stream
_ENTRY: Final = 128  # the size of an entry of the directory

_BOUND_SHEET: Final = 0x0085
_BOOL_OR_ERROR: Final = 0x0205
_FORMULA: Final = 0x0006
_END: Final = 0x000A
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
    """Row number -> place of a cell -> the error that it shows, on the sheet of this name."""
    stream.seek(0)
    try:
        book = _CompoundFile(stream.read()).stream("Workbook")
        start = _start_of(book, sheet)
        cells = [] if start is None else list(_errors_from(book, start))
    except (struct.error, IndexError, KeyError, ValueError):
        # What is amiss in it does not hinder python-calamine, or it would have said so.
        return {}
    errors: dict[int, dict[int, str]] = {}
    for row, place, code in cells:
        errors.setdefault(row + 1, {})[place] = _ERRORS.get(code, "#ERROR!")
    return errors


@frozen
class _CompoundFile:
    data: bytes

    @property
    def _size(self) -> int:
        return 1 << self._number("H", 30)

    def stream(self, name: str) -> bytes:
        table = self._table()
        entries = self._joined(self._number("I", 48), table)
        found: dict[str, tuple[int, int]] = {}
        for place in range(0, len(entries), _ENTRY):
            (length,) = struct.unpack_from("<H", entries, place + 64)
            title = entries[place : place + max(length - 2, 0)].decode("utf-16-le")
            found[title] = struct.unpack_from("<II", entries, place + 116)
        start, length = found[name]
        if length >= self._number("I", 56):
            return self._joined(start, table)[:length]
        small = self._joined(found["Root Entry"][0], table)
        links = _numbers(self._joined(self._number("I", 60), table))
        places = _chain(start, links)
        return b"".join(small[it * _SMALL : (it + 1) * _SMALL] for it in places)[:length]

    def _number(self, kind: str, place: int) -> int:
        (number,) = struct.unpack_from(f"<{kind}", self.data, place)
        return int(number)

    def _sector(self, number: int) -> bytes:
        return self.data[(number + 1) * self._size : (number + 2) * self._size]

    def _joined(self, start: int, table: tuple[int, ...]) -> bytes:
        return b"".join(map(self._sector, _chain(start, table)))

    def _table(self) -> tuple[int, ...]:
        """Number of a sector -> number of the sector that follows it."""
        sectors = list(struct.unpack_from(f"<{_IN_HEADER}I", self.data, 76))
        more = self._number("I", 68)
        for _ in range(self._number("I", 72)):
            *numbers, more = _numbers(self._sector(more))
            sectors += numbers
        return _numbers(b"".join(self._sector(it) for it in sectors if it < _FREE))


def _numbers(data: bytes) -> tuple[int, ...]:
    return struct.unpack(f"<{len(data) // 4}I", data)


def _chain(number: int, links: tuple[int, ...]) -> Iterator[int]:
    for _ in links:  # so that a circle ends as well
        if number >= _FREE:
            return
        yield number
        number = links[number]


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
    """Row and column, both counted from 0, and code of each error."""
    for kind, data in _records(book, start):
        if kind == _END:
            return
        row, column = struct.unpack_from("<HH", data) if len(data) >= 8 else (0, 0)
        if kind == _BOOL_OR_ERROR and data[7]:
            yield row, column, data[6]
        # The result of a formula that is no number ends in FFFF, and begins with its kind.
        elif kind == _FORMULA and data[12:14] == b"\xff\xff" and data[6] == 2:
            yield row, column, data[8]
