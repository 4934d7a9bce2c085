"""The job engine, procrastinate, as this SDK uses it: its tables, and a job for each partition.

The engine's tables are in the schema of the journals, so they do not mix with the tables of other
programs that use procrastinate. A job is only a hint that a partition may have something to send.
The lease and the rows of the partition decide whether it has.
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
"""Sends the open rows of a partition; its arguments are the run's name and the partition's number.
"""

_TASK: Final = "contactsdk.drain"

# The number is arbitrary. The lock keeps two processes from creating the tables at the same time.
_LOCK: Final = "SELECT pg_advisory_xact_lock(1668248181)"

_CONNECTIONS: Final = 2  # for jobs and heartbeats; the engine has a third connection to listen on

POOL_TIMEOUT_S: Final = 5.0
"""How long an engine waits for a connection before it ends with an error, in seconds."""

# Only creates jobs. It is never opened, since each caller passes its own connection.
_DEFERRING: Final = App(connector=SyncPsycopgConnector())


def queue_of(account: Account) -> str:
    """The name of the queue for all runs of an account; only workers of that account read it.

    If the accounts shared one queue, a worker of another account could take the same job, which it
    cannot do, again and again.
    """
    # A longer name would be too long for the channel that the engine derives from it.
    return Digests.of(b"", account.secret).of_account(account).hex()


def queueing_lock(run: str, part: int) -> str:
    """The lock of a partition's waiting job: the engine accepts one waiting job for each lock."""
    return f"{run}/{part}"


def make_engine_tables(connection: Connection, database: Database) -> None:
    """Create the engine's tables in an existing schema, or migrate older tables.

    Raises:
        JournalError: A newer version of the engine made the tables.
        psycopg.Error: The database user may not create tables.
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
    """Create the tables of the journals and of the engine, or migrate older tables.

    Returns the name of the database, without user and password.

    Raises:
        ValueError: The URL is wrong; the message does not repeat it.
        JournalError: The tables cannot be created or migrated.
    """
    database = Database.at(url, schema)
    with errors_of(database.name), database.connect() as connection:
        prepare(connection, database)
        make_engine_tables(connection, database)
    return database.name


def enqueue(
    connection: Connection, database: Database, queue: str, run: str, parts: Iterable[int]
) -> int:
    """Queue a job for each of these partitions that has none waiting; returns how many it queued.

    If the connection is in a transaction, the jobs are part of it.

    Raises:
        psycopg.Error: The database refused a statement or cannot be reached.
    """
    added = 0
    with connection.transaction():
        _use_schema(connection, database)
        for part in parts:
            job = _DEFERRING.configure_task(
                _TASK, queue=queue, queueing_lock=queueing_lock(run, part), connection=connection
            )
            try:
                # A savepoint: if such a job is waiting already, the error of the engine's statement
                # would abort the whole transaction.
                with connection.transaction():
                    job.defer(run=run, part=part)
            except AlreadyEnqueued:
                continue
            except ConnectorException as exc:
                raise _cause_of(exc) from exc
            added += 1
    return added


def first_jobs_of(database: Database, account: Account) -> Enqueue:
    """A function that queues the first job of each partition; it is called when a run is sealed."""

    def enqueue_all(connection: Connection, run: str, partitions: int) -> None:
        make_engine_tables(connection, database)
        enqueue(connection, database, queue_of(account), run, range(partitions))

    return enqueue_all


def engine_app(database: Database, drain: Drain) -> App:
    """The engine of one worker, not yet connected; it calls `drain` for each job."""

    async def configure(connection: psycopg.AsyncConnection[Any]) -> None:
        await connection.execute(SETTINGS)
        await connection.execute(_schema_setting(database, "SET search_path TO {}"))
        await connection.commit()

    async def do_job(run: str, part: int) -> None:
        await drain(run, part)

    connector = PsycopgConnector(
        kwargs=database.options,
        configure=configure,
        # The size is fixed: if a pool is closed while it opens a further connection, that
        # connection stays open.
        min_size=_CONNECTIONS,
        max_size=_CONNECTIONS,
        timeout=POOL_TIMEOUT_S,
        name="contactsdk",
    )
    app = App(connector=connector)
    app.task(name=_TASK)(do_job)
    return app


def _use_schema(connection: Connection, database: Database) -> None:
    """Make the engine's own statements find its tables until the transaction ends."""
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
            f"{database.name}: its job tables are from a different version of procrastinate: "
            "install a newer version here"
        )
    for name in sorted(migrations):
        if name > found:
            connection.execute(migrations[name].read_bytes())


def _migrations() -> dict[str, Path]:
    """The engine's migrations, file name to path; sorted names are the order to apply them in."""
    return {path.name: path for path in migrations_path.glob("*.sql")}


def _found_migration(connection: Connection, database: Database) -> str | None:
    """The last migration of the engine's tables; `None` if there are no tables."""
    # to_regclass could miss a table that another process has just created.
    is_there = (
        "SELECT EXISTS (SELECT FROM pg_tables WHERE schemaname = %s AND tablename = 'engine')"
    )
    if connection.execute(is_there, (database.schema,)).fetchone() != (True,):
        return None
    query = sql.SQL("SELECT max(migration) FROM {}").format(database.table("engine"))
    ((name,),) = connection.execute(query)
    return str(name)


def _cause_of(exc: ConnectorException) -> BaseException:
    """The database's own error, which tells whether the connection is broken."""
    return exc.__cause__ or exc
