"""A contact as callers use it, and its validation.

Names, ranges and limits are from the platform's page "Add or Update Contact".

A value is handled in two steps, so that everything wrong with a contact is found at once. First a
converter turns the accepted types into one type, and passes on a value that it cannot convert. Then
every field is checked.
"""

import unicodedata
from collections.abc import Callable, Hashable, Iterable, Mapping
from enum import IntEnum
from typing import Any, Final, TypeAlias, TypeVar, cast

from attrs import field, frozen

from contactsdk.errors import InvalidContactError
from contactsdk.models.checks import (
    Checks,
    Problems,
    bool_problems,
    check_attributes,
    email_problems,
    id_problems,
    text_problems,
)
from contactsdk.models.parts import (
    CustomField,
    ExternalUrl,
    InvalidPart,
    parts_problems,
    problems_within,
)
from contactsdk.models.statuses import EmailStatus, SmsStatus

_Status = TypeVar("_Status", bound=IntEnum)

_MAX_EXTERNAL_URLS: Final = 3


def _several(value: Iterable[Any] | None) -> Any:
    # Each of these is iterable, but nobody means a list by it.
    if value is None or isinstance(value, str | bytes | bytearray | Mapping):
        return value
    try:
        return tuple(value)
    except TypeError:
        return value


def _ids(value: Iterable[int] | None) -> tuple[int, ...] | None:
    return cast("tuple[int, ...] | None", _several(value))


def _status(kind: type[_Status], value: Any) -> _Status:
    # Only a plain int: a bool is also an int, and so is a status of the other kind.
    known = type(value) is int and value in list(kind)
    return kind(value) if known else cast("_Status", value)


def _email_status(value: EmailStatus | int | None) -> EmailStatus | None:
    return _status(EmailStatus, value)


def _sms_status(value: SmsStatus | int | None) -> SmsStatus | None:
    return _status(SmsStatus, value)


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
        return cast("CustomField", InvalidPart(error.errors))


def _external_urls(value: Iterable[ExternalUrl] | None) -> tuple[ExternalUrl, ...] | None:
    return cast("tuple[ExternalUrl, ...] | None", _several(value))


def _ids_problems(value: Any) -> Problems:
    if not isinstance(value, tuple):
        yield (), "must be an iterable of ids"
        return
    for position, item in enumerate(value):
        if isinstance(item, InvalidPart):
            yield from problems_within(position, item)
        else:
            for _, what in id_problems(item):
                yield (position,), what


def _status_problems(kind: type[IntEnum]) -> Callable[[Any], Problems]:
    known = (f"{status.name.lower().replace('_', ' ')} ({status:d})" for status in kind)
    what = f"must be one of {', '.join(known)}"

    def problems(value: Any) -> Problems:
        if not isinstance(value, kind):
            yield (), what

    return problems


_links_problems: Final = parts_problems(
    ExternalUrl, "must be an iterable of ExternalUrl", "must be an ExternalUrl"
)


def _external_urls_problems(value: Any) -> Problems:
    yield from _links_problems(value)
    if not isinstance(value, tuple):
        return
    if len(value) > _MAX_EXTERNAL_URLS:
        yield (), f"must have at most {_MAX_EXTERNAL_URLS} links"
    refs = [part.ref for part in value if isinstance(part, ExternalUrl | InvalidPart)]
    named = [ref for ref in refs if isinstance(ref, str) and ref]
    if len(set(named)) < len(named):
        yield (), "must not use a ref twice"


