"""A contact and its parts as the caller sees them, and what makes one valid.

Names, ranges and limits are those of the platform's page "Add or Update Contact".

Taking a value happens in two steps, so that all that is wrong with a contact is found at once: a
converter makes the wide input narrow and hands on what it cannot take; then every field is checked.
"""

import datetime
import math
from collections.abc import Callable, Container, Hashable, Iterable, Iterator, Mapping
from enum import IntEnum
from typing import Any, Final, TypeAlias, TypeVar, cast
from urllib.parse import urlsplit

from attrs import field, frozen

from contactsdk.errors import InvalidContactError, Path

_Problems: TypeAlias = Iterator[tuple[Path, str]]
_Checks: TypeAlias = dict[str, Callable[[Any], _Problems]]
_Status = TypeVar("_Status", bound=IntEnum)

MAX_ID: Final = 2**63 - 1
_MAX_EXTERNAL_URLS: Final = 3
_MAX_DEPTH: Final = 64  # far past any field of the platform, well within what orjson encodes
_TOO_DEEP: Final = object()  # stands in a copy for what _json_problems then refuses


class EmailStatus(IntEnum):
    """Whether the contact has opted in to email (platform page, "Email Status").

    The page gives the names alone; its newer version no longer lists `REGISTERING` for this call.
    """

    SUBSCRIBED = 1
    UNSUBSCRIBED = 2
    BOUNCED = 3
    REGISTERING = 4
    NO_MARKETING = 5


class SmsStatus(IntEnum):
    """Whether the contact has opted in to SMS (platform page, "Sms status").

    The page gives the names alone. The platform has announced that SMS marketing is gone, and that
    requests with an SMS status are not supported from 30 June 2026 on.
    """

    SUBSCRIBED = 1
    UNSUBSCRIBED = 2
    FAILED = 3
    NO_MARKETING = 4


def _json_copy(value: Any, within: frozenset[int] = frozenset()) -> Any:
    match value:
        # Without the look for circles, one that branches would be walked 2 ** _MAX_DEPTH times.
        case Mapping() | list() | tuple() if len(within) > _MAX_DEPTH or id(value) in within:
            return _TOO_DEEP
        case Mapping():
            inside = within | {id(value)}
            return {key: _json_copy(item, inside) for key, item in value.items()}
        case list() | tuple():
            inside = within | {id(value)}
            return tuple(_json_copy(item, inside) for item in value)
        # orjson takes no subclasses of these two.
        case float():
            return float(value)
        case datetime.date() if not isinstance(value, datetime.datetime):
            return datetime.date(value.year, value.month, value.day)
        case _:
            return value


def _several(value: Iterable[Any] | None) -> Any:
    # Each is an iterable, and none of them a list that anybody meant.
    if value is None or isinstance(value, str | bytes | bytearray | Mapping):
        return value
    try:
        return tuple(value)
    except TypeError:
        return value


def _ids(value: Iterable[int] | None) -> tuple[int, ...] | None:
    return cast("tuple[int, ...] | None", _several(value))


def _status(kind: type[_Status], value: Any) -> _Status:
    # Not any int: a bool is one, and so is the other kind of status.
    known = type(value) is int and value in list(kind)
    return kind(value) if known else cast("_Status", value)


def _email_status(value: EmailStatus | int | None) -> EmailStatus | None:
    return _status(EmailStatus, value)


def _sms_status(value: SmsStatus | int | None) -> SmsStatus | None:
    return _status(SmsStatus, value)


def _id_problems(value: Any) -> _Problems:
    if not isinstance(value, int) or isinstance(value, bool) or not 1 <= value <= MAX_ID:
        yield (), "must be a positive integer"


def _ids_problems(value: Any) -> _Problems:
    if not isinstance(value, tuple):
        yield (), "must be an iterable of ids"
        return
    for position, item in enumerate(value):
        for _, what in _id_problems(item):
            yield (position,), what


def _text_problems(value: Any) -> _Problems:
    if not isinstance(value, str):
        yield (), "must be a string"
    elif not _encodable(value):
        yield (), "must not hold lone surrogates"


def _email_problems(value: Any) -> _Problems:
    if not isinstance(value, str):
        yield (), "must be a string"
        return
    # Here, since a program's start should not pay for it: it compiles all of its patterns at once.
    from email_validator import EmailNotValidError, validate_email

    try:
        # Reserved test domains are what users and their tests write to; no mail is sent from here.
        validate_email(value, check_deliverability=False, test_environment=True)
    except EmailNotValidError:
        yield (), "must be a valid email address"  # the library's own words repeat parts of it


