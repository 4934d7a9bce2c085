"""Bulk runs with a journal, held against the ledger of the platform and the rows of the journal."""

import asyncio
import shutil
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest
from attrs import evolve

from contactsdk import (
    Contact,
    ContactClient,
    Credentials,
    InvalidContactError,
    Item,
    JournalError,
    RetryPolicy,
    SetupError,
    SqliteJournal,
    UncertainError,
    contacts_from,
)
from contactsdk.bulk.foreign_answers import ForeignAnswers
from contactsdk.journal import State
from contactsdk.sandbox import Answer, Fault, FaultKind, Sandbox
from tests.examples import a_contact
from tests.pragmas import connect_with
from tests.quick import QUICK

WRONG = InvalidContactError([(("email",), "must be a valid email address")])


def contacts(count: int) -> Iterator[Contact]:
    return (
        a_contact(external_id=f"x-{number}", email=f"x{number}@example.com")
        for number in range(count)
    )


@pytest.fixture
def journal(tmp_path: Path) -> SqliteJournal:
    return SqliteJournal(tmp_path / "run.sqlite")


async def test_second_run_hands_back_what_is_final_without_sending(
    sandbox: Sandbox, client: ContactClient, journal: SqliteJournal
) -> None:
    items: list[Item] = [*contacts(3), a_contact(groups=[99]), WRONG]
    sandbox.script(None, Fault(FaultKind.CLOSE_AFTER_WRITE))
    first = await client.add_or_update_many(items, journal=journal, concurrency=1)
    requests = len(sandbox.ledger.requests)

    second = await client.add_or_update_many(items, journal=journal)

    assert len(sandbox.ledger.requests) == requests == 4
    assert second.ids == first.ids
    assert [type(outcome.error) for outcome in second.outcomes] == [
        type(outcome.error) for outcome in first.outcomes
    ]
    assert [o.attempts for o in second.outcomes] == [o.attempts for o in first.outcomes]


async def test_what_was_not_applied_is_sent_by_the_next_run(
    sandbox: Sandbox, journal: SqliteJournal
) -> None:
    items = list(contacts(4))
    wrong = Credentials(sandbox.key, sandbox.secret)
    async with ContactClient(sandbox.url, wrong, retry=evolve(QUICK, attempts=1)) as client:
        sandbox.script(*[Fault(FaultKind.UNAVAILABLE)] * 2)
        first = await client.add_or_update_many(items, journal=journal, concurrency=1)
        second = await client.add_or_update_many(items, journal=journal)

    assert [outcome.ok for outcome in first.outcomes] == [False, False, True, True]
    assert all(outcome.ok for outcome in second.outcomes)
    assert len(sandbox.ledger.writes) == 4


@pytest.mark.parametrize("update_if_exists", [False, True])
async def test_run_that_was_left_early_goes_on(
    update_if_exists: bool, sandbox: Sandbox, client: ContactClient, journal: SqliteJournal
) -> None:
    items = [evolve(item, update_if_exists=update_if_exists) for item in contacts(40)]
    sandbox.script(*[None] * 10, *[Fault(FaultKind.HANG_AFTER_WRITE)] * 4)
    async with client.stream(items, journal=journal, concurrency=4) as outcomes:
        delivered = [await outcomes.next() for _ in range(10)]
        while sum(request.answer is Answer.HUNG for request in sandbox.ledger.requests) < 4:
            await asyncio.sleep(0)

    report = await client.add_or_update_many(items, journal=journal)

    assert all(outcome is not None and outcome.ok for outcome in delivered)
    assert [outcome.uncertain for outcome in outcomes.undelivered[:4]] == [True] * 4
    writes = Counter(write.body["externalId"] for write in sandbox.ledger.writes)
    assert len(report.uncertain) == (0 if update_if_exists else 4)
    assert len(report.ids) + len(report.uncertain) == 40
    assert len(writes) == 40
    assert writes.total() == (44 if update_if_exists else 40)


async def test_input_that_changed_stops_the_run_where_it_differs(
    sandbox: Sandbox, client: ContactClient, journal: SqliteJournal
) -> None:
    items = list(contacts(6))
    await client.add_or_update_many(items[:4], journal=journal)

    changed = [*items[:2], a_contact(external_id="another"), *items[3:]]
    report = await client.add_or_update_many(changed, journal=journal, concurrency=2)

    assert isinstance(report.stopped_by, JournalError)
    assert report.stopped_by.number == 2
    assert len(sandbox.ledger.writes) == 4
    assert [outcome.ok for outcome in report.outcomes[:2]] == [True, True]


