"""Applies the parameters of addOrUpdateContact to a contact; pure."""

from collections.abc import Mapping
from typing import Any

from contactsdk.sandbox.account import Account
from contactsdk.sandbox.custom_fields import FieldType
from contactsdk.sandbox.guesses import Guesses
from contactsdk.sandbox.replies import invalid
from contactsdk.sandbox.validation import (
    EXTERNAL_URLS_MAX,
    GUESS_ABOUT_NULL,
    LISTS,
    PARAMETERS,
    TEXTS,
    Rules,
)

Contact = Mapping[str, Any]

# These are not fields of a contact: they say how to write it, or are accepted without a meaning.
_NOT_KEPT = frozenset({"id", "updateIfExists", "isAnonymised"})


def merged(before: Contact, params: Mapping[str, Any], rules: Rules) -> dict[str, Any]:
    """The contact after an update with these valid parameters, without its id.

    Fields that are not sent stay. External URLs are replaced one by one, by their `ref`.

    Raises:
        RefusedError: 400 with specificCode 23016 if there would be too many external URLs.
    """
    guesses = rules.guesses
    after = {name: value for name, value in before.items() if name != "id"}
    for name, value in params.items():
        if name in _NOT_KEPT or name not in PARAMETERS or _is_to_be_kept(name, value, guesses):
            continue
        if value is None and name in LISTS:
            after[name] = []
        elif value is None and name != "externalUrls":
            after.pop(name, None)
        else:
            after[name] = value
    if params.get("customFields"):
        after["customFields"] = _custom_fields(before, params["customFields"], rules)
    if "externalUrls" in params:
        after["externalUrls"] = _external_urls(before, params["externalUrls"])
    return after


def _is_to_be_kept(name: str, value: Any, guesses: Guesses) -> bool:
    if name == "smsStatus" and guesses.sms_status == "ignore":
        return True
    if value is None:
        return name in GUESS_ABOUT_NULL and getattr(guesses, GUESS_ABOUT_NULL[name]) == "keep"
    if value == "":
        return name in TEXTS and guesses.empty_text == "keep"
    return value == [] and name in _EMPTY and getattr(guesses, _EMPTY[name]) == "keep"


_EMPTY = {
    "groups": "empty_groups",
    "customFields": "empty_custom_fields",
    "companies": "empty_companies",
}


def _custom_fields(before: Contact, sent: list[Any], rules: Rules) -> list[dict[str, Any]]:
    guesses = rules.guesses
    there = {field["fieldId"]: field["value"] for field in before.get("customFields", ())}
    values = dict(there) if guesses.custom_fields == "merge" else {}
    for field in sent:
        field_id, value = field["fieldId"], field["value"]
        if _is_static(field_id, rules.account):
            continue
        if value is not None:
            values[field_id] = value
        elif guesses.null_custom_field == "clear":
            values.pop(field_id, None)
        elif field_id in there:
            values[field_id] = there[field_id]
    return [{"fieldId": field_id, "value": value} for field_id, value in values.items()]


def _is_static(field_id: int, account: Account) -> bool:
    definition = (account.custom_fields or {}).get(field_id)
    return definition is not None and definition.field_type is FieldType.STATIC_TEXT


def _external_urls(before: Contact, sent: list[Any] | None) -> list[dict[str, Any]]:
    if sent is None:
        return []
    urls = {url["ref"]: url for url in (*before.get("externalUrls", ()), *sent)}
    left = [url for url in urls.values() if url["url"] is not None]
    if len(left) > EXTERNAL_URLS_MAX:
        raise invalid("externalUrls", f"At most {EXTERNAL_URLS_MAX} external URLs")
    return left
