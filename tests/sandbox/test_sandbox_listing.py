from typing import Any

import pytest

from contactsdk.sandbox.listing import ContactIndex, contact_list
from contactsdk.sandbox.replies import RefusedError
from tests.sandbox.made import BOBBY, NOON, Clock, rules, stored

ANN = {"firstName": "Ann", "lastName": "Archer", "email": "ann@example.com"}
CONTACTS = [
    stored(1001, NOON + 20, externalId="a", companies=[4]),
    stored(1002, NOON + 30, **ANN, phone="1", status=2),
    stored(1003, NOON + 10, externalId="a"),
]


def ids(params: dict[str, Any], **guesses: Any) -> list[int]:
    answer = contact_list(params, CONTACTS, rules(**guesses), per_page_max=100)
    return [contact["id"] for contact in answer["results"]]


def filtered(guess: dict[str, Any] | None = None, **filters: Any) -> list[int]:
    return ids({"filter": filters}, **(guess or {}))


def test_list_without_parameters_has_all_in_order_of_id() -> None:
    assert ids({}) == ids({"filter": None}) == [1001, 1002, 1003]


def test_list_may_be_in_order_of_modification() -> None:
    assert ids({}, list_order="newest_first") == [1002, 1001, 1003]


def test_pages_together_have_all_and_say_how_many() -> None:
    first = contact_list({"perPage": 2}, CONTACTS, rules(), per_page_max=100)
    second = contact_list({"perPage": 2, "start": 2}, CONTACTS, rules(), per_page_max=100)
    assert first["meta"] == {"count": 2, "totalResults": 3, "start": 0, "perPage": 2}
    assert second["meta"] == {"count": 1, "totalResults": 3, "start": 2, "perPage": 2}
    assert [it["id"] for it in first["results"] + second["results"]] == [1001, 1002, 1003]


def test_page_size_is_cut_without_a_word() -> None:
    answer = contact_list({"perPage": 50}, CONTACTS, rules(), per_page_max=2)
    assert answer["meta"] == {"count": 2, "totalResults": 3, "start": 0, "perPage": 2}


def test_hidden_fields_are_not_shown() -> None:
    answer = contact_list(
        {}, CONTACTS, rules(), per_page_max=1, hidden=["externalId", "customFields"]
    )
    assert {"externalId", "customFields"} & answer["results"][0].keys() == set()
    assert answer["results"][0]["email"] == BOBBY["email"]


@pytest.mark.parametrize(
    ("filters", "found"),
    [
        ({"externalId": "a"}, [1001, 1003]),
        ({"externalId": "a", "companyId": 4}, [1001]),
        ({"companyId": 5}, []),
        ({"venueId": 1, "venueGroupId": 2}, [1001, 1002, 1003]),
        ({"firstName": "Ann"}, [1002]),
        ({"firstName": "ann"}, []),
        ({"firstName__EQUALS": "Ann", "lastName__EQUALS": "Archer"}, [1002]),
        ({"firstName__NOT": "Ann"}, [1001, 1003]),
        ({"firstName__BEGINS": "B"}, [1001, 1003]),
        ({"email__ENDS": "n@example.com"}, [1002]),
        ({"email__CONTAINS": "ann@"}, [1002]),
        ({"email__NOTCONTAINS": "ann@"}, [1001, 1003]),
        ({"lastName__LESSTHAN": "B"}, [1002]),
        ({"lastName__GREATERTHAN": "B"}, [1001, 1003]),
        ({"phone__EMPTY": True}, [1001, 1003]),
        ({"phone": "__ISNULL__"}, [1001, 1003]),
        ({"phone": "ISNULL"}, [1001, 1003]),
        ({"id": 1002}, [1002]),
        ({"id": "1002"}, [1002]),
        ({"id__GREATERTHAN": 1002}, [1002, 1003]),
        ({"id__LESSTHAN": 999}, []),
        ({"status": 2}, [1002]),
        ({"fromModifiedDate": "2026-11-23 12:00:20"}, [1001, 1002]),
        ({"fromModifiedDate": "2026-11-23 12:00:20 UTC"}, [1001, 1002]),
        ({"toModifiedDate": "2026-11-23 12:00:20"}, [1001, 1003]),
        (
            {
                "fromModifiedDate": "2026-11-23 12:00:11",
                "toModifiedDate": "2026-11-23 12:00:29",
            },
            [1001],
        ),
    ],
)
def test_filter_finds_those_that_pass_it(filters: dict[str, Any], found: list[int]) -> None:
    assert filtered(**filters) == found


def test_bounds_of_the_modified_date_may_be_exclusive() -> None:
    guess = {"modified_bounds": "exclusive"}
    assert filtered(guess, fromModifiedDate="2026-11-23 12:00:20") == [1002]
    assert filtered(guess, toModifiedDate="2026-11-23 12:00:20") == [1003]


def test_filter_may_take_no_notice_of_case() -> None:
    assert filtered({"filters": "any_case"}, firstName__BEGINS="aN") == [1002]


def test_filters_may_be_ignored_altogether() -> None:
    assert filtered({"filters": "ignored"}, firstName="Ann") == [1001, 1002, 1003]


@pytest.mark.parametrize("name", ["nickname", "firstName__LIKE", "customFields"])
def test_unknown_filter_is_refused_or_ignored(name: str) -> None:
    with pytest.raises(RefusedError, match="filter"):
        ids({"filter": {name: "Ann"}})
    assert ids({"filter": {name: "Ann"}}, unknown_filters="ignore") == [1001, 1002, 1003]


@pytest.mark.parametrize(
    "params",
    [
        {"filter": [1]},
        {"filter": {"companyId": "4"}},
        {"filter": {"venueId": "4"}},
        {"filter": {"firstName": ["Ann"]}},
        {"filter": {"fromModifiedDate": "yesterday"}},
        {"filter": {"toModifiedDate": 5}},
        {"perPage": 0},
        {"perPage": "1"},
        {"start": -1},
        {"start": True},
        {"page": 1},
    ],
)
def test_list_refuses_what_does_not_validate(params: dict[str, Any]) -> None:
    with pytest.raises(RefusedError, match="does not validate"):
        ids(params)


def test_change_shows_in_lists_at_once() -> None:
    index = ContactIndex(Clock(), lambda: 0.0)
    index.put(stored(1001))
    index.put(stored(1001, phone="2"))
    assert [it.contact["phone"] for it in index.shown()] == ["2"]


def test_change_shows_in_lists_after_the_lag() -> None:
    clock = Clock()
    index = ContactIndex(clock, lambda: 3.0)
    index.put(stored(1001))
    clock.now += 2
    index.put(stored(1001, phone="2"))
    assert not index.shown()
    clock.now += 1
    assert [it.contact.get("phone") for it in index.shown()] == [None]
    clock.now += 2
    assert [it.contact.get("phone") for it in index.shown()] == ["2"]


def test_changes_show_in_their_order_also_when_the_lag_becomes_shorter() -> None:
    clock, lags = Clock(), iter([3.0, 0.0])
    index = ContactIndex(clock, lambda: next(lags))
    index.put(stored(1001, phone="1"))
    index.put(stored(1001, phone="2"))
    assert not index.shown()
    clock.now += 3
    assert [it.contact["phone"] for it in index.shown()] == ["2"]


def test_lists_forget_what_is_cleared() -> None:
    lags = iter([0.0, 3.0])
    clock = Clock()
    index = ContactIndex(clock, lambda: next(lags))
    index.put(stored(1001))
    index.put(stored(1002))
    index.clear()
    clock.now += 3
    assert not index.shown()
