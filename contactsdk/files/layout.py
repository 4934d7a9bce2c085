"""How a file was read: what a preview shows of it, and what its columns are."""

import csv
from typing import Final, Protocol, runtime_checkable

from attrs import frozen

from contactsdk.files.cells import IGNORED, NAMELESS, column_of, folded
from contactsdk.files.formats import BYTE_ORDER_MARK, MESSAGE
from contactsdk.files.inputs import Input
from contactsdk.files.json_lines_input import JsonLinesInput

_DELIMITERS: Final = ",;\t|"


@frozen(kw_only=True)
class Layout:
    """How a file was read."""

    encoding: str = "UTF-8"
    """The name of its encoding; empty where it is no text, as Excel."""
    delimiter: str | None = None
    """What divides its cells; `None` where it is no CSV."""
    sheet: str | None = None
    """The sheet that was read; `None` where it has none."""
    columns: tuple[tuple[str, str], ...] = ()
    """Each header and the field that it fills, in order; empty for JSON Lines."""
    left_out: tuple[str, ...] = ()
    """The headers of the columns that fill no field."""
    warnings: tuple[str, ...] = ()
    """What a person should look at before sending, each a sentence."""


@runtime_checkable
class HasLayout(Protocol):
    """An input that says how it was read."""

    @property
    def layout(self) -> Layout:
        """How it was read; complete once all its rows were read."""
        ...


def layout_of(source: Input) -> Layout:
    """How an input was read."""
    if isinstance(source, HasLayout):
        return source.layout
    if isinstance(source, JsonLinesInput):
        return Layout()
    names, delimiter = header_of(source)
    columns, left_out = [], []
    for name in names:
        column = column_of(name.strip())
        if column is None or column in (IGNORED, NAMELESS):
            left_out.append(name)
        else:
            key = "" if column.key is None else f".{column.key}"
            columns.append((name, f"{column.field}{key}"))
    return Layout(delimiter=delimiter, columns=tuple(columns), left_out=tuple(left_out))


def header_of(source: Input) -> tuple[tuple[str, ...], str]:
    """The headers of a table, without the column that we add, and what divides its cells."""
    head = source.head().removeprefix(BYTE_ORDER_MARK)
    rows = {
        it: next(csv.reader(head.splitlines(keepends=True), delimiter=it)) for it in _DELIMITERS
    }
    delimiter = max(rows, key=lambda it: len(rows[it]))
    return tuple(name for name in rows[delimiter] if folded(name) != MESSAGE), delimiter
