"""The platform's JSON: pure functions, and the only place that uses the platform's names.

`contact` writes and reads contacts, `answers` says what an answer means, `lookups` has the list of
contacts.
"""

from contactsdk.wire.answers import (
    RACE,
    STALE_DATE,
    is_foreign,
    read_ack,
    read_id,
    server_time,
)
from contactsdk.wire.contact import (
    FIELD_NAMES,
    contact_from,
    contact_to_json,
    contacts_from,
    encode,
    platform_path,
)
from contactsdk.wire.lookups import encode_search, read_found

__all__ = [
    "FIELD_NAMES",
    "RACE",
    "STALE_DATE",
    "contact_from",
    "contact_to_json",
    "contacts_from",
    "encode",
    "encode_search",
    "is_foreign",
    "platform_path",
    "read_ack",
    "read_found",
    "read_id",
    "server_time",
]