def _bool_problems(value: Any) -> _Problems:
    if not isinstance(value, bool):
        yield (), "must be true or false"


def _status_problems(kind: type[IntEnum]) -> Callable[[Any], _Problems]:
    known = (f"{status:d} ({status.name.lower().replace('_', ' ')})" for status in kind)
    what = f"must be one of {', '.join(known)}"

    def problems(value: Any) -> _Problems:
        if not isinstance(value, kind):
            yield (), what

    return problems


def _https_problems(value: Any) -> _Problems:
    yield from _text_problems(value)
    try:
        url = urlsplit(value) if isinstance(value, str) else None
    except ValueError:
        url = None
    # urlsplit drops blanks without a word, and what is sent is the value as given.
    has_blanks = url is not None and any(map(str.isspace, value))
    if url is None or has_blanks or url.scheme != "https" or not url.hostname:
        yield (), "must be an https address"


def _json_problems(value: Any) -> _Problems:
    match value:
        case None | bool():
            pass
        case str():
            yield from _text_problems(value)
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
                yield from _json_problems(item)
        case dict():
            for key, item in value.items():
                if type(key) is not str or not _encodable(key):
                    yield (), "must have strings as keys"
                yield from _json_problems(item)
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


def _check(instance: Any, checks: _Checks, required: Container[str]) -> None:
    problems: list[tuple[Path, str]] = []
    for name, check in checks.items():
        value = getattr(instance, name)
        if name in required and (value is None or (isinstance(value, str) and not value)):
            problems.append(((name,), "is required"))
        elif value is not None:
            problems += [((name, *path), what) for path, what in check(value)]
    if problems:
        raise InvalidContactError(problems)


def _parts_problems(kind: type) -> Callable[[Any], _Problems]:
    def problems(value: Any) -> _Problems:
        if not isinstance(value, tuple):
            yield (), f"must be an iterable of {kind.__name__}"
            return
        for position, part in enumerate(value):
            if isinstance(part, InvalidContactError):
                for path, what in part.errors:
                    yield (position, *path), what
            elif not isinstance(part, kind):
                yield (position,), f"is no {kind.__name__}"

    return problems


@frozen(kw_only=True)
class CustomField:
    """One custom field of a contact: the field's id and its value.

    The value is any JSON value or a `datetime.date`; what fits is up to the field's type on the
    platform (an address is a dict, a multiple select a list). Lists become tuples.

    Raises:
        InvalidContactError: The id is not a positive integer, or JSON cannot carry the value.
    """

    field_id: int
    value: Any = field(converter=_json_copy, repr=False)

    def __attrs_post_init__(self) -> None:
        _check(self, _CUSTOM_FIELD_CHECKS, required=("field_id",))


@frozen(kw_only=True)
class ExternalUrl:
    """A link from the contact to another system: `ref` names it, `url` is an https address.

    `url=None` removes the link of that `ref`; `label=None` is not sent.

    Raises:
        InvalidContactError: `ref` is empty, or `url` is not an https address.
    """

    ref: str = field(repr=False)
    url: str | None = field(repr=False)
    label: str | None = field(default=None, repr=False)

    def __attrs_post_init__(self) -> None:
        _check(self, _EXTERNAL_URL_CHECKS, required=("ref",))


def _custom_fields(
    value: Mapping[int, Any] | Iterable[CustomField] | None,
) -> tuple[CustomField, ...] | None:
    if isinstance(value, Mapping):
        pairs = cast("Mapping[int, Any]", value).items()
        return tuple(_custom_field(field_id, item) for field_id, item in pairs)
    return cast("tuple[CustomField, ...] | None", _several(value))


def _custom_field(field_id: int, value: Any) -> CustomField:
    try:
        return CustomField(field_id=field_id, value=value)
    except InvalidContactError as error:
        return cast("CustomField", error)  # told with its position by _parts_problems


def _external_urls(value: Iterable[ExternalUrl] | None) -> tuple[ExternalUrl, ...] | None:
    return cast("tuple[ExternalUrl, ...] | None", _several(value))


