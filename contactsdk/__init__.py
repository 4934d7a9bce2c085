"""Add or update contacts on the iVvy platform: none lost, none doubled, and told so for each.

Start with `ContactClient`, `Credentials` and `Contact`; what can go wrong is below `ContactError`.
"""

import contactsdk.starting  # noqa: F401  # the first, so that it sees to an interrupt of the others
from contactsdk.bulk import BulkReport, OnProgress, Outcome, OutcomeStream, Progress
from contactsdk.client import ContactClient
from contactsdk.errors import (
    AuthenticationError,
    ContactError,
    InvalidContactError,
    JournalError,
    RateLimitedError,
    RejectedError,
    SetupError,
    UnavailableError,
    UncertainError,
)
from contactsdk.journal import JournalRow, SqliteJournal, State
from contactsdk.models import Contact, CustomField, EmailStatus, ExternalUrl, Item, SmsStatus
from contactsdk.retry import RetryPolicy
from contactsdk.signing import Credentials
from contactsdk.wire import contacts_from

__version__ = "0.1.0"

__all__ = [
    "AuthenticationError",
    "BulkReport",
    "Contact",
    "ContactClient",
    "ContactError",
    "Credentials",
    "CustomField",
    "EmailStatus",
    "ExternalUrl",
    "InvalidContactError",
    "Item",
    "JournalError",
    "JournalRow",
    "OnProgress",
    "Outcome",
    "OutcomeStream",
    "Progress",
    "RateLimitedError",
    "RejectedError",
    "RetryPolicy",
    "SetupError",
    "SmsStatus",
    "SqliteJournal",
    "State",
    "UnavailableError",
    "UncertainError",
    "contacts_from",
]
