"""Converts a JSON value that is not text into the value of a field."""

import math
from collections.abc import Mapping
from typing import Any, Final

from contactsdk.files.cells import READERS, CellError, CellReader
from contactsdk.files.columns import Column, column_of
from contactsdk.files.readers import Readers

_TEXTS: Final = ("external_id", "first_name", "last_name", "email", "phone")
_LISTS: Final = ("groups", "companies")
_BOOLEANS: Final = ("update_if_exists", "privacy_consent")
_MOST_EXACT: Final = 2**53  # from this value on, several whole numbers have the same float


def value_of(column: Column, value: Any, readers: Readers) -> Any:
    """The value of the field that a column holds; `None` if nothing is to be sent.

    A value that cannot be converted is returned as it is, and then makes the contact invalid.

    Raises:
        CellError: Nobody can have meant the value; the message says what to do.
    """
    match column.field:
        case "custom_fields" if column.key is None and isinstance(value, Mapping):
            return _custom_fields(value, readers)
        case "custom_fields" | "external_urls":
            return value if value is not None or column.key is not None else _cleared(column)
        case name if name in _TEXTS:
            return _text(value)
        case name if name in _LISTS and isinstance(value, list):
            return _items(value, readers.of(column))
        case name if name in _BOOLEANS and not isinstance(value, bool):
            return {0: False, 1: True}.get(value, value) if isinstance(value, int) else value
    return _whole(value)


def _cleared(column: Column) -> Any:
    # As in the platform's own JSON, null removes all links; for other fields it is not sent.
    return [] if column.field == "external_urls" else None


def _text(value: Any) -> Any:
    value = _whole(value)
    return str(value) if isinstance(value, int) and not isinstance(value, bool) else value


def _whole(value: Any) -> Any:
    """A float without a fraction as an integer, since some programs write all numbers as floats."""
    if not isinstance(value, float):
        return value
    if not math.isfinite(value) or not value.is_integer() or abs(value) >= _MOST_EXACT:
        raise CellError("must be a whole number, or text in quotes")
    return int(value)


def _items(values: list[Any], read: CellReader) -> list[Any]:
    items: list[Any] = []
    for value in values:
        items += (read(value) or []) if isinstance(value, str) else [_item(value, read)]
    return items


def _item(value: Any, read: CellReader) -> Any:
    id_ = value["groupId"] if isinstance(value, Mapping) and set(value) == {"groupId"} else value
    id_ = _whole(id_)
    if isinstance(id_, int) and not isinstance(id_, bool) and read is not READERS["groups"]:
        [id_] = read(str(id_))  # this checks the id against the account's groups
    return id_


def _custom_fields(values: Mapping[str, Any], readers: Readers) -> dict[Any, Any]:
    fields: dict[Any, Any] = {}
    for key, value in values.items():
        column = column_of(f"custom_fields.{key}") or column_of(key, readers.names)
        id_ = key if column is None or column.field != "custom_fields" else column.key
        if id_ in fields:
            raise CellError(f"names field {id_} twice")
        if isinstance(id_, int) and (problem := readers.names.problem_of(id_, _any_part(value))):
            raise CellError(problem)
        fields[id_] = _custom_value(column, value, readers)
    return fields


def _custom_value(column: Column | None, value: Any, readers: Readers) -> Any:
    if column is None or not isinstance(column.key, int) or not isinstance(value, str) or not value:
        return value
    is_typed = readers.names.get(column.key) is not None
    return readers.of(column)(value) if is_typed else value


def _any_part(value: Any) -> str | None:
    return "line1" if isinstance(value, Mapping) else None
