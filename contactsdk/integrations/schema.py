"""The JSON schema of a contact in the platform's own JSON, for a web framework's documentation.

It describes what the platform documents (page "Add or Update Contact"). What is read is a little
wider: `null` is as good as absent, and `contacts_from` says which other spellings will do.
"""

from enum import IntEnum
from typing import Any, Final

from contactsdk.models import EmailStatus, SmsStatus


def _one_of(kind: type[IntEnum]) -> dict[str, Any]:
    meanings = (f"{status:d} {status.name.replace('_', ' ').capitalize()}" for status in kind)
    return {"type": "integer", "enum": [int(s) for s in kind], "description": ", ".join(meanings)}


_ID: Final = {"type": "integer", "format": "int64", "minimum": 1}

_GROUP: Final = {
    "type": "object",
    "properties": {"groupId": _ID},
    "required": ["groupId"],
    "additionalProperties": False,
}

_CUSTOM_FIELD: Final = {
    "type": "object",
    "properties": {
        "fieldId": _ID,
        "value": {"description": "What the field's type takes; a date as yyyy-mm-dd."},
    },
    "required": ["fieldId", "value"],
    "additionalProperties": False,
}

_EXTERNAL_URL: Final = {
    "type": "object",
    "properties": {
        "ref": {"type": "string", "minLength": 1, "description": "Names the link; unique."},
        "url": {
            "type": ["string", "null"],
            "format": "uri",
            "pattern": "^https://",
            "description": "`null` removes the link of this `ref`.",
        },
        "label": {"type": "string"},
    },
    "required": ["ref", "url"],
    "additionalProperties": False,
}

CONTACT_SCHEMA: Final[dict[str, Any]] = {
    "title": "Contact",
    "description": "A contact to add, or to update with its `id`. What is absent stays as it is.",
    "type": "object",
    "properties": {
        "id": {**_ID, "description": "The contact to update; without it, one is added."},
        "externalId": {"type": "string"},
        "firstName": {"type": "string"},
        "lastName": {"type": "string"},
        "email": {"type": "string", "format": "email"},
        "phone": {"type": "string"},
        "groups": {
            "type": "array",
            "items": _GROUP,
            "description": "Replaces all groups of the contact.",
        },
        "customFields": {"type": "array", "items": _CUSTOM_FIELD},
        "companies": {"type": "array", "items": _ID},
        "status": _one_of(EmailStatus),
        "smsStatus": _one_of(SmsStatus),
        "updateIfExists": {
            "type": "boolean",
            "description": "Without an `id`: update the contact with the same names and email.",
        },
        "externalUrls": {
            "type": ["array", "null"],
            "items": _EXTERNAL_URL,
            "maxItems": 3,
            "description": "`null` removes all.",
        },
        "privacyConsent": {"type": "boolean"},
    },
    "additionalProperties": False,
    "anyOf": [
        {"required": ["id"]},
        {
            "required": ["firstName", "lastName", "email"],
            "properties": {"firstName": {"minLength": 1}, "lastName": {"minLength": 1}},
        },
    ],
    "examples": [
        {
            "firstName": "Ada",
            "lastName": "Archer",
            "email": "ada@example.com",
            "groups": [{"groupId": 10}],
            "customFields": [{"fieldId": 33443, "value": "No"}],
            "status": 1,
            "updateIfExists": True,
        },
        {"id": 33884, "phone": "+61 400 000 000", "companies": [4, 5], "customFields": []},
    ],
}
"""The body of a request to add or update one contact (JSON Schema 2020-12)."""
