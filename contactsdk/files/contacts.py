"""Makes a contact of the cells of a row, or an error with everything that is wrong with them."""

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

from contactsdk.errors import InvalidContactError, Path
from contactsdk.files.cells import CellError, CellReader
from contactsdk.files.column_plan import ColumnUse, Plan
from contactsdk.files.columns import Column, letter_of
from contactsdk.files.emails import INVALID, reason_of
from contactsdk.files.json_values import value_of
from contactsdk.files.readers import Readers
from contactsdk.models import Contact, Item
from contactsdk.wire import contact_from, in_platform_names, platform_name

_Values = dict[str, Any]
_Problems = list[tuple[Path, str]]

_NOT_TOGETHER: Final = "must not be given beside another key of the same field"

# Columns whose cell is not the value of a field: it is a part of one, or holds two fields.
_COMPOSED: Final = ("custom_fields", "external_urls", "full_name")

_NAMED_BY_ID: Final = re.compile(r"custom[\s_]*fields", re.IGNORECASE)
_TOO_MANY_CELLS: Final = (
    "the row has more cells than there are columns: a cell with the delimiter in it needs quotes"
)


class ContactMaker:
    """Makes contacts of rows whose columns hold what `plan` says.

    `defaults` are used in rows that have no value of their own. If `update_if_exists` is true, each
    contact without an id gets it.
    """

    def __init__(
        self,
        plan: Plan,
        readers: Readers,
        defaults: Iterable[tuple[Column, Any]] = (),
        *,
        update_if_exists: bool = False,
    ) -> None:
        self._plain: list[tuple[int, str, CellReader]] = []
        self._composed: list[tuple[int, Column, CellReader, str]] = []
        self._columns: list[tuple[int, Column, CellReader]] = []
        # In JSON, one key may hold a whole field and others its parts. The whole field comes first,
        # so that the parts can be added to it.
        for use in sorted(plan.uses, key=lambda use: (_is_of_a_part(use.column), use.rank)):
            if use.column is None:
                continue
            read = readers.of(use.column)
            self._columns.append((use.place, use.column, read))
            if use.column.field in _COMPOSED:
                self._composed.append((use.place, use.column, read, _header_of(use)))
            else:
                self._plain.append((use.place, use.column.field, read))
        names = {use.name.strip().partition(".")[0] for use in plan.uses}
        # Errors use the platform's names of fields, unless the list uses the Python names.
        self._has_python_names = any(platform_name(name) != name for name in names)
        self._width = len(plan.uses)
        self._nameless = [use.place for use in plan.uses if not use.name.strip() and not use.column]
        self._readers = readers
        self._defaults = tuple(defaults)
        self._update_if_exists = update_if_exists

    @classmethod
    def of_defaults(cls, defaults: Iterable[tuple[Column, Any]]) -> Item:
        """The contact, or the error, that these values make without a row."""
        return cls(Plan(uses=()), Readers(), defaults).from_cells(())

    def from_cells(self, cells: Sequence[str]) -> Item:
        """The contact that a row of text holds, or all that is wrong with it."""
        problems: _Problems = []
        if len(cells) < self._width:
            cells = (*cells, *[""] * (self._width - len(cells)))
        elif len(cells) > self._width and any(map(str.strip, cells[self._width :])):
            # The cells are shifted, so messages about single cells would mislead.
            return InvalidContactError([((), _TOO_MANY_CELLS)])
        values: _Values = {}
        for place, name, read in self._plain:
            # If several columns hold one field, the first one that is not empty is used.
            if (cell := cells[place]) and name not in values:
                try:
                    value = read(cell)
                except CellError as exc:
                    problems.append(((name,), str(exc)))
                else:
                    if value is not None:
                        values[name] = value
        for place, column, read, header in self._composed:
            if cell := cells[place]:
                _add(values, problems, column, read, cell, header)
        if self._nameless:
            problems += _nameless_problems(cells, self._nameless)
        return self._contact(values, problems, cells)

    def from_values(self, values_by_place: Sequence[Any]) -> Item:
        """The contact that the values of a JSON object hold, or all that is wrong with it."""
        values: _Values = {}
        problems: _Problems = []
        for place, column, read in self._columns:
            value = values_by_place[place]
            if isinstance(value, str) and value:
                _add(values, problems, column, read, value)
            elif column.field == "full_name":
                problems.append(((column.field,), "must be text"))
            else:
                try:
                    _put(values, column, value_of(column, value, self._readers))
                except CellError as exc:
                    problems.append((_path_of(column), str(exc)))
        return self._contact(values, problems, ())

    def _contact(self, values: _Values, problems: _Problems, cells: Sequence[str]) -> Item:
        for column, value in self._defaults:
            _put_default(values, column, value)
        if self._update_if_exists and "id" not in values:
            values.setdefault("update_if_exists", True)
        try:
            if "external_urls" in values or isinstance(values.get("custom_fields"), list):
                contact = contact_from(values)  # it takes parts in the shape of the platform's JSON
            else:
                contact = Contact(**values)
        except InvalidContactError as error:
            problems = _all_errors(error, values, problems, cells)
            return self._error(problems)
        return self._error(problems) if problems else contact

    def _error(self, problems: _Problems) -> InvalidContactError:
        in_words = problems if self._has_python_names else in_platform_names(problems)
        return InvalidContactError(in_words)


