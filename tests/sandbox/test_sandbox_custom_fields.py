from typing import Any

import pytest

from contactsdk.sandbox import FieldDefinition, FieldType
from contactsdk.sandbox.custom_fields import fits, is_listed


@pytest.mark.parametrize(
    ("field_type", "good", "bad"),
    [
        (FieldType.SMALL_TEXT, "No", 5),
        (FieldType.LARGE_TEXT, "", None),
        (FieldType.SINGLE_SELECT, "a", ["a"]),
        (FieldType.MULTIPLE_SELECT, ["a", "b"], ["a", 1]),
        (FieldType.MULTIPLE_SELECT, [], "a"),
        (FieldType.ADDRESS, {"line1": "1 High St", "city": "Hull"}, {"street": "High St"}),
        (FieldType.ADDRESS, {}, {"line1": 1}),
        (FieldType.ADDRESS, {"countryCode": "GB"}, "1 High St"),
        (FieldType.DATE, "2024-02-29", "2023-02-29"),
        (FieldType.DATE, "2026-11-23", "20261123"),
        (FieldType.DATE, "2026-11-23", 20261123),
        (FieldType.WHOLE_NUMBER, 0, True),
        (FieldType.WHOLE_NUMBER, -1, 1.0),
    ],
)
def test_custom_field_takes_values_of_its_type_only(
    field_type: FieldType, good: Any, bad: Any
) -> None:
    assert fits(field_type, good)
    assert not fits(field_type, bad)


def test_file_takes_anything_and_static_text_nothing() -> None:
    assert fits(FieldType.FILE, {"name": "a.pdf"})
    assert not fits(FieldType.STATIC_TEXT, "a")


def test_types_are_numbered_as_documented() -> None:
    assert FieldType.SMALL_TEXT.number == 0
    assert FieldType.ADDRESS.number == 4
    assert FieldType.WHOLE_NUMBER.number == 8


@pytest.mark.parametrize(
    ("value", "listed"),
    [("a", True), ("c", False), (["a", "b"], True), (["a", "c"], False), ([], True)],
)
def test_selection_is_listed_if_each_of_its_values_is(value: Any, listed: bool) -> None:
    definition = FieldDefinition(field_type=FieldType.MULTIPLE_SELECT, select_values=["a", "b"])
    assert is_listed(definition, value) == listed


def test_any_selection_is_listed_where_no_list_was_declared() -> None:
    assert is_listed(FieldDefinition(field_type=FieldType.SINGLE_SELECT), "a")
