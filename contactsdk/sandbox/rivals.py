"""Other clients of the same account, which write at the worst moment."""

from collections.abc import Mapping
from enum import Enum
from typing import Any

from contactsdk.sandbox.contacts import Contacts
from contactsdk.sandbox.faults import FaultPlan
from contactsdk.sandbox.ledger import Ledger, Write
from contactsdk.sandbox.replies import RefusedError, UnsuccessfulError

_NAMES = ("firstName", "lastName", "email")


class Rival(Enum):
    """What another client does around a write of contact names that it shares."""

    ADDS_NAMESAKE_BEFORE = "adds namesake before"
    """It adds a contact of the same first name, last name and email, just before."""
    ADDS_NAMESAKE_AFTER = "adds namesake after"
    """It adds a contact of the same first name, last name and email, just after."""
    ADDS_TWIN_AFTER = "adds twin after"
    """It adds a contact that is the same in every field, just after."""
    TOUCHES_OLDEST = "touches oldest"
    """It edits the oldest contact of the same names, just after, so that modifiedDate is new."""


class Rivals:
    """Writes what other clients write."""

    def __init__(self, contacts: Contacts, ledger: Ledger) -> None:
        self.plan: FaultPlan[Rival] = FaultPlan()
        self._contacts = contacts
        self._ledger = ledger

    def write(self, params: Mapping[str, Any]) -> int:
        """Add or update a contact; its id.

        Raises:
            RefusedError, UnsuccessfulError: as for a request of these parameters.
        """
        change = self._contacts.add_or_update(params)
        self._record(change.contact_id, params, added=change.added)
        return change.contact_id

    def touch(self, contact_id: int) -> None:
        """Give a contact a new modifiedDate and nothing else.

        Raises:
            RefusedError: there is no contact of that id.
        """
        self._contacts.touch(contact_id)
        self._record(contact_id, {"id": contact_id}, added=False)

    def before(self, params: Mapping[str, Any]) -> Rival | None:
        """What is done around the write of these parameters; its first half is done here."""
        rival = self.plan.draw()
        if rival is Rival.ADDS_NAMESAKE_BEFORE:
            self._add(params, _NAMES)
        return rival

    def after(self, rival: Rival | None, params: Mapping[str, Any]) -> None:
        """The other half, once they were written."""
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
            return  # an update need not name the contact, and what is refused to one is to all

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
