"""Stores and changes the contacts of one account; no I/O."""

import math
from collections import defaultdict
from collections.abc import Callable, Mapping
from itertools import islice
from types import MappingProxyType
from typing import Any

import attrs

from contactsdk.sandbox.merging import Contact, merged
from contactsdk.sandbox.replies import RefusedError, UnsuccessfulError
from contactsdk.sandbox.validation import Rules, check_contact, contact_id_of

FIRST_ID = 1001

# A prime and a factor: multiplied modulo the prime, the numbers below it come in no visible order,
# each once.
_SCATTER_WITHIN = 2_147_483_647
_SCATTER_BY = 1_103_515_245


@attrs.frozen
class Change:
    """What addOrUpdateContact did."""

    contact_id: int
    """The id of the contact that was added or updated."""
    added: bool
    """Whether the contact is new."""


@attrs.frozen(kw_only=True)
class Stored:
    """One state of a contact, and when it was written."""

    contact: Contact
    """The fields of the contact, by the platform's names."""
    modified_at: float
    """When the contact was last changed, in whole epoch seconds."""
    joined_at: Mapping[int, float]
    """Id of a group -> when the contact joined it, in epoch seconds."""

    @property
    def contact_id(self) -> int:
        """The contact's id."""
        contact_id: int = self.contact["id"]
        return contact_id


