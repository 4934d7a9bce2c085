"""When a contact is looked for, and what is known of it after each look."""

import datetime
from typing import Any

import pytest

from contactsdk.errors import AuthenticationError, RejectedError, UncertainError
from contactsdk.settling import (
    Ambiguous,
    Found,
    NotYet,
    Search,
    Several,
    filter_for,
    is_lookup_forbidden,
    judge,
)
from contactsdk.wire import ContactFilter, ListedContact, contact_to_json
from tests.examples import a_contact

SENT_AT = datetime.datetime(2026, 11, 5, 12, 0, tzinfo=datetime.UTC)
CONTACT = a_contact(external_id="x1")


def listed(contact_id: int, **changes: Any) -> ListedContact:
    shown = {"id": contact_id, **contact_to_json(CONTACT), **changes}
    return ListedContact(id=contact_id, modified=None, shown=shown)


def a_search(*, settle_s: float = 60.0, **changes: Any) -> Search:
    times = {"sent_at": SENT_AT, "began_at": 0.0, "ends_at": settle_s}
    error = UncertainError("no answer", attempts=1)
    return Search(contact=CONTACT, error=error, **{**times, **changes})


def looks(search: Search) -> list[float]:
    """When it is looked, each time without success."""
    times, now = [], 0.0
    while (due := search.next_look(now)) is not None:
        now = due
        times.append(round(now, 2))
        search.note(NotYet(), now)
    return times


def rules_out(*ids: int) -> Any:
    return lambda contact_id: contact_id in ids


@pytest.mark.parametrize(
    ("those", "verdict"),
    [
        ([], NotYet()),
        ([listed(5)], Found(5)),
        ([listed(5), listed(5)], Found(5)),
        ([listed(5), listed(6)], Several((5, 6))),
        ([listed(5, externalId="x2")], NotYet()),
        ([listed(5), listed(6, phone="1")], Several((5, 6))),
        ([listed(5), listed(7)], Found(5)),
        ([listed(7)], NotYet()),
    ],
)
def test_verdict_follows_from_the_contacts_that_match_and_are_not_ruled_out(
    those: list[ListedContact], verdict: object
) -> None:
    assert judge(CONTACT, those, rules_out(7)) == verdict


def test_one_match_is_ambiguous_while_another_contact_with_its_key_is_uncertain() -> None:
    assert judge(CONTACT, [listed(5)], rules_out(), is_key_shared=True) == Ambiguous()
    assert judge(CONTACT, [], rules_out(), is_key_shared=True) == NotYet()


def test_filter_asks_for_the_external_id_and_else_for_names_and_email() -> None:
    assert filter_for(CONTACT, SENT_AT) == ContactFilter(external_id="x1", modified_since=SENT_AT)
    other = a_contact(external_id="")
    assert filter_for(other, None) == ContactFilter(
        first_name=other.first_name, last_name=other.last_name, email=other.email
    )


def test_list_begins_before_the_first_attempt_by_as_much_as_clocks_may_be_apart() -> None:
    assert a_search().filter.modified_since == SENT_AT - datetime.timedelta(seconds=305)


def test_first_look_waits_for_a_slow_write_then_looks_come_less_and_less_often() -> None:
    times = looks(a_search())

    assert times == [2.0, 4.0, 7.0, 11.5, 18.25, 28.38, 43.38, 58.38, 60.0]


@pytest.mark.parametrize("settle_s", [0.1, 1.0, 3.0, 5.0, 17.0])
def test_there_are_two_looks_at_least_and_the_last_is_at_the_end(settle_s: float) -> None:
    times = looks(a_search(settle_s=settle_s))

    assert len(times) >= 2
    assert times[-1] == pytest.approx(settle_s)


def test_contact_is_found_by_the_second_look_that_finds_it() -> None:
    search = a_search()

    assert search.note(Found(5), 2.0) is None
    search.note_failure(UncertainError("cut short"))
    assert search.note(Found(5), 7.0) == 5


