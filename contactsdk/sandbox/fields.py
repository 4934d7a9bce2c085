"""Which values the platform takes for each parameter of a contact."""

import re
from collections.abc import Callable, Mapping, Set
from datetime import date
from enum import Enum
from typing import Any

import attrs

from contactsdk.sandbox.replies import Refused, invalid

EXTERNAL_URLS_MAX = 3

_REQUIRED = ("firstName", "lastName", "email")
_EMAIL = re.compile(r"[^\s@]+@[^\s@.]+(\.[^\s@.]+)+")
_DATE = re.compile(r"\d{4}-\d\d-\d\d", re.ASCII)
_HTTPS = re.compile(r"https://[^\s/?#]+\S*", re.IGNORECASE)
_EXTERNAL_URL = frozenset({"ref", "url", "label"})
_ADDRESS = frozenset(
    {"line1", "line2", "line3", "line4", "city", "postalCode"}
    | {"countryCode", "stateCode", "stateName"}
)


class FieldType(Enum):
    """The platform's types of custom fields, and what each takes as a value."""

    SMALL_TEXT = "small text"
    """A string."""
    LARGE_TEXT = "large text"
    """A string."""
    SINGLE_SELECT = "single select"
    """A string."""
    MULTIPLE_SELECT = "multiple select"
    """A list of strings."""
    ADDRESS = "address"
    """An object of strings: line1 to line4, city, postalCode, countryCode, stateCode, stateName."""
    DATE = "date"
    """`yyyy-mm-dd`."""
    FILE = "file"
    """Anything: no page says how a file is set."""
    STATIC_TEXT = "static text"
    """Nothing: it cannot be set."""
    WHOLE_NUMBER = "whole number"
    """An integer."""


@attrs.frozen(kw_only=True)
class Declared:
    """The groups, companies and custom fields of the account; `None` where any will do."""

    groups: frozenset[int] | None = None
    companies: frozenset[int] | None = None
    custom_fields: Mapping[int, FieldType] | None = None


def check_contact(params: Mapping[str, Any], declared: Declared) -> None:
    """Accept the parameters of addOrUpdateContact, as far as they can be judged by themselves.

    Raises:
        Refused: 400 with specificCode 23017 if a required parameter is missing or empty, 23016 if
            a value does not validate or a parameter is unknown.
    """
    if "id" not in params:
        for name in _REQUIRED:
            if params.get(name) in (None, ""):
                raise Refused(400, f"'{name}' is required", 23017)
    for name, value in params.items():
        check = _CHECKS.get(name)
        complaint = check(value, declared) if check else "Unknown parameter"
        if complaint:
            raise invalid(name, complaint)


def is_whole(value: Any) -> bool:
    """Whether a JSON value is an integer; `true` and `false` are none."""
    return isinstance(value, int) and not isinstance(value, bool)


# Each check returns what is wrong with a value, or None.


def _identifier(value: Any, _: Declared) -> str | None:
    return None if is_whole(value) and value > 0 else "Value must be a positive whole number"


def _string(value: Any, _: Declared) -> str | None:
    return None if isinstance(value, str) else "Value must be a string"


def _boolean(value: Any, _: Declared) -> str | None:
    return None if isinstance(value, bool) else "Value must be true or false"


def _email(value: Any, _: Declared) -> str | None:
    ok = isinstance(value, str) and _EMAIL.fullmatch(value)
    return None if ok else "Value must be a valid email"


def _one_to(last: int) -> Callable[[Any, Declared], str | None]:
    def check(value: Any, _: Declared) -> str | None:
        ok = is_whole(value) and 1 <= value <= last
        return None if ok else f"Value must be a whole number from 1 to {last}"

    return check


def _groups(value: Any, declared: Declared) -> str | None:
    if not isinstance(value, list):
        return "Value must be a list"
    for item in value:
        if not isinstance(item, dict) or item.keys() != {"groupId"}:
            return "Each group must be an object with a groupId"
        if complaint := _known("Group", item["groupId"], declared.groups):
            return complaint
    return None


def _companies(value: Any, declared: Declared) -> str | None:
    if not isinstance(value, list):
        return "Value must be a list"
    complaints = (_known("Company", item, declared.companies) for item in value)
    return next(filter(None, complaints), None)


def _known(what: str, value: Any, declared: Set[int] | None) -> str | None:
    if not is_whole(value):
        return f"{what} must be a whole number"
    if declared is not None and value not in declared:
        return f"{what} {value} does not exist"
    return None


def _custom_fields(value: Any, declared: Declared) -> str | None:
    if not isinstance(value, list):
        return "Value must be a list"
    types = declared.custom_fields
    known = None if types is None else types.keys()
    for item in value:
        if not isinstance(item, dict) or item.keys() != {"fieldId", "value"}:
            return "Each custom field must be an object with a fieldId and a value"
        field_id = item["fieldId"]
        if complaint := _known("Field", field_id, known):
            return complaint
        if types is not None and not fits(types[field_id], item["value"]):
            return f"Field {field_id} does not take this value: it is a {types[field_id].value}"
    return None


def fits(field_type: FieldType, value: Any) -> bool:
    """Whether a custom field of this type takes this JSON value."""
    match field_type:
        case FieldType.SMALL_TEXT | FieldType.LARGE_TEXT | FieldType.SINGLE_SELECT:
            return isinstance(value, str)
        case FieldType.MULTIPLE_SELECT:
            return isinstance(value, list) and all(isinstance(item, str) for item in value)
        case FieldType.ADDRESS:
            return (
                isinstance(value, dict)
                and value.keys() <= _ADDRESS
                and all(isinstance(item, str) for item in value.values())
            )
        case FieldType.DATE:
            return isinstance(value, str) and _is_date(value)
        case FieldType.WHOLE_NUMBER:
            return is_whole(value)
        case FieldType.FILE:
            return True
        case _:
            return False


def _is_date(text: str) -> bool:
    # fromisoformat alone also takes 20261123 and 2026-W48-1.
    if not _DATE.fullmatch(text):
        return False
    try:
        date.fromisoformat(text)
    except ValueError:
        return False
    return True


def _external_urls(value: Any, _: Declared) -> str | None:
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


_CHECKS: dict[str, Callable[[Any, Declared], str | None]] = {
    "id": _identifier,
    "externalId": _string,
    "firstName": _string,
    "lastName": _string,
    "email": _email,
    "phone": _string,
    "groups": _groups,
    "customFields": _custom_fields,
    "companies": _companies,
    "status": _one_to(5),
    "smsStatus": _one_to(4),
    "updateIfExists": _boolean,
    "externalUrls": _external_urls,
    "privacyConsent": _boolean,
}
