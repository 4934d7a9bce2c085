"""The contacts of the platform and what its actions do to them; no I/O."""

from collections import defaultdict
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

import attrs
import orjson

from contactsdk.sandbox.fields import EXTERNAL_URLS_MAX, Declared, check_contact, is_whole
from contactsdk.sandbox.replies import Refused, invalid

FIRST_ID = 1001

Contact = Mapping[str, Any]


def read_object(body: bytes) -> dict[str, Any]:
    """The JSON object of a request body; NaN and infinities are no JSON.

    Raises:
        Refused: 400 if the body is anything else.
    """
    try:
        params = orjson.loads(body)
    except orjson.JSONDecodeError as exc:
        raise Refused(400, "The body is not JSON") from exc
    if not isinstance(params, dict):
        raise Refused(400, "The body must be a JSON object")
    return params


@attrs.frozen
class Change:
    """What addOrUpdateContact did."""

    contact_id: int
    added: bool


class Platform:
    """The contacts of one account, in the platform's spelling; each is replaced, never changed."""

    def __init__(self, declared: Declared) -> None:
        self._declared = declared
        self._contacts: dict[int, Contact] = {}
        # Name and email to the ids that bear them, so that updateIfExists needs no search. The
        # inner dict serves as an ordered set: the oldest contact is the one that matches.
        self._ids: defaultdict[tuple[str, ...], dict[int, None]] = defaultdict(dict)
        self._next_id = FIRST_ID
        self.contacts: Mapping[int, Contact] = MappingProxyType(self._contacts)

    def clear(self) -> None:
        """Forget all contacts; the ids start again at 1001."""
        self._contacts.clear()
        self._ids.clear()
        self._next_id = FIRST_ID

    def add_or_update(self, params: Mapping[str, Any]) -> Change:
        """Do addOrUpdateContact, or change nothing.

        Raises:
            Refused: 400 for parameters that do not validate (see `check_contact`), 404 with
                specificCode 24096 if there is no contact of that `id`.
        """
        check_contact(params, self._declared)
        contact_id = params.get("id")
        if contact_id is None and params.get("updateIfExists"):
            contact_id = next(iter(self._ids.get(_name(params), ())), None)
        before = {} if contact_id is None else self.get_contact(contact_id)
        after = _merged(before, params)
        added = contact_id is None
        if contact_id is None:
            contact_id, self._next_id = self._next_id, self._next_id + 1
        else:
            self._forget_name(contact_id, before)
        self._contacts[contact_id] = MappingProxyType({**after, "id": contact_id})
        self._ids[_name(after)][contact_id] = None
        return Change(contact_id, added)

    def get_contact(self, contact_id: Any) -> Contact:
        """The contact of this id.

        Raises:
            Refused: 404 with specificCode 24096 if there is none, 400 if it is no whole number.
        """
        if not is_whole(contact_id):
            raise invalid("id", "Value must be a whole number")
        if contact_id not in self._contacts:
            raise Refused(404, "Unable to find contact", 24096)
        return self._contacts[contact_id]

    def get_contact_list(self, params: Mapping[str, Any]) -> dict[str, Any]:
        """Do getContactList: of those that match, `perPage` from the one at `start` (from 0) on.

        Raises:
            Refused: 400 with specificCode 23016 for any other parameter or filter.
        """
        wanted = {"filter": {}, "perPage": 20, "start": 0, **params}
        for name in wanted.keys() - {"filter", "perPage", "start"}:
            raise invalid(name, "Unknown parameter")
        filters, per_page, start = wanted["filter"], wanted["perPage"], wanted["start"]
        if not isinstance(filters, dict) or not filters.keys() <= {"externalId"}:
            raise invalid("filter", "The filter is an object that may have an externalId")
        if not is_whole(per_page) or per_page < 1:
            raise invalid("perPage", "Value must be a positive whole number")
        if not is_whole(start) or start < 0:
            raise invalid("start", "Value must be a whole number from 0")
        matches = [
            contact
            for contact in self._contacts.values()
            if all(contact.get(name) == value for name, value in filters.items())
        ]
        return {
            "meta": {"count": len(matches), "perPage": per_page, "start": start},
            "results": [dict(contact) for contact in matches[start : start + per_page]],
        }

    def _forget_name(self, contact_id: int, contact: Contact) -> None:
        name = _name(contact)
        del self._ids[name][contact_id]
        if not self._ids[name]:
            del self._ids[name]


def _name(contact: Contact) -> tuple[str, ...]:
    return tuple(contact[name].casefold() for name in ("firstName", "lastName", "email"))


def _merged(before: Contact, params: Mapping[str, Any]) -> Contact:
    """The contact after these parameters: what is not sent stays, and a list replaces the list.

    Custom fields and external URLs are replaced one by one, by `fieldId` and by `ref`.
    """
    after = {**before, **params}
    after.pop("updateIfExists", None)
    if params.get("customFields"):
        fields = (*before.get("customFields", ()), *params["customFields"])
        after["customFields"] = list({field["fieldId"]: field for field in fields}.values())
    if "externalUrls" in params:
        sent = params["externalUrls"]
        kept = before.get("externalUrls", ()) if sent is not None else ()
        urls = {url["ref"]: url for url in (*kept, *(sent or ()))}
        after["externalUrls"] = [url for url in urls.values() if url["url"] is not None]
        if len(after["externalUrls"]) > EXTERNAL_URLS_MAX:
            raise invalid("externalUrls", f"At most {EXTERNAL_URLS_MAX} external URLs")
    return after
