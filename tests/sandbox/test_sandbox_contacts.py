from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contactsdk.sandbox.contacts import Change, Contacts, Stored
from contactsdk.sandbox.replies import RefusedError, UnsuccessfulError
from tests.sandbox.made import BOBBY, NOON, Clock, contacts_of, rules

AGAIN = {**BOBBY, "updateIfExists": True}
LOUD = {**AGAIN, "lastName": "SMITH"}


def test_ids_count_up_from_1001() -> None:
    contacts = contacts_of()
    changes = [contacts.add_or_update(BOBBY) for _ in range(2)]
    assert changes == [Change(1001, True), Change(1002, True)]


def test_scattered_ids_neither_grow_nor_repeat() -> None:
    contacts = contacts_of(new_ids="scattered")
    ids = [contacts.add_or_update(BOBBY).contact_id for _ in range(200)]
    assert ids != sorted(ids)
    assert len(set(ids)) == 200
    assert min(ids) > 0


def test_update_touches_only_what_is_sent() -> None:
    contacts = contacts_of({**BOBBY, "phone": "1", "groups": [{"groupId": 10}], "companies": [4]})
    contacts.add_or_update({"id": 1001, "groups": [], "companies": [5], "phone": ""})
    assert contacts.present[1001] == {
        **BOBBY,
        "id": 1001,
        "groups": [],
        "companies": [5],
        "phone": "",
    }


def test_id_may_come_as_a_string_of_digits() -> None:
    contacts = contacts_of(BOBBY)
    assert contacts.add_or_update({"id": "1001", "phone": "1"}) == Change(1001, False)
    assert contacts.present[1001] == {**BOBBY, "id": 1001, "phone": "1"}


def test_refused_update_changes_nothing() -> None:
    contacts = contacts_of(BOBBY)
    urls = [{"ref": str(number), "url": "https://example.com"} for number in range(4)]
    contacts.add_or_update({"id": 1001, "externalUrls": urls[:2]})
    with pytest.raises(RefusedError, match="externalUrls"):
        contacts.add_or_update({"id": 1001, "firstName": "Rob", "externalUrls": urls[2:]})
    assert contacts.present[1001]["firstName"] == "Bobby"


def test_update_if_exists_updates_the_oldest_match_always() -> None:
    contacts = contacts_of(BOBBY, BOBBY)
    assert [contacts.add_or_update(AGAIN).contact_id for _ in range(4)] == [1001] * 4


def test_oldest_match_stays_the_oldest_when_another_is_edited_or_its_id_is_lower() -> None:
    contacts = contacts_of(*[BOBBY] * 60, new_ids="scattered")
    oldest = next(iter(contacts.present))
    assert oldest != min(contacts.present)
    contacts.add_or_update({"id": oldest, "phone": "1"})
    assert contacts.add_or_update(AGAIN) == Change(oldest, False)


def test_update_if_exists_takes_no_notice_of_case() -> None:
    assert contacts_of(BOBBY).add_or_update(LOUD) == Change(1001, False)


def test_update_if_exists_may_mind_case() -> None:
    assert contacts_of(BOBBY, name_match="exact").add_or_update(LOUD) == Change(1002, True)


def test_update_if_exists_is_not_a_field_of_the_contact() -> None:
    contacts = contacts_of(AGAIN)
    assert contacts.present[1001] == {**BOBBY, "id": 1001}


def test_update_if_exists_adds_where_nothing_matches() -> None:
    other = {**AGAIN, "email": "other@example.com"}
    assert contacts_of(BOBBY).add_or_update(other) == Change(1002, True)


def test_update_if_exists_follows_a_renamed_contact() -> None:
    contacts = contacts_of(BOBBY)
    contacts.add_or_update({"id": 1001, "firstName": "Rob"})
    assert contacts.add_or_update(AGAIN).added
    assert contacts.add_or_update({**AGAIN, "firstName": "Rob"}) == Change(1001, False)


def test_update_if_exists_finds_no_contact_whose_name_was_cleared() -> None:
    contacts = contacts_of(BOBBY, null_text="clear")
    contacts.add_or_update({"id": 1001, "firstName": None})
    assert contacts.add_or_update(AGAIN).added


@pytest.mark.parametrize(
    ("guess", "change"), [("add", Change(1002, True)), ("update", Change(1001, False))]
)
def test_repeated_add_does_what_is_guessed(guess: str, change: Change) -> None:
    assert contacts_of(BOBBY, repeated_add=guess).add_or_update(BOBBY) == change


def test_repeated_add_may_be_refused_and_an_update_if_exists_is_not() -> None:
    contacts = contacts_of(BOBBY, repeated_add="refuse")
    with pytest.raises(UnsuccessfulError, match="same name"):
        contacts.add_or_update(BOBBY)
    assert contacts.add_or_update(AGAIN) == Change(1001, False)
    assert contacts.add_or_update({**BOBBY, "firstName": "Rob"}) == Change(1002, True)


