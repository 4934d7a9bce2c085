"""JSON schemas for a web framework's documentation: a contact, and the answers to errors.

The schema of a contact describes what the platform documents (page "Add or Update Contact"). A few
other forms are also accepted: `null` means absent, and `contact_from` lists the others.
"""

from enum import IntEnum
from typing import Any, Final

from contactsdk.integrations.problems import MEDIA_TYPE
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
            "description": "Without an `id`: update the contact with the same first name, last "
            "name and email.",
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
        # Pages of documentation show each example by its title and the properties in it.
        {"title": "Update", "required": ["id"], "properties": {"id": _ID}},
        {
            "title": "Add",
            "required": ["firstName", "lastName", "email"],
            "properties": {
                name: {"type": "string", "minLength": 1}
                for name in ("firstName", "lastName", "email")
            },
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


def _problem(status: int, *kinds: str, **more: dict[str, Any]) -> dict[str, Any]:
    return {
        "title": "ContactProblem",
        "type": "object",
        "properties": {
            "type": {"type": "string", "enum": [f"urn:contactsdk:{kind}" for kind in kinds]},
            "title": {"type": "string"},
            "status": {"type": "integer", "const": status},
            **more,
        },
        "required": ["type", "title", "status"],
    }


def _errors(title: str, **properties: dict[str, Any]) -> dict[str, Any]:
    location = {"type": "array", "items": {"type": ["string", "integer"]}}
    error = {
        "type": "object",
        "properties": {"loc": location, "msg": {"type": "string"}, **properties},
        "required": ["loc", "msg", *properties],
    }
    return {"title": title, "type": "array", "items": error}


_RETRY_AFTER: Final = {
    "description": "How many seconds to wait, where the platform said.",
    "schema": {"type": "integer", "minimum": 0},
}

PROBLEM_RESPONSES: Final[dict[int | str, dict[str, Any]]] = {
    422: {
        "description": "The contact is not valid, or the platform refused it; not applied.",
        "content": {
            # A body that is not a contact is answered by the framework, before any route runs.
            "application/json": {
                "schema": {
                    "title": "HTTPValidationError",
                    "type": "object",
                    "properties": {"detail": _errors("Detail", type={"type": "string"})},
                }
            },
            MEDIA_TYPE: {
                "schema": _problem(
                    422,
                    "invalid",
                    "rejected",
                    errors=_errors("Errors"),
                    specificCode={"type": "integer", "description": "The platform's own code."},
                )
            },
        },
    },
    500: {
        "description": "The contact may have been applied; look before sending it again.",
        "content": {MEDIA_TYPE: {"schema": _problem(500, "uncertain")}},
    },
    502: {
        "description": "The service is not set up to reach the platform; not applied.",
        "content": {MEDIA_TYPE: {"schema": _problem(502, "setup", "authentication")}},
    },
    503: {
        "description": "The platform is not available or asked too much; not applied, try later.",
        "headers": {"Retry-After": _RETRY_AFTER},
        "content": {MEDIA_TYPE: {"schema": _problem(503, "rate-limited", "unavailable")}},
    },
}
"""Status -> description, for the `responses` of an OpenAPI operation that uses `problem_from`."""
