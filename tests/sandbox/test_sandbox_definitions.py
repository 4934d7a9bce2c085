import orjson
import pytest

from contactsdk.sandbox import FieldDefinition, FieldType
from contactsdk.sandbox.account import Account
from contactsdk.sandbox.definitions import definition_of, definitions_of
from contactsdk.sandbox.views import custom_field_definitions
from tests.sandbox.made import rules

FIELDS = {
    1: FieldDefinition(field_type=FieldType.SMALL_TEXT, display_name="Vegetarian", sort_order=1),
    2: FieldDefinition(
        field_type=FieldType.MULTIPLE_SELECT,
        display_name="Colours",
        required=True,
        active=False,
        sort_order=2,
        select_values=["Red", "Blue"],
    ),
    3: FieldDefinition(
        field_type=FieldType.FILE, display_name="Photo", sort_order=3, file_types=["png"]
    ),
}


@pytest.mark.parametrize("select_values", ["texts", "id_name", "value_label", "object"])
@pytest.mark.parametrize("declared_lists", ["array", "wrapped"])
def test_definitions_are_read_as_they_are_answered(select_values: str, declared_lists: str) -> None:
    guessed = rules(
        Account(custom_fields=FIELDS), select_values=select_values, declared_lists=declared_lists
    )
    assert definitions_of(orjson.dumps(custom_field_definitions(guessed))) == FIELDS


def test_id_and_type_are_enough() -> None:
    assert definitions_of('[{"fieldId": 7, "fieldType": 8}]') == {
        7: FieldDefinition(field_type=FieldType.WHOLE_NUMBER)
    }


def test_values_of_an_object_of_options_are_its_keys() -> None:
    text = '[{"fieldId": 7, "fieldType": 2, "selectValues": {"1": "Red", "2": "Blue"}}]'
    assert definitions_of(text)[7].select_values == ("1", "2")


def test_value_of_a_selection_may_have_an_id_alone() -> None:
    text = '[{"fieldId": 7, "fieldType": 2, "selectValues": [{"id": 4}, {}]}]'
    assert definitions_of(text)[7].select_values == ("4", "")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("nothing", "this is not JSON"),
        ("5", "it must be a list"),
        ("{}", "it must be a list"),
        ("[5]", "field 1: it must be an object"),
        ('[{"fieldId": 1, "fieldType": 0}, {"fieldType": 0}]', "field 2: it must be an object"),
        ('[{"fieldId": 1, "fieldType": 9}]', "field 1: fieldType must be"),
        ('[{"fieldId": 1, "fieldType": "0"}]', "field 1: fieldType must be one of 0 .small text."),
        (
            '[{"fieldId": 1, "fieldType": 0, "fieldName": "Diet"}]',
            "field 1: it has no displayName, and the unknown fieldName; the keys are displayName, ",
        ),
    ],
)
def test_what_is_wrong_with_definitions_is_reported(text: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        definitions_of(text)


def test_unknown_key_of_a_field_with_a_name_is_ignored() -> None:
    text = '[{"fieldId": 7, "fieldType": 8, "displayName": "Seats", "colour": "red"}]'
    assert definitions_of(text)[7].display_name == "Seats"


@pytest.mark.parametrize(
    ("setting", "name", "field_type"),
    [
        ("101=Diet", "Diet", FieldType.SMALL_TEXT),
        (" 101 = Diet ", "Diet", FieldType.SMALL_TEXT),
        ("101=Birthday:date", "Birthday", FieldType.DATE),
        ("101=Size: EU:whole-number", "Size: EU", FieldType.WHOLE_NUMBER),
        ("101=Notes:large-text", "Notes", FieldType.LARGE_TEXT),
    ],
)
def test_field_may_be_defined_in_short(setting: str, name: str, field_type: FieldType) -> None:
    expected = FieldDefinition(field_type=field_type, display_name=name)
    assert definition_of(setting) == (101, expected)


@pytest.mark.parametrize("setting", ["101", "=Diet", "x=Diet", "101=", "101=:date"])
def test_short_definition_needs_an_id_and_a_name(setting: str) -> None:
    with pytest.raises(ValueError, match="such as 101=Diet"):
        definition_of(setting)


def test_unknown_type_in_a_short_definition_is_refused_with_the_types() -> None:
    with pytest.raises(
        ValueError, match="'day' is not a type of field; the types are small-text, "
    ):
        definition_of("101=Birthday:day")
