"""Counts what an input contains: rows that add, update or are invalid, and doubtful rows."""

import re
from collections.abc import Iterable
from typing import Final

from contactsdk.cli.duplicates import Duplicates, Shared
from contactsdk.cli.reasons import Reasons
from contactsdk.cli.spool import Spool
from contactsdk.errors import InvalidContactError
from contactsdk.files import message_of
from contactsdk.models import Contact, EmailStatus, Item, SmsStatus, key_of

_FIRST: Final = 3
_BARE_PHONE: Final = re.compile("[1-9][0-9]{5,}")  # with fewer digits, it is an extension number
_SHOWN_PHONES: Final = 5
_NONE: Final = Shared(rows=0, keys=0, first=())


class Survey:
    """Counts the rows of an input as they are read, in memory that does not grow with them.

    The two spools are used to find rows of the same person and rows of the same external id.
    """

    def __init__(self, people: Spool[int], external_ids: Spool[int]) -> None:
        self.rows = 0
        """How many rows were read."""
        self.adds = 0
        """How many rows add a contact each time that they are sent."""
        self.updates = 0
        """How many rows update the contact with their id."""
        self.updates_if_exist = 0
        """How many rows update the contact with the same first name, last name and email, or add
        one."""
        self.with_groups = 0
        """How many rows say which groups the contact is in."""
        self.resubscribing = 0
        """How many rows set the email or SMS status to subscribed."""
        self.bare_phones = 0
        """How many rows have a phone of digits only, without a 0 or a plus sign at its start."""
        self.first_bare_phones: list[int] = []
        """The numbers of the first such rows, at most 5."""
        self.invalid = Reasons()
        """Why rows are not valid contacts."""
        self.invalid_rows = 0
        """How many rows are not valid contacts."""
        self.first: list[tuple[int, Contact]] = []
        """The first valid contacts, with the numbers of their rows."""
        self.same_person = _NONE
        """Adds with the same name and email: each would add a contact. Known after `finish`."""
        self.same_person_updated = _NONE
        """Adds with `update_if_exists` with the same name and email: they become one contact. Known
        after `finish`."""
        self.same_external_id = _NONE
        """Rows without an id that have the same external id. Known after `finish`."""
        self._people = Duplicates(people)
        self._people_updated = Duplicates(people)
        self._external_ids = Duplicates(external_ids)

    @property
    def valid_rows(self) -> int:
        """How many rows hold a valid contact."""
        return self.rows - self.invalid_rows

    def add(self, number: int, item: Item, choices: Iterable[str] = ()) -> None:
        """Count one row; `choices` are the cells that make it invalid (see `Input.choices_in`)."""
        self.rows += 1
        if isinstance(item, InvalidContactError):
            self.invalid_rows += 1
            self.invalid.add(message_of(item), number, choices)
            return
        if len(self.first) < _FIRST:
            self.first.append((number, item))
        if item.id is not None:
            self.updates += 1
        elif item.update_if_exists:
            self.updates_if_exist += 1
            self._people_updated.add(key_of(item), number)
        else:
            self.adds += 1
            self._people.add(key_of(item), number)
        if item.id is None and item.external_id is not None:
            self._external_ids.add(item.external_id, number)
        if _BARE_PHONE.fullmatch(item.phone or ""):
            self.bare_phones += 1
            if len(self.first_bare_phones) < _SHOWN_PHONES:
                self.first_bare_phones.append(number)
        self.with_groups += item.groups is not None
        self.resubscribing += (
            item.status is EmailStatus.SUBSCRIBED or item.sms_status is SmsStatus.SUBSCRIBED
        )

    def finish(self) -> None:
        """Find rows of the same person or external id; call it once, after the last `add`."""
        self.same_person = self._people.found()
        self.same_person_updated = self._people_updated.found()
        self.same_external_id = self._external_ids.found()
