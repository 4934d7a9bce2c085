"""Runs with a journal in a PostgreSQL database, held against the ledger of the platform."""

import asyncio
import os
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import psycopg
import pytest
from attrs import evolve
from psycopg import sql

from contactsdk import (
    Contact,
    ContactClient,
    Credentials,
    InvalidContactError,
    Item,
    JournalError,
    UncertainError,
)
from contactsdk.journal import Account, State
from contactsdk.journal.postgres import PostgresJournal, make_tables
from contactsdk.sandbox import Fault, FaultKind, Sandbox
from tests.examples import a_contact
from tests.quick import QUICK

ACCOUNT = Account(url="https://api.example.com", key="key", secret="secret")
WRONG = InvalidContactError([(("email",), "must be a valid email address")])

Journals = Callable[..., PostgresJournal]


def contacts(count: int) -> Iterator[Contact]:
    return (
        a_contact(external_id=f"x-{number}", email=f"x{number}@example.com")
        for number in range(count)
    )


async def test_second_run_hands_back_what_is_final_without_sending(
    sandbox: Sandbox, client: ContactClient, journal: PostgresJournal
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
    assert [row.state for row in journal.rows()] == [
        State.SUCCEEDED, State.UNCERTAIN, State.SUCCEEDED, State.REJECTED, State.INVALID,
    ]  # fmt: skip


async def test_what_was_not_applied_is_sent_by_the_next_run(
    sandbox: Sandbox, journal: PostgresJournal
) -> None:
    items = list(contacts(4))
    credentials = Credentials(sandbox.key, sandbox.secret)
    async with ContactClient(sandbox.url, credentials, retry=evolve(QUICK, attempts=1)) as client:
        sandbox.script(*[Fault(FaultKind.UNAVAILABLE)] * 2)
        first = await client.add_or_update_many(items, journal=journal, concurrency=1)
        between = journal.status()
        second = await client.add_or_update_many(items, journal=journal)

    assert [outcome.ok for outcome in first.outcomes] == [False, False, True, True]
    assert (between.recorded, between.succeeded, between.open) == (4, 2, 2)
    assert all(outcome.ok for outcome in second.outcomes)
    assert len(sandbox.ledger.writes) == 4


async def test_older_update_does_not_win_over_a_newer_one_when_it_is_resumed(
    sandbox: Sandbox, journal: PostgresJournal
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


async def test_counts_follow_each_row_from_state_to_state(
    sandbox: Sandbox, client: ContactClient, journal_of: Journals
) -> None:
    items: list[Item] = [*contacts(2), a_contact(groups=[99]), WRONG]
    sandbox.script(Fault(FaultKind.CLOSE_AFTER_WRITE))
    await client.add_or_update_many(items, journal=journal_of(), concurrency=1)
    before = journal_of().status()
    resending = journal_of(resend_uncertain=True)
    await client.add_or_update_many(items, journal=resending, concurrency=1)
    after = journal_of().status()

    assert (before.recorded, before.succeeded, before.refused, before.uncertain) == (4, 1, 2, 1)
    assert (after.recorded, after.succeeded, after.refused, after.uncertain) == (4, 2, 2, 0)
    assert after.open == 0
    assert after.owner is None


async def test_uncertain_contact_is_settled_by_a_look(
    sandbox: Sandbox, client: ContactClient, journal: PostgresJournal
) -> None:
    sandbox.script(None, Fault(FaultKind.CLOSE_AFTER_WRITE))
    report = await client.add_or_update_many(contacts(2), journal=journal, concurrency=1)

    (found,) = await client.settle(journal, contacts(2))

    assert report.outcomes[1].uncertain
    assert found.ok
    assert found.id == sandbox.ledger.writes[1].contact_id
    assert [(row.state, row.settled) for row in journal.rows()] == [
        (State.SUCCEEDED, False),
        (State.SUCCEEDED, True),
    ]
    assert journal.status().uncertain == 0


async def test_batches_are_recorded_and_handed_back(
    sandbox: Sandbox, client: ContactClient, journal: PostgresJournal
) -> None:
    first = await client.add_or_update_many(contacts(5), journal=journal, batch_size=3)
    requests = len(sandbox.ledger.requests)
    second = await client.add_or_update_many(contacts(5), journal=journal, batch_size=3)

    assert len(first.ids) == 5
    assert second.ids == first.ids
    assert len(sandbox.ledger.requests) == requests
    assert all(row.batch_id is not None for row in list(journal.rows())[1:])


async def test_contact_is_kept_until_it_is_final(
    sandbox: Sandbox,
    client: ContactClient,
    journal: PostgresJournal,
    database_url: str,
    schema: str,
) -> None:
    sandbox.script(None, Fault(FaultKind.CLOSE_AFTER_WRITE))
    items: list[Item] = [*contacts(2), a_contact(groups=[99]), WRONG]
    await client.add_or_update_many(items, journal=journal, concurrency=1)

    with psycopg.connect(database_url) as connection:
        query = sql.SQL("SELECT state, item FROM {} ORDER BY number")
        found = connection.execute(query.format(sql.Identifier(schema, "row"))).fetchall()

    assert [state for state, item in found if item is not None] == ["uncertain"]
    assert b'"externalId":"x-1"' in found[1][1]


async def test_two_runs_in_one_database_know_nothing_of_each_other(
    sandbox: Sandbox, client: ContactClient, journal_of: Journals
) -> None:
    await client.add_or_update_many(contacts(2), journal=journal_of("one"))
    await client.add_or_update_many([a_contact()], journal=journal_of("two"))

    assert [row.number for row in journal_of("one").rows()] == [0, 1]
    assert [row.number for row in journal_of("two").rows()] == [0]
    assert len(sandbox.ledger.writes) == 3


async def test_lines_are_recorded_with_the_rows(
    client: ContactClient, journal_of: Journals
) -> None:
    journal = journal_of(line_of=lambda number: number + 2)
    await client.add_or_update_many(contacts(2), journal=journal)

    assert [row.line for row in journal.rows()] == [2, 3]


async def test_input_that_differs_is_refused_before_anything_is_sent(
    sandbox: Sandbox, client: ContactClient, journal: PostgresJournal
) -> None:
    items = list(contacts(3))
    client.check_journal(journal, items)
    await client.add_or_update_many(items, journal=journal)

    client.check_journal(journal, [*items, a_contact()])
    journal.check(items, secret=sandbox.secret)
    with pytest.raises(JournalError, match="item 1 ") as raised:
        client.check_journal(journal, [items[0], items[2], items[1]])
    assert raised.value.number == 1
    with pytest.raises(JournalError, match="item 0 "):
        journal.check(items, secret="another")


async def test_name_that_another_input_has_is_refused_with_nothing_sent(
    sandbox: Sandbox, client: ContactClient, journal: PostgresJournal
) -> None:
    await client.add_or_update_many(contacts(2), journal=journal)

    report = await client.add_or_update_many([a_contact()], journal=journal)

    assert isinstance(report.stopped_by, JournalError)
    assert report.stopped_by.number == 0
    assert len(sandbox.ledger.writes) == 2


async def test_run_of_another_account_is_refused(
    sandbox: Sandbox, client: ContactClient, journal: PostgresJournal
) -> None:
    await client.add_or_update_many(contacts(2), journal=journal)

    with pytest.raises(JournalError, match="another account"):
        await journal.open_run(ACCOUNT)
    with pytest.raises(JournalError, match="another account"):
        journal.check_account(contacts(2), ACCOUNT)
    assert journal.status().owner is None


async def test_run_in_which_nothing_was_applied_begins_anew_with_another_account(
    sandbox: Sandbox, client: ContactClient, journal: PostgresJournal
) -> None:
    wrong = Credentials(sandbox.key, "not the secret")
    async with ContactClient(sandbox.url, wrong, retry=QUICK) as mistaken:
        await mistaken.add_or_update_many(contacts(2), journal=journal)
    client.check_journal(journal, contacts(1))

    report = await client.add_or_update_many(contacts(1), journal=journal)

    assert len(report.ids) == 1
    assert [row.state for row in journal.rows()] == [State.SUCCEEDED]
    assert journal.status().recorded == 1


async def test_run_that_is_not_there_is_an_error_to_read_and_none_to_begin(
    client: ContactClient, journal_of: Journals, database_url: str, schema: str
) -> None:
    for _ in ("no tables", "tables"):
        assert not journal_of().exists()
        client.check_journal(journal_of(), contacts(2))
        for read in (journal_of().status, lambda: next(journal_of().rows())):
            with pytest.raises(JournalError, match="there is no run of this name"):
                read()
        make_tables(database_url, schema=schema)
    await client.add_or_update_many(contacts(1), journal=journal_of())
    assert journal_of().exists()


async def test_database_that_is_away_is_an_error_at_once(client: ContactClient) -> None:
    journal = PostgresJournal("postgresql://user:hidden@127.0.0.1:1/none", run="run")

    with pytest.raises(JournalError, match="refused") as opening:
        await client.add_or_update_many(contacts(1), journal=journal)
    with pytest.raises(JournalError, match="refused") as reading:
        journal.status()

    assert "hidden" not in f"{opening.value!r} {reading.value!r} {journal!r} {journal.name}"


@pytest.mark.parametrize(
    "url",
    [
        "run.sqlite",
        "postgresql://user:hid@den@host/name",
        "postgresql://user:hid/den@host/name",
        "postgresql://user:hid:den@host:54a/name",
        "postgresql://user:hidden@host/name?unknown=1",
        "postgresql://user:hid%zzden@host/name",
    ],
)
def test_url_that_is_wrong_is_refused_without_repeating_its_password(url: str) -> None:
    with pytest.raises(ValueError, match="url must look like") as raised:
        PostgresJournal(url, run="run")

    assert "hid" not in str(raised.value)
    assert raised.value.__suppress_context__ or raised.value.__context__ is None


@pytest.mark.parametrize(
    "wrong",
    [{"run": ""}, {"run": "a\0b"}, {"run": "x" * 201}, {"lease_s": 0}, {"durability": "ram"}],
)
def test_argument_that_is_out_of_range_is_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=next(iter(wrong))):
        PostgresJournal("postgresql://host/name", **{"run": "run", **wrong})


async def test_tables_of_a_newer_version_are_refused(
    sandbox: Sandbox,
    client: ContactClient,
    journal: PostgresJournal,
    database_url: str,
    schema: str,
) -> None:
    make_tables(database_url, schema=schema)
    with psycopg.connect(database_url, autocommit=True) as connection:
        newer = sql.SQL("UPDATE {} SET number = 99").format(sql.Identifier(schema, "version"))
        connection.execute(newer)

    for use in (
        partial(make_tables, database_url, schema=schema),
        journal.status,
        lambda: client.check_journal(journal, ()),
    ):
        with pytest.raises(JournalError, match="version 99"):
            use()
    with pytest.raises(JournalError, match="install a newer contactsdk"):
        await client.add_or_update_many(contacts(1), journal=journal)
    assert not sandbox.ledger.requests


async def test_error_says_which_user_may_make_tables(
    client: ContactClient, database_url: str, schema: str
) -> None:
    role = f"{schema}_user"
    with psycopg.connect(database_url, autocommit=True) as connection:
        names = {"role": sql.Identifier(role), "schema": sql.Identifier(schema)}
        connection.execute(sql.SQL("CREATE ROLE {role} LOGIN PASSWORD 'pw'").format(**names))
        try:
            info = connection.info
            url = f"postgresql://{role}:pw@{info.host}:{info.port}/{info.dbname}"
            journal = PostgresJournal(url, run="run", schema=schema)
            with pytest.raises(JournalError, match="contactsdk journal init URL"):
                await client.add_or_update_many(contacts(1), journal=journal)

            make_tables(database_url, schema=schema)
            for grant in (
                "GRANT USAGE ON SCHEMA {schema} TO {role}",
                "GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA {schema} TO {role}",
            ):
                connection.execute(sql.SQL(grant).format(**names))
            report = await client.add_or_update_many(contacts(1), journal=journal)
        finally:
            connection.execute(sql.SQL("DROP OWNED BY {role}").format(**names))
            connection.execute(sql.SQL("DROP ROLE {role}").format(**names))

    assert len(report.ids) == 1


async def test_database_that_does_not_wait_for_its_disk_is_refused_for_power_durability(
    client: ContactClient, database_url: str, schema: str
) -> None:
    lax = f"{database_url}?options=-c%20synchronous_commit%3Doff"

    with pytest.raises(JournalError, match="synchronous_commit is off"):
        await client.add_or_update_many(
            contacts(1), journal=PostgresJournal(lax, run="run", schema=schema)
        )
    process = PostgresJournal(lax, run="run", schema=schema, durability="process")
    report = await client.add_or_update_many(contacts(1), journal=process)

    assert len(report.ids) == 1


async def test_run_that_is_deleted_meanwhile_stops_and_sends_nothing_more(
    sandbox: Sandbox,
    client: ContactClient,
    journal: PostgresJournal,
    database_url: str,
    schema: str,
) -> None:
    async with client.stream(contacts(100), journal=journal, concurrency=1) as outcomes:
        await anext(outcomes)
        with psycopg.connect(database_url, autocommit=True) as connection:
            connection.execute(sql.SQL("DELETE FROM {}").format(sql.Identifier(schema, "run")))
        with pytest.raises(JournalError, match="or the run was deleted"):
            async for _ in outcomes:
                pass
        sent = len(sandbox.ledger.requests)
        await asyncio.sleep(0)

    assert len(sandbox.ledger.requests) == sent < 100


async def test_fork_of_the_process_may_not_use_its_run(
    journal: PostgresJournal, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = await journal.open_run(ACCOUNT)
    writing = asyncio.create_task(run.write_loop())

    with monkeypatch.context() as forked:
        forked.setattr(os, "getpid", lambda: -1)
        with pytest.raises(JournalError, match="and this process is a fork of it"):
            await run.record_intent(0, a_contact())
        await run.close()

    assert journal.status().owner is not None, "the parent has it still"
    writing.cancel()
    await run.close()
    assert journal.status().owner is None


async def test_add_that_was_in_flight_when_its_run_was_left_is_uncertain(
    sandbox: Sandbox, client: ContactClient, journal_of: Journals
) -> None:
    sandbox.script(Fault(FaultKind.HANG_AFTER_WRITE))
    async with client.stream(contacts(1), journal=journal_of(), concurrency=1):
        while not sandbox.ledger.writes:
            await asyncio.sleep(0)

    report = await client.add_or_update_many(contacts(1), journal=journal_of())

    assert [type(outcome.error) for outcome in report.outcomes] == [UncertainError]
    assert len(sandbox.ledger.writes) == 1
