"""What is wrong with a value, whatever it belongs to: (path within it, message) for each problem.

No message repeats the value. Ranges are those of the platform's page "Add or Update Contact".
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
"""The name of an attribute -> the function that finds what is wrong with a value of it."""

MAX_ID: Final = 2**63 - 1
_PLAIN_LOCAL_PART: Final = re.compile(r"[A-Za-z0-9_+-]+(\.[A-Za-z0-9_+-]+)*")
_MAX_DEPTH: Final = 64  # far past any field of the platform, well within what orjson encodes
_TOO_DEEP: Final = object()  # stands in a copy for what json_problems then refuses


def check_attributes(instance: Any, checks: Checks, required: Container[str]) -> None:
    """Check each attribute that is set, and that those in `required` are.

    Raises:
        InvalidContactError: With all that is wrong, in the order of `checks`.
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
    """An id is an integer from 1 to `MAX_ID`, and not a bool."""
    if not isinstance(value, int) or isinstance(value, bool) or value < 1:
        yield (), "must be a positive integer"
    elif value > MAX_ID:
        yield (), f"must be an integer up to {MAX_ID}"


def text_problems(value: Any) -> Problems:
    """A text can be written as UTF-8."""
    if not isinstance(value, str):
        yield (), "must be a string"
    elif not _encodable(value):
        yield (), "must not hold lone surrogates"


def email_problems(value: Any) -> Problems:
    """A valid email address, as email-validator defines it."""
    if not isinstance(value, str):
        yield (), "must be a string"
    elif not _is_plain_email(value) and not _is_email(value):
        yield (), "must be a valid email address"  # the library's own words repeat parts of it


def _is_plain_email(value: str) -> bool:
    """Whether an address is a common one at a domain that was found valid before.

    To check a domain takes thirty times as long, and a list has thousands of addresses at a few.
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
    # Here, since a program's start should not pay for it: it compiles all of its patterns at once.
    from email_validator import EmailNotValidError, validate_email

    try:
        # Reserved test domains are what users and their tests write to; no mail is sent from here.
        validate_email(value, check_deliverability=False, test_environment=True)
    except EmailNotValidError:
        return False
    return True


def bool_problems(value: Any) -> Problems:
    """True or false, and not a number."""
    if not isinstance(value, bool):
        yield (), "must be true or false"


def https_problems(value: Any) -> Problems:
    """An https address has a host and no blanks."""
    yield from text_problems(value)
    try:
        url = urlsplit(value) if isinstance(value, str) else None
    except ValueError:
        url = None
    # urlsplit drops blanks without a word, and what is sent is the value as given.
    has_blanks = url is not None and any(map(str.isspace, value))
    if url is None or has_blanks or url.scheme != "https" or not url.hostname:
        yield (), "must be an https address"


def json_copy(value: Any, within: frozenset[int] = frozenset()) -> Any:
    """A copy that later changes to the value do not reach; `json_problems` says if JSON can carry
    it.

    Lists become tuples, mappings dicts. `within` holds the identities of what encloses the value.
    """
    match value:
        # Without the look for circles, one that branches would be walked 2 ** _MAX_DEPTH times.
        case Mapping() | list() | tuple() if len(within) > _MAX_DEPTH or id(value) in within:
            return _TOO_DEEP
        case Mapping():
            inside = within | {id(value)}
            return {key: json_copy(item, inside) for key, item in value.items()}
        case list() | tuple():
            inside = within | {id(value)}
            return tuple(json_copy(item, inside) for item in value)
        # orjson takes no subclasses of these two.
        case float():
            return float(value)
        case datetime.date() if not isinstance(value, datetime.datetime):
            return datetime.date(value.year, value.month, value.day)
        case _:
            return value


def json_problems(value: Any) -> Problems:
    """Whether JSON can carry what `json_copy` made; a date is written as text."""
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
