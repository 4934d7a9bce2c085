import asyncio
import logging
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import pytest
from psycopg import sql

from contactsdk import ContactClient, Credentials, SetupError
from contactsdk.distributed import SubmittedRun
from contactsdk.distributed.engine import enqueue, queue_of
from contactsdk.journal.postgres import PostgresJournal
from contactsdk.journal.postgres_connection import Connection, Database
from contactsdk.sandbox import Fault, FaultKind, Sandbox
from contactsdk.workers.engine_loop import pass_over_lost_jobs
from contactsdk.workers.worker import Worker
from tests.distributed.samples import contacts, delete_jobs, statuses, versions, waiting

JournalOf = Callable[..., PostgresJournal]
WorkerOf = Callable[..., Worker]


@pytest.fixture
def worker_of(database_url: str, schema: str) -> WorkerOf:
    """Makes workers that look often at what there is to do."""

    def make(client: ContactClient, **options: object) -> Worker:
        return Worker(client, database_url, lease_s=0.9, schema=schema, **options)  # type: ignore[arg-type]

    return make


@asynccontextmanager
async def working(*workers: Worker) -> AsyncIterator[None]:
    """Within it these workers work; they are stopped in the end."""
    async with asyncio.TaskGroup() as tasks:
        for worker in workers:
            tasks.create_task(worker.work())
        try:
            async with asyncio.timeout(60):
                yield
        finally:
            for worker in workers:
                worker.stop()


async def until(is_true: Callable[[], bool]) -> None:
    while not is_true():
        await asyncio.sleep(0.005)


async def submitted(
    client: ContactClient, journal: PostgresJournal, count: int = 40, partitions: int = 4
) -> SubmittedRun:
    return await client.submit(contacts(count), journal=journal, partitions=partitions)


async def test_run_is_sent(
    client: ContactClient, journal: PostgresJournal, worker_of: WorkerOf, sandbox: Sandbox
) -> None:
    run = await submitted(client, journal)
    async with working(worker_of(client)):
        progress = await run.wait()
    assert progress.is_done
    assert progress.succeeded == len(sandbox.ledger.writes) == 40


async def test_tables_are_made_by_the_first_worker(
    client: ContactClient, journal: PostgresJournal, worker_of: WorkerOf
) -> None:
    async with working(worker_of(client)):
        run = await submitted(client, journal)
        assert (await run.wait()).is_done


async def test_run_that_comes_later_is_sent(
    client: ContactClient, journal_of: JournalOf, worker_of: WorkerOf
) -> None:
    async with working(worker_of(client)):
        for name in ("one", "two"):
            run = await submitted(client, journal_of(name), count=3, partitions=1)
            assert (await run.wait()).is_done


async def test_two_workers_share_a_run(
    client: ContactClient, journal: PostgresJournal, worker_of: WorkerOf, sandbox: Sandbox
) -> None:
    sandbox.latency_s = 0.01
    run = await submitted(client, journal, count=200)
    credentials = Credentials(sandbox.key, sandbox.secret)
    said: list[str] = []
    others: list[str] = []
    async with ContactClient(sandbox.url, credentials) as other:
        workers = (
            worker_of(client, concurrency=2, say=said.append),
            worker_of(other, concurrency=2, say=others.append),
        )
        async with working(*workers):
            assert (await run.wait()).is_done
    assert len(sandbox.ledger.writes) == 200
    for lines in (said, others):
        assert any("succeeded" in line for line in lines)


async def test_runs_have_their_turns(
    client: ContactClient, journal_of: JournalOf, worker_of: WorkerOf, sandbox: Sandbox
) -> None:
    runs = [
        await client.submit(versions(3), journal=journal_of(name), partitions=1)
        for name in ("one", "two")
    ]
    said: list[str] = []
    async with working(worker_of(client, slice_s=1e-9, say=said.append)):
        for run in runs:
            await run.wait()
    assert [line.split(",")[0] for line in said if "succeeded" in line] == [
        "run one",
        "run two",
    ] * 3


async def test_contacts_with_one_key_are_sent_in_order_slice_by_slice(
    client: ContactClient, journal: PostgresJournal, worker_of: WorkerOf, sandbox: Sandbox
) -> None:
    run = await client.submit(versions(12), journal=journal, partitions=4)
    sandbox.mix(1, 0.3, [Fault(FaultKind.UNAVAILABLE), Fault(FaultKind.CLOSE_AFTER_WRITE)])
    async with working(worker_of(client, slice_s=0.001)):
        await run.wait()
    written = [int(write.body["phone"]) for write in sandbox.ledger.writes]
    assert written == sorted(written)


async def test_job_that_was_deleted_by_hand_is_made_anew(
    client: ContactClient,
    journal: PostgresJournal,
    worker_of: WorkerOf,
    connection: Connection,
    database: Database,
) -> None:
    run = await submitted(client, journal)
    await asyncio.to_thread(delete_jobs, connection, database)
    async with working(worker_of(client)):
        assert (await run.wait()).is_done


async def test_run_survives_that_its_jobs_are_deleted_again_and_again(
    client: ContactClient,
    journal: PostgresJournal,
    worker_of: WorkerOf,
    connection: Connection,
    database: Database,
    sandbox: Sandbox,
) -> None:
    # As a worker does that was paused, and finishes the job of its successor.
    asyncio.get_running_loop().set_exception_handler(pass_over_lost_jobs)  # as the command does
    run = await submitted(client, journal, count=30, partitions=2)
    sandbox.latency_s = 0.005
    async with working(worker_of(client, slice_s=0.05, concurrency=1)):
        while not (await run.progress()).is_done:
            await asyncio.to_thread(delete_jobs, connection, database)
            await asyncio.sleep(0.1)
    assert len(sandbox.ledger.writes) == 30


