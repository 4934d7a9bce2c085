"""What a journal calls uncertain is looked up, and recorded where it is found."""

import asyncio
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import attrs
import pytest

from contactsdk import (
    Contact,
    ContactClient,
    Credentials,
    JournalError,
    Outcome,
    SetupError,
    SqliteJournal,
    UncertainError,
)
from contactsdk.bulk.recorded_settling import settle_recorded
from contactsdk.journal import Account as JournalAccount
from contactsdk.journal import JournalRun
from contactsdk.sandbox import Fault, FaultKind, Sandbox
from contactsdk.wire import ContactFilter, ListedContact, contact_to_json
from tests.bulk.held import in_held_time, many, now
from tests.journal.journals import ACCOUNT, MemoryStore, writing

ADD = "contact?action=addOrUpdateContact"
LIST = "contact?action=getContactList"
LOST = Fault(FaultKind.ERROR_AFTER_WRITE)
NOT_WRITTEN = Fault(FaultKind.ERROR_BEFORE_WRITE)


@attrs.define
class Account:
    """An account with a journal of a run, one contact at a time, that met these faults."""

    sandbox: Sandbox
    client: ContactClient
    path: Path

    @property
    def journal(self) -> SqliteJournal:
        return SqliteJournal(self.path)

    async def run(self, contacts: Sequence[Contact], *faults: Fault | None) -> None:
        self.sandbox.script(*faults, action=ADD)
        await self.client.add_or_update_many(contacts, journal=self.journal, concurrency=1)

    def recorded(self) -> list[tuple[str, int | None, bool]]:
        return [(row.state.value, row.id, row.settled) for row in self.journal.rows()]

    @property
    def looks(self) -> int:
        return sum(request.action == LIST for request in self.sandbox.ledger.requests)


@pytest.fixture
async def account(tmp_path: Path) -> Any:
    async with Sandbox() as sandbox:
        credentials = Credentials(sandbox.key, sandbox.secret)
        async with ContactClient(sandbox.url, credentials) as client:
            yield Account(sandbox, client, tmp_path / "run.sqlite")


async def test_found_contact_is_recorded_as_settled_and_handed_back(account: Account) -> None:
    contacts = many(3)
    await account.run(contacts, None, LOST)

    outcomes = await account.client.settle(account.journal, contacts)

    assert [(outcome.index, outcome.id, outcome.settled) for outcome in outcomes] == [
        (1, 1002, True)
    ]
    assert outcomes[0].contact is contacts[1]
    assert account.recorded()[1] == ("succeeded", 1002, True)
    report = await account.client.add_or_update_many(contacts, journal=account.journal)
    assert report.ids == (1001, 1002, 1003)
    assert [outcome.settled for outcome in report.outcomes] == [False, True, False]
    assert len(account.sandbox.ledger.writes) == 3


async def test_contact_that_is_not_there_stays_uncertain(account: Account) -> None:
    contacts = many(2)
    await account.run(contacts, None, NOT_WRITTEN)

    (outcome,) = await account.client.settle(account.journal, contacts)

    assert isinstance(outcome.error, UncertainError)
    assert str(outcome.error).endswith("looked up and not found")
    assert account.recorded()[1] == ("uncertain", None, False)


async def test_contact_of_a_run_that_died_is_found_too(account: Account) -> None:
    contacts = many(1)
    sandbox = account.sandbox
    url = f"{sandbox.url}/api/1.0/contact?action=addOrUpdateContact"
    run = await account.journal.open_run(
        JournalAccount(url=url, key=sandbox.key, secret=sandbox.secret)
    )
    writing = asyncio.create_task(run.write_loop())
    await run.record_intent(0, contacts[0])
    writing.cancel()
    await run.close()
    await account.client.add_or_update(contacts[0])  # what the dead run had sent

    (outcome,) = await account.client.settle(account.journal, contacts)

    assert outcome.settled
    assert account.recorded() == [("succeeded", 1001, True)]


