"""The job engine, procrastinate, as this SDK uses it: its tables, and a job for each partition.

Its tables are in the schema of the journals, apart from those of other users of the engine. A job
is no more than a hint that a partition may have something to send: whether it has, its lease and
its rows say.
"""

from collections.abc import Awaitable, Callable, Iterable
from pathlib import Path
from typing import Any, Final, TypeAlias

import psycopg
from procrastinate import App, PsycopgConnector, SyncPsycopgConnector
from procrastinate.exceptions import AlreadyEnqueued, ConnectorException
from procrastinate.schema import SchemaManager, migrations_path
from psycopg import sql

from contactsdk.distributed.feeder import Enqueue
from contactsdk.errors import JournalError
from contactsdk.journal import Account
from contactsdk.journal.identity import Digests
from contactsdk.journal.postgres_connection import SETTINGS, Connection, Database, errors_of
from contactsdk.journal.postgres_schema import prepare

Drain: TypeAlias = Callable[[str, int], Awaitable[None]]
"""Sends what is open of a partition, given the name of its run and its number."""

_TASK: Final = "contactsdk.drain"

# Any number: it keeps two processes from making the same tables at a time.
_LOCK: Final = "SELECT pg_advisory_xact_lock(1668248181)"

_CONNECTIONS: Final = 2  # for jobs and heartbeats; the engine listens by another one

POOL_TIMEOUT_S: Final = 5.0
"""How long an engine waits for a connection before it ends by an error."""

_DEFERRING: Final = App(connector=SyncPsycopgConnector())  # never opened: callers connect


def queue_of(account: Account) -> str:
    """The name of the queue for the runs of an account, whose workers alone do its jobs.

    A job that workers of other accounts took, too, would be taken by one of them again and again.
    """
    # A longer name would be too long for the channel that the engine derives from it.
    return Digests.of(b"", account.secret).of_account(account).hex()


def queueing_lock(run: str, part: int) -> str:
    """What the waiting jobs of a partition have in common, of which there may be one at most."""
    return f"{run}/{part}"


def make_engine_tables(connection: Connection, database: Database) -> None:
    """Make the engine's tables in a schema that is there, or bring older ones up to date.

    Raises:
        JournalError: They are of a newer engine.
        psycopg.Error: The user may not make them.
    """
    newest = max(_migrations())
    if _found_migration(connection, database) == newest:
        return
    table = database.table("engine")
    with connection.transaction():
        connection.execute(_LOCK)
        _use_schema(connection, database)
        _migrate(connection, database, _found_migration(connection, database))
        create = "CREATE TABLE IF NOT EXISTS {} (migration text NOT NULL)"
        connection.execute(sql.SQL(create).format(table))
        connection.execute(sql.SQL("DELETE FROM {}").format(table))
        connection.execute(sql.SQL("INSERT INTO {} VALUES (%s)").format(table), (newest,))


def make_tables(url: str, *, schema: str = "contactsdk") -> str:
    """Make the tables of journals and of the engine, or bring older ones up to date.

    Returns the name of the database, without user and password.

    Raises:
        ValueError: The URL is wrong; the message does not repeat it.
        JournalError: They cannot be made.
    """
    database = Database.at(url, schema)
    with errors_of(database.name), database.connect() as connection:
        prepare(connection, database)
        make_engine_tables(connection, database)
    return database.name


def enqueue(
    connection: Connection, database: Database, queue: str, run: str, parts: Iterable[int]
) -> int:
    """Give each of these partitions a job, but where one is waiting already; how many there were.

    It is done in the transaction of the connection, where there is one.

    Raises:
        psycopg.Error: The database refused, or is gone.
    """
    added = 0
    with connection.transaction():
        _use_schema(connection, database)
        for part in parts:
            job = _DEFERRING.configure_task(
                _TASK, queue=queue, queueing_lock=queueing_lock(run, part), connection=connection
            )
            try:
                # Within a savepoint, since what the engine answers with an error where there is
                # such a job ends the transaction.
                with connection.transaction():
                    job.defer(run=run, part=part)
            except AlreadyEnqueued:
                continue
            except ConnectorException as exc:
                raise _cause_of(exc) from exc
            added += 1
    return added


def first_jobs_of(database: Database, account: Account) -> Enqueue:
    """What gives each partition of a run its first job, once the input of the run is whole."""

    def enqueue_all(connection: Connection, run: str, partitions: int) -> None:
        make_engine_tables(connection, database)
        enqueue(connection, database, queue_of(account), run, range(partitions))

    return enqueue_all


def engine_app(database: Database, drain: Drain) -> App:
    """The engine of one worker, which calls `drain` for each job; it is not connected yet."""

    async def configure(connection: psycopg.AsyncConnection[Any]) -> None:
        await connection.execute(SETTINGS)
        await connection.execute(_schema_setting(database, "SET search_path TO {}"))
        await connection.commit()

    async def do_job(run: str, part: int) -> None:
        await drain(run, part)

    connector = PsycopgConnector(
        kwargs=database.options,
        configure=configure,
        # Of a fixed size: a connection that the pool is making while it is closed stays open.
        min_size=_CONNECTIONS,
        max_size=_CONNECTIONS,
        timeout=POOL_TIMEOUT_S,
        name="contactsdk",
    )
    app = App(connector=connector)
    app.task(name=_TASK)(do_job)
    return app


def _use_schema(connection: Connection, database: Database) -> None:
    """Have the engine's own statements find its tables, to the end of the transaction."""
    connection.execute(_schema_setting(database, "SET LOCAL search_path TO {}"))


def _schema_setting(database: Database, statement: Any) -> sql.Composed:
    return sql.SQL(statement).format(sql.Identifier(database.schema))


def _migrate(connection: Connection, database: Database, found: str | None) -> None:
    if found is None:
        connection.execute(SchemaManager.get_schema())
        return
    migrations = _migrations()
    if found not in migrations:
        raise JournalError(
            f"{database.name}: its jobs are those of another procrastinate: use a newer one here"
        )
    for name in sorted(migrations):
        if name > found:
            connection.execute(migrations[name].read_bytes())


def _migrations() -> dict[str, Path]:
    """What makes the tables of the engine newer, step by step, by name; names are in order."""
    return {path.name: path for path in migrations_path.glob("*.sql")}


def _found_migration(connection: Connection, database: Database) -> str | None:
    """The last migration of the engine's tables; `None` where there are none."""
    # Not by to_regclass, which may answer from before another process has made the table.
    is_there = (
        "SELECT EXISTS (SELECT FROM pg_tables WHERE schemaname = %s AND tablename = 'engine')"
    )
    if connection.execute(is_there, (database.schema,)).fetchone() != (True,):
        return None
    query = sql.SQL("SELECT max(migration) FROM {}").format(database.table("engine"))
    ((name,),) = connection.execute(query)
    return str(name)


def _cause_of(exc: ConnectorException) -> BaseException:
    """What the database raised, so that a broken connection is told from other errors."""
    return exc.__cause__ or exc
