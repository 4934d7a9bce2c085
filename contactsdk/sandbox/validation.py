"""Checks the parameters of addOrUpdateContact, as the platform does."""

import re
from collections.abc import Callable, Mapping, Set
from typing import Any

import attrs

from contactsdk.sandbox.account import Account
from contactsdk.sandbox.custom_fields import FieldType, fits, is_listed, is_whole
from contactsdk.sandbox.guesses import Guesses
from contactsdk.sandbox.replies import invalid, missing

EXTERNAL_URLS_MAX = 3
TEXTS = ("externalId", "firstName", "lastName", "email", "phone")
LISTS = ("groups", "customFields", "companies")
GUESS_ABOUT_NULL = {
    "id": "null_id",
    **dict.fromkeys(TEXTS, "null_text"),
    **dict.fromkeys(LISTS, "null_list"),
    **dict.fromkeys(("status", "smsStatus"), "null_number"),
    **dict.fromkeys(("updateIfExists", "privacyConsent", "isAnonymised"), "null_boolean"),
}
"""Name of a parameter -> name of the guess that says what null does there."""

_REQUIRED = ("firstName", "lastName", "email")
_DIGITS = re.compile(r"[0-9]{1,18}")
_EMAIL = re.compile(r"[^\s@]+@[^\s@.]+(\.[^\s@.]+)+")
_HTTPS = re.compile(r"https://[^\s/?#]+\S*", re.IGNORECASE)
_EXTERNAL_URL = frozenset({"ref", "url", "label"})
_REGISTERING = 4


@attrs.frozen
class Rules:
    """What a value is checked against: the account, and the guesses."""

    account: Account
    guesses: Guesses


_Check = Callable[[Any, Rules], str | None]


def check_contact(params: Mapping[str, Any], rules: Rules) -> None:
    """Check the parameters of addOrUpdateContact, without looking at stored contacts.

    The refusal is about the first wrong parameter in the documented order of fields. An unknown
    parameter comes last.

    Raises:
        RefusedError: 400 with specificCode 23017 if a required parameter is missing or empty, 23016
            if a value does not validate or a parameter is unknown.
    """
    is_add = contact_id_of(params) is None
    for name, check in _CHECKS.items():
        if is_add and name in _REQUIRED and params.get(name) in (None, ""):
            raise missing(name)
        if name in params and (complaint := _complaint(name, params[name], check, rules)):
            raise invalid(name, complaint)
    if rules.guesses.unknown_parameters == "refuse":
        for name in params.keys() - _CHECKS.keys():
            raise invalid(name, "Unknown parameter")
    if is_add and rules.guesses.required_custom_fields == "enforce":
        _check_required_fields(params, rules.account)


def is_id(value: Any) -> bool:
    """Whether this can be a contact's id: a positive integer, or a string of its digits."""
    if isinstance(value, str):
        return _DIGITS.fullmatch(value) is not None and int(value) > 0
    return is_whole(value) and value > 0


def contact_id_of(params: Mapping[str, Any]) -> int | None:
    """The id of the contact to update; `None` for an add, or if the value is not an id."""
    value = params.get("id")
    return int(value) if value is not None and is_id(value) else None


def _complaint(name: str, value: Any, check: _Check, rules: Rules) -> str | None:
    guesses = rules.guesses
    if value is None and name in GUESS_ABOUT_NULL:
        refused = getattr(guesses, GUESS_ABOUT_NULL[name]) == "refuse"
        return "Value must not be null" if refused else None
    if value == "" and name in TEXTS and guesses.empty_text == "refuse":
        return "Value must not be empty"
    return check(value, rules)


# Each check returns what is wrong with a value, or None.


def _identifier(value: Any, _: Rules) -> str | None:
    return None if is_id(value) else "Value must be a positive whole number"


def _string(value: Any, _: Rules) -> str | None:
    return None if isinstance(value, str) else "Value must be a string"


def _boolean(value: Any, _: Rules) -> str | None:
    return None if isinstance(value, bool) else "Value must be true or false"


def _email(value: Any, _: Rules) -> str | None:
    ok = isinstance(value, str) and _EMAIL.fullmatch(value)
    return None if ok else "Value must be a valid email"


def _status(value: Any, rules: Rules) -> str | None:
    if value == _REGISTERING and rules.guesses.status_registering == "refuse":
        return "Value must be 1, 2, 3 or 5"
    return _one_to(5, value)


