"""What all formats share: their names, their rows, and how a line of each is written."""

import csv
import io
import json
from collections.abc import Collection, Iterable
from enum import StrEnum
from pathlib import PurePath
from typing import Any, Final

from attrs import frozen

OURS: Final = "contactsdk_"
"""What the names of all columns and keys begin with that this package adds to rows.

Nobody else uses it, so on import they are known again and left out.
"""

MESSAGE: Final = f"{OURS}message"
"""The column or key that says what is wrong with a row that was written back."""

BYTE_ORDER_MARK: Final = "\ufeff"


class FileError(ValueError):
    """A file cannot be read or written; the message names it, and the row where there is one."""


class HeaderError(FileError):
    """What the columns of a list hold is not clear; the message has several lines.

    `options` are words of a command line with which it may be read: the best that can be guessed.
    Empty where nothing can.
    """

    def __init__(self, message: str, options: Iterable[str] = ()) -> None:
        super().__init__(message)
        self.options = tuple(options)


class Format(StrEnum):
    """How a file holds contacts."""

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
    """The format that the ending of a file's name promises.

    Raises:
        FileError: It promises none of them.
    """
    try:
        return _ENDINGS[ending_of(name)]
    except KeyError:
        raise FileError(f"{name}: say which format it has, csv or jsonl") from None


@frozen(kw_only=True)
class Row:
    """One row as it is in the file.

    A row of JSON has a single cell, its text; so has one that cannot be divided into cells.
    """

    line: int
    """The line of the file that it starts on, counted from 1; in Excel the same as `number`."""
    number: int
    """The number that a spreadsheet shows beside it: the first row of the file is 1."""
    cells: tuple[str, ...]
    problem: str | None = None
    """Why it cannot be divided into cells; `None` where it can."""


def csv_line(cells: Collection[Any], delimiter: str, end: str = "\r\n") -> str:
    """These cells, quoted where they must be."""
    text = io.StringIO()
    csv.writer(text, delimiter=delimiter, lineterminator=end).writerow(cells)
    return text.getvalue()


def json_line(value: Any) -> str:
    """This value as one line of JSON."""
    text = json.dumps(value, ensure_ascii=False, allow_nan=False)
    # A lone surrogate, replaced by a backslash and its number, is its own JSON escape.
    return text.encode("utf-8", "backslashreplace").decode() + "\n"
