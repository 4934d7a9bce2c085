"""The platform's custom fields: types, definitions, and which values each type accepts."""

import re
from collections.abc import Iterable, Sequence
from datetime import date
from enum import Enum
from typing import Any

import attrs

_DATE = re.compile(r"\d{4}-\d\d-\d\d", re.ASCII)
_ADDRESS = frozenset(
    {"line1", "line2", "line3", "line4", "city", "postalCode"}
    | {"countryCode", "stateCode", "stateName"}
)


class FieldType(Enum):
    """The platform's types of custom fields, and which JSON values each accepts."""

    SMALL_TEXT = "small text"
    """A string."""
    LARGE_TEXT = "large text"
    """A string."""
    SINGLE_SELECT = "single select"
    """A string."""
    MULTIPLE_SELECT = "multiple select"
    """A list of strings."""
    ADDRESS = "address"
    """An object of strings: line1 to line4, city, postalCode, countryCode, stateCode, stateName."""
    DATE = "date"
    """`yyyy-mm-dd`."""
    FILE = "file"
    """Anything: no page says how a file is set."""
    STATIC_TEXT = "static text"
    """Nothing: it cannot be set."""
    WHOLE_NUMBER = "whole number"
    """An integer."""

    @property
    def number(self) -> int:
        """The number of the type in getCustomFieldDefinition: 0 to 8, in the order above."""
        return _NUMBERS[self]


_NUMBERS = {field_type: number for number, field_type in enumerate(FieldType)}


def _texts(given: Iterable[str]) -> tuple[str, ...]:
    return tuple(given)


def _texts_or_none(given: Iterable[str] | None) -> tuple[str, ...] | None:
    return None if given is None else tuple(given)


@attrs.frozen(kw_only=True)
class FieldDefinition:
    """What getCustomFieldDefinition answers for one custom field."""

    field_type: FieldType = attrs.field(validator=attrs.validators.instance_of(FieldType))
    """The type of the field, which says which values it accepts."""
    display_name: str = ""
    """The name of the field; an empty text means `Field` and the id."""
    required: bool = False
    """The `isRequired` of the field; whether an add needs the field is a guess, see `Guesses`."""
    active: bool = True
    """The `isActive` of the field."""
    sort_order: int = 0
    """The `sortOrder` of the field."""
    select_values: Sequence[str] | None = attrs.field(default=None, converter=_texts_or_none)
    """The options of a select field; `None` accepts any text."""
    file_types: Sequence[str] = attrs.field(default=(), converter=_texts)
    """The `fileTypes` of the field, such as `pdf`."""


def is_whole(value: Any) -> bool:
    """Whether a JSON value is an integer; `true` and `false` are not."""
    return isinstance(value, int) and not isinstance(value, bool)


def fits(field_type: FieldType, value: Any) -> bool:
    """Whether a custom field of this type accepts this JSON value."""
    match field_type:
        case FieldType.SMALL_TEXT | FieldType.LARGE_TEXT | FieldType.SINGLE_SELECT:
            return isinstance(value, str)
        case FieldType.MULTIPLE_SELECT:
            return isinstance(value, list) and all(isinstance(item, str) for item in value)
        case FieldType.ADDRESS:
            return (
                isinstance(value, dict)
                and value.keys() <= _ADDRESS
                and all(isinstance(item, str) for item in value.values())
            )
        case FieldType.DATE:
            return isinstance(value, str) and _is_date(value)
        case FieldType.WHOLE_NUMBER:
            return is_whole(value)
        case FieldType.FILE:
            return True
        case _:
            return False


def is_listed(definition: FieldDefinition, value: Any) -> bool:
    """Whether a value that `fits` is one of the options of a select field."""
    if definition.select_values is None:
        return True
    chosen = value if isinstance(value, list) else [value]
    return all(item in definition.select_values for item in chosen)


def _is_date(text: str) -> bool:
    # date.fromisoformat also accepts 20261123 and 2026-W48-1.
    if not _DATE.fullmatch(text):
        return False
    try:
        date.fromisoformat(text)
    except ValueError:
        return False
    return True
