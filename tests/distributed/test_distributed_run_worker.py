import asyncio
from collections.abc import Callable

import aiohttp
import pytest
from attrs import evolve

from contactsdk import ContactClient, Credentials, SetupError
from contactsdk.distributed import SubmittedRun
from contactsdk.journal.postgres import PostgresJournal
from contactsdk.journal.postgres_connection import Connection, Database
from contactsdk.sandbox import Fault, FaultKind, Sandbox
from contactsdk.workers.run_worker import RunWorker
from tests.distributed.fixtures import Tables
from tests.distributed.samples import contacts, take_lease
from tests.examples import a_contact


@pytest.fixture
async def run(client: ContactClient, journal: PostgresJournal) -> SubmittedRun:
    return await client.submit(contacts(60), journal=journal, partitions=4)


async def test_run_is_sent_in_this_process(
    run: SubmittedRun, client: ContactClient, sandbox: Sandbox
) -> None:
    progress = await RunWorker(client, run).work()
    assert progress.is_done
    assert progress.succeeded == len(sandbox.ledger.writes) == 60


async def test_two_workers_share_a_run(
    run: SubmittedRun, client: ContactClient, sandbox: Sandbox
) -> None:
    credentials = Credentials(sandbox.key, sandbox.secret)
    async with ContactClient(sandbox.url, credentials) as other:
        workers = [RunWorker(client, run), RunWorker(other, run)]
        progress, _ = await asyncio.gather(*(worker.work() for worker in workers))
    assert progress.is_done
    assert len(sandbox.ledger.writes) == 60


async def test_other_runs_are_left_alone(
    run: SubmittedRun,
    client: ContactClient,
    journal_of: Callable[..., PostgresJournal],
) -> None:
    other = await client.submit(contacts(1), journal=journal_of("other"), partitions=1)
    await RunWorker(client, run).work()
    assert (await other.progress()).open == 1


async def test_part_that_another_worker_sends_is_waited_for(
    run: SubmittedRun,
    client: ContactClient,
    connection: Connection,
    database: Database,
    sandbox: Sandbox,
) -> None:
    take_lease(connection, database, 0, 3600)
    waits = 0

    async def sleep(seconds: float) -> None:
        nonlocal waits
        waits += 1
        take_lease(connection, database, 0, -1)  # it has died

    progress = await RunWorker(client, run, sleep=sleep).work()
    assert progress.is_done
    assert waits == 1


async def test_worker_ends_when_it_is_stopped(
    run: SubmittedRun, client: ContactClient, sandbox: Sandbox
) -> None:
    sandbox.latency_s = 0.01
    worker = RunWorker(client, run, concurrency=1)
    working = asyncio.create_task(worker.work())
    while not sandbox.ledger.writes:
        await asyncio.sleep(0.001)
    worker.stop()
    progress = await working
    assert progress.open
    assert progress.uncertain == 0


async def test_worker_ends_when_its_run_is_stopped(
    run: SubmittedRun, client: ContactClient, sandbox: Sandbox
) -> None:
    await run.stop("enough")
    progress = await RunWorker(client, run).work()
    assert progress.stopped_for == "enough"
    assert sandbox.ledger.writes == []


async def test_worker_that_cannot_send_says_why(
    run: SubmittedRun, client: ContactClient, sandbox: Sandbox
) -> None:
    sandbox.script(Fault(FaultKind.REDIRECT))
    with pytest.raises(SetupError, match="302"):
        await RunWorker(client, run).work()
    assert (await run.progress()).stopped_for is None


async def test_worker_whose_session_was_closed_ends(
    sandbox: Sandbox, journal: PostgresJournal
) -> None:
    session = aiohttp.ClientSession()
    credentials = Credentials(sandbox.key, sandbox.secret)
    async with ContactClient(sandbox.url, credentials, session=session) as client:
        run = await client.submit(contacts(3), journal=journal, partitions=1)
        await session.close()
        with pytest.raises(RuntimeError, match="closed"):
            await RunWorker(client, run).work()
    assert (await run.progress()).stopped_for is None


async def test_row_that_was_changed_stops_the_run_and_is_named(
    run: SubmittedRun, client: ContactClient, tables: Tables, sandbox: Sandbox
) -> None:
    tables.execute("UPDATE {row} SET state = 'succeeded', id = number + 1 WHERE number < 59")
    tables.execute("UPDATE {row} SET digest = repeat('x', 16)::bytea WHERE number = 59")

    progress = await RunWorker(client, run).work()

    assert progress.stopped_for is not None
    assert "row 59 (counted from 0) is not the one that was submitted" in progress.stopped_for
    assert not sandbox.ledger.writes


async def test_text_of_the_platform_is_not_said(sandbox: Sandbox, journal: PostgresJournal) -> None:
    said: list[str] = []

    async with ContactClient(sandbox.url, Credentials(sandbox.key, "wrong")) as client:
        run = await client.submit(contacts(1), journal=journal, partitions=1)
        with pytest.raises(SetupError) as caught:
            await RunWorker(client, run, say=said.append).work()

    assert any("AuthenticationError" in line for line in said)
    assert not any(caught.value.message in line for line in said)


async def test_rows_that_become_open_while_a_slice_is_sent_are_left_to_the_next_slice(
    client: ContactClient, journal: PostgresJournal, tables: Tables, sandbox: Sandbox
) -> None:
    older = a_contact(update_if_exists=True, phone="1")
    items = [*contacts(1), older, evolve(older, phone="2")]
    run = await client.submit(items, journal=journal, partitions=1)
    tables.execute("UPDATE {row} SET state = 'not applied', attempts = 5 WHERE number = 1")
    tables.execute("UPDATE {row} SET state = 'succeeded', id = 5 WHERE number = 2")
    tables.execute("UPDATE {lease} SET succeeded = 1, not_applied = 1")
    sandbox.latency_s = 0.3
    worker = RunWorker(client, run, concurrency=1)

    working = asyncio.create_task(worker.work())
    while not (working.done() or (await run.progress()).workers):
        await asyncio.sleep(0.01)
    await run.resume()  # the older update, which failed, is open from now on
    await working

    # It is superseded by the newer one, which was sent.
    assert len(sandbox.ledger.writes) == 1
