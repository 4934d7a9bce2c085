"""Reads what an account declares: its subscription groups and its custom fields.

Both actions take an empty body. Sources: the platform's pages "Get Subscription Group List", "Get
Contact Custom Field Definition" and "Get Company Custom Field Definition"; only the last one shows
the `selectValues` of a field.
"""

from collections.abc import Mapping
from typing import Any

from contactsdk.errors import UncertainError
from contactsdk.models.account import CustomFieldDefinition, FieldOption, FieldType, Group
from contactsdk.wire.answers import read_json, results_of
from contactsdk.wire.values import positive_id, whole_number


def read_groups(status: int, headers: Mapping[str, str], body: bytes) -> tuple[Group, ...]:
    """The subscription groups of an account, in the platform's order.

    Raises:
        ContactError: The answer is not such a list; which subclass says what is known.
    """
    return tuple(
        _group(item, status) for item in results_of(read_json(status, headers, body), status)
    )


def read_custom_fields(
    status: int, headers: Mapping[str, str], body: bytes
) -> tuple[CustomFieldDefinition, ...]:
    """The custom fields of an account's contacts, in the platform's order.

    Raises:
        ContactError: The answer is not such a list; which subclass says what is known.
    """
    return tuple(
        _definition(item, status) for item in results_of(read_json(status, headers, body), status)
    )


def _group(item: Mapping[str, Any], status: int) -> Group:
    group_id, name = positive_id(item.get("id")), _text(item.get("groupName"))
    if group_id is None or name is None:
        raise UncertainError("the list contains a group without id or name", http_status=status)
    return Group(
        id=group_id,
        name=name,
        member_count=whole_number(item.get("memberCount")),
        tag_colour=_text(item.get("tagColour")),
    )


def _definition(item: Mapping[str, Any], status: int) -> CustomFieldDefinition:
    field_id, name = positive_id(item.get("fieldId")), _text(item.get("displayName"))
    if field_id is None or name is None:
        raise UncertainError(
            "the list contains a custom field without id or name", http_status=status
        )
    number = whole_number(item.get("fieldType"))
    return CustomFieldDefinition(
        field_id=field_id,
        name=name,
        type=FieldType(number) if number in list(FieldType) else None,
        options=_options(item.get("selectValues")),
        is_required=_is_true(item.get("isRequired"), absent=False),
        is_active=_is_true(item.get("isActive"), absent=True),
        sort_order=whole_number(item.get("sortOrder")),
        file_types=_texts(item.get("fileTypes")),
    )


def _options(values: Any) -> tuple[FieldOption, ...]:
    """The options of a select field; empty if one of them cannot be read.

    The platform's page about companies shows an object of value -> label. A list of texts or of
    objects is read as well, since the page about contacts does not show the form.
    """
    if isinstance(values, Mapping):
        options = [_option({"value": value, "label": label}) for value, label in values.items()]
    elif isinstance(values, list):
        options = [_option(value) for value in values]
    else:
        return ()
    return tuple(option for option in options if option) if None not in options else ()


def _option(item: Any) -> FieldOption | None:
    shown = item if isinstance(item, Mapping) else {"value": item}
    value = shown.get("value", shown.get("id"))
    label = _text(shown.get("label", shown.get("name", value)))
    if label is None or not isinstance(value, str | int) or isinstance(value, bool):
        return None
    return FieldOption(value=value, label=label)


def _texts(values: Any) -> tuple[str, ...]:
    return tuple(filter(None, map(_text, values))) if isinstance(values, list) else ()


def _text(value: Any) -> str | None:
    is_plain = isinstance(value, str | int) and not isinstance(value, bool)
    return str(value) if is_plain else None


def _is_true(value: Any, *, absent: bool) -> bool:
    return absent if value is None else value in (True, 1, "1", "true")
