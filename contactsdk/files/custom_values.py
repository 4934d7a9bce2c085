"""The account's groups and custom fields by name, and the value of a custom field by its type.

The listings are plain data: whatever has these attributes will do. Types are those of the
platform's page "Get Custom Field Definition".
"""

import datetime
import re
from collections.abc import Iterable, Sequence
from enum import IntEnum, StrEnum
from functools import partial
from typing import Any, Final, Protocol

from attrs import field, frozen

from contactsdk.files.cells import CellError, Reader, as_whole_number, parts_of, text_of

ADDRESS_PARTS: Final = {
    name.casefold(): name
    for name in (
        "line1", "line2", "line3", "line4", "city", "postalCode", "countryCode", "stateCode",
        "stateName",
    )
}  # fmt: skip
"""Case-folded part of an address -> as the platform spells it."""

_PLAIN_DATE: Final = re.compile(
    r"([0-9]{4})([-/.])([0-9]{1,2})\2([0-9]{1,2})(?:[T ]00:00(?::00(?:\.0+)?)?)?"
)
_ORDERED_DATE: Final = re.compile(r"([0-9]{1,4})([-/. ])([0-9]{1,2})\2([0-9]{1,4})")
_WHOLE: Final = re.compile(r"[-+]?[0-9]{1,18}")
_SHOWN: Final = 20


class FieldType(IntEnum):
    """The types of custom fields, by the platform's numbers."""

    SMALL_TEXT = 0
    LARGE_TEXT = 1
    SINGLE_SELECT = 2
    MULTIPLE_SELECT = 3
    ADDRESS = 4
    DATE = 5
    FILE = 6
    STATIC_TEXT = 7
    WHOLE_NUMBER = 8


class DateOrder(StrEnum):
    """In which order a date names day, month and year."""

    DMY = "dmy"
    MDY = "mdy"
    YMD = "ymd"


class ListedGroup(Protocol):
    """A subscription group of the account."""

    @property
    def id(self) -> int: ...
    @property
    def name(self) -> str: ...


class ListedField(Protocol):
    """A custom field of the account.

    An option is a string, or has a `value` that is sent and a `label` that people see.
    """

    @property
    def field_id(self) -> int: ...
    @property
    def name(self) -> str: ...
    @property
    def type(self) -> int | None: ...
    @property
    def options(self) -> Sequence[Any]: ...
    @property
    def is_active(self) -> bool: ...


def _folded(name: str) -> str:
    return " ".join(name.split()).casefold()


@frozen
class CustomFieldNames:
    """The account's custom fields; `None` where they are not known, and any id will do."""

    fields: tuple[ListedField, ...] | None = None
    _by_name: dict[str, list[ListedField]] = field(init=False, eq=False, repr=False)
    _by_id: dict[int, ListedField] = field(init=False, eq=False, repr=False)

    def __attrs_post_init__(self) -> None:
        by_name: dict[str, list[ListedField]] = {}
        for listed in self.fields or ():
            if listed.is_active:
                by_name.setdefault(_folded(listed.name), []).append(listed)
        object.__setattr__(self, "_by_name", by_name)
        object.__setattr__(self, "_by_id", {it.field_id: it for it in self.fields or ()})

    def id_of(self, name: str) -> int | None:
        """The id of the one active field of this name; `None` if there is none, or several."""
        found = self._by_name.get(_folded(name), ())
        return found[0].field_id if len(found) == 1 else None

    def get(self, field_id: int) -> ListedField | None:
        """The field of this id."""
        return self._by_id.get(field_id)

    def problem_of(self, field_id: int, part: str | None) -> str | None:
        """Why a column cannot hold this field, or this part of an address; `None` if it can."""
        if self.fields is None:
            return None
        listed = self.get(field_id)
        if listed is None:
            known = ", ".join(f"{it.field_id} ({it.name})" for it in self.fields[:_SHOWN])
            return f"the account has no custom field {field_id}; it has {known or 'none'}"
        if listed.type in (FieldType.STATIC_TEXT, FieldType.FILE):
            what = "a fixed text" if listed.type == FieldType.STATIC_TEXT else "a file"
            return f"custom field {field_id} ({listed.name}) is {what} and cannot be set"
        if listed.type == FieldType.ADDRESS and part is None:
            parts = ", ".join(f"{listed.name}.{part}" for part in ADDRESS_PARTS.values())
            return f"custom field {field_id} is an address: name its parts in columns: {parts}"
        if listed.type != FieldType.ADDRESS and part is not None:
            return f"custom field {field_id} ({listed.name}) is no address and has no parts"
        return None