def _external_urls_problems(value: Any) -> _Problems:
    yield from _parts_problems(ExternalUrl)(value)
    if not isinstance(value, tuple):
        return
    if len(value) > _MAX_EXTERNAL_URLS:
        yield (), f"must not be more than {_MAX_EXTERNAL_URLS}"
    refs = [part.ref for part in value if isinstance(part, ExternalUrl)]
    if len(set(refs)) < len(refs):
        yield (), "must not name a ref twice"


@frozen(kw_only=True, repr=False)
class Contact:
    """A contact to add (no `id`) or to update (with its `id`).

    `None` means not sent: the platform leaves that value as it is. An empty collection is sent and
    clears: `groups=[]`, `external_urls=[]`. An empty string is sent too.

    To add, `first_name`, `last_name` and `email` are required. The others:

    - `external_id`: the contact's id in another system, such as yours; `ContactClient.find` looks
      for it.
    - `phone`: goes out as given; nothing here checks it.
    - `groups`: ids of subscription groups; they replace all groups that the contact has.
    - `custom_fields`: a mapping of field id to value, or an iterable of `CustomField`.
    - `companies`: ids; the platform checks that each exists.
    - `status`, `sms_status`: whether the contact has opted in to email and to SMS, as a member of
      `EmailStatus` and `SmsStatus` or its number.
    - `update_if_exists`: with `True` and no `id`, the contact with the same first name, last name
      and email is updated instead of adding another, which makes an add safe to repeat.
    - `external_urls`: at most three `ExternalUrl`, each with a `ref` of its own.
    - `privacy_consent`: `True` or `False`; the platform's page does not say consent to what.

    Contacts are frozen (`attrs.evolve` makes a changed copy), can be pickled, and show no values in
    their `repr`.

    Raises:
        InvalidContactError: Something is wrong; its `errors` name all of it. Nothing is sent.
    """

    id: int | None = None
    external_id: str | None = None
    first_name: str | None = None
    last_name: str | None = None
    email: str | None = None
    phone: str | None = None
    groups: tuple[int, ...] | None = field(default=None, converter=_ids)
    custom_fields: tuple[CustomField, ...] | None = field(default=None, converter=_custom_fields)
    companies: tuple[int, ...] | None = field(default=None, converter=_ids)
    status: EmailStatus | None = field(default=None, converter=_email_status)
    sms_status: SmsStatus | None = field(default=None, converter=_sms_status)
    update_if_exists: bool | None = None
    external_urls: tuple[ExternalUrl, ...] | None = field(default=None, converter=_external_urls)
    privacy_consent: bool | None = None

    def __attrs_post_init__(self) -> None:
        _check(self, _CONTACT_CHECKS, required=_REQUIRED_TO_ADD if self.id is None else ())

    def __repr__(self) -> str:
        shown = [] if self.id is None else [f"id={self.id}"]
        for name in _CONTACT_CHECKS:
            if name != "id" and getattr(self, name) is not None:
                shown.append(f"{name}=...")
        return f"Contact({', '.join(shown)})"


Item: TypeAlias = Contact | InvalidContactError
"""What a bulk run reads: a contact, or what was wrong with one (as `contacts_from` gives)."""


def key_of(contact: Contact) -> Hashable:
    """What says that two contacts are the same: the id, or else names and email, case-folded."""
    if contact.id is not None:
        return contact.id
    parts = (contact.first_name, contact.last_name, contact.email)
    return tuple(part.casefold() for part in parts if part is not None)


_CUSTOM_FIELD_CHECKS: Final[_Checks] = {"field_id": _id_problems, "value": _json_problems}

_EXTERNAL_URL_CHECKS: Final[_Checks] = {
    "ref": _text_problems,
    "url": _https_problems,
    "label": _text_problems,
}

_REQUIRED_TO_ADD: Final = ("first_name", "last_name", "email")

_CONTACT_CHECKS: Final[_Checks] = {
    "id": _id_problems,
    "external_id": _text_problems,
    "first_name": _text_problems,
    "last_name": _text_problems,
    "email": _email_problems,
    "phone": _text_problems,
    "groups": _ids_problems,
    "custom_fields": _parts_problems(CustomField),
    "companies": _ids_problems,
    "status": _status_problems(EmailStatus),
    "sms_status": _status_problems(SmsStatus),
    "update_if_exists": _bool_problems,
    "external_urls": _external_urls_problems,
    "privacy_consent": _bool_problems,
}
