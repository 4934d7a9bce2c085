"""Contacts in CSV."""

import csv
import io
import itertools
from collections.abc import Collection, Iterator
from typing import Any, BinaryIO, Final

from contactsdk.errors import InvalidContactError, Path
from contactsdk.files.cells import IGNORED, NAMELESS, Column, column_of, folded, near, value_of
from contactsdk.files.formats import BYTE_ORDER_MARK, MESSAGE, FileError, Row, csv_line, is_text
from contactsdk.models import Item
from contactsdk.wire import contact_from

_DELIMITERS: Final = ",;\t"
_NOT_UTF8: Final = "is not UTF-8 text: save the file as CSV UTF-8"


class CsvInput:
    """Contacts in CSV: a header row, UTF-8, `,` `;` or tab as whichever gives more columns.

    Raises:
        FileError: The header cannot be read, or names a column that is unknown or there twice.
    """

    def __init__(self, stream: BinaryIO, name: str, ignored: Collection[str] = ()) -> None:
        self._name = name
        # Kept: let go before its stream is closed, it would close that, and warn of it.
        self._text = text = io.TextIOWrapper(stream, "utf-8", errors="surrogateescape", newline="")
        first = text.readline()
        self._mark = BYTE_ORDER_MARK if first.startswith(BYTE_ORDER_MARK) else ""
        lines: Iterator[str] = itertools.chain([first.removeprefix(self._mark)], text)
        self._delimiter, lines = self._find_delimiter(lines)
        self._reader = csv.reader(lines, delimiter=self._delimiter, strict=True)
        header = next(self._rows())
        self._header = header.cells
        names = [folded(name) for name in header.cells]
        self._message_place = names.index(MESSAGE) if MESSAGE in names else None
        self._columns = self._read_columns(header, {MESSAGE, *map(str.casefold, ignored)})

    def __iter__(self) -> Iterator[Row]:
        return self._rows()

    def item(self, row: Row) -> Item:
        values: dict[str, Any] = {}
        problems: list[tuple[Path, str]] = []
        columns = itertools.chain(self._columns, itertools.repeat(NAMELESS))
        for place, (cell, column) in enumerate(zip(row.cells, columns, strict=False), 1):
            if column is IGNORED or not cell.strip():
                continue
            if not is_text(cell):
                problems.append(((column.field,), _NOT_UTF8))
                cell = cell.encode("utf-8", "replace").decode()
            match column.field:
                case _ if column is NAMELESS:
                    problems.append(((), f"cell {place} belongs to no column"))
                case "custom_fields":
                    values.setdefault(column.field, {})[column.key] = cell
                case "external_urls":
                    values.setdefault(column.field, []).append({"ref": column.key, "url": cell})
                case name:
                    values[name] = value_of(name, cell)
        try:
            contact = contact_from(values)
        except InvalidContactError as error:
            return InvalidContactError([*error.errors, *problems])
        return InvalidContactError(problems) if problems else contact

    def head(self) -> str:
        names = self._header if self._message_place is not None else (*self._header, MESSAGE)
        return self._mark + csv_line(names, self._delimiter)

    def with_message(self, row: Row, message: str) -> str:
        missing = len(self._header) - len(row.cells)
        cells = [*row.cells, *itertools.repeat("", missing)]
        if self._message_place is not None:
            cells[self._message_place] = message
        else:
            # Before the cells that belong to no column: it must come under its own.
            cells.insert(len(self._header), message)
        return csv_line(cells, self._delimiter)

    def _rows(self) -> Iterator[Row]:
        while True:
            line = self._reader.line_num + 1
            try:
                cells = next(self._reader)
            except StopIteration:
                return
            except csv.Error as exc:
                raise self._error(line, f"{exc} (check the quotes)") from exc
            if _is_filled(cells):
                yield Row(line=line, cells=tuple(cells))

    def _find_delimiter(self, lines: Iterator[str]) -> tuple[str, Iterator[str]]:
        """The delimiter that gives the header the most columns, and all lines from the first."""
        seen: list[str] = []

        def replayed() -> Iterator[str]:
            yield from tuple(seen)
            for line in lines:
                seen.append(line)
                yield line

        widths = {}
        reason: csv.Error | None = None
        for delimiter in _DELIMITERS:
            reader = csv.reader(replayed(), delimiter=delimiter, strict=True)
            try:
                widths[delimiter] = len(next(filter(_is_filled, reader)))
            except csv.Error as exc:
                reason = reason or exc
            except StopIteration:
                raise self._error(1, "there is no header row") from None
        if not widths:
            raise self._error(1, f"{reason} (check the quotes)") from reason
        return max(widths, key=lambda it: widths[it]), itertools.chain(seen, lines)

    def _read_columns(self, header: Row, ignored: Collection[str]) -> list[Column]:
        columns: list[Column] = []
        problems: list[str] = []
        for name in header.cells:
            if not is_text(name):
                raise self._error(header.line, f"the header {_NOT_UTF8}")
            column = IGNORED if folded(name) in ignored else column_of(name.strip())
            if column is None:
                problems.append(f"unknown column '{name}' (the nearest known one is {near(name)})")
            elif column in columns and column not in (IGNORED, NAMELESS):
                problems.append(f"column '{name}' is there twice")
            else:
                columns.append(column)
        if problems:
            what = f"{'; '.join(problems)}; to let a column pass, use --ignore-columns"
            raise self._error(header.line, what)
        return columns

    def _error(self, line: int, what: str) -> FileError:
        return FileError(f"{self._name}, line {line}: {what}")


def _is_filled(cells: Collection[str]) -> bool:
    return any(cell.strip() for cell in cells)
