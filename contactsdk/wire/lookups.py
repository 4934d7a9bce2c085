"""How contacts are looked up: one by its id, or a list of those that a filter lets through.

Sources: the platform's pages "Get Contact", "Get Contact List", "Filtering", "Pagination" and
"Collections".
"""

import datetime
from collections.abc import Mapping
from typing import Any, Final

import orjson
from attrs import field, frozen

from contactsdk.errors import UncertainError
from contactsdk.models import Contact
from contactsdk.wire.answers import read_json, read_object, results_of
from contactsdk.wire.contact import contact_to_json
from contactsdk.wire.equality import same_email, same_phone, same_value
from contactsdk.wire.values import encode_timestamp, positive_id, timestamp, whole_number

PER_PAGE: Final = 100
"""How many contacts of a list are asked for at a time; the platform may give fewer."""


@frozen(kw_only=True)
class ContactFilter:
    """Which contacts a list is to hold: those that all of these are true of.

    Texts are meant whole. Which differences of case or blanks the platform passes over is not
    known.
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
    """Modified then or later; it must know its time zone."""
    modified_until: datetime.datetime | None = None
    """Modified then or earlier; it must know its time zone."""
    company_id: int | None = None
    """Belongs to this company."""


@frozen(kw_only=True)
class ListedContact:
    """A contact as a list shows it."""

    id: int
    """The platform's id."""
    modified: datetime.datetime | None
    """When it was last changed, by the platform's clock; `None` where the list does not say."""
    shown: Mapping[str, Any] = field(repr=False, hash=False)
    """All that the list shows of it, in the platform's names."""


@frozen(kw_only=True)
class ContactPage:
    """A part of a list of contacts."""

    contacts: tuple[ListedContact, ...]
    """In the platform's order, which no page documents."""
    total: int | None = None
    """How many contacts the whole list has; `None` where the platform does not say."""
    start: int | None = None
    """The place in the list, from 0, of the first of `contacts`; `None` where not said."""
    per_page: int | None = None
    """How many the platform gives at a time, which may be fewer than asked; `None` if not said."""


def encode_list(
    contact_filter: ContactFilter, *, start: int = 0, per_page: int = PER_PAGE
) -> bytes:
    """The body that lists the contacts of this filter, from the `start`-th on, counted from 0."""
    wanted = contact_filter
    since, until = wanted.modified_since, wanted.modified_until
    criteria = {
        "externalId": wanted.external_id,
        "firstName": wanted.first_name,
        "lastName": wanted.last_name,
        "email": wanted.email,
        "fromModifiedDate": None if since is None else encode_timestamp(since),
        "toModifiedDate": None if until is None else encode_timestamp(until),
        "companyId": wanted.company_id,
    }
    given = {name: value for name, value in criteria.items() if value is not None}
    return orjson.dumps({"filter": given, "perPage": per_page, "start": start})


def read_page(status: int, headers: Mapping[str, str], body: bytes) -> ContactPage:
    """A page of a list of contacts.

    Raises:
        ContactError: The answer is no such page; which subclass says what is known.
    """
    answer = read_json(status, headers, body)
    contacts = tuple(_listed(item, status) for item in results_of(answer, status))
    meta = answer.get("meta") if isinstance(answer, dict) else None
    if not isinstance(meta, dict):
        return ContactPage(contacts=contacts)
    return ContactPage(
        contacts=contacts,
        total=whole_number(meta.get("totalResults")),
        start=whole_number(meta.get("start")),
        per_page=whole_number(meta.get("perPage")),
    )


def encode_get(contact_id: int) -> bytes:
    """The body that gets the contact with this id."""
    return orjson.dumps({"id": contact_id})


def read_contact(status: int, headers: Mapping[str, str], body: bytes) -> dict[str, Any]:
    """All that the platform shows of a contact, in its names.

    Raises:
        ContactError: The answer is no contact; which subclass says what is known. A
            `RejectedError` with the specific code 24096 where there is none of this id.
    """
    contact = read_object(status, headers, body)
    if positive_id(contact.get("id")) is None:
        raise UncertainError("the answer is no contact with an id", http_status=status)
    return contact


