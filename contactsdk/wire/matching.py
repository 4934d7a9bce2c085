"""Decides whether a contact in a list is the one that is looked for."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from contactsdk.models import Contact
from contactsdk.wire.contact import contact_to_json
from contactsdk.wire.contact_lists import ContactFilter, ListedContact
from contactsdk.wire.equality import folded, same_email, same_phone, same_value
from contactsdk.wire.values import whole_number


def satisfies(contact_filter: ContactFilter, listed: ListedContact) -> bool:
    """Whether a listed contact matches the filter, as far as the list shows its fields.

    This is checked here, since no page says that the platform's filters are exact.
    """
    wanted, shown, modified = contact_filter, listed.shown, listed.modified
    for name, value in _texts(wanted).items():
        if name in shown and not _same_field(name, value, shown[name]):
            return False
    if modified is None or wanted.modified_since is None:
        return True
    # The platform's times are in whole seconds.
    return modified >= wanted.modified_since.replace(microsecond=0)


def shows_all(contact_filter: ContactFilter, listed: ListedContact) -> bool:
    """Whether a list shows every field of the filter, so that `satisfies` can check all of it."""
    return all(name in listed.shown for name in _texts(contact_filter))


def matches(contact: Contact, listed: ListedContact) -> bool:
    """Whether a listed contact may be `contact` after it was applied.

    Every field that was sent and that the list shows must have the same value. If the list shows
    custom fields, a field that is missing there counts as empty.
    """
    return all(
        _same_field(name, value, listed.shown[name])
        for name, value in contact_to_json(contact).items()
        if name in listed.shown
    )


class ListedByEmail:
    """Listed contacts by their email, so that candidates are found without comparing them all."""

    def __init__(self, listed: Iterable[ListedContact]) -> None:
        self._by_email: defaultdict[str, list[ListedContact]] = defaultdict(list)
        self._without: list[ListedContact] = []
        for one in listed:
            email = one.shown.get("email")
            if isinstance(email, str):
                self._by_email[folded(email)].append(one)
            else:
                self._without.append(one)

    def like(self, contact: Contact) -> Iterator[ListedContact]:
        """The listed contacts that have the same email as this contact, or show no email."""
        yield from self._by_email.get(folded(contact.email or ""), ())
        yield from self._without


def _texts(contact_filter: ContactFilter) -> dict[str, str]:
    """The platform's name of a field -> the text that a filter asks for."""
    texts = {
        "externalId": contact_filter.external_id,
        "firstName": contact_filter.first_name,
        "lastName": contact_filter.last_name,
        "email": contact_filter.email,
    }
    return {name: text for name, text in texts.items() if text is not None}


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
    """The ids in a list of ids or of objects with an id; `None` is in it if an item has no id."""
    return {
        whole_number(item.get(key) if isinstance(item, Mapping) else item)
        for item in (items if isinstance(items, list) else ())
    }


def _same_custom_fields(sent: list[dict[str, Any]], shown: Any) -> bool:
    values = {whole_number(part.get("fieldId")): part.get("value") for part in _objects(shown)}
    return all(same_value(part["value"], values.get(part["fieldId"])) for part in sent)


def _same_external_urls(sent: list[dict[str, Any]] | None, shown: Any) -> bool:
    links = _objects(shown)
    if sent is None:  # null removes all links
        return not links
    urls = {link["ref"]: link.get("url") for link in links if isinstance(link.get("ref"), str)}
    return all(same_value(link["url"], urls.get(link["ref"])) for link in sent)


def _objects(items: Any) -> list[dict[str, Any]]:
    is_list = isinstance(items, list)
    return [item for item in items if isinstance(item, dict)] if is_list else []