async def test_older_contact_of_the_same_names_is_not_taken_for_it(account: Account) -> None:
    first, second = many(2)
    account.sandbox.write_as_rival({"firstName": "Old", "lastName": "O", "email": "o@a.test"})
    old = account.sandbox.write_as_rival(
        {"firstName": second.first_name, "lastName": second.last_name, "email": second.email}
        | {"externalId": second.external_id}
    )
    await account.run([first, second], None, NOT_WRITTEN)
    account.sandbox.touch_as_rival(old)

    (outcome,) = await account.client.settle(account.journal, [first, second])

    assert isinstance(outcome.error, UncertainError)


async def test_id_of_another_row_is_not_given_again(account: Account) -> None:
    first, second = many(1)[0], many(1)[0]
    await account.run([*many(2)[1:], first, second], None, NOT_WRITTEN, None)

    (outcome,) = await account.client.settle(account.journal, [*many(2)[1:], first, second])

    assert outcome.index == 1
    assert isinstance(outcome.error, UncertainError)


async def test_two_uncertain_rows_of_the_same_contact_are_not_told_apart(account: Account) -> None:
    contacts = [*many(1), *many(1)]
    await account.run(contacts, LOST, NOT_WRITTEN)

    outcomes = await account.client.settle(account.journal, contacts)

    assert [outcome.ok for outcome in outcomes] == [False, False]
    assert "another uncertain row" in str(outcomes[0].error)


async def test_two_contacts_that_may_be_it_are_named(account: Account) -> None:
    contacts = many(1)
    await account.run(contacts, LOST)
    account.sandbox.write_as_rival(dict(account.sandbox.ledger.writes[0].body))

    (outcome,) = await account.client.settle(account.journal, contacts)

    assert "it may be any of 2 contacts (1001, 1002)" in str(outcome.error)


@pytest.mark.parametrize("agreed", [True, False])
async def test_outcomes_are_shown_before_any_is_recorded(account: Account, agreed: bool) -> None:
    contacts = many(1)
    await account.run(contacts, LOST)
    shown: list[Outcome] = []

    def confirm(outcomes: Sequence[Outcome]) -> bool:
        shown.extend(outcomes)
        return agreed

    outcomes = await account.client.settle(account.journal, contacts, confirm=confirm)

    assert tuple(shown) == outcomes
    assert outcomes[0].id == 1001
    assert account.recorded()[0][0] == ("succeeded" if agreed else "uncertain")


async def test_look_up_that_fails_leaves_its_contact_uncertain(account: Account) -> None:
    contacts = many(1)
    await account.run(contacts, LOST)
    account.sandbox.script(Fault(FaultKind.UNAVAILABLE, retry_after_s=100.0), action=LIST)

    (outcome,) = await account.client.settle(account.journal, contacts)

    assert isinstance(outcome.error, UncertainError)
    assert "it could not be looked up" in str(outcome.error)


async def test_set_up_that_is_wrong_is_raised_and_nothing_is_recorded(account: Account) -> None:
    contacts = many(4)
    await account.run(contacts, LOST, None, LOST)
    account.sandbox.script(*[Fault(FaultKind.REDIRECT)] * 2, action=LIST)

    with pytest.raises(SetupError):
        await account.client.settle(account.journal, contacts)

    assert [state for state, _, _ in account.recorded()].count("uncertain") == 2


async def test_uncertain_updates_are_left_to_a_run(account: Account) -> None:
    added = await account.client.add_or_update(many(1)[0])
    contacts = [Contact(id=added, phone="1"), *many(2, update_if_exists=True)]
    account.sandbox.mix(1, 1.0, [LOST], actions=[ADD])
    await account.client.add_or_update_many(contacts, journal=account.journal, give_up_s=1.0)
    account.sandbox.mix(1, 0.0, [LOST])

    assert await account.client.settle(account.journal, contacts) == ()
    assert account.looks == 0


async def test_another_input_is_refused(account: Account) -> None:
    await account.run(many(2), LOST)

    with pytest.raises(JournalError, match=r"item 0 .*differs from the one"):
        await account.client.settle(account.journal, many(2, phone="1"))


