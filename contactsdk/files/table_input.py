"""Reads contacts from a table: CSV, or a sheet of a workbook."""

import itertools
import re
from collections.abc import Iterable, Iterator
from typing import Any, Final

from attrs import evolve

from contactsdk.errors import InvalidContactError, Path
from contactsdk.files.cells import CHOICES
from contactsdk.files.column_plan import not_there
from contactsdk.files.columns import Column, folded, spelled
from contactsdk.files.contacts import ContactMaker
from contactsdk.files.description import Description, Remarks
from contactsdk.files.formats import MESSAGE, FileError, Row, csv_line
from contactsdk.files.headers import SEARCHED, missed, plan_of_header
from contactsdk.files.oddities import Oddities
from contactsdk.files.options import InputOptions
from contactsdk.models import Contact, Item
from contactsdk.wire import platform_name

# Signs that a text was decoded wrongly: UTF-8 that was read as Windows-1252, the replacement
# character, or a question mark within a name, which some programs put in its place.
_MISDECODED: Final = re.compile(
    "Ã[\u0080-\u00bf\u20ac\u201a\u0192\u201e\u2026\u2020\u2021\u02c6\u2030\u0160\u2039\u0152\u017d\u2018"
    "\u2019\u201c\u201d\u2022\u2013\u2014\u02dc\u2122\u0161\u203a\u0153\u017e\u0178]|Â[\u00a0-\u00bf]|â€|\ufffd|[^\\W\\d_]\\?[^\\W\\d_]"
)
_MISDECODED_TEXT: Final = (
    "the text was decoded wrongly before (such as Ã¶ for ö): export the list again as UTF-8"
)
_NOTHING_TO_UPDATE: Final = (
    "nothing is left to update: an empty cell is not sent, so it clears nothing"
)
_FORMULA_STARTS: Final = ("=", "+", "-", "@", "\t", "\r")


class TableInput:
    """Contacts in a table whose header row names the columns.

    `mark` is written before everything else when rows are written back.

    Raises:
        FileError: There are no rows below the header, or the header is missing, or it names a
            column that is unknown or there twice.
    """

    def __init__(
        self,
        rows: Iterable[Row],
        name: str,
        options: InputOptions,
        description: Description,
        *,
        mark: str = "",
    ) -> None:
        self._rows: Iterator[Row] = iter(rows)
        header = _header_of(self._rows, name, options.header_row)
        following = list(itertools.islice(self._rows, SEARCHED))
        set_fields = [spelled(column) for column, _ in options.defaults]
        plan = plan_of_header(header, following, options.rules, name, set_fields=set_fields)
        if not following:
            raise FileError(f"{name}: nothing to import: there are no rows below the header")
        self._rows = itertools.chain(following, self._rows)
        self.header = header.cells
        cautions = (
            {folded(key): text for key, text in plan.vendor.cautions.items()} if plan.vendor else {}
        )
        found = (cautions.get(folded(cell)) for cell in header.cells)
        self.description = evolve(
            description,
            vendor=plan.vendor.name if plan.vendor else None,
            columns=plan.uses,
            notes=(
                *description.notes,
                *dict.fromkeys(text for text in found if text),
                *missed(plan),
                *not_there(header.cells, options.rules),
            ),
        )
        self._maker = ContactMaker(
            plan,
            options.readers,
            options.defaults,
            update_if_exists=options.update_if_exists,
        )
        self._remarks = Remarks()
        self._oddities = Oddities(plan.uses, options.rules.names)
        self._choices = {
            path: use.place
            for use in plan.uses
            if use.column is not None and use.column.field in CHOICES
            for path in _paths_of(use.column)
        }
        self._mark = mark
        self._delimiter = description.delimiter or ","
        names = [folded(cell) for cell in header.cells]
        ours = folded(MESSAGE)
        self._message_place = names.index(ours) if ours in names else None

    def __iter__(self) -> Iterator[Row]:
        return self._rows

    def item(self, row: Row) -> Item:
        if row.problem is not None:
            return InvalidContactError([((), row.problem)])
        item = self._maker.from_cells(row.cells)
        if isinstance(item, Contact):
            self._look_at(item, row)
            self._oddities.look_at(row.cells)
        return item

    def choices_in(self, row: Row, error: InvalidContactError) -> tuple[str, ...]:
        places = (
            self._choices.get(path[:1]) or self._choices.get(path) for path, _ in error.errors
        )
        return tuple(
            row.cells[place].strip()
            for place in dict.fromkeys(places)
            if place is not None and place < len(row.cells)
        )

    def warnings(self) -> tuple[str, ...]:
        return (*self.description.notes, *self._remarks.texts(), *self._oddities.texts())

    def head(self) -> str:
        names = self.header if self._message_place is not None else (*self.header, MESSAGE)
        return self._mark + csv_line(names, self._delimiter)

    def with_message(self, row: Row, message: str) -> str:
        message = _no_formula(message)
        if row.problem is not None:
            # The text stays as it was, so that it can be corrected; the message comes after it.
            text = row.cells[0].rstrip("\r\n")
            return f"{text}{self._delimiter}{csv_line([message], self._delimiter)}"
        missing = len(self.header) - len(row.cells)
        cells = [*row.cells, *itertools.repeat("", missing)]
        if self._message_place is not None:
            cells[self._message_place] = message
        else:
            # The message comes before cells that belong to no column, so that it is below its
            # header.
            cells.insert(len(self.header), message)
        return csv_line(cells, self._delimiter)

    def values(self, row: Row) -> dict[str, Any]:
        """Header -> cell, for the cells that are not empty, as an object of JSON Lines."""
        if row.problem is not None:
            return {"line": row.cells[0]}
        pairs = zip(self.header, row.cells, strict=False)
        return {name: cell for name, cell in pairs if name.strip() and cell.strip()}

    def _look_at(self, contact: Contact, row: Row) -> None:
        names = f"{contact.first_name or ''} {contact.last_name or ''}"
        if ("?" in names or not names.isascii()) and _MISDECODED.search(names):
            self._remarks.add(_MISDECODED_TEXT, row.number)
        if contact.id is not None and contact == Contact(id=contact.id):
            self._remarks.add(_NOTHING_TO_UPDATE, row.number)


def _paths_of(column: Column) -> Iterator[Path]:
    """The paths that errors about this column may have: with the platform's name and Python's."""
    for name in (column.field, platform_name(column.field)):
        yield (name,) if column.key is None else (name, column.key)


def _header_of(rows: Iterator[Row], name: str, number: int | None) -> Row:
    """The header row: the row with this number, or the first row if `number` is `None`."""
    header = next(rows, None)
    if header is None:
        raise FileError(f"{name}: nothing to import: the file is empty")
    while number is not None and header is not None and header.number < number:
        header = next(rows, None)
    if header is None or number not in (None, header.number):
        raise FileError(f"{name}: --header-row {number}: that row is empty")
    return header


def _no_formula(message: str) -> str:
    """A message that no spreadsheet runs as a formula, whatever the platform wrote."""
    return f"'{message}" if message.startswith(_FORMULA_STARTS) else message
