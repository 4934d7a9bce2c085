"""How results and rows are written: as CSV or JSON Lines."""

import csv
import json
import re
from collections.abc import Callable
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

RESULT_COLUMNS: Final = ("line", "row", "id", "state", "message", "attempts")
"""What is written of each row into the results."""

MERGED_COLUMNS: Final = (f"{OURS}id", f"{OURS}state", MESSAGE)
"""The columns that are added to those of the input where they are written together."""

# A spreadsheet runs a cell that begins with one of these, or with its wide form, as a formula; also
# what stands behind a semicolon, a tab or a quote, if it takes that for the end of a cell.
_FORMULA: Final = re.compile(r"""(^|[;,|\t"])(\s*)([=+\-@\uff1d\uff0b\uff0d\uff20])""")


def safe_cell(text: str) -> str:
    """A text of the platform for a cell of CSV, so that no spreadsheet runs it as a formula."""
    return _FORMULA.sub(r"\1\2'\3", text)


class ResultsWriter:
    """Writes a line for each row: line, row, id, state, message, attempts."""

    def __init__(self, stream: TextIO, format: Format) -> None:
        self._stream = stream
        self._csv = None
        if format is Format.CSV:
            self._csv = csv.writer(stream, lineterminator="\n")
            self._csv.writerow(RESULT_COLUMNS)

    def write(self, result: Result) -> None:
        """Write the line of one row."""
        if self._csv is None:
            values = {name: getattr(result, name) for name in RESULT_COLUMNS}
            self._stream.write(json_line(values))
            return
        message = safe_cell(result.message) if result.message else ""
        # An enum's value is written as it is; the enum itself would be turned into text for each.
        state = result.state.value
        self._csv.writerow((result.line, result.row, result.id, state, message, result.attempts))


class RowsWriter:
    """Writes rows back in the input's own columns plus a message, ready to be imported again."""

    def __init__(self, stream: TextIO, format: Format, source: Input) -> None:
        self._stream = stream
        self._text: Callable[[Row, str], str]
        if source.description.format is Format.JSONL:
            self._text = source.with_message
        elif format is Format.JSONL:
            self._text = lambda row, message: json_line({**source.values(row), MESSAGE: message})
        else:
            self._text = lambda row, message: source.with_message(row, safe_cell(message))
            stream.write(source.head())

    def write(self, row: Row, result: Result) -> None:
        """Write one row with its message."""
        self._stream.write(self._text(row, result.message))


class MergedWriter:
    """Writes each row of the input in its own columns, with what became of it beside it."""

    def __init__(self, stream: TextIO, format: Format, source: Input) -> None:
        self._stream = stream
        self._text: Callable[[Row, tuple[Any, ...]], str]
        if source.description.format is Format.JSONL:
            self._text = _merged_json
            return
        if format is Format.JSONL:
            self._text = lambda row, ours: json_line({**source.values(row), **_named(ours)})
            return
        self._text = self._merged_csv
        self._delimiter = source.description.delimiter or ","
        self._width = len(source.description.columns)
        # The file may be a merged one, or rejects: our columns are then there already.
        kept = [use for use in source.description.columns if not use.name.startswith(OURS)]
        self._places = [use.place for use in kept]
        mark = BYTE_ORDER_MARK if source.head().startswith(BYTE_ORDER_MARK) else ""
        names = [*(use.name for use in kept), *MERGED_COLUMNS]
        stream.write(mark + csv_line(names, self._delimiter))

    def write(self, row: Row, result: Result) -> None:
        """Write one row with its id, state and message."""
        self._stream.write(self._text(row, (result.id, result.state.value, result.message)))

    def _merged_csv(self, row: Row, ours: tuple[Any, ...]) -> str:
        cells = [*row.cells, *[""] * (self._width - len(row.cells))]
        kept = [cells[place] for place in self._places]
        id_, state, message = ours
        beyond = cells[self._width :]  # cells that belong to no column stay behind all others
        return csv_line([*kept, id_, state, safe_cell(message), *beyond], self._delimiter)


def _merged_json(row: Row, ours: tuple[Any, ...]) -> str:
    text = row.cells[0]
    with suppress(ValueError, RecursionError):
        value = json.loads(text)
        if isinstance(value, dict):
            return json_line({**value, **_named(ours)})
    return json_line({"line": text, **_named(ours)})


def _named(ours: tuple[Any, ...]) -> dict[str, Any]:
    return dict(zip(MERGED_COLUMNS, ours, strict=True))