@frozen(kw_only=True, repr=False)
class Contact:
    """A contact to add (no `id`) or to update (with its `id`).

    `None` means that the field is not sent: the platform leaves its value as it is. An empty
    collection is sent and clears the field: `groups=[]`, `external_urls=[]`. An empty string is
    also sent; what it does is up to the platform.

    To add, `first_name`, `last_name` and `email` are required.

    Contacts are frozen (`attrs.evolve` makes a changed copy), can be pickled, and show no values in
    their `repr`. To add a field, see the comment above `_CONTACT_CHECKS`.

    Raises:
        InvalidContactError: Something is wrong; its `errors` list everything. Nothing is sent.
    """

    id: int | None = None
    """The platform's id; `None` adds a contact."""
    external_id: str | None = None
    """The contact's id in another system, such as yours; `ContactClient.find` looks for it."""
    first_name: str | None = None
    """The first name; required to add."""
    last_name: str | None = None
    """The last name; required to add."""
    email: str | None = None
    """The email address, sent as given; required to add."""
    phone: str | None = None
    """The phone number, sent as given; it may be any text."""
    groups: tuple[int, ...] | None = field(default=None, converter=_ids)
    """The ids of subscription groups; they replace all groups that the contact has. `[]` removes
    the contact from all groups."""
    custom_fields: tuple[CustomField, ...] | None = field(default=None, converter=_custom_fields)
    """The custom fields to set; a mapping of field id to value is also accepted.

    `[]` is meant to clear all of them. What happens to fields that are not in it is up to the
    platform; the command `contactsdk probe` shows it."""
    companies: tuple[int, ...] | None = field(default=None, converter=_ids)
    """The ids of companies; the platform checks that each exists. No page says whether they replace
    those that the contact has."""
    status: EmailStatus | None = field(default=None, converter=_email_status)
    """Whether the contact has opted in to email; the number of the status is also accepted."""
    sms_status: SmsStatus | None = field(default=None, converter=_sms_status)
    """Whether the contact has opted in to SMS; the number of the status is also accepted."""
    update_if_exists: bool | None = None
    """Whether an add updates the contact with the same first name, last name and email, if there is
    one. `True` makes an add safe to repeat. It matters only without an `id`."""
    external_urls: tuple[ExternalUrl, ...] | None = field(default=None, converter=_external_urls)
    """Links to other systems: at most three, each with a `ref` of its own; `[]` removes all."""
    privacy_consent: bool | None = None
    """Whether the contact has given consent; the platform's page does not say to what."""

    def __attrs_post_init__(self) -> None:
        check_attributes(
            self, _CONTACT_CHECKS, required=_REQUIRED_TO_ADD if self.id is None else ()
        )

    def __repr__(self) -> str:
        shown = [] if self.id is None else [f"id={self.id}"]
        for name in _CONTACT_CHECKS:
            if name != "id" and getattr(self, name) is not None:
                shown.append(f"{name}=...")
        return f"Contact({', '.join(shown)})"


Item: TypeAlias = Contact | InvalidContactError
"""An item of a bulk run's input: a contact, or the error of an invalid one.

`contacts_from` makes both.
"""


def key_of(contact: Contact) -> Hashable:
    """The key of a contact: its id or, without an id, its first name, last name and email.

    Differences in case, in blanks and in the form of accents are ignored. So two contacts have the
    same key if the platform may take one for the other.
    """
    if contact.id is not None:
        return contact.id
    parts = (contact.first_name, contact.last_name, contact.email)
    return tuple(_folded(part) for part in parts if part is not None)


def _folded(text: str) -> str:
    text = " ".join(text.split())
    if text.isascii():  # true for most texts; what follows takes several times as long
        return text.lower()
    decomposed = unicodedata.normalize("NFD", text).casefold()
    return unicodedata.normalize("NFD", decomposed)


_REQUIRED_TO_ADD: Final = ("first_name", "last_name", "email")

# A new field also needs its name on the wire (`_RENAMED` in wire/contact.py), wire/matching.py if
# lists show it as another kind of value, files/cells.py unless it is plain text (and `CHOICES`
# there if it has few values), files/json_values.py, files/privacy.py if it holds text of the
# contact, files/vendors.py and files/suggestions.py for its names in other programs, and
# integrations/schema.py; in the sandbox sandbox/validation.py, sandbox/views.py, sandbox/page.py,
# sandbox/listing.py if lists can be filtered by it, and perhaps sandbox/guesses.py; and in the
# tests `a_full_contact`.
_CONTACT_CHECKS: Final[Checks] = {
    "id": id_problems,
    "external_id": text_problems,
    "first_name": text_problems,
    "last_name": text_problems,
    "email": email_problems,
    "phone": text_problems,
    "groups": _ids_problems,
    "custom_fields": parts_problems(
        CustomField,
        "must be a mapping of field id to value, or an iterable of CustomField",
        "must be a CustomField",
    ),
    "companies": _ids_problems,
    "status": _status_problems(EmailStatus),
    "sms_status": _status_problems(SmsStatus),
    "update_if_exists": bool_problems,
    "external_urls": _external_urls_problems,
    "privacy_consent": bool_problems,
}
