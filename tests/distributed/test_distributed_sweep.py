import asyncio
from collections.abc import Callable

import pytest
from procrastinate.exceptions import ConnectorException
from psycopg import sql

from contactsdk import ContactClient, Credentials
from contactsdk.distributed import SubmittedRun
from contactsdk.distributed.engine import engine_app, enqueue, queue_of
from contactsdk.journal.postgres import PostgresJournal
from contactsdk.journal.postgres_connection import Connection, Database
from contactsdk.sandbox import Sandbox
from contactsdk.workers.sweep import finish_stalled_jobs, sweep
from tests.distributed.samples import contacts, delete_jobs, statuses, take_lease, waiting


@pytest.fixture
async def run(
    client: ContactClient, journal_of: Callable[..., PostgresJournal], database: Database
) -> SubmittedRun:
    """A run of which each of two partitions has a contact, and its first job is lost."""
    run = await client.submit(contacts(40), journal=journal_of(), partitions=2)
    with database.connect() as connection:
        delete_jobs(connection, database)
    return run


@pytest.mark.usefixtures("run")
def test_partition_without_a_job_gets_one(
    client: ContactClient, connection: Connection, database: Database
) -> None:
    assert sweep(connection, database, client.account) == set()
    assert waiting(connection, database) == ["run/0", "run/1"]


@pytest.mark.usefixtures("run")
def test_partition_that_has_a_job_gets_no_other(
    client: ContactClient, connection: Connection, database: Database
) -> None:
    enqueue(connection, database, queue_of(client.account), "run", [1])
    sweep(connection, database, client.account)
    assert waiting(connection, database) == ["run/1", "run/0"]


@pytest.mark.usefixtures("run")
def test_partition_that_a_worker_sends_gets_no_job(
    client: ContactClient, connection: Connection, database: Database
) -> None:
    take_lease(connection, database, 0, 60)
    sweep(connection, database, client.account)
    assert waiting(connection, database) == ["run/1"]


@pytest.mark.usefixtures("run")
def test_partition_whose_worker_died_gets_a_job_once_its_lease_is_over(
    client: ContactClient, connection: Connection, database: Database
) -> None:
    take_lease(connection, database, 0, -1)
    sweep(connection, database, client.account)
    assert waiting(connection, database) == ["run/0", "run/1"]


async def test_run_that_is_stopped_gets_no_jobs(
    run: SubmittedRun, client: ContactClient, connection: Connection, database: Database
) -> None:
    await run.stop()
    sweep(connection, database, client.account)
    assert waiting(connection, database) == []
    await run.resume()
    sweep(connection, database, client.account)
    assert waiting(connection, database) == ["run/0", "run/1"]


@pytest.mark.usefixtures("run")
async def test_run_of_another_account_is_left_to_its_workers(
    sandbox: Sandbox, connection: Connection, database: Database
) -> None:
    async with ContactClient(sandbox.url, Credentials(sandbox.key, "another secret")) as other:
        assert sweep(connection, database, other.account) == {"run"}
    assert waiting(connection, database) == []


@pytest.mark.usefixtures("run")
def test_one_worker_at_a_time_sweeps(
    client: ContactClient, connection: Connection, database: Database
) -> None:
    with database.connect() as other, other.transaction():
        sweep(other, database, client.account)
        assert sweep(connection, database, client.account) == ()
    assert waiting(connection, database) == ["run/0", "run/1"]
    sweep(connection, database, client.account)
    assert waiting(connection, database) == ["run/0", "run/1"]


async def idle(run: str, part: int) -> None:
    await asyncio.sleep(0)


def begin_jobs(connection: Connection, database: Database) -> None:
    """Have each waiting job begun by an engine that has died since then."""
    with connection.transaction():
        schema = sql.Identifier(database.schema)
        connection.execute(sql.SQL("SET LOCAL search_path TO {}").format(schema))
        connection.execute("UPDATE procrastinate_jobs SET status = 'doing'")


async def test_job_of_a_dead_engine_is_finished_as_failed(
    connection: Connection, database: Database
) -> None:
    enqueue(connection, database, "queue", "run", [0])
    enqueue(connection, database, "other queue", "other run", [0])
    begin_jobs(connection, database)
    async with engine_app(database, idle).open_async() as app:
        await finish_stalled_jobs(app, "queue")
    assert statuses(connection, database) == ["failed", "doing"]


async def test_job_that_was_finished_meanwhile_stays_as_it_is(
    connection: Connection, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    enqueue(connection, database, "queue", "run", [0])
    begin_jobs(connection, database)
    async with engine_app(database, idle).open_async() as app:
        find = app.job_manager.get_stalled_jobs

        async def find_and_delete(**options: object) -> object:
            found = await find(queue="queue")
            delete_jobs(connection, database)
            return found

        monkeypatch.setattr(app.job_manager, "get_stalled_jobs", find_and_delete)
        await finish_stalled_jobs(app, "queue")
    assert statuses(connection, database) == []


async def test_stalled_jobs_of_a_database_without_the_engine_are_an_error(
    connection: Connection, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    enqueue(connection, database, "queue", "run", [0])
    begin_jobs(connection, database)
    async with engine_app(database, idle).open_async() as app:
        table = database.table("procrastinate_events")
        connection.execute(sql.SQL("DROP TABLE {} CASCADE").format(table))
        with pytest.raises(ConnectorException):
            await finish_stalled_jobs(app, "queue")
