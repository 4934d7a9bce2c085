"""Rivals: other clients of the same account, which write at the worst moment."""

from collections.abc import Mapping
from enum import Enum
from typing import Any

from contactsdk.sandbox.contacts import Contacts
from contactsdk.sandbox.faults import FaultPlan
from contactsdk.sandbox.ledger import Ledger, Write
from contactsdk.sandbox.replies import RefusedError, UnsuccessfulError

_NAMES = ("firstName", "lastName", "email")


class Rival(Enum):
    """What another client does just before or after a write."""

    ADDS_NAMESAKE_BEFORE = "adds namesake before"
    """Just before the write, it adds a contact with the same first name, last name and email."""
    ADDS_NAMESAKE_AFTER = "adds namesake after"
    """Just after the write, it adds a contact with the same first name, last name and email."""
    ADDS_TWIN_AFTER = "adds twin after"
    """Just after the write, it adds a contact that is the same in every field."""
    TOUCHES_OLDEST = "touches oldest"
    """Just after the write, it edits the oldest contact with the same first name, last name and
    email, so that this one gets a new modifiedDate."""


class Rivals:
    """Does what rivals do, and records their writes."""

    def __init__(self, contacts: Contacts, ledger: Ledger) -> None:
        self.plan: FaultPlan[Rival] = FaultPlan()
        self._contacts = contacts
        self._ledger = ledger

    def write(self, params: Mapping[str, Any]) -> int:
        """Add or update a contact, and return its id.

        Raises:
            RefusedError, UnsuccessfulError: As for a request with these parameters.
        """
        change = self._contacts.add_or_update(params)
        self._record(change.contact_id, params, added=change.added)
        return change.contact_id

    def touch(self, contact_id: int) -> None:
        """Give a contact a new modifiedDate and nothing else.

        Raises:
            RefusedError: There is no contact with that id.
        """
        self._contacts.touch(contact_id)
        self._record(contact_id, {"id": contact_id}, added=False)

    def before(self, params: Mapping[str, Any]) -> Rival | None:
        """Draw what a rival does around this write, and do what comes before it."""
        rival = self.plan.draw()
        if rival is Rival.ADDS_NAMESAKE_BEFORE:
            self._add(params, _NAMES)
        return rival

    def after(self, rival: Rival | None, params: Mapping[str, Any]) -> None:
        """Do what `rival` does after this write."""
        match rival:
            case Rival.ADDS_NAMESAKE_AFTER:
                self._add(params, _NAMES)
            case Rival.ADDS_TWIN_AFTER:
                self._add(params, params.keys() - {"id", "updateIfExists"})
            case Rival.TOUCHES_OLDEST:
                oldest = self._contacts.oldest_namesake(params)
                if oldest is not None:
                    self.touch(oldest)

    def _add(self, params: Mapping[str, Any], names: Any) -> None:
        try:
            self.write({name: params[name] for name in params if name in names})
        except (RefusedError, UnsuccessfulError):
            # The parameters of an update may lack the names; and if the platform refuses them to
            # the client, it refuses them to a rival as well.
            return

    def _record(self, contact_id: int, params: Mapping[str, Any], *, added: bool) -> None:
        self._ledger.rival_writes.append(
            Write(
                number=len(self._ledger.rival_writes) + 1,
                contact_id=contact_id,
                body=params,
                request=0,
                added=added,
            )
        )
