import datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contactsdk.models import Contact
from contactsdk.wire import (
    ContactFilter,
    ListedByEmail,
    ListedContact,
    contact_to_json,
    matches,
    satisfies,
    shows_all,
)
from tests.examples import (
    a_contact,
    a_full_contact,
    a_link,
    an_update,
    any_json,
    contacts,
    sendable_json,
)

MODIFIED = datetime.datetime(2026, 11, 2, 3, 4, 5, tzinfo=datetime.UTC)

SHOWN = {
    "id": 6,
    "firstName": "Ada",
    "lastName": "Archer",
    "email": "ada@example.com",
    "phone": "+61 400 000 000",
    "customFields": [{"fieldId": 33443, "displayName": "Vegan", "value": "No"}],
    "groups": [{"contactId": 6, "groupId": 10, "joinDate": "2026-11-02 03:04:05"}],
    "companies": [4, 5],
    "externalId": "12345",
    "modifiedDate": "2026-11-02 03:04:05 UTC",
}


def listed(**changes: Any) -> ListedContact:
    shown = {**SHOWN, **changes}
    return ListedContact(id=6, modified=MODIFIED, shown=shown)


def listed_without(*names: str) -> ListedContact:
    shown = {name: value for name, value in SHOWN.items() if name not in names}
    return ListedContact(id=6, modified=MODIFIED, shown=shown)


@pytest.mark.parametrize(
    "criteria",
    [
        {},
        {"external_id": "12345"},
        {"first_name": "Ada", "last_name": "Archer", "email": "ADA@example.com"},
        {"first_name": " Ada "},
        {"modified_since": MODIFIED},
        {"modified_since": MODIFIED + datetime.timedelta(microseconds=1)},
    ],
    ids=repr,
)
def test_a_listed_contact_satisfies_what_was_asked(criteria: Any) -> None:
    assert satisfies(ContactFilter(**criteria), listed())


@pytest.mark.parametrize(
    "criteria",
    [
        {"external_id": "1234"},
        {"first_name": "ada"},
        {"last_name": "Arch"},
        {"first_name": "Ada", "email": "bo@example.com"},
        {"modified_since": MODIFIED + datetime.timedelta(seconds=1)},
    ],
    ids=repr,
)
def test_a_listed_contact_that_the_filter_should_not_let_through_is_noticed(criteria: Any) -> None:
    assert not satisfies(ContactFilter(**criteria), listed())


def test_a_criterion_that_the_list_does_not_show_is_left_to_the_platforms_filter() -> None:
    wanted = ContactFilter(
        external_id="1",
        first_name="Bo",
        email="bo@example.com",
        modified_since=MODIFIED,
    )
    assert satisfies(wanted, ListedContact(id=6, modified=None, shown={"id": 6}))


def test_an_external_id_that_is_shown_as_null_is_another() -> None:
    assert not satisfies(ContactFilter(external_id="12345"), listed(externalId=None))


ADA = a_contact(
    external_id="12345",
    phone="+61 400 000 000",
    groups=[10],
    custom_fields={33443: "No"},
    companies=[5, 4],
)


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"email": "Ada@EXAMPLE.com"},
        {"phone": 61400000000},
        {"groups": [10]},
        {"groups": [{"groupId": "10"}]},
        {"companies": ["4", "5"]},
        {"externalId": 12345},
        {"customFields": [{"fieldId": "33443", "value": "No "}, {"fieldId": 1, "value": "x"}]},
        {"status": 1, "privacyConsent": True},
    ],
    ids=repr,
)
def test_a_contact_matches_what_became_of_it(changes: Any) -> None:
    assert matches(ADA, listed(**changes))