def test_another_contact_that_is_found_next_is_not_taken_at_once() -> None:
    search = a_search()

    assert search.note(Found(5), 2.0) is None
    assert search.note(Found(6), 4.0) is None
    assert search.note(Found(6), 7.0) == 6


def test_contact_that_the_last_look_finds_first_is_looked_for_once_more() -> None:
    search = a_search(settle_s=10.0)

    assert search.note(Found(5), 10.0) is None

    assert search.next_look(10.0) == 12.0
    assert search.note(Found(5), 12.0) == 5


def test_deadline_is_not_passed_for_that() -> None:
    search = a_search(settle_s=10.0, deadline=10.0)

    search.note(Found(5), 10.0)

    assert search.next_look(10.0) is None
    assert "only the last look-up found one contact" in str(search.final_error(10.0))


@pytest.mark.parametrize("verdict", [Several((5, 6, 8)), Ambiguous()])
def test_search_ends_once_two_contacts_may_be_meant(verdict: Any) -> None:
    search = a_search()

    search.note(verdict, 2.0)

    assert search.next_look(2.0) is None
    assert not search.is_unfound


def test_look_that_begins_late_costs_no_time() -> None:
    search = a_search(settle_s=10.0)
    assert search.next_look(0.0) == 2.0

    search.begin_look(32.0)
    search.begin_look(32.0)

    assert search.ends_at == 40.0


def test_only_a_contact_that_the_last_look_did_not_find_is_unfound() -> None:
    search = a_search()
    assert not search.is_unfound
    search.note(NotYet(), 2.0)
    assert search.is_unfound
    search.note_failure(UncertainError("cut short"))
    assert not search.is_unfound


def test_search_for_a_contact_that_was_sent_again_begins_anew() -> None:
    search = a_search()
    search.is_active = False
    search.note(Found(5), 2.0)
    again = UncertainError("no answer either", attempts=2)

    search.resume(again, 70.0, 130.0)

    assert search.is_active
    assert search.next_look(70.0) == 72.0
    assert search.note(Found(5), 72.0) is None
    assert search.final_error(130.0).attempts == 2


@pytest.mark.parametrize(
    ("steps", "text"),
    [
        ([], "no answer; there was no time to look it up on the platform"),
        ([UncertainError("cut")], "no answer; it could not be looked up on the platform: cut"),
        ([NotYet()], "no answer; it was looked up on the platform for 9 s and not found"),
        ([NotYet(), UncertainError("cut")], "9 s and not found, and the last look-up failed: cut"),
        ([Several((5, 6, 8))], "9 s, and it may be any of 3 contacts (5, 6, 8) there"),
        ([Several(tuple(range(8)))], "any of 8 contacts (0, 1, 2, 3, 4 and 3 more) there"),
        (
            [Ambiguous()],
            "another contact of the same first name, last name and email that is uncertain too",
        ),
    ],
)
def test_final_error_says_what_was_found_and_for_how_long_it_was_looked(
    steps: list[Any], text: str
) -> None:
    search = a_search()
    for step in steps:
        if isinstance(step, Exception):
            search.note_failure(step)
        else:
            search.note(step, 2.0)

    error = search.final_error(9.0)

    assert str(error).endswith(text)
    assert error.attempts == 1


@pytest.mark.parametrize(
    ("error", "refused"),
    [
        (AuthenticationError("no", http_status=403), True),
        (AuthenticationError("no", error_code=401), True),
        (AuthenticationError("key revoked", error_code=463), True),
        (AuthenticationError("stale", error_code=401, specific_code=23005), False),
        (RejectedError("no", error_code=400), False),
    ],
)
def test_refused_look_is_not_taken_for_a_failed_one(error: Any, refused: bool) -> None:
    assert is_lookup_forbidden(error) is refused


def test_contact_that_was_found_and_then_not_is_not_found() -> None:
    search = a_search()

    assert search.note(Found(5), 1.0) is None  # it has to be found twice
    assert search.note(NotYet(), 2.0) is None
    assert search.note(Found(5), 3.0) is None
    assert search.note(Found(5), 4.0) == 5
