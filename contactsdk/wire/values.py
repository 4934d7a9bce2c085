"""Single values as the platform writes them: numbers, text that people see, timestamps, dates."""

import datetime
import re
from email.utils import parsedate_to_datetime
from typing import Final

from contactsdk.models.checks import MAX_ID

_DIGITS: Final = re.compile(r"[0-9]{1,18}")
_SECONDS: Final = re.compile(r"[0-9]{1,18}(\.0{1,18})?")
_TIMESTAMP: Final = "%Y-%m-%d %H:%M:%S"


def whole_number(value: object) -> int | None:
    """The whole number that a JSON value is, or spells in digits; `None` if it is not one."""
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
    """The id that a JSON value is, or spells in digits; `None` if it is not one."""
    if isinstance(value, str) and _DIGITS.fullmatch(value):
        value = int(value)
    # The type, since True is an int, and a float may stand for several ids.
    return value if type(value) is int and 0 < value <= MAX_ID else None


def seconds(value: str) -> float | None:
    """A whole number of seconds in digits, such as 2 or 2.0; `None` if it is not one."""
    return float(value) if _SECONDS.fullmatch(value) else None


def printable(value: object) -> str:
    """A JSON value, or a header, as one line of text that any terminal and any log can show.

    What came is not text to trust: it may hold control characters, marks that turn the direction of
    writing, and lone surrogates, as bytes that are not UTF-8 become in a header.
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
    """A time in UTC, written `yyyy-mm-dd HH:mm:ss` or that and ` UTC`; `None` if it is not one."""
    if not isinstance(value, str):
        return None
    try:
        time = datetime.datetime.strptime(value.removesuffix(" UTC"), _TIMESTAMP)
    except ValueError:
        return None
    return time.replace(tzinfo=datetime.UTC)


def encode_timestamp(time: datetime.datetime) -> str:
    """A timezone-aware time as the platform writes it, in whole seconds.

    Years before 1000 have four digits too, which strftime does not see to everywhere.
    """
    return time.astimezone(datetime.UTC).replace(tzinfo=None, microsecond=0).isoformat(" ")


def http_date(value: str) -> float | None:
    """Seconds since the epoch of a date in the format of HTTP headers; `None` if it is not one."""
    try:
        date = parsedate_to_datetime(value)
    except (ValueError, OverflowError):
        return None
    # HTTP dates are in GMT; the old asctime form, which is to be read too, does not say so.
    return date.replace(tzinfo=date.tzinfo or datetime.UTC).timestamp()
