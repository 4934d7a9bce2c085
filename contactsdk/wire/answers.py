"""What an answer of the platform says: the value that was asked for, or a `ContactError`.

Sources: the platform's pages "Add or Update Contact", "Errors" and "Ping".
"""

import datetime
import re
from collections.abc import Mapping
from email.utils import parsedate_to_datetime
from typing import Any, Final

import orjson

from contactsdk.errors import (
    AuthenticationError,
    ContactError,
    RateLimitedError,
    RejectedError,
    SetupError,
    UnavailableError,
    UncertainError,
)
from contactsdk.models.checks import MAX_ID

STALE_DATE: Final = 23005
"""The `specific_code` of a request whose date is over five minutes off the platform's clock."""

RACE: Final = 24299
"""The `specific_code` of a refusal because the same record was being written at the same time."""

_DIGITS: Final = re.compile(r"[0-9]{1,18}")

_BY_ERROR_CODE: Final[dict[int | str, type[ContactError]]] = {
    400: RejectedError,
    404: RejectedError,
    406: RejectedError,
    401: AuthenticationError,
    403: AuthenticationError,
    462: AuthenticationError,
    463: AuthenticationError,
    405: SetupError,
    501: SetupError,
    429: RateLimitedError,
}

_BY_STATUS: Final[dict[int, type[ContactError]]] = {
    401: AuthenticationError,
    403: AuthenticationError,
    # A wrong address must stop a run, not reject every contact one by one.
    404: SetupError,
    405: SetupError,
    407: SetupError,
    415: SetupError,
    421: SetupError,
    # That these four mean "not applied" is an assumption; no page of the platform says it.
    408: UnavailableError,
    425: UnavailableError,
    429: RateLimitedError,
    503: UnavailableError,
    400: RejectedError,
    409: RejectedError,
    413: RejectedError,
    422: RejectedError,
}


def read_id(status: int, headers: Mapping[str, str], body: bytes) -> int:
    """The contact's id that an answer to add-or-update names.

    `headers` are looked up case-insensitively by their own type, as aiohttp's are.

    Raises:
        ContactError: The answer names none; which subclass says what is known.
    """
    answer = read_object(status, headers, body)
    id_ = answer.get("id")
    if isinstance(id_, str) and _DIGITS.fullmatch(id_):
        id_ = int(id_)
    if type(id_) is int and 0 < id_ <= MAX_ID:  # True is an int
        return id_
    raise UncertainError("the answer names no contact id", http_status=status)


def read_ack(status: int, headers: Mapping[str, str], body: bytes) -> datetime.datetime:
    """The platform's time, in UTC, that an answer to a ping names (platform page, "Ping").

    Raises:
        ContactError: The answer names none; which subclass says what is known.
    """
    ack = read_object(status, headers, body).get("ack")
    try:
        return datetime.datetime.strptime(
            str(ack).removesuffix(" UTC"), "%Y-%m-%d %H:%M:%S"
        ).replace(tzinfo=datetime.UTC)
    except ValueError:
        raise UncertainError("the answer holds no time", http_status=status) from None


def server_time(headers: Mapping[str, str]) -> float | None:
    """Seconds since the epoch by the answer's `Date` header; `None` where it has none to read."""
    return _seconds(headers.get("Date", ""))


def is_foreign(error: ContactError) -> bool:
    """Whether this is a 403, 404 or 405 that something other than the platform may have answered.

    Such an answer has no `errorCode`: it comes from a gateway, a firewall or a wrong address. It
    may be about one contact only, such as a firewall that dislikes its text.
    """
    return error.http_status in (403, 404, 405) and error.error_code is None


def read_object(status: int, headers: Mapping[str, str], body: bytes) -> dict[str, Any]:
    """The JSON object of an answer that reports success.

    Raises:
        ContactError: The answer reports an error, or is not to be trusted.
    """
    try:
        parsed = orjson.loads(body)
    except orjson.JSONDecodeError:
        parsed = None
    is_object = isinstance(parsed, dict)
    answer: dict[str, Any] = parsed if is_object else {}

    code = _error_code(answer) if "errorCode" in answer else None
    kind: type[ContactError]
    if code is not None:
        stale = whole_number(answer.get("specificCode")) == STALE_DATE
        kind = AuthenticationError if stale else _BY_ERROR_CODE.get(code, UncertainError)
    elif 300 <= status <= 399:
        kind = SetupError
    elif not 200 <= status <= 299:
        kind = _BY_STATUS.get(status, UncertainError)
    elif answer.get("success") is False:
        kind = RejectedError
    elif not is_object:
        kind = UncertainError
    else:
        return answer

    additional = answer.get("additionalMessages")
    raise kind(
        _message(status, headers, answer, code),
        http_status=status,
        error_code=code,
        specific_code=whole_number(answer.get("specificCode")),
        additional_messages=map(str, additional) if isinstance(additional, list) else (),
        retry_after_s=_retry_after_s(headers),
    )


def _message(
    status: int, headers: Mapping[str, str], answer: Mapping[str, Any], code: int | str | None
) -> str:
    if 300 <= status <= 399 and code is None:
        return f"HTTP {status} redirects to {headers.get('Location', 'nowhere')}; use that address"
    if isinstance(message := answer.get("message"), str) and message:
        return message
    if answer.get("success") is False:
        return "refused without a reason"
    return f"HTTP {status} without a readable answer" if code is None else f"error {code}"


def _error_code(answer: Mapping[str, Any]) -> int | str | None:
    code = answer.get("errorCode")
    number = whole_number(code)
    if number is not None:
        return number
    return str(code) if isinstance(code, str | float) else None


def _seconds(http_date: str) -> float | None:
    try:
        date = parsedate_to_datetime(http_date)
    except (ValueError, OverflowError):
        return None
    # HTTP dates are in GMT; the old asctime form, which is to be read too, does not say so.
    return date.replace(tzinfo=date.tzinfo or datetime.UTC).timestamp()


def _retry_after_s(headers: Mapping[str, str]) -> float | None:
    value = headers.get("Retry-After", "").strip()
    if not value:
        return None
    if _DIGITS.fullmatch(value):
        return float(value)
    # A date is read against the answer's own, so that the clocks need not agree.
    until, now = _seconds(value), server_time(headers)
    return None if until is None or now is None else max(0.0, until - now)


def whole_number(value: object) -> int | None:
    """The whole number that a JSON value is or spells in digits; `None` if it is none."""
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