async def test_changed_whole_input_is_refused_before_anything_is_sent(
    sandbox: Sandbox, client: ContactClient, journal: SqliteJournal
) -> None:
    items = list(contacts(3))
    await client.add_or_update_many(items, journal=journal)

    client.check_journal(journal, [*items, a_contact()])
    with pytest.raises(JournalError, match="item 1 "):
        client.check_journal(journal, [items[0], items[2], items[1]])


async def test_journal_that_cannot_be_used_is_an_error_at_once(
    client: ContactClient, tmp_path: Path
) -> None:
    stream = client.stream(contacts(1), journal=SqliteJournal(tmp_path))

    with pytest.raises(JournalError):
        await stream.__aenter__()


@pytest.mark.parametrize("durability", ["process", "power"])
async def test_full_disk_stops_the_run_and_nothing_is_sent_that_was_not_recorded(
    durability: Any,
    sandbox: Sandbox,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    journal = SqliteJournal(tmp_path / "run.sqlite", durability)
    credentials = Credentials(sandbox.key, sandbox.secret)
    with monkeypatch.context() as patched:
        connect_with(patched, "max_page_count = 9")
        async with ContactClient(sandbox.url, credentials, retry=QUICK) as client:
            report = await client.add_or_update_many(contacts(2000), journal=journal, concurrency=8)

    assert isinstance(report.stopped_by, JournalError)
    assert "full" in str(report.stopped_by)
    assert 0 < len(report.outcomes) < 2000
    recorded = {row.number: row for row in journal.rows()}
    written = {write.body["externalId"]: write.contact_id for write in sandbox.ledger.writes}
    assert written.keys() <= {f"x-{number}" for number in recorded}
    assert {row.state for row in recorded.values()} <= {
        State.SENT, State.SUCCEEDED, State.NOT_APPLIED,
    }  # fmt: skip
    for outcome in report.outcomes:
        assert (outcome.id is None) is (f"x-{outcome.index}" not in written)


async def test_power_durability_gives_the_same_outcomes(
    sandbox: Sandbox, client: ContactClient, tmp_path: Path
) -> None:
    journal = SqliteJournal(tmp_path / "run.sqlite", "power")

    first = await client.add_or_update_many(contacts(50), journal=journal)
    second = await client.add_or_update_many(contacts(50), journal=journal)

    assert second.ids == first.ids
    assert len(sandbox.ledger.writes) == 50


async def test_doubt_of_an_earlier_run_outlives_a_refusal_in_the_next(
    sandbox: Sandbox, client: ContactClient, journal: SqliteJournal
) -> None:
    item = evolve(a_contact(), update_if_exists=True)
    sandbox.script(Fault(FaultKind.HANG_AFTER_WRITE))
    async with client.stream([item], journal=journal, concurrency=1):
        while not sandbox.ledger.writes:
            await asyncio.sleep(0)

    sandbox.script(*[Fault(FaultKind.UNAVAILABLE)] * 4, Fault(FaultKind.REDIRECT))
    report = await client.add_or_update_many([item], journal=journal)

    assert [outcome.uncertain for outcome in report.outcomes] == [True]
    assert isinstance(report.stopped_by, SetupError)
    assert [row.state for row in journal.rows()] == [State.UNCERTAIN]


async def test_run_that_was_to_resend_uncertain_ones_and_did_not_leaves_them_uncertain(
    sandbox: Sandbox, client: ContactClient, journal: SqliteJournal
) -> None:
    sandbox.script(Fault(FaultKind.CLOSE_AFTER_WRITE))
    await client.add_or_update_many([a_contact()], journal=journal)

    resending = SqliteJournal(journal.path, resend_uncertain=True)
    sandbox.script(Fault(FaultKind.HANG_BEFORE_WRITE))
    async with client.stream([a_contact()], journal=resending, concurrency=1):
        while len(sandbox.ledger.requests) < 2:
            await asyncio.sleep(0)
    report = await client.add_or_update_many([a_contact()], journal=journal)

    assert report.outcomes[0].uncertain
    assert len(sandbox.ledger.writes) == 1


async def test_older_update_does_not_win_over_a_newer_one_when_it_is_resumed(
    sandbox: Sandbox, journal: SqliteJournal
) -> None:
    credentials = Credentials(sandbox.key, sandbox.secret)
    async with ContactClient(sandbox.url, credentials, retry=evolve(QUICK, attempts=1)) as client:
        contact_id = await client.add_or_update(a_contact())
        items = [Contact(id=contact_id, phone=phone) for phone in ("old", "new")]
        sandbox.script(Fault(FaultKind.UNAVAILABLE))
        first = await client.add_or_update_many(items, journal=journal, concurrency=1)
        second = await client.add_or_update_many(items, journal=journal)

    for report in (first, second):
        assert [outcome.ok for outcome in report.outcomes] == [False, True]
    assert sandbox.contacts[contact_id]["phone"] == "new"


async def test_what_json_and_sqlite_cannot_hold_hangs_no_run(
    sandbox: Sandbox, client: ContactClient, journal: SqliteJournal
) -> None:
    items = [*contacts_from([{"\ud800": 1}]), *contacts(1)]

    report = await client.add_or_update_many(items, journal=journal)

    assert [outcome.ok for outcome in report.outcomes] == [False, True]
    assert len(list(journal.rows())) == 2


async def test_worker_that_fails_ends_the_run_and_loses_nothing(
    sandbox: Sandbox,
    client: ContactClient,
    journal: SqliteJournal,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def fail(*_: Any, **__: Any) -> None:
        raise LookupError("a mistake of ours")

    monkeypatch.setattr(ForeignAnswers, "record_success", fail)
    async with client.stream(contacts(3), journal=journal, concurrency=1) as outcomes:
        delivered = []
        while (outcome := await outcomes.next()) is not None:
            delivered.append(outcome)

    assert isinstance(outcomes.stopped_by, LookupError)
    assert len(delivered) + len(outcomes.undelivered) == 1
    assert len(sandbox.ledger.writes) == 1


async def test_contact_that_an_earlier_run_left_uncertain_stays_so_where_this_run_does_not_reach_it(
    sandbox: Sandbox, client: ContactClient, journal: SqliteJournal
) -> None:
    add = a_contact(email="same@example.com")
    items = [add, evolve(add, update_if_exists=True)]  # one after the other
    once = RetryPolicy(attempts=1)
    async with ContactClient(
        sandbox.url, Credentials(sandbox.key, sandbox.secret), retry=once
    ) as impatient:
        await impatient.ping()  # then the first contact does not go alone
        sandbox.script(Fault(FaultKind.UNAVAILABLE), Fault(FaultKind.HANG_AFTER_WRITE))
        async with impatient.stream(items, journal=journal, concurrency=1) as stream:
            await anext(stream)
            while len(sandbox.ledger.writes) == 0:
                await asyncio.sleep(0.001)

        sandbox.script(Fault(FaultKind.HANG_BEFORE_WRITE))
        async with impatient.stream(items, journal=journal, concurrency=2) as stream:
            while len(sandbox.ledger.requests) == 3:
                await asyncio.sleep(0.001)

    assert [type(outcome.error) for outcome in stream.undelivered] == [
        UncertainError,
        UncertainError,
    ]


async def test_item_that_was_only_read_has_its_recorded_outcome(
    sandbox: Sandbox, client: ContactClient, journal: SqliteJournal
) -> None:
    report = await client.add_or_update_many(contacts(1), journal=journal)
    asked = asyncio.Event()

    async def feed() -> AsyncIterator[Contact]:
        await asked.wait()
        for contact in contacts(1):
            yield contact

    told: set[int | None] = set()
    for turns in range(12):  # it is read in one turn of the loop and looked up in a later one
        asked.clear()
        async with client.stream(feed(), journal=journal) as stream:
            await asyncio.sleep(0)
            asked.set()
            for _ in range(turns):
                await asyncio.sleep(0)
        told |= {outcome.id for outcome in stream.undelivered}

    assert told == set(report.ids)


async def test_contact_that_was_declined_is_not_uncertain_while_it_waits(
    sandbox: Sandbox, client: ContactClient, journal: SqliteJournal, tmp_path: Path
) -> None:
    def states_after_a_death_now() -> list[State]:
        copy = tmp_path / "copy"
        shutil.rmtree(copy, ignore_errors=True)
        copy.mkdir()
        for file in tmp_path.glob("run.sqlite*"):
            shutil.copy(file, copy)
        return [row.state for row in SqliteJournal(copy / "run.sqlite").rows()]

    sandbox.script(Fault(FaultKind.UNAVAILABLE, retry_after_s=60))
    async with client.stream(contacts(1), journal=journal), asyncio.timeout(60):
        while states_after_a_death_now() != [State.NOT_APPLIED]:
            await asyncio.sleep(0.01)

    assert len(sandbox.ledger.requests) == 1
    assert not sandbox.ledger.writes