def satisfies(contact_filter: ContactFilter, listed: ListedContact) -> bool:
    """Whether a listed contact is one that the filter asked for, as far as the list shows.

    No page says that the platform's filters are exact.
    """
    wanted, shown, modified = contact_filter, listed.shown, listed.modified
    texts = {
        "externalId": wanted.external_id,
        "firstName": wanted.first_name,
        "lastName": wanted.last_name,
        "email": wanted.email,
    }
    for name, value in texts.items():
        if value is not None and name in shown and not _same_field(name, value, shown[name]):
            return False
    if modified is not None:
        # The platform counts in whole seconds.
        since, until = wanted.modified_since, wanted.modified_until
        if since is not None and modified < since.replace(microsecond=0):
            return False
        if until is not None and modified > until:
            return False
    is_given = wanted.company_id is not None and "companies" in shown
    return not is_given or wanted.company_id in _ids(shown["companies"], "id")


def matches(contact: Contact, listed: ListedContact) -> bool:
    """Whether a listed contact may be what became of `contact`.

    Every field that was sent and that the list shows must be equal, as a value. Where a list shows
    custom fields, one that is not among them is an empty one.
    """
    return all(
        _same_field(name, value, listed.shown[name])
        for name, value in contact_to_json(contact).items()
        if name in listed.shown
    )


def _same_field(name: str, sent: Any, shown: Any) -> bool:
    match name:
        case "email":
            return same_email(sent, shown)
        case "phone":
            return same_phone(sent, shown)
        case "groups":
            return _ids(sent, "groupId") == _ids(shown, "groupId")
        case "companies":
            return _ids(sent, "id") == _ids(shown, "id")
        case "customFields":
            return _same_custom_fields(sent, shown)
        case "externalUrls":
            return _same_external_urls(sent, shown)
        case _:
            return same_value(sent, shown)


def _ids(items: Any, key: str) -> set[int | None]:
    """The ids of a list of ids, or of objects that have one; `None` stands for what has none."""
    return {
        whole_number(item.get(key) if isinstance(item, Mapping) else item)
        for item in (items if isinstance(items, list) else ())
    }


def _same_custom_fields(sent: list[dict[str, Any]], shown: Any) -> bool:
    values = {whole_number(part.get("fieldId")): part.get("value") for part in _objects(shown)}
    return all(same_value(part["value"], values.get(part["fieldId"])) for part in sent)


def _same_external_urls(sent: list[dict[str, Any]] | None, shown: Any) -> bool:
    links = _objects(shown)
    if sent is None:  # which removes all of them
        return not links
    urls = {link["ref"]: link.get("url") for link in links if isinstance(link.get("ref"), str)}
    return all(same_value(link["url"], urls.get(link["ref"])) for link in sent)


def _objects(items: Any) -> list[dict[str, Any]]:
    is_list = isinstance(items, list)
    return [item for item in items if isinstance(item, dict)] if is_list else []


def _listed(item: Mapping[str, Any], status: int) -> ListedContact:
    contact_id = positive_id(item.get("id"))
    if contact_id is None:
        raise UncertainError("the list holds a contact without an id", http_status=status)
    return ListedContact(id=contact_id, modified=timestamp(item.get("modifiedDate")), shown=item)


def encode_search(external_id: str, start: int) -> bytes:
    """The body that lists contacts with this external id, from the `start`-th on."""
    return encode_list(ContactFilter(external_id=external_id), start=start)


def read_found(
    external_id: str, status: int, headers: Mapping[str, str], body: bytes
) -> dict[int, bool]:
    """The ids on a page of the list, in its order, and whether each has this external id.

    Raises:
        ContactError: The answer is no such page; which subclass says what is known.
    """
    wanted = ContactFilter(external_id=external_id)
    page = read_page(status, headers, body)
    return {listed.id: satisfies(wanted, listed) for listed in page.contacts}
