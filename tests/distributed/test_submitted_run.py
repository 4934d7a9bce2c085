"""A submitted run as it is watched, stopped, resumed and settled."""

import asyncio
import time

import pytest

from contactsdk import ContactClient, JournalError, State
from contactsdk.distributed import Partition, SubmittedRun, submitted_run
from contactsdk.journal import Account
from contactsdk.journal.postgres import PostgresJournal, make_tables
from contactsdk.sandbox import Fault, FaultKind, Sandbox
from tests.distributed.fixtures import Journals, Tables, many, send_part
from tests.examples import a_contact

LOST = Fault(FaultKind.CLOSE_AFTER_WRITE)


async def test_progress_and_rows_are_those_of_all_partitions(
    sandbox: Sandbox,
    client: ContactClient,
    journal: PostgresJournal,
    tables: Tables,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(submitted_run, "_ROWS_AT_A_TIME", 3)
    await client.submit([*many(8), a_contact(groups=[99])], journal=journal, partitions=3)
    run = SubmittedRun(journal)
    ((last,),) = tables.execute("SELECT part FROM {row} WHERE number = 8")
    sandbox.script(LOST)  # for the first request, which must not be that of the wrong contact
    for part in sorted(range(3), key=lambda part: part == last):
        await send_part(client, run, part, concurrency=1)

    progress = await run.progress()
    of_each = {state: [row async for row in run.rows(state)] for state in State}

    assert (progress.read, progress.succeeded, progress.failed) == (9, 7, 1)
    assert (progress.uncertain, progress.not_applied, progress.open) == (1, 0, 0)
    assert {state: len(rows) for state, rows in of_each.items() if rows} == {
        State.SUCCEEDED: 7, State.REJECTED: 1, State.UNCERTAIN: 1,
    }  # fmt: skip
    assert [row.number async for row in run.rows()] == list(range(9))
    assert [row.number for row in journal.rows()] == list(range(9))


async def test_waiting_ends_when_all_have_their_outcome(
    client: ContactClient, journal: PostgresJournal
) -> None:
    run = await client.submit(many(3), journal=journal, partitions=1)
    waits: list[float] = []

    async def send_meanwhile(seconds: float) -> None:
        waits.append(seconds)
        await send_part(client, run)

    progress = await run.wait(sleep=send_meanwhile)

    assert progress.is_done
    assert waits == [0.5]


async def test_waiting_ends_when_the_run_is_stopped(
    client: ContactClient, journal: PostgresJournal
) -> None:
    run = await client.submit(many(3), journal=journal)
    await run.stop()
    await run.stop("another reason")

    progress = await run.wait()

    assert (progress.stopped_for, progress.is_done) == ("stop() was called", False)


async def test_run_that_is_resumed_while_it_is_sent_loses_none_of_what_it_reopens(
    sandbox: Sandbox, client: ContactClient, journal: PostgresJournal, tables: Tables
) -> None:
    run = await client.submit(many(30), journal=journal, partitions=1)
    partition = Partition(journal, 0)
    async with client.stream(partition, journal=partition, concurrency=1) as outcomes:
        await anext(outcomes)
        tables.execute(
            "UPDATE {row} SET state = 'not applied', item = %s WHERE number = 0",
            tables.execute("SELECT item FROM {row} WHERE number = 29")[0][0],
        )
        tables.execute("UPDATE {lease} SET succeeded = succeeded - 1, not_applied = 1")
        await run.resume()
        async for _ in outcomes:
            pass

    progress = await run.progress()
    assert (progress.open, progress.succeeded) == (1, 29)
    assert tables.execute("SELECT first_open FROM {lease}") == [(0,)]


@pytest.mark.parametrize("method", ["progress", "settings", "wait", "stop", "resume"])
async def test_run_that_is_not_there_is_an_error(
    method: str, client: ContactClient, journal_of: Journals, database_url: str, schema: str
) -> None:
    run = SubmittedRun(journal_of("none"))
    with pytest.raises(JournalError, match="no such run was submitted"):
        await getattr(run, method)()
    make_tables(database_url, schema=schema)
    with pytest.raises(JournalError, match="no such run was submitted"):
        await getattr(run, method)()
    direct = journal_of("direct")
    await client.add_or_update_many(many(1), journal=direct)
    with pytest.raises(JournalError, match="no such run was submitted"):
        await getattr(SubmittedRun(direct), method)()


async def test_rows_of_a_run_that_is_not_there_are_an_error(journal: PostgresJournal) -> None:
    with pytest.raises(JournalError, match="no such run was submitted"):
        async for _ in SubmittedRun(journal).rows():
            pass


def test_handle_is_shown_without_a_password() -> None:
    journal = PostgresJournal("postgresql://user:hidden@host/name", run="spring")

    assert repr(SubmittedRun(journal)) == (
        "SubmittedRun(PostgresJournal('postgresql://host/name', run='spring'))"
    )


async def test_uncertain_contact_of_a_submitted_run_is_settled_by_a_look(
    sandbox: Sandbox, client: ContactClient, journal: PostgresJournal, tables: Tables
) -> None:
    run = await client.submit(many(6), journal=journal, partitions=3)
    sandbox.script(None, LOST)
    for part in range(3):
        await send_part(client, run, part, concurrency=1)
    before = await run.progress()

    (found,) = await client.settle(journal, many(6))

    progress = await run.progress()
    assert (before.succeeded, before.uncertain) == (5, 1)
    assert found.settled
    assert (progress.succeeded, progress.uncertain, progress.workers) == (6, 0, 0)
    (row,) = [row async for row in run.rows() if row.settled]
    assert row.id == found.id == sandbox.ledger.writes[1].contact_id
    assert tables.execute("SELECT count(*) FROM {row} WHERE item IS NOT NULL") == [(0,)]


async def test_run_that_a_worker_sends_is_not_settled_at_the_same_time(
    client: ContactClient, journal: PostgresJournal
) -> None:
    await client.submit(many(3), journal=journal, partitions=2)
    partition = Partition(journal, 1)
    async with client.stream(partition, journal=partition):
        with pytest.raises(JournalError, match="is sending it"):
            await client.settle(journal, many(3))


async def test_settling_of_another_account_is_refused(
    client: ContactClient, journal: PostgresJournal
) -> None:
    run = await client.submit(many(3), journal=journal, partitions=2)
    other = Account(url="https://api.example.com", key="key", secret="another")

    with pytest.raises(JournalError, match="another account"):
        await journal.open_to_settle(other)
    with pytest.raises(JournalError, match="another account"):
        journal.check_account(many(3), other)
    assert (await run.progress()).workers == 0


async def test_settling_looks_only_when_what_a_killed_worker_sent_cannot_be_in_flight(
    sandbox: Sandbox, client: ContactClient, journal: PostgresJournal, tables: Tables
) -> None:
    await client.submit(many(1), journal=journal, partitions=2)
    tables.execute("UPDATE {row} SET state = 'sent', epoch = 1")
    tables.execute(
        "UPDATE {lease} SET epoch = 1, owner = 'dead', "
        "until = clock_timestamp() - interval '1 ms' WHERE part = (SELECT part FROM {row})"
    )
    loop = asyncio.get_running_loop()
    started = loop.time()

    (outcome,) = await client.settle(journal, many(1))

    assert outcome.uncertain
    assert loop.time() - started > 1.9, "the attempts of this client take 2 s"
    assert len(sandbox.ledger.requests) == 1


async def test_settling_that_is_taken_over_records_nothing_more(
    sandbox: Sandbox, client: ContactClient, journal: PostgresJournal, tables: Tables
) -> None:
    run = await client.submit(many(2), journal=journal, partitions=2)
    sandbox.script(LOST)
    for part in range(2):
        await send_part(client, run, part, concurrency=1)

    def take_over(_: object) -> bool:
        tables.execute("UPDATE {lease} SET epoch = epoch + 1, owner = 'another' WHERE part = 1")
        return True

    with pytest.raises(JournalError, match="taken the run over"):
        await client.settle(journal, many(2), confirm=take_over)

    assert (await run.progress()).uncertain == 1


async def test_settling_keeps_its_leases_while_a_person_is_asked(
    sandbox: Sandbox, client: ContactClient, journal_of: Journals
) -> None:
    journal = journal_of(lease_s=1.5)
    run = await client.submit(many(1), journal=journal, partitions=2)
    sandbox.script(LOST)
    for part in range(2):
        await send_part(client, run, part, concurrency=1)

    def think(_: object) -> bool:
        time.sleep(3)
        return True

    (found,) = await client.settle(journal, many(1), confirm=think)

    assert found.settled
    assert (await run.progress()).uncertain == 0


async def test_settling_goes_on_after_its_connection_broke(
    sandbox: Sandbox, client: ContactClient, journal: PostgresJournal, tables: Tables
) -> None:
    run = await client.submit(many(2), journal=journal, partitions=2)
    sandbox.script(LOST)
    for part in range(2):
        await send_part(client, run, part, concurrency=1)

    def break_connections(_: object) -> bool:
        tables.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
            "WHERE application_name = 'contactsdk'"
        )
        return True

    (found,) = await client.settle(journal, many(2), confirm=break_connections)

    assert found.settled
    assert (await run.progress()).uncertain == 0


async def test_status_and_remarks_say_what_a_submitted_run_is_at(
    client: ContactClient, journal: PostgresJournal, tables: Tables
) -> None:
    run = await client.submit(many(3), journal=journal, partitions=2)
    assert journal.remarks() == []
    tables.execute("UPDATE {run} SET sealed = false")
    unsealed = journal.remarks()
    tables.execute("UPDATE {run} SET sealed = true")
    partition = Partition(journal, 0)
    async with client.stream(partition, journal=partition):
        sending = journal.remarks()
        await run.stop("enough")
    stopped = journal.status()

    assert len(unsealed) == 1
    assert "Only 3 rows of its input were added so far" in unsealed[0]
    assert sending == ["Workers that are sending it now: 1"]
    assert journal.remarks() == ["Stopped: enough"]
    assert (stopped.is_submitted, stopped.is_sealed, stopped.stopped_for) == (True, True, "enough")


async def test_run_that_was_not_submitted_has_no_remarks(
    client: ContactClient, journal: PostgresJournal
) -> None:
    await client.add_or_update_many(many(1), journal=journal)

    assert journal.remarks() == []
    assert not journal.status().is_submitted