def test_repeated_external_id_may_be_refused() -> None:
    contacts = contacts_of({**BOBBY, "externalId": "a"}, BOBBY, repeated_external_id="refuse")
    with pytest.raises(UnsuccessfulError, match="same externalId"):
        contacts.add_or_update({"id": 1002, "externalId": "a"})
    contacts.add_or_update({"id": 1001, "externalId": "a"})
    contacts.add_or_update({"id": 1001, "externalId": "b"})
    contacts.add_or_update({"id": 1002, "externalId": "a"})
    assert contacts.present[1002]["externalId"] == "a"


@pytest.mark.parametrize(("guess", "error_code"), [("404", 404), ("400", 400)])
def test_update_of_an_unknown_id_finds_no_contact(guess: str, error_code: int) -> None:
    contacts = contacts_of(unknown_contact_error_code=guess)
    with pytest.raises(RefusedError) as refused:
        contacts.add_or_update({"id": 7})
    assert (refused.value.error_code, refused.value.specific_code) == (error_code, 24096)


def test_modified_date_is_that_of_the_last_write_in_whole_seconds() -> None:
    clock = Clock(NOON + 0.9)
    contacts = contacts_of(BOBBY, clock=clock)
    assert contacts.get(1001).modified_at == NOON
    clock.now += 10
    contacts.add_or_update({"id": 1001, "phone": "1"})
    assert contacts.get(1001).modified_at == NOON + 10


@pytest.mark.parametrize(("guess", "later"), [("touch", 10), ("leave", 0)])
def test_update_that_changes_nothing_touches_the_modified_date_or_not(
    guess: str, later: float
) -> None:
    clock = Clock()
    contacts = contacts_of(BOBBY, clock=clock, unchanged_update=guess)
    clock.now += 10
    contacts.add_or_update({"id": 1001, "firstName": "Bobby"})
    assert contacts.get(1001).modified_at == NOON + later


def test_touched_contact_has_a_new_modified_date_and_nothing_else() -> None:
    clock = Clock()
    contacts = contacts_of(BOBBY, clock=clock)
    clock.now += 10
    contacts.touch(1001)
    assert contacts.get(1001).modified_at == NOON + 10
    assert contacts.present[1001] == {**BOBBY, "id": 1001}


def test_contact_joins_a_group_beside_its_others_once() -> None:
    contacts = contacts_of({**BOBBY, "groups": [{"groupId": 10}]}, BOBBY)
    assert [contacts.join(1001, 11), contacts.join(1001, 11), contacts.join(1002, 11)] == [True] * 3
    assert contacts.present[1001]["groups"] == [{"groupId": 10}, {"groupId": 11}]
    assert contacts.present[1002]["groups"] == [{"groupId": 11}]


def test_unknown_contact_joins_no_group() -> None:
    assert not contacts_of().join(1001, 11)


def test_date_of_joining_a_group_survives_an_update_that_keeps_the_group() -> None:
    clock = Clock()
    contacts = contacts_of({**BOBBY, "groups": [{"groupId": 10}]}, clock=clock)
    clock.now += 10
    contacts.add_or_update({"id": 1001, "groups": [{"groupId": 11}, {"groupId": 10}]})
    assert contacts.get(1001).joined_at == {11: NOON + 10, 10: NOON}


def test_each_change_is_reported() -> None:
    told: list[Stored] = []
    contacts = Contacts(rules(), Clock(), told.append)
    contacts.add_or_update(BOBBY)
    contacts.add_or_update({"id": 1001, "phone": "1"})
    assert [(it.contact_id, it.contact.get("phone")) for it in told] == [(1001, None), (1001, "1")]


def test_contacts_cannot_be_changed_from_outside() -> None:
    present: Any = contacts_of(BOBBY).present
    with pytest.raises(TypeError):
        present[1001]["phone"] = "1"
    with pytest.raises(TypeError):
        present[1002] = BOBBY


def test_ids_and_names_begin_anew_once_contacts_are_cleared() -> None:
    contacts = contacts_of(BOBBY)
    contacts.clear()
    assert contacts.add_or_update(AGAIN) == Change(1001, True)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-3, 2000) | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=5,
)
NAMES = [*BOBBY, "id", "phone", "groups", "companies", "customFields", "status", "externalUrls"]


@given(st.dictionaries(st.sampled_from(NAMES) | st.text(), JSON))
def test_any_object_is_either_written_or_refused_without_a_trace(params: dict[str, Any]) -> None:
    contacts = contacts_of(BOBBY)
    before = dict(contacts.present)
    written = True
    try:
        contacts.add_or_update(params)
    except RefusedError:
        written = False
    assert written or dict(contacts.present) == before
