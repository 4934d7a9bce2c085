from typing import Any

import pytest

from contactsdk.sandbox import Ledger, Rival
from contactsdk.sandbox.replies import RefusedError
from contactsdk.sandbox.rivals import Rivals
from tests.sandbox.made import BOBBY, NOON, Clock, contacts_of

FULL = {**BOBBY, "externalId": "a", "phone": "1", "updateIfExists": True}


class Beside:
    """Contacts, and a rival who does one thing around each write."""

    def __init__(self, rival: Rival | None, **guesses: Any) -> None:
        self.clock = Clock()
        self.contacts = contacts_of(clock=self.clock, **guesses)
        self.ledger = Ledger()
        self.rivals = Rivals(self.contacts, self.ledger)
        if rival:
            self.rivals.plan.mix(1, 1.0, [rival])

    def write(self, params: dict[str, Any]) -> int:
        rival = self.rivals.before(params)
        contact_id = self.contacts.add_or_update(params).contact_id
        self.rivals.after(rival, params)
        return contact_id


@pytest.mark.parametrize(
    ("rival", "written", "by_rival"),
    [
        (Rival.ADDS_NAMESAKE_BEFORE, 1002, 1001),
        (Rival.ADDS_NAMESAKE_AFTER, 1001, 1002),
    ],
)
def test_rival_adds_a_namesake(rival: Rival, written: int, by_rival: int) -> None:
    beside = Beside(rival)
    assert beside.write({**BOBBY, "externalId": "a", "phone": "1"}) == written
    assert beside.contacts.present[by_rival] == {**BOBBY, "id": by_rival}
    [write] = beside.ledger.rival_writes
    assert (write.number, write.contact_id, write.request, write.added) == (1, by_rival, 0, True)


def test_rival_adds_a_twin() -> None:
    beside = Beside(Rival.ADDS_TWIN_AFTER)
    assert beside.write(FULL) == 1001
    twin = {**BOBBY, "externalId": "a", "phone": "1", "id": 1002}
    assert beside.contacts.present[1002] == twin


def test_rival_touches_the_oldest_contact_of_the_same_names() -> None:
    beside = Beside(None)
    beside.write(BOBBY)
    beside.clock.now += 10
    beside.rivals.plan.mix(1, 1.0, [Rival.TOUCHES_OLDEST])
    assert beside.write(BOBBY) == 1002
    assert beside.contacts.get(1001).modified_at == NOON + 10
    [write] = beside.ledger.rival_writes
    assert (write.contact_id, write.added) == (1001, False)


@pytest.mark.parametrize("rival", list(Rival))
def test_rival_leaves_an_update_without_names_alone(rival: Rival) -> None:
    beside = Beside(None)
    beside.write(BOBBY)
    beside.rivals.plan.mix(1, 1.0, [rival])
    beside.write({"id": 1001, "phone": "1"})
    assert beside.ledger.rival_writes == []


def test_rival_whose_contact_is_refused_writes_nothing() -> None:
    beside = Beside(Rival.ADDS_NAMESAKE_AFTER, repeated_add="refuse")
    beside.write(BOBBY)
    assert len(beside.contacts.present) == 1


def test_rival_cannot_touch_a_contact_that_is_not_there() -> None:
    with pytest.raises(RefusedError, match="Unable to find"):
        Beside(None).rivals.touch(1001)
