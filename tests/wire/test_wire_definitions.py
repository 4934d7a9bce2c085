import contextlib
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from multidict import CIMultiDict

from contactsdk.errors import AuthenticationError, ContactError, UncertainError
from contactsdk.models import CustomFieldDefinition, FieldOption, FieldType, Group
from contactsdk.wire import read_custom_fields, read_groups
from tests.examples import any_json

NO_HEADERS: CIMultiDict[str] = CIMultiDict()


def groups(answer: Any) -> tuple[Group, ...]:
    return read_groups(200, NO_HEADERS, json.dumps(answer).encode())


def definitions(answer: Any) -> tuple[CustomFieldDefinition, ...]:
    return read_custom_fields(200, NO_HEADERS, json.dumps(answer).encode())


NEWS = {"id": 10, "groupName": "News", "memberCount": 3, "tagColour": "#ff0000"}


@pytest.mark.parametrize("answer", [[NEWS], {"meta": {"count": 1}, "results": [NEWS]}])
def test_groups_are_read_as_an_array_or_as_results(answer: Any) -> None:
    assert groups(answer) == (Group(id=10, name="News", member_count=3, tag_colour="#ff0000"),)


def test_a_group_needs_only_its_id_and_its_name() -> None:
    assert groups([{"id": "10", "groupName": "News"}]) == (Group(id=10, name="News"),)


@pytest.mark.parametrize(
    "item", [{"id": 10}, {"groupName": "News"}, {"id": 0, "groupName": "News"}, 5], ids=repr
)
def test_a_group_without_an_id_or_a_name_is_uncertain(item: Any) -> None:
    with pytest.raises(UncertainError):
        groups([item])


# The shape of the platform's example, with fields of our own.
ANSWER = [
    {
        "fieldId": 47,
        "fieldType": 3,
        "displayName": "Interests",
        "isRequired": False,
        "isActive": True,
        "sortOrder": 1,
        "selectValues": {"art": "Art", "wine": "Wine"},
        "fileTypes": None,
    },
    {
        "fieldId": 3,
        "fieldType": 5,
        "displayName": "Birthday",
        "isRequired": True,
        "isActive": False,
        "sortOrder": 4,
        "selectValues": None,
        "fileTypes": None,
    },
    {
        "fieldId": 45,
        "fieldType": 6,
        "displayName": "Picture",
        "isRequired": False,
        "isActive": True,
        "sortOrder": 5,
        "selectValues": None,
        "fileTypes": ["images"],
    },
]


@pytest.mark.parametrize("answer", [ANSWER, {"meta": {}, "results": ANSWER}], ids=["array", "meta"])
def test_custom_fields_are_read_in_the_shape_of_the_platforms_page(answer: Any) -> None:
    assert definitions(answer) == (
        CustomFieldDefinition(
            field_id=47,
            name="Interests",
            type=FieldType.MULTIPLE_SELECT,
            options=(
                FieldOption(value="art", label="Art"),
                FieldOption(value="wine", label="Wine"),
            ),
            sort_order=1,
        ),
        CustomFieldDefinition(
            field_id=3,
            name="Birthday",
            type=FieldType.DATE,
            is_required=True,
            is_active=False,
            sort_order=4,
        ),
        CustomFieldDefinition(
            field_id=45,
            name="Picture",
            type=FieldType.FILE,
            sort_order=5,
            file_types=("images",),
        ),
    )


def test_a_custom_field_needs_only_its_id_and_its_name() -> None:
    expected = CustomFieldDefinition(field_id=5, name="Note", type=None)
    assert definitions([{"fieldId": "5", "displayName": "Note"}]) == (expected,)


@pytest.mark.parametrize(
    "item",
    [{"fieldId": 5}, {"displayName": "Note"}, {"fieldId": True, "displayName": "Note"}, None],
    ids=repr,
)
def test_a_custom_field_without_an_id_or_a_name_is_uncertain(item: Any) -> None:
    with pytest.raises(UncertainError):
        definitions([item])


def definition(**changes: Any) -> CustomFieldDefinition:
    return definitions([{"fieldId": 5, "displayName": "Note", **changes}])[0]


