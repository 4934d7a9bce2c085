"""The platform's JSON: pure functions, and the only place that converts between it and contacts.

`contact` writes and reads contacts, `answers` says what an answer means, `contact_lists` reads
lists of contacts, `matching` says whether a listed contact is the one looked for, `definitions`
reads what an account declares, and `batch` puts many contacts into one request.
"""

from contactsdk.wire.answers import (
    RACE,
    STALE_DATE,
    is_foreign,
    read_ack,
    read_id,
    server_time,
)
from contactsdk.wire.batch import (
    MAX_JOBS,
    NO_SUCH_BATCH,
    TOO_MANY_JOBS,
    JobResult,
    encode_async,
    encode_run,
    is_too_large,
    job_outcome,
    read_async_id,
    read_progress,
    read_results,
)
from contactsdk.wire.contact import (
    FIELD_NAMES,
    contact_from,
    contact_to_json,
    contacts_from,
    encode,
    in_platform_names,
    in_the_names_of,
    platform_name,
    platform_path,
)
from contactsdk.wire.contact_lists import (
    ContactFilter,
    ContactPage,
    ListedContact,
    encode_get,
    encode_list,
    read_contact,
    read_page,
)
from contactsdk.wire.definitions import read_custom_fields, read_groups
from contactsdk.wire.matching import ListedByEmail, matches, satisfies, shows_all

__all__ = [
    "FIELD_NAMES",
    "MAX_JOBS",
    "NO_SUCH_BATCH",
    "RACE",
    "STALE_DATE",
    "TOO_MANY_JOBS",
    "ContactFilter",
    "ContactPage",
    "JobResult",
    "ListedByEmail",
    "ListedContact",
    "contact_from",
    "contact_to_json",
    "contacts_from",
    "encode",
    "encode_async",
    "encode_get",
    "encode_list",
    "encode_run",
    "in_platform_names",
    "in_the_names_of",
    "is_foreign",
    "is_too_large",
    "job_outcome",
    "matches",
    "platform_name",
    "platform_path",
    "read_ack",
    "read_async_id",
    "read_contact",
    "read_custom_fields",
    "read_groups",
    "read_id",
    "read_page",
    "read_progress",
    "read_results",
    "satisfies",
    "server_time",
    "shows_all",
]
