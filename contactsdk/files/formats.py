"""What both formats share: their names, their rows, and how a line of each is written."""

import csv
import io
import json
from collections.abc import Collection
from enum import StrEnum
from pathlib import Path
from typing import Any, Final

from attrs import frozen

MESSAGE: Final = "message"
"""The column or key that says what is wrong with a row; where it is in an input, it is ignored."""

BYTE_ORDER_MARK: Final = "\ufeff"

_SPREADSHEETS: Final = ("xlsx", "xls", "ods", "numbers")


class FileError(ValueError):
    """A file cannot be read or written; the message names it, and the line where there is one."""


class Format(StrEnum):
    """How a file holds contacts."""

    CSV = "csv"
    JSONL = "jsonl"


def format_of(name: str) -> Format:
    """The format that the end of a file's name tells.

    Raises:
        FileError: It is neither `.csv` nor `.jsonl`.
    """
    suffix = Path(name).suffix.lower().removeprefix(".")
    if suffix in _SPREADSHEETS:
        raise FileError(f"{name}: a spreadsheet cannot be read: save it as CSV UTF-8")
    try:
        return Format(suffix)
    except ValueError as exc:
        raise FileError(f"{name}: say which format it has, csv or jsonl") from exc


@frozen(kw_only=True)
class Row:
    """One row as it is in the file: `line` is where it starts, counted from 1.

    A row of JSON Lines has a single cell, its text.
    """

    line: int
    cells: tuple[str, ...]


def csv_line(cells: Collection[Any], delimiter: str, end: str = "\r\n") -> str:
    """These cells, quoted where they must be."""
    text = io.StringIO()
    csv.writer(text, delimiter=delimiter, lineterminator=end).writerow(cells)
    return text.getvalue()


def json_line(value: Any) -> str:
    """This value."""
    text = json.dumps(value, ensure_ascii=False, allow_nan=False)
    # A lone surrogate, replaced by a backslash and its number, is its own JSON escape.
    return text.encode("utf-8", "backslashreplace").decode() + "\n"


def is_text(name: str) -> bool:
    """Whether it was UTF-8: what was not is kept in surrogates."""
    return not any("\ud800" <= char <= "\udfff" for char in name)
