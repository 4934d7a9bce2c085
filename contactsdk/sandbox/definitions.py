"""Custom fields from the JSON in which getCustomFieldDefinition answers them; pure."""

from typing import Any

import orjson

from contactsdk.sandbox.custom_fields import FieldDefinition, FieldType, is_whole

_TYPES = {field_type.number: field_type for field_type in FieldType}


def definitions_of(text: str | bytes) -> dict[int, FieldDefinition]:
    """The custom fields of an array of definitions, or of one in `results`, by their id.

    Of the options of a selection their values are kept, which contacts are checked against; their
    labels are not. An object of options has the values as its keys.

    Raises:
        ValueError: it is something else; the message says where.
    """
    try:
        answer = orjson.loads(text)
    except orjson.JSONDecodeError as exc:
        raise ValueError(f"it is not JSON: {exc}") from exc
    items = answer.get("results") if isinstance(answer, dict) else answer
    if not isinstance(items, list):
        raise ValueError("it must be a list of objects with a fieldId and a fieldType")
    return dict(_definition(number, item) for number, item in enumerate(items, 1))


def _definition(number: int, item: Any) -> tuple[int, FieldDefinition]:
    if not isinstance(item, dict) or not is_whole(item.get("fieldId")):
        raise ValueError(f"field {number}: it must be an object with a whole number as fieldId")
    if not is_whole(item.get("fieldType")) or item["fieldType"] not in _TYPES:
        raise ValueError(f"field {number}: fieldType must be a whole number from 0 to 8")
    select_values = item.get("selectValues")
    return item["fieldId"], FieldDefinition(
        field_type=_TYPES[item["fieldType"]],
        display_name=str(item.get("displayName") or ""),
        required=item.get("isRequired") is True,
        active=item.get("isActive") is not False,
        sort_order=item["sortOrder"] if is_whole(item.get("sortOrder")) else 0,
        select_values=[_select_value(value) for value in select_values] if select_values else None,
        file_types=[str(value) for value in item.get("fileTypes") or ()],
    )


def _select_value(value: Any) -> str:
    """A value of a selection: a text, or an object that holds one under one of these names."""
    if isinstance(value, dict):
        value = next(
            (value[name] for name in ("value", "name", "label", "id") if name in value), ""
        )
    return str(value)
