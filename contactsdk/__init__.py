"""Adds or updates contacts on the iVvy platform.

Each contact gets exactly one outcome (applied, not applied or uncertain), and nothing is sent twice
where that could duplicate it, unless you ask for it.

Start with `ContactClient`, `Credentials` and `Contact`; what can go wrong is below `ContactError`.
"""

from typing import TYPE_CHECKING as _TYPE_CHECKING

import contactsdk.starting  # noqa: F401  # first, so that it handles Ctrl-C during the other imports
from contactsdk.bulk import (
    BulkOptions,
    BulkReport,
    Confirm,
    OnProgress,
    Outcome,
    OutcomeStream,
    Progress,
)
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
from contactsdk.field_values import DateOrder
from contactsdk.journal import Journal, JournalRow, SqliteJournal, State
from contactsdk.models import (
    Contact,
    CustomField,
    CustomFieldDefinition,
    EmailStatus,
    ExternalUrl,
    FieldOption,
    FieldType,
    Group,
    Item,
    SmsStatus,
)
from contactsdk.naming import AccountNames, contact_from_names
from contactsdk.retry import RetryPolicy
from contactsdk.signing import Credentials
from contactsdk.wire import contact_from, contact_to_json, contacts_from

if _TYPE_CHECKING:
    from contactsdk.journal.postgres import PostgresJournal as PostgresJournal

__version__ = "0.2.0"

__all__ = [
    "AccountNames",
    "AuthenticationError",
    "BulkOptions",
    "BulkReport",
    "Confirm",
    "Contact",
    "ContactClient",
    "ContactError",
    "Credentials",
    "CustomField",
    "CustomFieldDefinition",
    "DateOrder",
    "EmailStatus",
    "ExternalUrl",
    "FieldOption",
    "FieldType",
    "Group",
    "InvalidContactError",
    "Item",
    "Journal",
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
    "contact_from",
    "contact_from_names",
    "contact_to_json",
    "contacts_from",
]


def __getattr__(name: str) -> object:
    # Loaded when it is asked for, and not in __all__, since it needs the extra `postgres`.
    if name != "PostgresJournal":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from contactsdk.journal.postgres import PostgresJournal

    return PostgresJournal
