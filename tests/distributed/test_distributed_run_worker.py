import asyncio
from collections.abc import Callable

import pytest

from contactsdk import ContactClient, Credentials, SetupError
from contactsdk.distributed import SubmittedRun
from contactsdk.journal.postgres import PostgresJournal
from contactsdk.journal.postgres_connection import Connection, Database
from contactsdk.sandbox import Fault, FaultKind, Sandbox
from contactsdk.workers.run_worker import RunWorker
from tests.distributed.samples import contacts, take_lease


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