def _sms_status(value: Any, rules: Rules) -> str | None:
    match rules.guesses.sms_status:
        case "refuse":
            return "Unknown parameter"
        case "ignore":
            return None
        case _:
            return _one_to(4, value)


def _one_to(last: int, value: Any) -> str | None:
    ok = is_whole(value) and 1 <= value <= last
    return None if ok else f"Value must be a whole number from 1 to {last}"


def _groups(value: Any, rules: Rules) -> str | None:
    if not isinstance(value, list):
        return "Value must be a list"
    groups = rules.account.groups
    declared = None if groups is None else groups.keys()
    for item in value:
        if not isinstance(item, dict) or item.keys() != {"groupId"}:
            return "Each group must be an object with a groupId"
        if complaint := _known("Group", item["groupId"], declared):
            return complaint
    return None


def _companies(value: Any, rules: Rules) -> str | None:
    if not isinstance(value, list):
        return "Value must be a list"
    complaints = (_known("Company", item, rules.account.companies) for item in value)
    return next(filter(None, complaints), None)


def _known(what: str, value: Any, declared: Set[int] | None) -> str | None:
    if not is_whole(value):
        return f"{what} must be a whole number"
    if declared is not None and value not in declared:
        return f"{what} {value} does not exist"
    return None


def _custom_fields(value: Any, rules: Rules) -> str | None:
    if not isinstance(value, list):
        return "Value must be a list"
    for item in value:
        # The vendor's C# SDK sends the fieldType too.
        if not isinstance(item, dict) or item.keys() - {"fieldType"} != {"fieldId", "value"}:
            return "Each custom field must be an object with a fieldId and a value"
        if complaint := _custom_field(item["fieldId"], item["value"], rules):
            return complaint
    return None


def _custom_field(field_id: Any, value: Any, rules: Rules) -> str | None:
    definitions, guesses = rules.account.custom_fields, rules.guesses
    if complaint := _known("Field", field_id, None if definitions is None else definitions.keys()):
        return complaint
    if value is None:
        refused = guesses.null_custom_field == "refuse"
        return f"Field {field_id} does not take null" if refused else None
    if definitions is None:
        return None
    definition = definitions[field_id]
    field_type = definition.field_type
    if field_type is FieldType.STATIC_TEXT and guesses.static_text == "ignore":
        return None
    if not fits(field_type, value):
        return f"Field {field_id} does not take this value: it is a {field_type.value}"
    if guesses.unlisted_selection == "refuse" and not is_listed(definition, value):
        return f"Field {field_id} does not take this value: it is not one of its selectValues"
    return None


def _check_required_fields(params: Mapping[str, Any], account: Account) -> None:
    sent = {item["fieldId"] for item in params.get("customFields") or ()}
    for field_id, definition in (account.custom_fields or {}).items():
        if definition.required and field_id not in sent:
            raise invalid("customFields", f"Field {field_id} is required")


def _external_urls(value: Any, _: Rules) -> str | None:
    if value is None:
        return None
    if not isinstance(value, list) or len(value) > EXTERNAL_URLS_MAX:
        return f"Value must be null or a list of at most {EXTERNAL_URLS_MAX} objects"
    refs = set()
    for item in value:
        if not isinstance(item, dict) or not {"ref", "url"} <= item.keys() <= _EXTERNAL_URL:
            return "Each external URL must be an object with a ref, a url and perhaps a label"
        ref, url, label = item["ref"], item["url"], item.get("label")
        if not isinstance(ref, str) or not ref or ref in refs:
            return "Each ref must be a string that is not empty and not used twice"
        if url is not None and not (isinstance(url, str) and _HTTPS.fullmatch(url)):
            return "Each url must be null or an https address"
        if label is not None and not isinstance(label, str):
            return "Each label must be a string"
        refs.add(ref)
    return None


# In the documented order of the fields; the vendor's C# SDK always sends the last one.
_CHECKS: dict[str, _Check] = {
    "externalId": _string,
    "id": _identifier,
    "firstName": _string,
    "lastName": _string,
    "email": _email,
    "phone": _string,
    "groups": _groups,
    "customFields": _custom_fields,
    "companies": _companies,
    "status": _status,
    "smsStatus": _sms_status,
    "updateIfExists": _boolean,
    "externalUrls": _external_urls,
    "privacyConsent": _boolean,
    "isAnonymised": _boolean,
}
PARAMETERS = frozenset(_CHECKS)