def reader_of(
    field_id: int,
    names: CustomFieldNames,
    date_order: DateOrder | None = None,
    day_zero: datetime.date | None = None,
) -> Reader:
    """How the cells of a custom field are read, by its type; as text where that is not known.

    `day_zero` is the day that a spreadsheet counts dates from, where a plain number in a cell can
    be such a date.
    """
    listed = names.get(field_id)
    match None if listed is None else listed.type:
        case FieldType.WHOLE_NUMBER:
            return _whole_number
        case FieldType.DATE:
            return partial(_date, date_order, day_zero)
        case FieldType.SINGLE_SELECT if listed is not None and listed.options:
            return partial(_option, _options(listed.options))
        case FieldType.MULTIPLE_SELECT:
            options = _options(listed.options) if listed is not None else {}
            return partial(_several_options, options)
    return text_of


def groups_reader(groups: Iterable[ListedGroup]) -> Reader:
    """How a list of groups is read, by id or name, where the account's groups are known."""
    listed = tuple(groups)
    by_name: dict[str, list[int]] = {}
    for group in listed:
        by_name.setdefault(_folded(group.name), []).append(group.id)
    ids = {group.id for group in listed}
    shown = ", ".join(f"{group.id} ({group.name})" for group in listed[:_SHOWN])

    def id_of(part: str) -> int:
        number = as_whole_number(part)
        if number.isascii() and number.isdigit() and int(number) in ids:
            return int(number)
        found = by_name.get(_folded(part), [])
        if len(found) > 1:
            raise CellError(f"names a group that there are several of: use an id of {shown}")
        if not found:
            raise CellError(f"names no group of the account; its groups are {shown or 'none'}")
        return found[0]

    def read(cell: str) -> list[int] | None:
        text = text_of(cell)
        if text is None:
            return None
        # A group's name may have a comma in it.
        parts = [text] if _folded(text) in by_name else parts_of(text)
        return [id_of(part) for part in parts] or None

    return read


def _whole_number(cell: str) -> int | None:
    text = text_of(cell)
    if text is None:
        return None
    whole = as_whole_number(text)
    if not _WHOLE.fullmatch(whole):
        raise CellError("must be a whole number, without blanks or commas in it")
    return int(whole)


def _date(
    order: DateOrder | None, day_zero: datetime.date | None, cell: str
) -> datetime.date | None:
    text = text_of(cell)
    if text is None:
        return None
    if plain := _PLAIN_DATE.fullmatch(text):
        return _day(plain[1], plain[3], plain[4])
    if day_zero is not None and text.isascii() and text.isdigit() and len(text) <= 6:
        return day_zero + datetime.timedelta(days=int(text))
    ordered = _ORDERED_DATE.fullmatch(text)
    if ordered is None:
        raise CellError("must be a date: write it as yyyy-mm-dd")
    if order is None:
        raise CellError("is a date whose order is not known: name it with --date-order")
    by_letter = dict(zip(order.value, (ordered[1], ordered[3], ordered[4]), strict=True))
    if len(by_letter["y"]) != 4:
        raise CellError("is a date whose year has not four digits: write it as yyyy-mm-dd")
    return _day(by_letter["y"], by_letter["m"], by_letter["d"])


def _day(year: str, month: str, day: str) -> datetime.date:
    try:
        return datetime.date(int(year), int(month), int(day))
    except ValueError:
        raise CellError("is no date that exists: check day, month and --date-order") from None


def _options(options: Iterable[Any]) -> dict[str, Any]:
    """Case-folded label or value of each option -> what is sent for it."""
    known: dict[str, Any] = {}
    for option in options:
        label = option if isinstance(option, str) else option.label
        value = option if isinstance(option, str) else option.value
        known.setdefault(_folded(str(value)), value)
        known[_folded(str(label))] = value
    return known


def _option(options: dict[str, Any], cell: str) -> Any:
    text = text_of(cell)
    return None if text is None else _chosen(options, text)


def _several_options(options: dict[str, Any], cell: str) -> list[Any] | None:
    text = text_of(cell)
    if text is None:
        return None
    if not options:
        return list(parts_of(text)) or None
    if _folded(text) in options:
        return [options[_folded(text)]]  # an option may have a comma in it
    return [_chosen(options, part) for part in parts_of(text)] or None


def _chosen(options: dict[str, Any], text: str) -> Any:
    try:
        return options[_folded(text)]
    except KeyError:
        shown = ", ".join(dict.fromkeys(str(value) for value in list(options.values())[:_SHOWN]))
        raise CellError(f"is none of the field's options, which are {shown}") from None
