"""What all formats share: their names, the rows of a file, and how one line is written."""

import csv
import io
import json
from collections.abc import Collection, Iterable
from enum import StrEnum
from pathlib import PurePath
from typing import Any, Final

from attrs import frozen

OURS: Final = "contactsdk_"
"""The prefix of the names of all columns and keys that this package adds to rows.

Nobody else uses it, so an import recognises these columns and leaves them out.
"""

MESSAGE: Final = f"{OURS}message"
"""The column or key with the message of a row that is written back."""

BYTE_ORDER_MARK: Final = "\ufeff"


class FileError(ValueError):
    """A file cannot be read or written; the message names the file and, if it is known, the row."""


class HeaderError(FileError):
    """It is not clear what the columns of a list hold; the message has several lines.

    `options` are arguments of a command line with which the list can be read: a guess for the
    user to check. They are empty if nothing can be guessed.
    """

    def __init__(self, message: str, options: Iterable[str] = ()) -> None:
        super().__init__(message)
        self.options = tuple(options)


class Format(StrEnum):
    """The format of a file of contacts."""

    CSV = "csv"
    JSONL = "jsonl"
    EXCEL = "excel"


_ENDINGS: Final = {
    **dict.fromkeys(("csv", "tsv", "tab", "txt"), Format.CSV),
    **dict.fromkeys(("jsonl", "ndjson", "json"), Format.JSONL),
    **dict.fromkeys(("xlsx", "xlsm", "xls", "ods"), Format.EXCEL),
}


def ending_of(name: str) -> str:
    """The ending of a file's name, in lower case, without the dot and without `.gz`."""
    path = PurePath(name.lower())
    path = path.with_suffix("") if path.suffix == ".gz" else path
    return path.suffix.removeprefix(".")


def format_of(name: str) -> Format:
    """The format that belongs to the ending of a file's name.

    Raises:
        FileError: The ending belongs to no format.
    """
    try:
        return _ENDINGS[ending_of(name)]
    except KeyError:
        raise FileError(f"{name}: give the format with --format csv or --format jsonl") from None


@frozen(kw_only=True)
class Row:
    """One row as it is in the file.

    A row of JSON, and a row that cannot be divided into cells, has a single cell: its text.
    """

    line: int
    """The line of the file on which the row starts, counted from 1; in Excel, same as `number`."""
    number: int
    """The number that a spreadsheet shows beside the row: the first row of the file is 1."""
    cells: tuple[str, ...]
    problem: str | None = None
    """Why the row cannot be divided into cells; `None` if it can."""


def csv_line(cells: Collection[Any], delimiter: str, end: str = "\r\n") -> str:
    """The line of CSV with these cells; a cell is quoted if it has to be."""
    text = io.StringIO()
    csv.writer(text, delimiter=delimiter, lineterminator=end).writerow(cells)
    return text.getvalue()


def json_line(value: Any) -> str:
    """This value as one line of JSON."""
    text = json.dumps(value, ensure_ascii=False, allow_nan=False)
    # A lone surrogate becomes a backslash and its number, which is also its escape in JSON.
    return text.encode("utf-8", "backslashreplace").decode() + "\n"