async def test_journal_that_resends_is_refused(account: Account) -> None:
    journal = SqliteJournal(account.path, resend_uncertain=True)

    with pytest.raises(ValueError, match="without resend_uncertain"):
        await account.client.settle(journal, many(1))


async def test_invalid_rows_and_rows_that_were_never_sent_are_ignored(
    account: Account,
) -> None:
    contacts = many(3)
    await account.run(contacts[:1], LOST)

    outcomes = await account.client.settle(account.journal, contacts)

    assert [outcome.index for outcome in outcomes] == [0]


async def in_doubt(contact: Contact) -> tuple[MemoryStore, JournalRun]:
    """A run on a store where an earlier one left this contact in flight."""
    earlier = MemoryStore()
    async with writing(await JournalRun.start(earlier, ACCOUNT)) as run:
        await run.record_intent(0, contact)
    store = earlier.reopened()
    return store, await JournalRun.start(store, ACCOUNT)


async def test_error_of_the_journal_is_raised_as_it_is() -> None:
    (contact,) = many(1)
    store, run = await in_doubt(contact)

    async def find(_: ContactFilter) -> Sequence[ListedContact]:
        store.error = JournalError("the disk is full")
        return [ListedContact(id=5, modified=None, shown=contact_to_json(contact))]

    with pytest.raises(JournalError, match="the disk is full"):
        await settle_recorded(run, [contact], find, None)


async def test_error_of_a_look_up_is_raised_as_it_is(account: Account) -> None:
    contacts = many(1)
    await account.run(contacts, LOST)
    await account.client.aclose()

    with pytest.raises(RuntimeError, match="this client is closed"):
        await account.client.settle(account.journal, contacts)


@in_held_time
async def test_journal_gets_its_signs_of_life_while_contacts_are_looked_up() -> None:
    (contact,) = many(1)
    store, run = await in_doubt(contact)
    store.renew_every_s = 10.0

    async def find(_: ContactFilter) -> Sequence[ListedContact]:
        await asyncio.sleep(35)
        return []

    await settle_recorded(run, [contact], find, None)

    assert store.groups == [[], [], []]


@in_held_time
async def test_contact_that_may_be_in_flight_is_looked_for_once_it_cannot_be_any_longer() -> None:
    contact, other = many(2)
    store, run = await in_doubt(contact)
    store.in_flight_left_s = {0: 12.0}
    looked_at = []

    async def find(_: ContactFilter) -> Sequence[ListedContact]:
        looked_at.append(now())
        return [ListedContact(id=5, modified=None, shown=contact_to_json(contact))]

    (outcome,) = await settle_recorded(run, [contact, other], find, None)

    assert outcome.settled
    assert looked_at == [12.0]


async def test_journal_gets_its_signs_of_life_while_a_person_is_asked() -> None:
    (contact,) = many(1)
    store, run = await in_doubt(contact)
    store.renew_every_s = 0.001
    loop = asyncio.get_running_loop()
    signs: list[bool] = []

    async def find(_: ContactFilter) -> Sequence[ListedContact]:
        return []

    def confirm(_: Sequence[Outcome]) -> bool:
        before = len(store.groups)
        other_tasks_ran = threading.Event()
        loop.call_soon_threadsafe(loop.call_later, 0.02, other_tasks_ran.set)
        signs.append(other_tasks_ran.wait(10) and len(store.groups) > before)
        return False

    await settle_recorded(run, [contact], find, confirm)

    assert signs == [True]


async def test_error_of_the_question_is_raised_as_it_is() -> None:
    (contact,) = many(1)
    _, run = await in_doubt(contact)

    async def find(_: ContactFilter) -> Sequence[ListedContact]:
        return []

    def confirm(_: Sequence[Outcome]) -> bool:
        raise LookupError("no terminal")

    with pytest.raises(LookupError, match="no terminal"):
        await settle_recorded(run, [contact], find, confirm)
