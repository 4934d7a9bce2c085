"""Writes results and rows as CSV, as JSON Lines, or into a workbook."""

import csv
import json
import re
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Any, Final, TextIO

from contactsdk.files.formats import (
    BYTE_ORDER_MARK,
    MESSAGE,
    OURS,
    Format,
    Row,
    csv_line,
    json_line,
)
from contactsdk.files.inputs import Input
from contactsdk.files.results import Result
from contactsdk.files.sheet_output import SheetOutput

RESULT_COLUMNS: Final = ("line", "row", "id", "state", "message", "attempts")
"""The columns of the results, in order."""

MERGED_COLUMNS: Final = (f"{OURS}id", f"{OURS}state", MESSAGE)
"""The columns that are added to those of the input when rows are written with their results."""

# A spreadsheet runs a cell as a formula if it begins with one of these characters, or with the wide
# form of one. If it takes a semicolon, a tab or a quote for the end of a cell, it may also run the
# text after that.
_FORMULA: Final = re.compile(r"""(^|[;,|\t"])(\s*)([=+\-@\uff1d\uff0b\uff0d\uff20])""")


def safe_cell(text: str) -> str:
    """A text of the platform, changed so that no spreadsheet runs it in a CSV as a formula."""
    return _FORMULA.sub(r"\1\2'\3", text)


class ResultsWriter:
    """Writes a line for each row: line, row, id, state, message, attempts."""

    def __init__(self, stream: TextIO | SheetOutput, format: Format) -> None:
        self._write: Callable[[Result], None]
        if isinstance(stream, SheetOutput):
            stream.write(RESULT_COLUMNS)
            self._write = lambda result: stream.write(_values_of(result))
        elif format is Format.CSV:
            # csv.writer writes to the stream, which is faster than making a text of each row first.
            self._csv = csv.writer(stream, lineterminator="\n")
            self._csv.writerow(RESULT_COLUMNS)
            self._write = self._write_csv
        else:
            self._write = lambda result: _write_json(stream, result)

    def write(self, result: Result) -> None:
        """Write the line of one row."""
        self._write(result)

    def _write_csv(self, result: Result) -> None:
        message = safe_cell(result.message) if result.message else ""
        # `.value` is a plain text; csv would call str() on the enum for each row.
        state = result.state.value
        self._csv.writerow((result.line, result.row, result.id, state, message, result.attempts))


def _values_of(result: Result) -> tuple[Any, ...]:
    state = result.state.value
    return result.line, result.row, result.id, state, result.message, result.attempts


def _write_json(stream: TextIO, result: Result) -> None:
    stream.write(json_line({name: getattr(result, name) for name in RESULT_COLUMNS}))


class RowsWriter:
    """Writes rows back with the input's columns and a message, ready to be imported again."""

    def __init__(self, stream: TextIO | SheetOutput, format: Format, source: Input) -> None:
        self._write: Callable[[Row, str], object]
        if isinstance(stream, SheetOutput):
            columns = _Columns(source, (MESSAGE,), replaced=MESSAGE)
            stream.write(columns.header())
            self._write = lambda row, message: stream.write(columns.cells(row, (message,)))
        elif source.description.format is Format.JSONL:
            self._write = lambda row, message: stream.write(source.with_message(row, message))
        elif format is Format.JSONL:
            self._write = lambda row, message: stream.write(
                json_line({**source.values(row), MESSAGE: message})
            )
        else:
            stream.write(source.head())
            self._write = lambda row, message: stream.write(
                source.with_message(row, safe_cell(message))
            )

    def write(self, row: Row, result: Result) -> None:
        """Write one row with its message."""
        self._write(row, result.message)


class MergedWriter:
    """Writes each row of the input in its own columns, with its result in columns beside them."""

    def __init__(self, stream: TextIO | SheetOutput, format: Format, source: Input) -> None:
        self._write: Callable[[Row, tuple[Any, ...]], object]
        if isinstance(stream, SheetOutput):
            columns = _Columns(source, MERGED_COLUMNS, replaced=OURS)
            stream.write(columns.header())
            self._write = lambda row, ours: stream.write(columns.cells(row, ours))
        elif source.description.format is Format.JSONL:
            self._write = lambda row, ours: stream.write(_merged_json(row, ours))
        elif format is Format.JSONL:
            self._write = lambda row, ours: stream.write(
                json_line({**source.values(row), **_named(ours)})
            )
        else:
            self._write = _merged_csv_to(stream, source)

    def write(self, row: Row, result: Result) -> None:
        """Write one row with its id, state and message."""
        self._write(row, (result.id, result.state.value, result.message))


class _Columns:
    """The columns of a table, without those called `replaced`, followed by the columns `ours`."""

    def __init__(self, source: Input, ours: Sequence[str], *, replaced: str) -> None:
        uses = source.description.columns
        kept = [use for use in uses if not use.name.startswith(replaced)]
        self._width = len(uses)
        self._places = [use.place for use in kept]
        self._names = [*(use.name for use in kept), *ours]

    def header(self) -> list[str]:
        return self._names

    def cells(self, row: Row, ours: Sequence[Any]) -> list[Any]:
        cells = [*row.cells, *[""] * (self._width - len(row.cells))]
        kept = [cells[place] for place in self._places]
        # Cells that belong to no column come last.
        return [*kept, *ours, *cells[self._width :]]


def _merged_csv_to(stream: TextIO, source: Input) -> Callable[[Row, tuple[Any, ...]], object]:
    columns = _Columns(source, MERGED_COLUMNS, replaced=OURS)
    delimiter = source.description.delimiter or ","
    mark = BYTE_ORDER_MARK if source.head().startswith(BYTE_ORDER_MARK) else ""
    stream.write(mark + csv_line(columns.header(), delimiter))

    def write(row: Row, ours: tuple[Any, ...]) -> None:
        id_, state, message = ours
        cells = columns.cells(row, (id_, state, safe_cell(message)))
        stream.write(csv_line(cells, delimiter))

    return write


def _merged_json(row: Row, ours: tuple[Any, ...]) -> str:
    text = row.cells[0]
    with suppress(ValueError, RecursionError):
        value = json.loads(text)
        if isinstance(value, dict):
            return json_line({**value, **_named(ours)})
    return json_line({"line": text, **_named(ours)})


def _named(ours: tuple[Any, ...]) -> dict[str, Any]:
    return dict(zip(MERGED_COLUMNS, ours, strict=True))
