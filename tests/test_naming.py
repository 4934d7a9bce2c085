import contextlib
import datetime
import pickle
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contactsdk.errors import InvalidContactError
from contactsdk.field_values import DateOrder
from contactsdk.models import CustomField, CustomFieldDefinition, FieldOption, FieldType, Group
from contactsdk.naming import AccountNames, contact_from_names
from tests.examples import a_contact, any_json, any_text

GROUPS = [
    Group(id=10, name="News"),
    Group(id=11, name="Friends, family"),
    Group(id=12, name="Twice"),
    Group(id=13, name="twice "),
    Group(id=14, name="10"),
]
FIELDS = [
    CustomFieldDefinition(field_id=1, name="Guests", type=FieldType.WHOLE_NUMBER),
    CustomFieldDefinition(
        field_id=2,
        name="Colours",
        type=FieldType.MULTIPLE_SELECT,
        options=(FieldOption(value="red", label="Red"), FieldOption(value="b", label="Blue")),
    ),
    CustomFieldDefinition(field_id=3, name="Birthday", type=FieldType.DATE),
    CustomFieldDefinition(field_id=4, name="Home address", type=FieldType.ADDRESS),
    CustomFieldDefinition(field_id=5, name="Note", type=FieldType.SMALL_TEXT),
    CustomFieldDefinition(field_id=6, name="note", type=FieldType.LARGE_TEXT),
    CustomFieldDefinition(field_id=7, name="Old", type=FieldType.SMALL_TEXT, is_active=False),
    CustomFieldDefinition(field_id=8, name="No. of seats", type=FieldType.WHOLE_NUMBER),
]
NAMES = AccountNames(groups=GROUPS, custom_fields=FIELDS, date_order=DateOrder.DMY)

ADA = {"firstName": "Ada", "lastName": "Archer", "email": "ada@example.com"}
UNKNOWN = (
    "is neither a field of a contact nor a custom field of the account; its custom fields are: "
)
IN_USE = "Guests, Colours, Birthday, Home address, Note, No. of seats"


def made(**changes: Any) -> Any:
    return contact_from_names({**ADA, **changes}, NAMES)


def wrong(row: Any) -> tuple[tuple[tuple[str | int, ...], str], ...]:
    with pytest.raises(InvalidContactError) as caught:
        contact_from_names(row, NAMES)
    return caught.value.errors


def test_a_contact_is_made_of_names() -> None:
    row = {
        **ADA,
        "groups": ["News", 11],
        "Guests": "3",
        "colours": "red; Blue",
        "Birthday": "31/12/1990",
        "Home address.city": "Perth",
        "Home address.LINE1": "1 Main St",
        "customFields.5": "hello",
        "No. of seats": 4,
    }
    assert contact_from_names(row, NAMES) == a_contact(
        groups=[10, 11],
        custom_fields=[
            CustomField(field_id=1, value=3),
            CustomField(field_id=2, value=["red", "b"]),
            CustomField(field_id=3, value=datetime.date(1990, 12, 31)),
            CustomField(field_id=4, value={"city": "Perth", "line1": "1 Main St"}),
            CustomField(field_id=5, value="hello"),
            CustomField(field_id=8, value=4),
        ],
    )


def test_a_contact_without_names_is_read_as_ever() -> None:
    row = {**ADA, "customFields": {"99": "x"}, "companies": [4], "phone": None}
    assert contact_from_names(row, NAMES) == a_contact(custom_fields={99: "x"}, companies=[4])


@pytest.mark.parametrize(
    ("groups", "ids"),
    [
        ("News", [10]),
        (" NEWS ", [10]),
        ("Friends, family", [11]),
        ("news;11", [10, 11]),
        (["friends,  family", "News"], [11, 10]),
        ([{"groupId": 99}], [99]),
        ("14", [14]),
        ([10], [10]),
        ("", []),
        ([], []),
        (None, None),
    ],
    ids=repr,
)
def test_groups_are_named_by_name_or_id(groups: Any, ids: list[int] | None) -> None:
    assert made(groups=groups).groups == (None if ids is None else tuple(ids))


KNOWN_GROUPS = "News (10), Friends, family (11), Twice (12), twice  (13), 10 (14)"
NO_GROUP = f"must be a group of the account; its groups are: {KNOWN_GROUPS}"
SEVERAL = "may be any of several groups; give the id as a number: "


@pytest.mark.parametrize(
    ("groups", "problems"),
    [
        ("Sports", [(("groups", 0), NO_GROUP)]),
        ("News; Friends, family", [(("groups", 0), NO_GROUP)]),
        (["News", "Sports", 99], [(("groups", 1), NO_GROUP), (("groups", 2), NO_GROUP)]),
        (["twice"], [(("groups", 0), f"{SEVERAL}Twice (12), twice  (13)")]),
        (["10"], [(("groups", 0), f"{SEVERAL}News (10), 10 (14)")]),
        ([True], [(("groups", 0), "must be a positive integer")]),
        (5, [(("groups",), "must be an iterable of ids")]),
    ],
    ids=repr,
)
def test_a_group_that_is_not_there_is_reported_with_those_that_are(
    groups: Any, problems: Any
) -> None:
    assert wrong({**ADA, "groups": groups}) == tuple(problems)


