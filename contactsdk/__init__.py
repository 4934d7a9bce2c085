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
from contactsdk.field_values import DateOrder
from contactsdk.journal import JournalRow, SqliteJournal, State
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

__version__ = "0.2.0"

__all__ = [
    "AccountNames",
    "AuthenticationError",
    "BulkReport",
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