def _add(
    values: _Values,
    problems: _Problems,
    column: Column,
    read: CellReader,
    cell: str,
    header: str = "",
) -> None:
    try:
        value = read(cell)
        if value is not None:
            _put(values, column, value)
    except CellError as exc:
        problems.append((_path_of(column), f"({header}) {exc}" if header else str(exc)))


def _header_of(use: ColumnUse) -> str:
    """The header of a column that holds a custom field by another name; else empty."""
    name = " ".join(use.name.split())
    is_named_by_id = _NAMED_BY_ID.match(name) is not None
    is_custom_field = use.column is not None and use.column.field == "custom_fields"
    return name if is_custom_field and not is_named_by_id else ""


def _put(values: _Values, column: Column, value: Any) -> None:
    """Put the value of a column among those of the contact.

    Raises:
        CellError: Another column of the same field has a value that it cannot be added to.
    """
    match column:
        case Column("full_name"):
            values.update(value)
        case Column("custom_fields", int(key), None):
            _put_key(_custom_fields_of(values), key, value)
        case Column("custom_fields", int(key), str(part)):
            fields = _custom_fields_of(values)
            if key not in fields:
                fields[key] = {}
            _put_key(fields[key], part, value)
        case Column("external_urls", str(key)):
            links = values.setdefault("external_urls", [])
            if not isinstance(links, list):
                raise CellError(_NOT_TOGETHER)
            links.append({"ref": key, "url": value})
        case _ if column.field not in values:
            values[column.field] = value


def _custom_fields_of(values: _Values) -> dict[Any, Any]:
    fields = values.get("custom_fields")
    if fields is None:  # there are none yet, or the row has null, which means absent
        fields = values["custom_fields"] = {}
    if not isinstance(fields, dict):
        raise CellError(_NOT_TOGETHER)
    return fields


def _put_key(known: Any, key: int | str, value: Any) -> None:
    if not isinstance(known, dict):
        raise CellError(_NOT_TOGETHER)
    if key in known:
        raise CellError("is given twice")
    known[key] = value


def _put_default(values: _Values, column: Column, value: Any) -> None:
    """Set a value if the row has none; a wrong value of the row stays, so that it is reported."""
    match column:
        case Column("custom_fields", int(key), part):
            _put_default_custom_field(values.setdefault("custom_fields", {}), key, part, value)
        case Column("external_urls", key):
            links = values.get("external_urls", [])
            given = [link.get("ref") for link in links if isinstance(link, Mapping)]
            if isinstance(links, list) and key not in given:
                _put(values, column, value)
        case _:
            values.setdefault(column.field, value)


def _put_default_custom_field(fields: Any, key: int, part: str | None, value: Any) -> None:
    """Set the value in `fields`, a mapping by id or the platform's list of objects."""
    if isinstance(fields, list):
        objects = [item for item in fields if isinstance(item, Mapping)]
        given = [item.get("value") for item in objects if item.get("fieldId") == key]
        if not given:
            new = value if part is None else {part: value}
            fields.append({"fieldId": key, "value": new})
        elif part is not None and isinstance(given[0], dict):
            given[0].setdefault(part, value)
    elif isinstance(fields, dict) and part is None:
        fields.setdefault(key, value)
    elif isinstance(fields, dict) and isinstance(parts := fields.setdefault(key, {}), dict):
        parts.setdefault(part, value)


def _is_of_a_part(column: Column | None) -> bool:
    return column is not None and column.key is not None


def _path_of(column: Column) -> Path:
    parts = (column.field, column.key, column.part)
    return tuple(part for part in parts if part is not None)


def _nameless_problems(cells: Sequence[str], nameless: Iterable[int]) -> _Problems:
    return [
        ((), f"column {letter_of(place)} has no header: name it, or empty its cells")
        for place in nameless
        if cells[place].strip()
    ]


def _all_errors(
    error: InvalidContactError, values: _Values, problems: _Problems, cells: Sequence[str]
) -> _Problems:
    """The contact's own errors in words that fit a cell, the errors of its cells, and advice."""
    failed = {path[0] for path, _ in problems if path}
    errors: _Problems = []
    for path, what in error.errors:
        if path[:1] == ("email",) and what == INVALID:
            what = reason_of(values["email"])
        # If the cell could not be read, an error that says so is enough.
        if not (what == "is required" and path and path[0] in failed):
            errors.append((path, what))
    # If the id could not be read, the row is not an add, so nothing is required. If a full name
    # could not be read, neither name is missing.
    if failed & {"id", "full_name"}:
        errors = [(path, what) for path, what in errors if what != "is required"]
    errors += problems
    if len(cells) > 1 and sum(bool(cell.strip()) for cell in cells) == 1:
        errors.append(((), "only one cell is filled: if it is a title or a total, delete the row"))
    return errors
