"""The platform's JSON for contacts, groups and custom fields, as it answers them; pure."""

from collections.abc import Collection, Iterable, Mapping
from typing import Any

from contactsdk.sandbox.contacts import Contacts, Stored
from contactsdk.sandbox.custom_fields import FieldDefinition
from contactsdk.sandbox.guesses import Guesses
from contactsdk.sandbox.timestamps import timestamp
from contactsdk.sandbox.validation import Rules

_TEXTS = ("firstName", "lastName", "email", "phone", "externalId")
_ONLY_ALONE = ("status", "smsStatus", "externalUrls", "privacyConsent")


def contact_alone(stored: Stored, rules: Rules) -> dict[str, Any]:
    """The JSON object of a contact in an answer to getContact."""
    shown = contact_in_list(stored, rules)
    for name in _ONLY_ALONE:
        shown[name] = stored.contact.get(name)
    shown["isAnonymised"] = False
    return _without_unset(shown, rules.guesses)


def contact_in_list(stored: Stored, rules: Rules, hidden: Collection[str] = ()) -> dict[str, Any]:
    """The JSON object of a contact in an answer to getContactList, without `hidden` fields."""
    contact, guesses = stored.contact, rules.guesses
    with_utc = guesses.timestamps == "with_utc"
    shown = {
        "id": stored.contact_id,
        **{name: contact.get(name) for name in _TEXTS},
        "customFields": [
            {**field, "displayName": rules.account.display_name(field["fieldId"])}
            for field in contact.get("customFields", ())
        ],
        "groups": [
            {
                "contactId": stored.contact_id,
                "groupId": group,
                "joinDate": timestamp(joined_at, with_utc=with_utc),
            }
            for group, joined_at in stored.joined_at.items()
        ],
        "companies": list(contact.get("companies", ())),
        "modifiedDate": timestamp(stored.modified_at, with_utc=with_utc),
    }
    kept = {name: value for name, value in shown.items() if name not in hidden}
    return _without_unset(kept, guesses)


def _without_unset(shown: dict[str, Any], guesses: Guesses) -> dict[str, Any]:
    if guesses.unset_fields == "null":
        return shown
    if guesses.unset_fields == "empty":
        return {name: "" if value is None else value for name, value in shown.items()}
    return {name: value for name, value in shown.items() if value is not None and value != []}


def subscription_groups(contacts: Contacts) -> Any:
    """The answer to getSubscriptionGroupList: the declared groups.

    If the account declares none, they are the groups in which contacts are.
    """
    members: dict[int, int] = {}
    for contact in contacts.present.values():
        for item in contact.get("groups", ()):
            members[item["groupId"]] = members.get(item["groupId"], 0) + 1
    names = contacts.rules.account.groups
    if names is None:
        names = {group: f"Group {group}" for group in sorted(members)}
    return _list(
        (
            {
                "id": group,
                "groupName": name,
                "memberCount": members.get(group, 0),
                "tagColour": None,
            }
            for group, name in names.items()
        ),
        contacts.rules.guesses,
    )


def custom_field_definitions(rules: Rules) -> Any:
    """The answer to getCustomFieldDefinition: the declared fields in their sort order."""
    definitions: Mapping[int, FieldDefinition] = rules.account.custom_fields or {}
    in_order = sorted(definitions.items(), key=lambda item: (item[1].sort_order, item[0]))
    return _list(
        (
            {
                "fieldId": field_id,
                "fieldType": definition.field_type.number,
                "displayName": rules.account.display_name(field_id),
                "isRequired": definition.required,
                "isActive": definition.active,
                "sortOrder": definition.sort_order,
                "selectValues": _select_values(definition, rules.guesses),
                "fileTypes": list(definition.file_types),
            }
            for field_id, definition in in_order
        ),
        rules.guesses,
    )


def _select_values(definition: FieldDefinition, guesses: Guesses) -> list[Any] | dict[str, str]:
    values = definition.select_values or ()
    match guesses.select_values:
        case "id_name":
            return [{"id": number, "name": text} for number, text in enumerate(values, 1)]
        case "value_label":
            return [{"value": text, "label": text} for text in values]
        case "object":
            return {text: text for text in values}
        case _:
            return list(values)


def _list(items: Iterable[dict[str, Any]], guesses: Guesses) -> Any:
    results = list(items)
    if guesses.declared_lists == "array":
        return results
    return {"meta": page_meta(results, len(results), 0, len(results)), "results": results}


def page_meta(results: list[Any], total: int, start: int, per_page: int) -> dict[str, int]:
    """The `meta` object of a page of a list; its `count` is that of this page."""
    return {"count": len(results), "totalResults": total, "start": start, "perPage": per_page}
