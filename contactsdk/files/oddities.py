"""Finds what is odd about a whole column: dates in several forms, postcodes that lost a zero."""

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from typing import Final

from attrs import Factory, frozen

from contactsdk.files.column_plan import ColumnUse
from contactsdk.files.columns import Column
from contactsdk.files.custom_values import KnownNames
from contactsdk.models import FieldType

_POSTCODES: Final = ("plz", "postleitzahl", "zip", "postcode", "postalcode", "codepostal")
_FORMS: Final = (
    ("yyyy-mm-dd", re.compile(r"[0-9]{4}-[0-9]{1,2}-[0-9]{1,2}")),
    ("dd.mm.yyyy", re.compile(r"[0-9]{1,2}\.[0-9]{1,2}\.[0-9]{2,4}")),
    ("dd/mm/yyyy or mm/dd/yyyy", re.compile(r"[0-9]{1,2}/[0-9]{1,2}/[0-9]{2,4}")),
)
_SHORTEST_DATE: Final = 6
_LONGEST_DATE: Final = 10


@frozen
class _Column:
    name: str
    is_postcode: bool
    forms: Counter[str] = Factory(Counter)
    """Form of a date -> how many cells have it."""
    lengths: Counter[int] = Factory(Counter)
    """Number of digits -> how many cells are numbers of this length."""


class Oddities:
    """Looks at the cells of those custom fields of a list that are sent unchanged."""

    def __init__(self, uses: Iterable[ColumnUse], names: KnownNames) -> None:
        self._columns = [
            (use.place, _Column(" ".join(use.name.split()), _is_postcode(use)))
            for use in uses
            if _is_sent_as_it_is(use.column, names)
        ]

    def look_at(self, cells: Sequence[str]) -> None:
        """Look at one row."""
        for place, column in self._columns:
            cell = cells[place] if place < len(cells) else ""
            if cell and cell[0].isdigit() and len(cell) <= _LONGEST_DATE:
                _look_at_cell(column, cell)

    def texts(self) -> Iterator[str]:
        """A sentence for each oddity."""
        for _, column in self._columns:
            if len(column.forms) > 1:
                forms = ", ".join(f"{form} ({count:,} x)" for form, count in column.forms.items())
                yield (
                    f"the column '{column.name}' has dates in several forms, which are sent as "
                    f"they are: {forms}."
                )
            longest = max(column.lengths, default=0)
            if short := sum(n for length, n in column.lengths.items() if length == longest - 1):
                are = "1 postcode has" if short == 1 else f"{short:,} postcodes have"
                yield (
                    f"in the column '{column.name}', {are} one digit less than the others; a "
                    "spreadsheet may have removed a leading 0."
                )


def _is_sent_as_it_is(column: Column | None, names: KnownNames) -> bool:
    if column is None or column.field != "custom_fields" or not isinstance(column.key, int):
        return False
    definition = names.get(column.key)
    return definition is None or definition.type is not FieldType.DATE


def _look_at_cell(column: _Column, cell: str) -> None:
    if column.is_postcode:
        if cell.isdecimal():
            column.lengths[len(cell)] += 1
    elif len(cell) >= _SHORTEST_DATE:
        for form, pattern in _FORMS:
            if pattern.fullmatch(cell):
                column.forms[form] += 1


def _is_postcode(use: ColumnUse) -> bool:
    if use.column is not None and use.column.part is not None:
        return use.column.part == "postalCode"
    key = "".join(filter(str.isalnum, use.name)).casefold()
    return any(word in key for word in _POSTCODES)
