"""Reads and writes single values of the platform: numbers, text for people, timestamps, dates."""

import datetime
import re
from email.utils import parsedate_to_datetime
from typing import Final

from contactsdk.models.checks import MAX_ID

_DIGITS: Final = re.compile(r"[0-9]{1,18}")
_SECONDS: Final = re.compile(r"[0-9]{1,18}(\.0{1,18})?")
_TIMESTAMP: Final = "%Y-%m-%d %H:%M:%S"


def whole_number(value: object) -> int | None:
    """The whole number in a JSON value, which may be a number or digits as text; else `None`."""
    match value:
        case bool():
            return None
        case int():
            return value
        case float() if value.is_integer() and abs(value) <= MAX_ID:
            return int(value)
        case str() if _DIGITS.fullmatch(value):
            return int(value)
    return None


def positive_id(value: object) -> int | None:
    """The id in a JSON value, which may be a number or digits as text; else `None`."""
    if isinstance(value, str) and _DIGITS.fullmatch(value):
        value = int(value)
    # The exact type is checked: True is an int, and one float may stand for several ids.
    return value if type(value) is int and 0 < value <= MAX_ID else None


def seconds(value: str) -> float | None:
    """The whole number of seconds in a text such as `2` or `2.0`; `None` for any other text."""
    return float(value) if _SECONDS.fullmatch(value) else None


def printable(value: object) -> str:
    """A JSON value, or a header, as one line of text that any terminal and any log can show.

    A received text is not trusted: it may hold control characters and marks that turn the direction
    of writing. It may also hold lone surrogates, since aiohttp makes them of bytes in a header that
    are not UTF-8.
    """
    try:
        text = str(value)
    except RecursionError:
        return "(nested too deeply to be shown)"
    if text.isprintable():
        return text
    return "".join(map(_printable_character, text))


def _printable_character(character: str) -> str:
    if character.isprintable():
        return character
    return " " if character.isspace() else "\N{REPLACEMENT CHARACTER}"


def timestamp(value: object) -> datetime.datetime | None:
    """The UTC time in a text `yyyy-mm-dd HH:mm:ss`, with or without ` UTC`; `None` for others."""
    if not isinstance(value, str):
        return None
    try:
        time = datetime.datetime.strptime(value.removesuffix(" UTC"), _TIMESTAMP)
    except ValueError:
        return None
    return time.replace(tzinfo=datetime.UTC)


def encode_timestamp(time: datetime.datetime) -> str:
    """A timezone-aware time as the platform writes it: in UTC, cut to whole seconds.

    isoformat is used, since strftime writes years before 1000 with fewer than four digits on some
    systems.
    """
    return time.astimezone(datetime.UTC).replace(tzinfo=None, microsecond=0).isoformat(" ")


def http_date(value: str) -> float | None:
    """The epoch seconds of a date in the format of HTTP headers; `None` for any other text."""
    try:
        date = parsedate_to_datetime(value)
    except (ValueError, OverflowError):
        return None
    # HTTP dates are in GMT. The old asctime form, which must be read as well, does not say so.
    return date.replace(tzinfo=date.tzinfo or datetime.UTC).timestamp()