async def test_slice_ends_well_where_its_next_job_waits_already(
    client: ContactClient,
    journal: PostgresJournal,
    worker_of: WorkerOf,
    connection: Connection,
    database: Database,
    sandbox: Sandbox,
) -> None:
    sandbox.latency_s = 0.05
    run = await client.submit(versions(2), journal=journal, partitions=1)
    async with working(worker_of(client, slice_s=1e-9)):
        await until(lambda: bool(sandbox.ledger.requests))
        queue = queue_of(client.account)
        await asyncio.to_thread(enqueue, connection, database, queue, "run", [0])
        assert (await run.wait()).is_done
    assert statuses(connection, database) == []


async def test_worker_that_is_stopped_leaves_a_job_for_the_rest(
    client: ContactClient,
    journal: PostgresJournal,
    worker_of: WorkerOf,
    connection: Connection,
    database: Database,
    sandbox: Sandbox,
) -> None:
    sandbox.latency_s = 0.01
    run = await submitted(client, journal, count=1000, partitions=1)
    said: list[str] = []
    async with working(worker_of(client, say=said.append)):
        await until(lambda: bool(sandbox.ledger.writes))
    progress = await run.progress()
    assert progress.open
    assert progress.succeeded == len(sandbox.ledger.writes)
    assert (progress.uncertain, progress.workers) == (0, 0)
    assert waiting(connection, database) == ["run/0"]
    assert said[-1] == "stopped"


async def test_worker_that_is_cancelled_leaves_at_once(
    client: ContactClient, journal: PostgresJournal, worker_of: WorkerOf, sandbox: Sandbox
) -> None:
    sandbox.script(*[Fault(FaultKind.HANG_BEFORE_WRITE)] * 8)
    run = await submitted(client, journal, partitions=1)
    work = asyncio.create_task(worker_of(client).work())
    await until(lambda: bool(sandbox.ledger.requests))
    work.cancel()
    with pytest.raises(asyncio.CancelledError):
        await work
    assert (await run.progress()).workers == 0


async def test_run_of_another_account_is_reported_once(
    client: ContactClient,
    journal: PostgresJournal,
    worker_of: WorkerOf,
    connection: Connection,
    database: Database,
    sandbox: Sandbox,
) -> None:
    await submitted(client, journal)
    said: list[str] = []
    async with ContactClient(sandbox.url, Credentials(sandbox.key, "another secret")) as other:
        worker = worker_of(other, say=said.append)
        async with working(worker):
            await until(lambda: len(said) > 1)
            await asyncio.sleep(0.7)  # two sweeps more
    assert said == [
        said[0],
        "run run: it is for another account (address, key or secret): not sent here",
        "stopped",
    ]
    assert sandbox.ledger.requests == []
    assert len(waiting(connection, database)) == 4


async def test_worker_that_cannot_send_ends(
    client: ContactClient, journal: PostgresJournal, worker_of: WorkerOf, sandbox: Sandbox
) -> None:
    run = await submitted(client, journal)
    sandbox.script(Fault(FaultKind.REDIRECT))
    async with asyncio.timeout(60):
        with pytest.raises(SetupError, match="302"):
            await worker_of(client).work()
    assert (await run.progress()).workers == 0


@pytest.mark.parametrize("wrong", [{"lease_s": 0.0}, {"url": "mysql://here/there"}])
def test_arguments_are_checked(wrong: dict[str, object], sandbox: Sandbox) -> None:
    client = ContactClient(sandbox.url, Credentials(sandbox.key, sandbox.secret))
    with pytest.raises(ValueError, match=r"lease_s|url must look like"):
        Worker(**{"client": client, "url": "postgresql://here/there", **wrong})  # type: ignore[arg-type]


async def test_worker_says_nothing_secret(
    client: ContactClient,
    journal: PostgresJournal,
    worker_of: WorkerOf,
    sandbox: Sandbox,
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.DEBUG)
    said: list[str] = []
    run = await submitted(client, journal, count=3)
    async with working(worker_of(client, say=said.append)):
        await run.wait()
    text = "\n".join([*said, *caplog.messages])
    assert "ada" not in text.lower()
    assert sandbox.secret not in text


async def test_user_who_may_make_no_tables_submits_and_sends(
    client: ContactClient, database: Database, connection: Connection, sandbox: Sandbox
) -> None:
    role = f"{database.schema}_user"
    names = {"role": sql.Identifier(role), "schema": sql.Identifier(database.schema)}
    connection.execute(sql.SQL("CREATE ROLE {role} LOGIN PASSWORD 'pw'").format(**names))
    try:
        for grant in (
            "GRANT USAGE ON SCHEMA {schema} TO {role}",
            "GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA {schema} TO {role}",
            "GRANT USAGE ON ALL SEQUENCES IN SCHEMA {schema} TO {role}",
        ):
            connection.execute(sql.SQL(grant).format(**names))
        info = connection.info
        url = f"postgresql://{role}:pw@{info.host}:{info.port}/{info.dbname}"
        journal = PostgresJournal(url, run="run", schema=database.schema)
        run = await submitted(client, journal)
        async with working(Worker(client, url, lease_s=0.9, schema=database.schema)):
            assert (await run.wait()).succeeded == 40
    finally:
        connection.execute(sql.SQL("DROP OWNED BY {role}").format(**names))
        connection.execute(sql.SQL("DROP ROLE {role}").format(**names))
