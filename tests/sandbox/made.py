"""What the tests of the sandbox's parts start from."""

from typing import Any

from contactsdk.sandbox import Guesses
from contactsdk.sandbox.account import Account
from contactsdk.sandbox.contacts import Contacts, Stored
from contactsdk.sandbox.validation import Rules

BOBBY = {"firstName": "Bobby", "lastName": "Smith", "email": "bobby@example.com"}
NOON = 1795435200.0  # 2026-11-23 12:00:00 UTC


class Clock:
    """A clock in the hand."""

    def __init__(self, now: float = NOON) -> None:
        self.now = now

    def __call__(self) -> float:
        return self.now


def rules(account: Account | None = None, **guesses: Any) -> Rules:
    return Rules(account or Account(), Guesses(**guesses))


def contacts_of(*added: dict[str, Any], clock: Clock | None = None, **guesses: Any) -> Contacts:
    """Contacts with the ids 1001 and up."""
    contacts = Contacts(rules(**guesses), clock or Clock())
    for params in added:
        contacts.add_or_update(params)
    return contacts


def stored(contact_id: int = 1001, modified_at: float = NOON, **fields: Any) -> Stored:
    contact = {**BOBBY, **fields, "id": contact_id}
    groups = {item["groupId"]: modified_at for item in fields.get("groups", ())}
    return Stored(contact=contact, modified_at=modified_at, joined_at=groups)
