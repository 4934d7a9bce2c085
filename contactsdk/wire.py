"""The platform's JSON: contact to body, object to contact, answer to id or error.

Everything here is a pure function of its arguments, and the only place that spells the platform's
names. Sources: the platform's pages "Add or Update Contact", "Errors" and "Ping".
"""

import datetime
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from email.utils import parsedate_to_datetime
from typing import Any, Final

import orjson
from attrs import fields
from cattrs import Converter
from cattrs.gen import make_dict_unstructure_fn, override

from contactsdk.errors import (
    AuthenticationError,
    ContactError,
    InvalidContactError,
    Path,
    RateLimitedError,
    RejectedError,
    SetupError,
    UnavailableError,
    UncertainError,
)
from contactsdk.models import MAX_ID, Contact, CustomField, ExternalUrl

STALE_DATE: Final = 23005
"""The `specific_code` of a request whose date is over five minutes off the platform's clock."""

_DIGITS: Final = re.compile(r"[0-9]{1,18}")
_PLAIN_ID: Final = re.compile(r"[1-9][0-9]{0,17}")  # no two spellings of one id

# Python name -> the platform's, where they differ.
_RENAMED: Final = {
    "external_id": "externalId",
    "first_name": "firstName",
    "last_name": "lastName",
    "custom_fields": "customFields",
    "sms_status": "smsStatus",
    "update_if_exists": "updateIfExists",
    "external_urls": "externalUrls",
    "privacy_consent": "privacyConsent",
}


_converter: Final = Converter()

# orjson writes the rest itself: enums as numbers, tuples as lists, dates as yyyy-mm-dd. A function
# of our own would be called for each field; cattrs leaves out its own.
_as_it_is: Final[Callable[[Any], Any]] = _converter.get_unstructure_hook(int)


def _write_external_url(part: ExternalUrl) -> dict[str, Any]:
    label = {} if part.label is None else {"label": part.label}
    return {"ref": part.ref, "url": part.url, **label}


_WRITTEN: Final[dict[str, Callable[[Any], Any]]] = {
    "groups": lambda ids: [{"groupId": id_} for id_ in ids],
    "custom_fields": lambda parts: [{"fieldId": p.field_id, "value": p.value} for p in parts],
    # null is what removes all of them.
    "external_urls": lambda parts: [_write_external_url(part) for part in parts] or None,
}

_FIELDS: Final[tuple[str, ...]] = tuple(field.name for field in fields(Contact))

_OVERRIDES: Final[dict[str, Any]] = {
    name: override(rename=_RENAMED.get(name), unstruct_hook=_WRITTEN.get(name, _as_it_is))
    for name in _FIELDS
}

_unstructure: Final[Callable[[Contact], dict[str, Any]]] = make_dict_unstructure_fn(
    Contact, _converter, _cattrs_omit_if_default=True, **_OVERRIDES
)


def encode(contact: Contact) -> bytes:
    """The body that adds or updates `contact`: compact JSON in UTF-8, without what is not sent."""
    return orjson.dumps(_unstructure(contact))


FIELD_NAMES: Final[Mapping[str, str]] = {
    spelling.casefold(): name for name in _FIELDS for spelling in (name, _RENAMED.get(name, name))
}
"""Case-folded name of a field, the platform's or Python's -> the Python name."""


def contact_from(row: Mapping[str, Any]) -> Contact:
    """The contact that a JSON object describes, in the platform's shape.

    Keys are the platform's names or Python's, in any case. Groups may be plain ids, custom fields a
    mapping of id to value. `null` is not sent, but for `externalUrls`, which it clears.

    Raises:
        InvalidContactError: A key is unknown or there twice, a value is wrong, or the row is no
            mapping.
    """
    if not isinstance(row, Mapping):
        raise InvalidContactError([((), "must be a JSON object")])
    values: dict[str, Any] = {}
    problems = []
    for key, value in row.items():
        name = FIELD_NAMES.get(key.casefold()) if isinstance(key, str) else None
        if name is None:
            problems.append(((str(key),), "is not a field of a contact"))
        elif name in values:
            problems.append(((str(key),), "is there twice"))
        else:
            values[name] = _READ.get(name, _as_it_is)(value)
    try:
        contact = Contact(**values)
    except InvalidContactError as error:
        raise InvalidContactError([*problems, *error.errors]) from None
    if problems:
        raise InvalidContactError(problems)
    return contact


def platform_path(path: Path) -> Path:
    """Where in the platform's JSON that is which `InvalidContactError` calls `path`."""
    match path:
        case ("groups", int(position)):
            return ("groups", position, "groupId")
        case ("custom_fields", position, "field_id"):
            return ("customFields", position, "fieldId")
        case (str(name), *inside):
            return (_RENAMED.get(name, name), *inside)
        case _:
            return path