@pytest.mark.parametrize(
    "changes",
    [
        {"firstName": "ada"},
        {"lastName": None},
        {"email": "bo@example.com"},
        {"phone": ""},
        {"externalId": None},
        {"groups": []},
        {"groups": None},
        {"groups": [10, 11]},
        {"groups": [{"groupId": 10}, {}]},
        {"companies": [4]},
        {"customFields": []},
        {"customFields": None},
        {"customFields": [{"fieldId": 33443, "value": "Yes"}]},
        {"customFields": [33443]},
    ],
    ids=repr,
)
def test_a_contact_does_not_match_another(changes: Any) -> None:
    assert not matches(ADA, listed(**changes))


@pytest.mark.parametrize(
    "name", ["phone", "groups", "customFields", "companies", "externalId", "lastName"]
)
def test_what_a_list_does_not_show_decides_nothing(name: str) -> None:
    sent = a_contact(
        last_name="Archer" if name != "lastName" else "Other",
        phone="1",
        groups=[99],
        custom_fields={1: "x"},
        companies=[99],
        external_id="1",
    )
    others = {"phone", "groups", "customFields", "companies", "externalId"} - {name}
    assert matches(sent, listed_without(name, *others))


def test_an_empty_custom_field_matches_one_that_is_not_shown() -> None:
    assert matches(an_update(id=6, custom_fields={5: "", 6: None}), listed())


def test_a_cleared_list_matches_an_empty_one() -> None:
    cleared = an_update(id=6, groups=[], companies=[], external_urls=[])
    assert matches(cleared, listed(groups=[], companies=[], externalUrls=None))


@pytest.mark.parametrize(
    ("sent", "shown", "is_same"),
    [
        ([a_link()], [{"ref": "crm", "url": "https://crm.example.com/7", "label": "x"}], True),
        ([a_link(url=None)], [], True),
        ([a_link(url=None)], [{"ref": "crm", "url": "https://crm.example.com/7"}], False),
        ([a_link()], [{"ref": "crm", "url": "https://crm.example.com/8"}], False),
        ([a_link()], [{"ref": ["crm"], "url": "https://crm.example.com/7"}], False),
        ([a_link()], [], False),
        ([], [{"ref": "crm", "url": "https://crm.example.com/7"}], False),
    ],
)
def test_external_urls_are_compared_by_their_ref(sent: Any, shown: Any, is_same: bool) -> None:
    assert matches(an_update(id=6, external_urls=sent), listed(externalUrls=shown)) is is_same


def test_an_update_matches_its_own_id_only() -> None:
    assert matches(an_update(id=6), listed())
    assert not matches(an_update(id=7), listed())


@given(contacts(sendable_json))
def test_a_contact_matches_itself(contact: Contact) -> None:
    parts = [part.field_id for part in contact.custom_fields or ()]
    shown = contact_to_json(contact)
    if len(set(parts)) == len(parts):
        assert matches(contact, ListedContact(id=1, modified=None, shown=shown))


names = st.sampled_from([*SHOWN, "externalUrls", "status"])


@given(st.dictionaries(names, any_json))
def test_any_listed_contact_can_be_compared(shown: dict[str, Any]) -> None:
    found = ListedContact(id=6, modified=None, shown=shown)
    wanted = ContactFilter(external_id="1", first_name="a", email="a@example.com")
    assert matches(a_full_contact(), found) in (True, False)
    assert satisfies(wanted, found) in (True, False)


def test_namesakes_are_found_by_email_in_any_case_and_those_without_one_are_kept() -> None:
    contact = a_contact(email="Ada@Example.com")
    shown: list[dict[str, Any]] = [
        {"email": "ada@example.COM"},
        {"email": "eda@example.com"},
        {},
        {"email": None},
    ]
    listed = [ListedContact(id=n, modified=None, shown=values) for n, values in enumerate(shown, 1)]

    assert [one.id for one in ListedByEmail(listed).like(contact)] == [1, 3, 4]


def test_list_shows_all_only_where_each_text_of_the_filter_is_there() -> None:
    wanted = ContactFilter(external_id="x")

    assert shows_all(wanted, ListedContact(id=1, modified=None, shown={"externalId": None}))
    assert not shows_all(wanted, ListedContact(id=1, modified=None, shown={"email": "a@b.test"}))
