"""Checks of single values; each gives a pair (path within the value, message) for each problem.

No message repeats the value. Ranges are from the platform's page "Add or Update Contact".
"""

import datetime
import functools
import math
import re
from collections.abc import Callable, Container, Iterator, Mapping
from typing import Any, Final, TypeAlias
from urllib.parse import urlsplit

from contactsdk.errors import InvalidContactError, Path

Problems: TypeAlias = Iterator[tuple[Path, str]]
Checks: TypeAlias = dict[str, Callable[[Any], Problems]]
"""Name of an attribute -> the function that finds the problems of its value."""

MAX_ID: Final = 2**63 - 1
_PLAIN_LOCAL_PART: Final = re.compile(r"[A-Za-z0-9_+-]+(\.[A-Za-z0-9_+-]+)*")
_MAX_DEPTH: Final = 64  # no field of the platform needs so much, and orjson can encode more
_TOO_DEEP: Final = object()  # replaces deeper values in a copy; json_problems then refuses it


def check_attributes(instance: Any, checks: Checks, required: Container[str]) -> None:
    """Check each attribute that is not `None`, and that no attribute in `required` is `None`.

    Raises:
        InvalidContactError: Something is wrong; `errors` has all of it, in the order of `checks`.
    """
    problems: list[tuple[Path, str]] = []
    for name, problems_of in checks.items():
        value = getattr(instance, name)
        if name in required and (value is None or (isinstance(value, str) and not value)):
            problems.append(((name,), "is required"))
        elif value is not None:
            problems += [((name, *path), what) for path, what in problems_of(value)]
    if problems:
        raise InvalidContactError(problems)


def id_problems(value: Any) -> Problems:
    """Problems of an id, which must be an integer from 1 to `MAX_ID`, and not a bool."""
    if not isinstance(value, int) or isinstance(value, bool) or value < 1:
        yield (), "must be a positive integer"
    elif value > MAX_ID:
        yield (), f"must be an integer up to {MAX_ID}"


def text_problems(value: Any) -> Problems:
    """Problems of a text, which must be a `str` that UTF-8 can encode."""
    if not isinstance(value, str):
        yield (), "must be a string"
    elif not _encodable(value):
        yield (), "must not hold lone surrogates"


def email_problems(value: Any) -> Problems:
    """Problems of an email address, which must be valid by the rules of email-validator."""
    if not isinstance(value, str):
        yield (), "must be a string"
    elif not _is_plain_email(value) and not _is_email(value):
        # The library's own message would repeat parts of the address.
        yield (), "must be a valid email address"


def _is_plain_email(value: str) -> bool:
    """Whether an address has a simple form and a domain that was found valid before.

    A check of a domain takes thirty times as long, and the thousands of addresses in a list share a
    few domains.
    """
    local, _, domain = value.rpartition("@")
    is_short = len(local) <= 64 and len(value) <= 254
    return (
        is_short
        and domain.isascii()
        and _PLAIN_LOCAL_PART.fullmatch(local) is not None
        and _is_domain(domain)
    )


@functools.lru_cache(maxsize=1024)
def _is_domain(domain: str) -> bool:
    return _is_email(f"a@{domain}")


def _is_email(value: str) -> bool:
    # Imported here to keep `import contactsdk` fast: the library compiles many patterns on import.
    from email_validator import EmailNotValidError, validate_email

    try:
        # Reserved test domains are accepted: users and their tests use them, and no mail is sent.
        validate_email(value, check_deliverability=False, test_environment=True)
    except EmailNotValidError:
        return False
    return True


def bool_problems(value: Any) -> Problems:
    """Problems of a bool, which must not be a number."""
    if not isinstance(value, bool):
        yield (), "must be true or false"


def https_problems(value: Any) -> Problems:
    """Problems of an https address, which must have a host and no blanks."""
    yield from text_problems(value)
    try:
        url = urlsplit(value) if isinstance(value, str) else None
    except ValueError:
        url = None
    # urlsplit silently drops blanks, but the value is sent as it was given.
    has_blanks = url is not None and any(map(str.isspace, value))
    if url is None or has_blanks or url.scheme != "https" or not url.hostname:
        yield (), "must be an https address"


def json_copy(value: Any, within: frozenset[int] = frozenset()) -> Any:
    """A copy of a value that does not change when the value does.

    Lists become tuples and mappings become dicts. `json_problems` says if JSON can hold the copy.
    `within` has the `id()` of each list and mapping around the value.
    """
    match value:
        # Circles must be found here: one that branches would be copied 2 ** _MAX_DEPTH times.
        case Mapping() | list() | tuple() if len(within) > _MAX_DEPTH or id(value) in within:
            return _TOO_DEEP
        case Mapping():
            inside = within | {id(value)}
            return {key: json_copy(item, inside) for key, item in value.items()}
        case list() | tuple():
            inside = within | {id(value)}
            return tuple(json_copy(item, inside) for item in value)
        # orjson does not accept subclasses of these two.
        case float():
            return float(value)
        case datetime.date() if not isinstance(value, datetime.datetime):
            return datetime.date(value.year, value.month, value.day)
        case _:
            return value


def json_problems(value: Any) -> Problems:
    """Problems of a value made by `json_copy` that JSON cannot hold; a date is written as text."""
    match value:
        case None | bool():
            pass
        case str():
            yield from text_problems(value)
        case int():
            if not -(2**63) <= value < 2**64:
                yield (), "must fit in 64 bits"
        case float():
            if not math.isfinite(value):
                yield (), "must be a finite number"
        case datetime.datetime():
            yield (), "must be a date without a time"
        case datetime.date():
            pass
        case tuple():
            for item in value:
                yield from json_problems(item)
        case dict():
            for key, item in value.items():
                if type(key) is not str or not _encodable(key):
                    yield (), "must have strings as keys"
                yield from json_problems(item)
        case _ if value is _TOO_DEEP:
            yield (), "must not be nested so deeply"
        case _:
            yield (), "must be a JSON value or a date"


def _encodable(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True
