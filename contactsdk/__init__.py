"""Adds or updates contacts on the iVvy platform.

Each contact gets exactly one outcome: applied, not applied or uncertain. No contact is sent twice
if that could add it twice, unless you ask for that.

Start with `ContactClient`, `Credentials` and `Contact`. All errors about contacts are subclasses of
`ContactError`.
"""

import importlib as _importlib
import typing as _typing

import contactsdk.starting  # noqa: F401  # first, so that it handles Ctrl-C during the other imports
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
from contactsdk.journal import Journal, JournalRow, State
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
from contactsdk.retry import RetryPolicy
from contactsdk.signing import Credentials
from contactsdk.wire import contact_from, contact_to_json, contacts_from

if _typing.TYPE_CHECKING:
    from contactsdk.bulk import (
        BulkOptions,
        BulkReport,
        Confirm,
        OnProgress,
        Outcome,
        OutcomeStream,
        Progress,
    )
    from contactsdk.field_values import DateOrder
    from contactsdk.journal.postgres import PostgresJournal as PostgresJournal
    from contactsdk.journal.sqlite import SqliteJournal
    from contactsdk.naming import AccountNames, contact_from_names
else:
    # Single calls do not need these names, so they are imported lazily, at their first use.
    # `PostgresJournal` is not in `__all__`, since it needs the extra `postgres`.
    _MODULES = {
        "AccountNames": "naming",
        "BulkOptions": "bulk",
        "BulkReport": "bulk",
        "Confirm": "bulk",
        "DateOrder": "field_values",
        "OnProgress": "bulk",
        "Outcome": "bulk",
        "OutcomeStream": "bulk",
        "PostgresJournal": "journal.postgres",
        "Progress": "bulk",
        "SqliteJournal": "journal.sqlite",
        "contact_from_names": "naming",
    }

    def __getattr__(name: str) -> object:
        if name not in _MODULES:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        return getattr(_importlib.import_module(f"{__name__}.{_MODULES[name]}"), name)

    def __dir__() -> list[str]:
        return sorted({*globals(), *__all__})


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
