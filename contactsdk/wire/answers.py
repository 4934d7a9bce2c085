"""What an answer of the platform says: the value that was asked for, or a `ContactError`.

The tables below say what each errorCode and each HTTP status means; the errorCode counts first, and
`refusal` has the few cases of a specificCode. An answer that asks to slow down is a
`RateLimitedError`, which lowers the rate; one of a platform that is down is an `UnavailableError`,
and five of them in a row are an outage. If no page of the platform says what an answer means, the
contact may have been applied, whatever its HTTP status is. `batch.py` says what the refusal of a
whole batch means, and `pacing/pacer.py` what each error means for the pace. Sources: the platform's
pages "Add or Update Contact", "Exceptions" and "Ping".

In all functions, `headers` must be a case-insensitive mapping, such as aiohttp's.
"""

import datetime
import json
from collections.abc import Mapping
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
from contactsdk.wire.values import (
    http_date,
    positive_id,
    printable,
    seconds,
    timestamp,
    whole_number,
)

STALE_DATE: Final = 23005
"""The `specific_code` of a request whose date is over five minutes off the platform's clock."""

RACE: Final = 24299
"""The `specific_code` of a refusal because the same record was being written at the same time."""

_BYTE_ORDER_MARK: Final = b"\xef\xbb\xbf"

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