@pytest.mark.parametrize(
    ("key", "problem"),
    [
        ("Shoe size", UNKNOWN),
        ("Old", UNKNOWN),
        ("a.b", UNKNOWN),
    ],
)
def test_a_name_of_nothing_is_reported_with_the_names_that_there_are(
    key: str, problem: str
) -> None:
    assert wrong({**ADA, key: "x"}) == (((key,), problem + IN_USE),)


def test_a_name_of_nothing_is_reported_although_it_has_no_value() -> None:
    assert [path for path, _ in wrong({**ADA, "Shoe size": None})] == [("Shoe size",)]


def test_a_custom_field_without_a_value_is_not_sent() -> None:
    assert made(Birthday=None).custom_fields is None


def test_a_name_that_two_fields_have_is_reported_with_their_ids() -> None:
    assert wrong({**ADA, "NOTE": "x"}) == (
        (
            ("NOTE",),
            "is the name of several custom fields; use one of: customFields.5, customFields.6",
        ),
    )


@pytest.mark.parametrize("key", ["customFields.99", "custom_fields.x"])
def test_an_id_of_no_custom_field_is_reported_with_those_that_are(key: str) -> None:
    ((path, message),) = wrong({**ADA, key: "x"})
    assert path == (key,)
    assert message.startswith(
        "must be a custom field of the account; its custom fields are: 1 (Guests), 2 ("
    )


@pytest.mark.parametrize("key", ["Guests.city", "Home address.town"])
def test_a_part_of_no_address_is_reported_with_the_parts(key: str) -> None:
    ((path, message),) = wrong({**ADA, key: "x"})
    assert path == (key,)
    assert message.startswith(
        "must be a custom field, or an address field with one of the parts line1"
    )


@pytest.mark.parametrize(
    ("row", "key"),
    [
        ({"Guests": 1, "guests": 2}, "guests"),
        ({"Guests": 1, "customFields.1": 2}, "customFields.1"),
        ({"Home address.city": "a", "home address.CITY": "b"}, "home address.CITY"),
        ({"Home address.city": "a", "Home address": {"line1": "b"}}, "Home address"),
        ({"Home address": "", "Home address.city": "b"}, "Home address.city"),
    ],
)
def test_the_same_custom_field_twice_is_refused(row: dict[str, Any], key: str) -> None:
    assert wrong({**ADA, **row}) == (((key,), "is given twice"),)


def test_all_that_is_wrong_is_reported_at_once() -> None:
    row = {
        "firstName": "Ada",
        "email": "nobody",
        "groups": ["Sports"],
        "Guests": "many",
        "Shoe size": 5,
        5: "x",
    }
    assert [path for path, _ in wrong(row)] == [
        ("Guests",),
        ("Shoe size",),
        ("5",),
        ("lastName",),
        ("email",),
        ("groups", 0),
    ]


def test_custom_fields_by_id_do_not_appear_beside_those_by_name() -> None:
    assert wrong({**ADA, "customFields": {1: 2}, "Guests": 1}) == (
        (("customFields",), "must not be combined with custom fields by name"),
    )


def test_custom_fields_that_are_null_do_not_keep_names_from_being_read() -> None:
    assert made(customFields=None, Guests=1).custom_fields == (CustomField(field_id=1, value=1),)


@pytest.mark.parametrize("row", [None, 5, "a", [["id", 7]]], ids=repr)
def test_what_is_not_a_mapping_is_refused(row: Any) -> None:
    assert wrong(row) == (((), "must be a JSON object"),)


def test_an_order_of_dates_that_is_none_is_refused() -> None:
    with pytest.raises(ValueError, match="ydm"):
        AccountNames(date_order="ydm")


def test_names_survive_pickling() -> None:
    assert pickle.loads(pickle.dumps(NAMES)) == NAMES


@pytest.mark.parametrize("group", [True, None, 1.5, ["News"]])
def test_what_is_neither_a_name_nor_an_id_is_not_a_group(group: Any) -> None:
    with pytest.raises(TypeError, match=r"^group must be a name or an id, not "):
        AccountNames(groups=[Group(id=1, name="News")]).group_id(group)


def test_an_account_without_groups_and_fields_says_that_it_has_none() -> None:
    with pytest.raises(InvalidContactError, match="its groups are: none"):
        contact_from_names({**ADA, "groups": "News"}, AccountNames())


keys = st.sampled_from(
    [*ADA, "groups", "customFields", "Home address.city", "customFields.5", "Guests", "Colours"]
)


@given(st.dictionaries(keys | any_text, any_json))
def test_any_row_gives_a_contact_or_says_what_is_wrong(row: dict[str, Any]) -> None:
    with contextlib.suppress(InvalidContactError):
        contact_from_names({**ADA, **row}, NAMES)
