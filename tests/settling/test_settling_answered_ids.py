"""Which ids cannot be those of a contact that was just added."""

from hypothesis import given
from hypothesis import strategies as st

from contactsdk.settling import AnsweredIds, KeysInDoubt


def test_highest_id_is_that_of_all_answers() -> None:
    ids = AnsweredIds(keeps=False)
    assert ids.highest == 0

    for contact_id in (5, 9, 7):
        ids.record(contact_id)

    assert ids.highest == 9


def test_id_that_is_not_above_the_floor_is_an_older_contact() -> None:
    ids = AnsweredIds(keeps=True)
    ids.record(10)
    floor = ids.begin_add()

    assert [ids.rules_out(contact_id, floor) for contact_id in (9, 10, 11)] == [True, True, False]


def test_id_that_another_call_got_meanwhile_is_ruled_out() -> None:
    ids = AnsweredIds(keeps=True)
    floor = ids.begin_add()

    ids.record(12)

    assert ids.rules_out(12, floor)
    assert not ids.rules_out(11, floor)


@given(st.lists(st.integers(min_value=1, max_value=10**6), min_size=1, max_size=50))
def test_ids_answered_while_an_add_is_open_are_kept_however_many_follow(answers: list[int]) -> None:
    ids = AnsweredIds(keeps=True)
    for contact_id in answers:
        ids.record(contact_id)
    floor = ids.begin_add()
    meanwhile = [floor + 2 * n for n in range(1, 25_001)]

    for contact_id in meanwhile:
        ids.record(contact_id)

    assert all(ids.rules_out(contact_id, floor) for contact_id in meanwhile[::997])
    assert not any(ids.rules_out(contact_id + 1, floor) for contact_id in meanwhile[::997])


def test_memory_does_not_grow_with_the_number_of_answers() -> None:
    ids = AnsweredIds(keeps=True)
    sizes = []

    for contact_id in range(1, 100_001):
        floor = ids.begin_add()
        ids.record(contact_id)
        ids.end_add(floor)
        if contact_id % 1000 == 0:
            sizes.append(ids.kept)

    assert max(sizes) <= 20_000


def test_two_adds_with_the_same_floor_are_both_counted() -> None:
    ids = AnsweredIds(keeps=True)
    floor = ids.begin_add()
    assert ids.begin_add() == floor
    ids.end_add(floor)

    for contact_id in range(1, 30_001):
        ids.record(contact_id)

    assert ids.rules_out(1, floor)


def test_key_is_shared_while_two_contacts_with_it_are_uncertain() -> None:
    keys = KeysInDoubt()

    keys.enter(("ada", "archer"))
    assert not keys.is_shared(("ada", "archer"))
    keys.enter(("ada", "archer"))
    assert keys.is_shared(("ada", "archer"))
    keys.leave(("ada", "archer"))
    assert not keys.is_shared(("ada", "archer"))
    keys.leave(("ada", "archer"))
    keys.enter(("ada", "archer"))
    assert not keys.is_shared(("ada", "archer"))