_BY_STATUS: Final[dict[int | None, type[ContactError]]] = {
    # The address is wrong: a redirect of a POST is not followed.
    **dict.fromkeys(range(300, 400), SetupError),
    401: AuthenticationError,
    403: AuthenticationError,
    # These mean a wrong address, which must stop a run and not reject every contact one by one.
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

_ADVICE: Final[dict[int | None, str]] = {
    **dict.fromkeys((404, 405, 421), "check base_url"),
    **dict.fromkeys((401, 403), "check key and secret, or a firewall on the way"),
    407: "check the user and password of the proxy",
    413: "the request is too large",
    503: "try again later",
}
"""HTTP status -> what to do, for an answer of which nothing but its status is known."""


def read_id(status: int, headers: Mapping[str, str], body: bytes) -> int:
    """The contact's id that an answer to add-or-update contains.

    Raises:
        ContactError: The answer contains none; which subclass says what is known.
    """
    return id_of(read_object(status, headers, body), status)


def id_of(answer: Mapping[str, Any], status: int | None) -> int:
    """The contact's id in an answer that refuses nothing.

    Raises:
        UncertainError: There is none.
    """
    contact_id = positive_id(answer.get("id"))
    if contact_id is None:
        raise UncertainError("the answer contains no contact id", http_status=status)
    return contact_id


def read_ack(status: int, headers: Mapping[str, str], body: bytes) -> datetime.datetime:
    """The platform's time, in UTC, that an answer to a ping contains (platform page, "Ping").

    Raises:
        ContactError: The answer contains none; which subclass says what is known.
    """
    time = timestamp(read_object(status, headers, body).get("ack"))
    if time is None:
        raise UncertainError("the answer contains no time", http_status=status)
    return time


def server_time(headers: Mapping[str, str]) -> float | None:
    """Seconds since the epoch by the answer's `Date` header; `None` if it has none."""
    return http_date(headers.get("Date", ""))


def is_foreign(error: ContactError) -> bool:
    """Whether this is a 403, 404 or 405 that something other than the platform may have answered.

    Such an answer has no `errorCode`: it comes from a gateway, a firewall or a wrong address. It
    may concern one contact only, for example if a firewall does not accept the text in it.
    """
    return error.http_status in (403, 404, 405) and error.error_code is None


def read_object(status: int, headers: Mapping[str, str], body: bytes) -> dict[str, Any]:
    """The JSON object of an answer that reports success.

    Raises:
        ContactError: The answer reports an error, or is not a JSON object.
    """
    answer = read_json(status, headers, body)
    if not isinstance(answer, dict):
        raise _unreadable(status)
    return answer


def read_json(status: int, headers: Mapping[str, str], body: bytes) -> Any:
    """The JSON value of an answer that reports success; some actions answer with an array.

    Raises:
        ContactError: The answer reports an error, or is not JSON.
    """
    try:
        answer = orjson.loads(body.removeprefix(_BYTE_ORDER_MARK))
        is_valid = True
    except orjson.JSONDecodeError:
        answer, is_valid = _parse_leniently(body), False
    error = refusal(status, headers, answer)
    if error is not None:
        raise error
    if not is_valid:
        raise _unreadable(status)
    return answer


def results_of(answer: Any, status: int) -> list[dict[str, Any]]:
    """The objects of a list, which is an array, or the `results` of an object.

    Raises:
        UncertainError: There is no such list.
    """
    results = answer.get("results") if isinstance(answer, dict) else answer
    if not isinstance(results, list) or not all(isinstance(item, dict) for item in results):
        raise UncertainError("the answer contains no list", http_status=status)
    return results


def refusal(status: int | None, headers: Mapping[str, str], answer: Any) -> ContactError | None:
    """The error that an answer reports, given its parsed body; `None` where it reports none.

    `status` is `None` for the response to one contact in a batch.
    """
    fields: Mapping[str, Any] = answer if isinstance(answer, dict) else {}
    code = _error_code(fields["errorCode"]) if "errorCode" in fields else None
    is_success = code is None and (status is None or 200 <= status <= 299)
    if is_success and fields.get("success") is not False:
        return None
    specific_code = whole_number(fields.get("specificCode"))
    kind: type[ContactError]
    if is_success:
        kind = RejectedError
    elif code is None:
        kind = _BY_STATUS.get(status, UncertainError)
    elif specific_code == STALE_DATE:
        kind = AuthenticationError
    else:
        kind = _BY_ERROR_CODE.get(code, UncertainError)
    additional = fields.get("additionalMessages")
    return kind(
        printable(_message(status, headers, fields, code)),
        http_status=status,
        error_code=code,
        specific_code=specific_code,
        additional_messages=map(printable, additional) if isinstance(additional, list) else (),
        retry_after_s=_retry_after_s(headers),
    )


def _unreadable(status: int) -> UncertainError:
    return UncertainError(f"HTTP {status} without a readable answer", http_status=status)


def _parse_leniently(body: bytes) -> Any:
    """The value of a body that is JSON except for wrong characters in its texts; `None` otherwise.

    A refusal may repeat what was sent, and so hold bytes that are not UTF-8, or a control
    character. It is a refusal nevertheless. A success is never read from such a body.
    """
    try:
        return json.loads(
            body.decode("utf-8-sig", "replace"), strict=False, parse_constant=_refuse_constant
        )
    except (ValueError, RecursionError):
        return None


def _refuse_constant(name: str) -> None:
    raise ValueError(f"{name} is not JSON")


def _message(
    status: int | None,
    headers: Mapping[str, str],
    answer: Mapping[str, Any],
    code: int | str | None,
) -> str:
    if code is None and status is not None and 300 <= status <= 399:
        location = headers.get("Location")
        if location is None:
            return f"HTTP {status} redirects and does not say where; check base_url"
        return f"HTTP {status} redirects to {location}; use that address"
    if isinstance(message := answer.get("message"), str) and message:
        return message
    if answer.get("success") is False:
        return "refused without a reason"
    if code is not None:
        return f"error {code}"
    advice = _ADVICE.get(status)
    return f"HTTP {status} without a readable answer{f'; {advice}' if advice else ''}"


def _error_code(value: object) -> int | str | None:
    number = whole_number(value)
    if number is not None:
        return number
    return printable(value) if isinstance(value, str | float) else None


def _retry_after_s(headers: Mapping[str, str]) -> float | None:
    value = headers.get("Retry-After", "").strip()
    wait_s = seconds(value)
    if wait_s is not None:
        return wait_s
    # A date is compared with the answer's own `Date`, so the clocks need not agree.
    until, now = http_date(value), server_time(headers)
    return None if until is None or now is None else max(0.0, until - now)
