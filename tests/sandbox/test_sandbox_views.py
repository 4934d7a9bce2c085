from typing import Any

import pytest

from contactsdk.sandbox import FieldDefinition, FieldType
from contactsdk.sandbox.account import Account
from contactsdk.sandbox.contacts import Contacts
from contactsdk.sandbox.views import (
    contact_alone,
    contact_in_list,
    custom_field_definitions,
    subscription_groups,
)
from tests.sandbox.made import BOBBY, contacts_of, rules, stored

FULL = stored(
    phone="1",
    externalId="a",
    groups=[{"groupId": 10}],
    companies=[4],
    customFields=[{"fieldId": 1, "value": "No"}, {"fieldId": 2, "value": 3}],
    status=2,
    externalUrls=[{"ref": "a", "url": "https://example.com"}],
)
ACCOUNT = Account.declared(
    groups={10: "News", 11: "Offers"},
    custom_fields={
        1: FieldDefinition(
            field_type=FieldType.SMALL_TEXT, display_name="Vegetarian", sort_order=2
        ),
        2: FieldDefinition(
            field_type=FieldType.SINGLE_SELECT,
            display_name="Colour",
            required=True,
            active=False,
            sort_order=1,
            select_values=["Red", "Blue"],
        ),
        3: FieldDefinition(field_type=FieldType.FILE, sort_order=3, file_types=["pdf"]),
    },
)


def test_list_shows_a_contact_in_the_documented_form() -> None:
    assert contact_in_list(FULL, rules(ACCOUNT)) == {
        **BOBBY,
        "id": 1001,
        "phone": "1",
        "externalId": "a",
        "groups": [{"contactId": 1001, "groupId": 10, "joinDate": "2026-11-23 12:00:00"}],
        "companies": [4],
        "customFields": [
            {"fieldId": 1, "displayName": "Vegetarian", "value": "No"},
            {"fieldId": 2, "displayName": "Colour", "value": 3},
        ],
        "modifiedDate": "2026-11-23 12:00:00",
    }


def test_contact_alone_shows_more_than_in_a_list() -> None:
    listed = contact_in_list(FULL, rules())
    more = {k: v for k, v in contact_alone(FULL, rules()).items() if k not in listed}
    assert more == {
        "status": 2,
        "smsStatus": None,
        "externalUrls": [{"ref": "a", "url": "https://example.com"}],
        "privacyConsent": None,
        "isAnonymised": False,
    }


@pytest.mark.parametrize(
    ("guess", "phone", "groups"),
    [("null", None, []), ("empty", "", []), ("left_out", "left out", "left out")],
)
def test_unset_field_is_shown_as_guessed(guess: str, phone: Any, groups: Any) -> None:
    shown = contact_in_list(stored(), rules(unset_fields=guess))
    assert (shown.get("phone", "left out"), shown.get("groups", "left out")) == (phone, groups)


def test_custom_field_that_was_not_declared_has_a_name_too() -> None:
    shown = contact_in_list(FULL, rules())["customFields"]
    assert [field["displayName"] for field in shown] == ["Field 1", "Field 2"]


def test_timestamps_may_say_that_they_are_utc() -> None:
    shown = contact_in_list(FULL, rules(timestamps="with_utc"))
    assert shown["modifiedDate"] == "2026-11-23 12:00:00 UTC"
    assert shown["groups"][0]["joinDate"] == "2026-11-23 12:00:00 UTC"


def members(**guesses: Any) -> Contacts:
    contacts = Contacts(rules(ACCOUNT, **guesses), lambda: 0.0)
    contacts.add_or_update({**BOBBY, "groups": [{"groupId": 10}]})
    contacts.add_or_update({**BOBBY, "groups": [{"groupId": 10}]})
    return contacts


def test_declared_groups_are_listed_with_their_members() -> None:
    assert subscription_groups(members()) == [
        {"id": 10, "groupName": "News", "memberCount": 2, "tagColour": None},
        {"id": 11, "groupName": "Offers", "memberCount": 0, "tagColour": None},
    ]


def test_groups_in_use_are_listed_where_none_is_declared() -> None:
    contacts = contacts_of({**BOBBY, "groups": [{"groupId": 12}]}, BOBBY)
    assert subscription_groups(contacts) == [
        {"id": 12, "groupName": "Group 12", "memberCount": 1, "tagColour": None}
    ]


def test_list_may_come_wrapped() -> None:
    answer = subscription_groups(members(declared_lists="wrapped"))
    assert answer["meta"] == {"count": 2, "totalResults": 2, "start": 0, "perPage": 2}
    assert [group["id"] for group in answer["results"]] == [10, 11]


def test_declared_custom_fields_are_listed_by_their_sort_order() -> None:
    colour, vegetarian, file = custom_field_definitions(rules(ACCOUNT))
    assert colour == {
        "fieldId": 2,
        "fieldType": 2,
        "displayName": "Colour",
        "isRequired": True,
        "isActive": False,
        "sortOrder": 1,
        "selectValues": ["Red", "Blue"],
        "fileTypes": [],
    }
    assert (vegetarian["displayName"], vegetarian["fieldType"]) == ("Vegetarian", 0)
    assert (file["displayName"], file["fileTypes"]) == ("Field 3", ["pdf"])


def test_no_custom_field_is_listed_where_none_is_declared() -> None:
    assert custom_field_definitions(rules()) == []


@pytest.mark.parametrize(
    ("guess", "values"),
    [
        ("texts", ["Red", "Blue"]),
        ("id_name", [{"id": 1, "name": "Red"}, {"id": 2, "name": "Blue"}]),
        ("value_label", [{"value": "Red", "label": "Red"}, {"value": "Blue", "label": "Blue"}]),
        ("object", {"Red": "Red", "Blue": "Blue"}),
    ],
)
def test_values_of_a_selection_are_listed_as_guessed(guess: str, values: list[Any]) -> None:
    colour = custom_field_definitions(rules(ACCOUNT, select_values=guess))[0]
    assert colour["selectValues"] == values
