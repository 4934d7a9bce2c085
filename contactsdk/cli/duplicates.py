"""Finds rows of an input that have the same key, in memory that does not grow with the input."""

import heapq
from collections.abc import Hashable, Iterator
from typing import Final, TypeAlias

from attrs import frozen

from contactsdk.cli.spool import Spool

_SORTED_TOGETHER: Final = 32768
_ROW_BITS: Final = 40
_HASH_MASK: Final = 2**64 - 1
_SHOWN_GROUPS: Final = 3
_SHOWN_ROWS: Final = 5

_Record: TypeAlias = int  # the hash of a key in the upper bits, the row's number in the lower ones


@frozen(kw_only=True)
class Shared:
    """How many rows share their key with another row, and the first of these rows."""

    rows: int
    """How many rows have a key that another row has too."""
    keys: int
    """How many different keys these rows have."""
    first: tuple[tuple[int, ...], ...]
    """Row numbers, grouped by key, the groups in the order of their first rows: at most 3 groups,
    at most 5 rows of each.
    """


class Duplicates:
    """Takes the key of each row, and reports at the end which rows have the same key.

    Keys are compared by a hash of 64 bits. After every `sorted_together` records, these are sorted
    and written to `spool`.
    """

    def __init__(self, spool: Spool[int], *, sorted_together: int = _SORTED_TOGETHER) -> None:
        self._spool = spool
        self._sorted_together = sorted_together
        self._records: list[_Record] = []
        self._parts: list[Iterator[_Record]] = []

    def add(self, key: Hashable, row: int) -> None:
        """Note the key of one row."""
        self._records.append((hash(key) & _HASH_MASK) << _ROW_BITS | row)
        if len(self._records) == self._sorted_together:
            self._parts.append(self._spool.extend(sorted(self._records)))
            self._records = []

    def found(self) -> Shared:
        """The rows that share a key with another row; call it once, at the end."""
        rows = keys = 0

        def shared() -> Iterator[tuple[int, ...]]:
            nonlocal rows, keys
            for count, group in self._groups():
                rows += count
                keys += 1
                yield tuple(group)

        first = tuple(heapq.nsmallest(_SHOWN_GROUPS, shared()))
        return Shared(first=first, rows=rows, keys=keys)

    def _groups(self) -> Iterator[tuple[int, list[int]]]:
        """For each key that several rows have: how many rows have it, and the first of them."""
        last, count, group = -1, 1, list[int]()
        for record in heapq.merge(sorted(self._records), *self._parts):
            if record >> _ROW_BITS != last >> _ROW_BITS:
                if count > 1:
                    yield count, group
                count = 1
            else:
                if count == 1:
                    group = [_row(last)]
                count += 1
                if len(group) < _SHOWN_ROWS:
                    group.append(_row(record))
            last = record
        if count > 1:
            yield count, group


def _row(record: _Record) -> int:
    return record & ((1 << _ROW_BITS) - 1)
