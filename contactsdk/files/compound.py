"""Reads compound files: .xls workbooks, and all workbooks with a password, have this format.

It is described in Microsoft's [MS-CFB]: a small file system of sectors.
"""

import struct
from collections.abc import Iterator
from typing import Final

from attrs import frozen

_FREE: Final = 0xFFFFFFFA  # numbers from here on are not sectors, but marks such as "end of chain"
_IN_HEADER: Final = 109  # how many sectors of the table are listed in the header
_SMALL: Final = 64  # the size of a sector of a small stream
_ENTRY: Final = 128  # the size of an entry of the directory


@frozen
class CompoundFile:
    """A compound file, whose content is `data`.

    If the file is damaged, its methods raise `struct.error`, `IndexError` or `ValueError`.
    """

    data: bytes

    @property
    def _size(self) -> int:
        return 1 << self._number("H", 30)

    def streams(self) -> dict[str, tuple[int, int]]:
        """Name of each stream -> its first sector and its length."""
        entries = self._joined(self._number("I", 48), self._table())
        found: dict[str, tuple[int, int]] = {}
        for place in range(0, len(entries), _ENTRY):
            (length,) = struct.unpack_from("<H", entries, place + 64)
            title = entries[place : place + max(length - 2, 0)].decode("utf-16-le")
            found[title] = struct.unpack_from("<II", entries, place + 116)
        return found

    def stream(self, name: str) -> bytes:
        """The content of the stream of this name.

        Raises:
            KeyError: There is no such stream.
        """
        table = self._table()
        found = self.streams()
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
    for _ in links:  # a bound, since in a damaged file the chain may be a circle
        if number >= _FREE:
            return
        yield number
        number = links[number]
