"""Custom fields from the JSON in which getCustomFieldDefinition answers them; pure."""

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


def definition_of(setting: str) -> tuple[int, FieldDefinition]:
    """The id and the definition of a field in short, such as `102=Birthday:date`.

    Without a type it is a small text.

    Raises:
        ValueError: it is something else; the message says what it must be.
    """
    number, sign, rest = setting.partition("=")
    name, colon, kind = rest.rpartition(":") if ":" in rest else (rest, "", "")
    if not (number.strip().isascii() and number.strip().isdecimal() and sign and name.strip()):
        raise ValueError("write each field as its id and its name, such as 101=Diet")
    kinds = {field_type.value.replace(" ", "-"): field_type for field_type in FieldType}
    if colon and kind.strip() not in kinds:
        raise ValueError(
            f"{kind.strip()!r} is no type of a field; the types are {', '.join(kinds)}"
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
    """A value of a selection: a text, or an object that holds one under one of these names."""
    if isinstance(value, dict):
        value = next(
            (value[name] for name in ("value", "name", "label", "id") if name in value), ""
        )
    return str(value)
