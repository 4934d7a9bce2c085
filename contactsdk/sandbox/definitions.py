"""Reads custom fields from the JSON of getCustomFieldDefinition, or from a short text; pure."""

from typing import Any

import orjson

from contactsdk.sandbox.custom_fields import FieldDefinition, FieldType, is_whole

_KEYS = {
    "fieldId",
    "fieldType",
    "displayName",
    "isRequired",
    "isActive",
    "sortOrder",
    "selectValues",
    "fileTypes",
}
_TYPES = {field_type.number: field_type for field_type in FieldType}


def definitions_of(text: str | bytes) -> dict[int, FieldDefinition]:
    """The custom fields in an array of definitions, or in an object with it as `results`, by id.

    Of a select field's options, only the values are kept, since contacts are checked against them.
    If the options are an object, its keys are the values.

    Raises:
        ValueError: The text is something else; the message says where.
    """
    try:
        answer = orjson.loads(text)
    except orjson.JSONDecodeError as exc:
        raise ValueError(f"this is not JSON: {exc}") from exc
    items = answer.get("results") if isinstance(answer, dict) else answer
    if not isinstance(items, list):
        raise ValueError("it must be a list of objects with a fieldId and a fieldType")
    return dict(_definition(number, item) for number, item in enumerate(items, 1))


def definition_of(setting: str) -> tuple[int, FieldDefinition]:
    """The id and the definition of a field from a short text such as `102=Birthday:date`.

    Without a type, the field is a small text.

    Raises:
        ValueError: The text is something else; the message says what it must be.
    """
    number, sign, rest = setting.partition("=")
    name, colon, kind = rest.rpartition(":") if ":" in rest else (rest, "", "")
    if not (number.strip().isascii() and number.strip().isdecimal() and sign and name.strip()):
        raise ValueError("write each field as its id and its name, such as 101=Diet")
    kinds = {field_type.value.replace(" ", "-"): field_type for field_type in FieldType}
    if colon and kind.strip() not in kinds:
        raise ValueError(
            f"{kind.strip()!r} is not a type of field; the types are {', '.join(kinds)}"
        )
    field_type = kinds[kind.strip()] if colon else FieldType.SMALL_TEXT
    return int(number), FieldDefinition(field_type=field_type, display_name=name.strip())


def _definition(number: int, item: Any) -> tuple[int, FieldDefinition]:
    if not isinstance(item, dict) or not is_whole(item.get("fieldId")):
        raise ValueError(f"field {number}: it must be an object with a whole number as fieldId")
    if not is_whole(item.get("fieldType")) or item["fieldType"] not in _TYPES:
        known = ", ".join(f"{it.number} ({it.value})" for it in FieldType)
        raise ValueError(f"field {number}: fieldType must be one of {known}")
    if "displayName" not in item and (unknown := sorted(item.keys() - _KEYS)):
        raise ValueError(
            f"field {number}: it has no displayName, and the unknown {', '.join(unknown)}; the "
            f"keys are {', '.join(sorted(_KEYS))}"
        )
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
    """The value of an option: a text, or an object that has it under one of the known keys."""
    if isinstance(value, dict):
        value = next(
            (value[name] for name in ("value", "name", "label", "id") if name in value), ""
        )
    return str(value)
