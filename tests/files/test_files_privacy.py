from typing import Any

import attrs
import pytest

from contactsdk import Contact, contact_from
from contactsdk.files.privacy import without_values
from tests.examples import a_contact, a_full_contact


@pytest.mark.parametrize(
    ("message", "hidden"),
    [
        ("ada@example.com is taken by Ada Archer", "[...] is taken by [...] [...]"),
        ("ADA ARCHER is known", "[...] [...] is known"),
        ("+61 400 000 000 is too long", "[...] is too long"),
        ("external id ext-1 of contact 33884", "external id [...] of contact [...]"),
        ("'No' and red are no options", "'[...]' and [...] are [...] options"),
        ("https://crm.example.com/7 is no link", "[...] is [...] link"),
        ("group 10 does not exist", "group 10 does not exist"),
    ],
)
def test_values_of_the_contact_are_hidden(message: str, hidden: str) -> None:
    assert without_values(message, a_full_contact()) == hidden


# What says nothing about the person: ids of the account, choices, and yes or no.
KEPT = {"groups", "companies", "status", "sms_status", "update_if_exists", "privacy_consent"}
TEXTS: dict[str, Any] = {
    "id": 918273,
    "external_id": "zebra",
    "first_name": "zebra",
    "last_name": "zebra",
    "email": "zebra@example.com",
    "phone": "zebra",
    "custom_fields": {7: "zebra"},
    "external_urls": [{"ref": "crm", "url": "https://example.com/zebra", "label": "zebra"}],
}


@pytest.mark.parametrize("name", TEXTS)
def test_value_of_each_field_about_the_person_is_hidden(name: str) -> None:
    contact = contact_from({"id": 7, name: TEXTS[name]})
    message = "zebra, zebra@example.com, https://example.com/zebra, 918273"
    assert "[...]" in without_values(message, contact)


def test_every_field_is_about_the_person_or_says_nothing_about_them() -> None:
    assert {field.name for field in attrs.fields(Contact)} == TEXTS.keys() | KEPT


def test_part_of_a_word_is_not_a_value() -> None:
    contact = a_contact(first_name="An", last_name="A")
    assert without_values("An email and a phone", contact) == "[...] email and a phone"


def test_values_within_values_are_hidden() -> None:
    contact = a_contact(custom_fields={7: {"city": ["Ulm", None, True]}})
    assert without_values("Ulm is not True", contact) == "[...] is not True"


def test_message_about_no_contact_stays_as_it_is() -> None:
    assert without_values("Ada", None) == "Ada"