class Contacts:
    """The contacts of one account, with the platform's names of fields.

    A change replaces the stored contact by a new one. `clock` returns epoch seconds. `on_change` is
    called with each new state of a contact.
    """

    def __init__(
        self,
        rules: Rules,
        clock: Callable[[], float],
        on_change: Callable[[Stored], None] = lambda _: None,
    ) -> None:
        self.rules = rules
        self._clock = clock
        self._on_change = on_change
        self._stored: dict[int, Stored] = {}
        self._contacts: dict[int, Contact] = {}
        # Name and email -> the ids of the contacts with them, so that updateIfExists is fast.
        self._ids: defaultdict[tuple[str, ...], set[int]] = defaultdict(set)
        self._external_ids: defaultdict[str | None, set[int]] = defaultdict(set)
        self._ages: dict[int, int] = {}
        self.present: Mapping[int, Contact] = MappingProxyType(self._contacts)

    def clear(self) -> None:
        """Forget all contacts; the ids start again."""
        for kept in (self._stored, self._contacts, self._ids, self._external_ids, self._ages):
            kept.clear()

    def add_or_update(self, params: Mapping[str, Any]) -> Change:
        """Execute addOrUpdateContact; after an error, nothing has changed.

        Raises:
            RefusedError: 400 for parameters that do not validate (see `check_contact`), 404 with
                specificCode 24096 if there is no contact with that `id`.
            UnsuccessfulError: By the guesses, the platform does not write such a contact.
        """
        check_contact(params, self.rules)
        contact_id = contact_id_of(params)
        if contact_id is None:
            contact_id = self._namesake(params)
        before = {} if contact_id is None else self.get(contact_id).contact
        after = merged(before, params, self.rules)
        self._check_external_id(contact_id, after)
        added = contact_id is None
        if contact_id is None:
            contact_id = self._new_id()
            self._ages[contact_id] = len(self._ages)
        if added or self.rules.guesses.unchanged_update == "touch" or after != _without_id(before):
            self._put(contact_id, after)
        return Change(contact_id, added)

    def get(self, contact_id: int) -> Stored:
        """The present state of the contact with this id.

        Raises:
            RefusedError: 404 with specificCode 24096 if there is none.
        """
        if contact_id not in self._stored:
            error_code = int(self.rules.guesses.unknown_contact_error_code)
            raise RefusedError(error_code, "Unable to find contact", 24096)
        return self._stored[contact_id]

    def newest(self, count: int, skipped: int = 0) -> list[Stored]:
        """Up to `count` contacts, the last written first, without the first `skipped` of them."""
        return list(islice(reversed(self._stored.values()), skipped, skipped + count))

    def others_of_the_name(self, contact: Mapping[str, Any]) -> list[int]:
        """The ids of the other contacts that have the same first name, last name and email."""
        return sorted(self._ids.get(self._name(contact), set()) - {contact["id"]})

    def touch(self, contact_id: int) -> None:
        """Give a contact a new modifiedDate and nothing else, as an edit by somebody else does.

        Raises:
            RefusedError: There is no contact with that id.
        """
        self._put(contact_id, _without_id(self.get(contact_id).contact))

    def join(self, contact_id: int, group: int) -> bool:
        """Add a contact to a group; returns whether there is such a contact."""
        if contact_id not in self._stored:
            return False
        contact = _without_id(self._stored[contact_id].contact)
        groups = contact.get("groups", [])
        if all(item["groupId"] != group for item in groups):
            self._put(contact_id, {**contact, "groups": [*groups, {"groupId": group}]})
        return True

    def oldest_namesake(self, contact: Mapping[str, Any]) -> int | None:
        """The id of the oldest contact with the same first name, last name and email, if any."""
        return min(self._ids.get(self._name(contact), ()), key=self._ages.__getitem__, default=None)

    def _namesake(self, params: Mapping[str, Any]) -> int | None:
        """The id of the existing contact that an add updates; `None` if it adds a new one."""
        repeated = "update" if params.get("updateIfExists") else self.rules.guesses.repeated_add
        if repeated == "add":
            return None
        namesake = self.oldest_namesake(params)
        if namesake is not None and repeated == "refuse":
            raise UnsuccessfulError("There is a contact of the same name and email")
        return namesake

    def _check_external_id(self, contact_id: int | None, after: Contact) -> None:
        external_id = after.get("externalId")
        if self.rules.guesses.repeated_external_id == "refuse" and (
            self._external_ids.get(external_id, set()) - {contact_id}
        ):
            raise UnsuccessfulError("There is a contact of the same externalId")

    def _new_id(self) -> int:
        number = FIRST_ID + len(self._ages)
        if self.rules.guesses.new_ids == "scattered":
            return number * _SCATTER_BY % _SCATTER_WITHIN
        return number

    def _put(self, contact_id: int, contact: Mapping[str, Any]) -> None:
        now = float(math.floor(self._clock()))
        # Removed and inserted again, so that it is the newest in the order of the dict.
        before = self._stored.pop(contact_id, None)
        joined_at = before.joined_at if before else {}
        if before:
            self._unindex(before.contact)
        self._index(contact_id, contact)
        self._contacts[contact_id] = MappingProxyType({**contact, "id": contact_id})
        self._stored[contact_id] = stored = Stored(
            contact=self._contacts[contact_id],
            modified_at=now,
            joined_at={
                item["groupId"]: joined_at.get(item["groupId"], now)
                for item in contact.get("groups", ())
            },
        )
        self._on_change(stored)

    def _index(self, contact_id: int, contact: Contact) -> None:
        self._ids[self._name(contact)].add(contact_id)
        if contact.get("externalId"):
            self._external_ids[contact["externalId"]].add(contact_id)

    def _unindex(self, contact: Contact) -> None:
        _discard(self._ids, self._name(contact), contact["id"])
        if contact.get("externalId"):
            _discard(self._external_ids, contact["externalId"], contact["id"])

    def _name(self, contact: Mapping[str, Any]) -> tuple[str, ...]:
        texts = (contact.get(name) or "" for name in ("firstName", "lastName", "email"))
        if self.rules.guesses.name_match == "any_case":
            return tuple(text.casefold() for text in texts)
        return tuple(texts)


def _without_id(contact: Contact) -> dict[str, Any]:
    return {name: value for name, value in contact.items() if name != "id"}


def _discard(index: defaultdict[Any, set[int]], key: Any, contact_id: int) -> None:
    index[key].discard(contact_id)
    if not index[key]:
        del index[key]
