"""Converts the values of custom fields, as people write them, to the values that are sent.

No error message repeats a value. It may list the options that the account has declared.
"""

import datetime
import re
from collections.abc import Callable, Iterable, Mapping
from enum import StrEnum
from functools import partial
from typing import Any, Final, TypeAlias

from contactsdk.models import CustomFieldDefinition, FieldType

Converter: TypeAlias = Callable[[Any], Any]
"""Returns the value to send; raises a `ValueError` that says what the value must be."""

ADDRESS_PARTS: Final = (
    "line1",
    "line2",
    "line3",
    "line4",
    "city",
    "postalCode",
    "countryCode",
    "stateCode",
    "stateName",
)
"""The parts of an address, as the platform spells them."""

_SHOWN: Final = 20
_YEAR_DIGITS: Final = 4
_DAY_DIGITS: Final = 2
_MONTHS: Final = 12
_SEPARATORS: Final = re.compile(r"[;,\n]")
_WHOLE_NUMBER: Final = re.compile(r"([-+]?[0-9]{1,18})(?:\.0+)?")
_PLAIN_DATE: Final = re.compile(
    r"([0-9]{4})-([0-9]{1,2})-([0-9]{1,2})(?:[T ]00:00(?::00(?:\.0+)?)?)?"
)
_ORDERED_DATE: Final = re.compile(r"([0-9]{1,4})([-/. ])([0-9]{1,2})\2([0-9]{1,4})")


class DateOrder(StrEnum):
    """The order in which a written date names day, month and year."""

    DMY = "dmy"
    """Day, month, year, such as 31/12/2026."""
    MDY = "mdy"
    """Month, day, year, such as 12/31/2026."""
    YMD = "ymd"
    """Year, month, day, such as 2026/12/31."""


class DateOrderError(ValueError):
    """A written date is ambiguous, since the order of day, month and year is not known."""


def converter_of(
    definition: CustomFieldDefinition, date_order: DateOrder | None = None
) -> Converter:
    """The converter for the values of this field. It sends an empty text unchanged for all types.

    - A text field accepts text, and also numbers and dates, which become text.
    - A select accepts one of its options by label or value, in any case. A multiple select accepts
      a list of options, or one text with options separated by `;`, `,` or line breaks. If the
      platform lists no options, any text is accepted.
    - A date field accepts a `date`, a text `yyyy-mm-dd`, or a text in `date_order` with a year of
      four digits; `None` for `date_order` accepts such a text only if its day is above 12 and its
      year is last, such as 31.12.2026.
    - An address field accepts a mapping from `ADDRESS_PARTS`, in any case, to texts.
    - Files and static texts cannot be set. A field of an unknown type accepts any value.
    """
    options = {folded(str(option.value)): option.value for option in definition.options}
    options |= {folded(option.label): option.value for option in definition.options}
    match definition.type:
        case FieldType.SMALL_TEXT | FieldType.LARGE_TEXT:
            return _text
        case FieldType.SINGLE_SELECT:
            return partial(_one_option, options)
        case FieldType.MULTIPLE_SELECT:
            return partial(_several_options, options)
        case FieldType.ADDRESS:
            return _address
        case FieldType.DATE:
            return partial(_date, date_order)
        case FieldType.WHOLE_NUMBER:
            return _whole_number
        case FieldType.FILE | FieldType.STATIC_TEXT as kind:
            return partial(_refuse, f"is a {kind.name.lower().replace('_', ' ')}: it cannot be set")
        case _:
            return _as_it_is


def folded(name: str) -> str:
    """A name normalised for comparison: case and the amount of white space do not matter."""
    return " ".join(name.split()).casefold()


def parts_of(text: str) -> list[str]:
    """The parts of a text that are separated by `;`, `,` or line breaks, without empty ones."""
    return [part.strip() for part in _SEPARATORS.split(text) if part.strip()]


def listing(names: Iterable[str]) -> str:
    """Names as one text for a message: the first twenty, and how many more there are."""
    known = list(names)
    shown = ", ".join(known[:_SHOWN]) or "none"
    more = len(known) - _SHOWN
    return f"{shown} and {more} more" if more > 0 else shown