def contacts_from(
    rows: Iterable[Mapping[str, Any]],
) -> Iterator[Contact | InvalidContactError]:
    """One contact, or what is wrong with it, for each row, in order; reads as it is read.

    Rows are as in a JSON Lines file: mappings by the platform's names or Python's, in any case. The
    result is what `add_or_update_many` and `stream` take, so a wrong row becomes its own outcome.
    """
    for row in rows:
        try:
            yield contact_from(row)
        except InvalidContactError as error:
            yield error


def _read_groups(value: Any) -> Any:
    if not isinstance(value, list | tuple):
        return value
    return [
        item["groupId"] if isinstance(item, Mapping) and set(item) == {"groupId"} else item
        for item in value
    ]


def _read_custom_fields(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {
            int(key) if isinstance(key, str) and _PLAIN_ID.fullmatch(key) else key: item
            for key, item in value.items()
        }
    return _read_parts(value, CustomField, {"fieldId": "field_id", "value": "value"}, "value")


def _read_external_urls(value: Any) -> Any:
    names = {"ref": "ref", "url": "url", "label": "label"}
    return _read_parts(() if value is None else value, ExternalUrl, names, "url")


def _read_parts(value: Any, kind: Callable[..., Any], names: Mapping[str, str], needed: str) -> Any:
    if not isinstance(value, list | tuple):
        return value
    return [
        _read_part(item, kind, names, needed) if isinstance(item, Mapping) else item
        for item in value
    ]


def _read_part(
    item: Mapping[str, Any], kind: Callable[..., Any], names: Mapping[str, str], needed: str
) -> Any:
    """The part, or what is wrong with it: the contact then tells that with its position."""
    problems = [((str(key),), "is not known here") for key in item if key not in names]
    if needed not in item:
        problems.append(((names[needed],), "is required"))  # null would do, and clears
    try:
        part = kind(**{name: item.get(key) for key, name in names.items()})
    except InvalidContactError as error:
        return InvalidContactError([*problems, *(e for e in error.errors if e not in problems)])
    return InvalidContactError(problems) if problems else part


_READ: Final[dict[str, Callable[[Any], Any]]] = {
    "groups": _read_groups,
    "custom_fields": _read_custom_fields,
    "external_urls": _read_external_urls,
}


def read_id(status: int, headers: Mapping[str, str], body: bytes) -> int:
    """The contact's id that an answer to add-or-update names.

    `headers` are looked up case-insensitively by their own type, as aiohttp's are.

    Raises:
        ContactError: The answer names none; which subclass says what is known.
    """
    answer = _read_object(status, headers, body)
    id_ = answer.get("id")
    if isinstance(id_, str) and _DIGITS.fullmatch(id_):
        id_ = int(id_)
    if type(id_) is int and 0 < id_ <= MAX_ID:  # True is an int
        return id_
    raise UncertainError("the answer names no contact id", http_status=status)


def encode_search(external_id: str, start: int) -> bytes:
    """The body that lists contacts with this external id, from the `start`-th on.

    Source: the platform's page "Get Contact List".
    """
    return orjson.dumps({"filter": {"externalId": external_id}, "perPage": 100, "start": start})


def read_found(
    external_id: str, status: int, headers: Mapping[str, str], body: bytes
) -> dict[int, bool]:
    """The ids on a page of the list, in its order, and whether each has this external id.

    Raises:
        ContactError: The answer is no such page; which subclass says what is known.
    """
    results = _read_object(status, headers, body).get("results")
    if not isinstance(results, list):
        raise UncertainError("the answer holds no list of contacts", http_status=status)
    found: dict[int, bool] = {}
    for result in results:
        number = _int(result.get("id")) if isinstance(result, dict) else None
        if number is None or number < 1:
            raise UncertainError("the list holds a contact without an id", http_status=status)
        # No page says that the filter is exact.
        its = result.get("externalId", external_id)
        found[number] = its is not None and str(its) == external_id
    return found


def read_ack(status: int, headers: Mapping[str, str], body: bytes) -> datetime.datetime:
    """The platform's time, in UTC, that an answer to a ping names (platform page, "Ping").

    Raises:
        ContactError: The answer names none; which subclass says what is known.
    """
    ack = _read_object(status, headers, body).get("ack")
    try:
        return datetime.datetime.strptime(
            str(ack).removesuffix(" UTC"), "%Y-%m-%d %H:%M:%S"
        ).replace(tzinfo=datetime.UTC)
    except ValueError:
        raise UncertainError("the answer holds no time", http_status=status) from None


def server_time(headers: Mapping[str, str]) -> float | None:
    """Seconds since the epoch by the answer's `Date` header; `None` where it has none to read."""
    return _seconds(headers.get("Date", ""))


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


def _read_object(status: int, headers: Mapping[str, str], body: bytes) -> dict[str, Any]:
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
        stale = _int(answer.get("specificCode")) == STALE_DATE
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
        specific_code=_int(answer.get("specificCode")),
        additional_messages=map(str, additional) if isinstance(additional, list) else (),
        retry_after_s=_retry_after_s(headers),
    )


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
    number = _int(code)
    if number is not None:
        return number
    return str(code) if isinstance(code, str | float) else None


def _int(value: object) -> int | None:
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