@pytest.mark.parametrize("kind", FieldType)
@pytest.mark.parametrize("spell", [int, str])
def test_a_field_type_is_read_from_its_number(kind: FieldType, spell: Any) -> None:
    assert definition(fieldType=spell(int(kind))).type is kind


@pytest.mark.parametrize("number", [9, -1, None, "x", True, []], ids=repr)
def test_a_field_type_that_is_not_known_is_none(number: Any) -> None:
    assert definition(fieldType=number).type is None


def test_the_field_types_have_the_numbers_of_the_platforms_page() -> None:
    assert [(kind.name, kind.value) for kind in FieldType] == [
        ("SMALL_TEXT", 0),
        ("LARGE_TEXT", 1),
        ("SINGLE_SELECT", 2),
        ("MULTIPLE_SELECT", 3),
        ("ADDRESS", 4),
        ("DATE", 5),
        ("FILE", 6),
        ("STATIC_TEXT", 7),
        ("WHOLE_NUMBER", 8),
    ]


@pytest.mark.parametrize(
    ("values", "options"),
    [
        (["Red", "Blue"], [("Red", "Red"), ("Blue", "Blue")]),
        ([1, 2], [(1, "1"), (2, "2")]),
        ([{"id": 1, "name": "Red"}], [(1, "Red")]),
        ([{"id": 1, "label": "Red"}], [(1, "Red")]),
        ([{"value": "r", "label": "Red"}], [("r", "Red")]),
        ([{"value": "r", "name": "Red", "id": 5}], [("r", "Red")]),
        ([{"value": "Red"}], [("Red", "Red")]),
        ({"r": "Red", "5": 5}, [("r", "Red"), ("5", "5")]),
        ([], []),
        ({}, []),
        (None, []),
        ("Red", []),
        (["Red", None], []),
        (["Red", {"name": "Blue"}], []),
        ({"r": None}, []),
        ([True], []),
    ],
    ids=repr,
)
def test_the_options_of_a_select_are_read_in_each_shape_or_not_at_all(
    values: Any, options: Any
) -> None:
    read = definition(selectValues=values).options
    assert [(option.value, option.label) for option in read] == options


@pytest.mark.parametrize(
    ("value", "is_true"),
    [
        (True, True),
        (1, True),
        ("1", True),
        ("true", True),
        (False, False),
        (0, False),
        ("0", False),
    ],
)
def test_a_flag_of_a_custom_field_is_read_from_a_number_too(value: Any, is_true: bool) -> None:
    read = definition(isRequired=value, isActive=value)
    assert (read.is_required, read.is_active) == (is_true, is_true)


@pytest.mark.parametrize(
    ("values", "kept"), [(["images", 5, None, ["a"]], ("images", "5")), ("images", ()), (None, ())]
)
def test_file_types_are_texts_or_left_out(values: Any, kept: Any) -> None:
    assert definition(fileTypes=values).file_types == kept


@pytest.mark.parametrize("read", [read_groups, read_custom_fields])
def test_a_list_that_the_key_may_not_ask_for_says_so(read: Any) -> None:
    with pytest.raises(AuthenticationError):
        read(200, NO_HEADERS, b'{"errorCode": 403, "message": "no"}')


@pytest.mark.parametrize("read", [read_groups, read_custom_fields])
@pytest.mark.parametrize("body", [b"{}", b"5", b'{"results": 5}', b"<html>", b""])
def test_what_is_not_a_list_is_uncertain(read: Any, body: bytes) -> None:
    with pytest.raises(UncertainError):
        read(200, NO_HEADERS, body)


keys = st.sampled_from([*NEWS, *ANSWER[0]])
any_items = st.lists(st.dictionaries(keys, any_json | st.sampled_from([5, "a"])))


@given(any_items | any_json)
def test_any_list_gives_definitions_or_a_contact_error(answer: Any) -> None:
    with contextlib.suppress(ContactError):
        assert all(isinstance(item, Group) for item in groups(answer))
    with contextlib.suppress(ContactError):
        assert all(isinstance(item, CustomFieldDefinition) for item in definitions(answer))
