"""Looks contacts up: one by its id, or a list of those that match a filter.

Sources: the platform's pages "Get Contact", "Get Contact List", "Filtering", "Pagination" and
"Collections".
"""

import datetime
from collections.abc import Mapping
from typing import Any, Final

import orjson
from attrs import field, frozen

from contactsdk.errors import UncertainError
from contactsdk.wire.answers import read_json, read_object, results_of
from contactsdk.wire.values import encode_timestamp, positive_id, timestamp, whole_number

PER_PAGE: Final = 100
"""How many contacts of a list are asked for at a time; the platform may give fewer."""


@frozen(kw_only=True)
class ContactFilter:
    """Which contacts to list: those that match every field that is not `None`.

    A text must match as a whole. It is not known which differences in case or blanks the platform
    ignores.
    """

    external_id: str | None = field(default=None, repr=False)
    """The contact's id in another system."""
    first_name: str | None = field(default=None, repr=False)
    """The whole first name."""
    last_name: str | None = field(default=None, repr=False)
    """The whole last name."""
    email: str | None = field(default=None, repr=False)
    """The email address, in any case."""
    modified_since: datetime.datetime | None = None
    """The contact was changed at this time or later; must be timezone-aware."""


@frozen(kw_only=True)
class ListedContact:
    """A contact as a list shows it."""

    id: int
    """The platform's id of the contact."""
    modified: datetime.datetime | None
    """When the contact was last changed, by the platform's clock; `None` if it is not shown."""
    shown: Mapping[str, Any] = field(repr=False, hash=False)
    """Everything that the list shows of the contact, with the platform's names."""


@frozen(kw_only=True)
class ContactPage:
    """A part of a list of contacts."""

    contacts: tuple[ListedContact, ...]
    """The contacts in the platform's order, which is not documented."""
    total: int | None = None
    """How many contacts the whole list has; `None` if the platform does not say."""


def encode_list(contact_filter: ContactFilter, *, start: int = 0) -> bytes:
    """The body of a request for contacts that match a filter, from position `start` on, from 0."""
    wanted = contact_filter
    since = wanted.modified_since
    criteria = {
        "externalId": wanted.external_id,
        "firstName": wanted.first_name,
        "lastName": wanted.last_name,
        "email": wanted.email,
        "fromModifiedDate": None if since is None else encode_timestamp(since),
    }
    given = {name: value for name, value in criteria.items() if value is not None}
    return orjson.dumps({"filter": given, "perPage": PER_PAGE, "start": start})


def read_page(status: int, headers: Mapping[str, str], body: bytes) -> ContactPage:
    """A page of a list of contacts.

    Raises:
        ContactError: The answer is not such a page; which subclass says what is known.
    """
    answer = read_json(status, headers, body)
    contacts = tuple(_listed(item, status) for item in results_of(answer, status))
    meta = answer.get("meta") if isinstance(answer, dict) else None
    if not isinstance(meta, dict):
        return ContactPage(contacts=contacts)
    return ContactPage(contacts=contacts, total=whole_number(meta.get("totalResults")))


def encode_get(contact_id: int) -> bytes:
    """The body of a request for the contact with this id."""
    return orjson.dumps({"id": contact_id})


def read_contact(status: int, headers: Mapping[str, str], body: bytes) -> dict[str, Any]:
    """Everything that the platform shows of a contact, with the platform's names.

    Raises:
        ContactError: The answer is not a contact; which subclass says what is known. A
            `RejectedError` with the specific code 24096 if there is no contact with this id.
    """
    contact = read_object(status, headers, body)
    if positive_id(contact.get("id")) is None:
        raise UncertainError("the answer is not a contact with an id", http_status=status)
    return contact


def _listed(item: Mapping[str, Any], status: int) -> ListedContact:
    contact_id = positive_id(item.get("id"))
    if contact_id is None:
        raise UncertainError("the list contains a contact without an id", http_status=status)
    return ListedContact(id=contact_id, modified=timestamp(item.get("modifiedDate")), shown=item)