def address_part(name: str) -> str | None:
    """The part of an address with this name, in any case; `None` if there is no such part."""
    return _ADDRESS_PARTS.get(folded(name))


_ADDRESS_PARTS: Final = {folded(part): part for part in ADDRESS_PARTS}


def _as_it_is(value: Any) -> Any:
    return value


def _refuse(why: str, value: Any) -> Any:
    raise ValueError(why)


def _text(value: Any, expected: str = "must be text") -> str:
    text = _text_of(value)
    if text is None:
        raise ValueError(expected)
    return text


def _text_of(value: Any) -> str | None:
    match value:
        case str():
            return value
        case float() if value.is_integer():
            return str(int(value))
        case int() | float() if not isinstance(value, bool):
            return str(value)
        case datetime.date() if not isinstance(value, datetime.datetime):
            return value.isoformat()
    return None


def _whole_number(value: Any) -> int | str:
    expected = "must be a whole number in digits, without blanks or commas in it"
    text = _text(value, expected).strip()
    if not text:
        return text
    number = _WHOLE_NUMBER.fullmatch(text)
    if number is None:
        raise ValueError(expected)
    return int(number[1])


def _date(order: DateOrder | None, value: Any) -> datetime.date | str:
    if isinstance(value, datetime.datetime) and value.time() == datetime.time():
        return value.date()
    if isinstance(value, datetime.date) and not isinstance(value, datetime.datetime):
        return value
    text = value.strip() if isinstance(value, str) else None
    if text == "":
        return text
    if text is not None and (plain := _PLAIN_DATE.fullmatch(text)):
        return _day(*plain.groups())
    ordered = None if text is None else _ORDERED_DATE.fullmatch(text)
    if ordered is None:
        raise ValueError("must be a date without a time, such as 2026-12-31")
    order = order or _only_order(ordered[1], ordered[3], ordered[4])
    if order is None:
        raise DateOrderError("must be a date such as 2026-12-31, or the date order must be given")
    parts = dict(zip(order.value, (ordered[1], ordered[3], ordered[4]), strict=True))
    if len(parts["y"]) != 4:
        raise ValueError("must be a date whose year has four digits, such as 2026-12-31")
    return _day(parts["y"], parts["m"], parts["d"])


def _only_order(first: str, second: str, third: str) -> DateOrder | None:
    """The only order that these numbers can have, since one is above 12; `None` if there are two.

    The year must have four digits.
    """
    if len(third) == _YEAR_DIGITS and len(first) <= _DAY_DIGITS:
        if int(second) <= _MONTHS < int(first):
            return DateOrder.DMY
        if int(first) <= _MONTHS < int(second):
            return DateOrder.MDY
    return None


def _day(year: str, month: str, day: str) -> datetime.date:
    try:
        return datetime.date(int(year), int(month), int(day))
    except ValueError:
        raise ValueError("must be a date that exists: check the order of day and month") from None


def _one_option(options: Mapping[str, str | int], value: Any) -> str | int:
    text = _text_of(value)
    if text is not None and (not text.strip() or not options):
        return text.strip()
    if text is not None and folded(text) in options:
        return options[folded(text)]
    if not options:
        raise ValueError("must be text")
    known = listing(dict.fromkeys(map(str, options.values())))
    raise ValueError(f"must be one of the field's options: {known}")


def _several_options(options: Mapping[str, str | int], value: Any) -> list[str | int] | str:
    if isinstance(value, list | tuple):
        return [_one_option(options, item) for item in value]
    text = _text(value, "must be a list of options, or text").strip()
    if not text:
        return text
    # An option itself may contain a comma.
    parts = [text] if folded(text) in options else parts_of(text)
    return [_one_option(options, part) for part in parts]


def _address(value: Any) -> dict[str, str] | str:
    if value == "":
        return ""
    if not isinstance(value, Mapping):
        raise ValueError(f"must be an address with the parts {', '.join(ADDRESS_PARTS)}")
    parts: dict[str, str] = {}
    for name, text in value.items():
        part = address_part(name) if isinstance(name, str) else None
        if part is None or part in parts:
            raise ValueError(
                f"must have only the parts {', '.join(ADDRESS_PARTS)}, each at most once"
            )
        parts[part] = _text(text, f"must have text as {part}")
    return parts
