import asyncio
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psycopg
import pytest
from procrastinate.schema import migrations_path
from psycopg import sql

from contactsdk import JournalError
from contactsdk.distributed import engine
from contactsdk.distributed.engine import engine_app, enqueue, make_engine_tables
from contactsdk.journal.postgres_connection import Connection, Database
from contactsdk.journal.postgres_schema import prepare
from tests.distributed.samples import waiting


def test_each_partition_gets_a_job(connection: Connection, database: Database) -> None:
    assert enqueue(connection, database, "queue", "seven", range(3)) == 3
    assert waiting(connection, database) == ["seven/0", "seven/1", "seven/2"]


def test_partition_has_one_waiting_job_at_most(connection: Connection, database: Database) -> None:
    enqueue(connection, database, "queue", "seven", [0])
    assert enqueue(connection, database, "queue", "seven", [0, 1]) == 1
    assert waiting(connection, database) == ["seven/0", "seven/1"]


def test_jobs_are_there_once_their_transaction_is(
    connection: Connection, database: Database
) -> None:
    with connection.transaction(force_rollback=True):
        enqueue(connection, database, "queue", "seven", [0])
    assert waiting(connection, database) == []


def test_transaction_goes_on_after_a_job_that_was_waiting_already(
    connection: Connection, database: Database
) -> None:
    enqueue(connection, database, "queue", "seven", [0])
    with connection.transaction():
        enqueue(connection, database, "queue", "seven", [0])
        enqueue(connection, database, "queue", "eight", [0])
    assert waiting(connection, database) == ["seven/0", "eight/0"]


def test_other_statements_find_their_tables_as_before(
    connection: Connection, database: Database
) -> None:
    (before,) = connection.execute("SHOW search_path").fetchone() or ("",)
    enqueue(connection, database, "queue", "seven", [0])
    assert connection.execute("SHOW search_path").fetchone() == (before,)


def test_connection_that_broke_is_an_error_of_the_database(
    connection: Connection, database: Database
) -> None:
    with database.connect() as other:
        other.execute("SELECT pg_terminate_backend(%s)", (connection.info.backend_pid,))
    with pytest.raises(psycopg.OperationalError):
        enqueue(connection, database, "queue", "seven", [0])


def test_error_of_the_engine_is_that_of_the_database(
    connection: Connection, database: Database
) -> None:
    table = database.table("procrastinate_jobs")
    connection.execute(sql.SQL("DROP TABLE {} CASCADE").format(table))
    with pytest.raises(psycopg.errors.UndefinedTable):
        enqueue(connection, database, "queue", "seven", [0])


async def test_engine_does_each_job_once(connection: Connection, database: Database) -> None:
    done = []

    async def drain(run: str, part: int) -> None:
        done.append((run, part))

    await asyncio.to_thread(enqueue, connection, database, "queue", "seven", [0, 1])
    await asyncio.to_thread(enqueue, connection, database, "other queue", "eight", [0])
    app = engine_app(database, drain)
    async with app.open_async():
        await app.run_worker_async(
            queues=["queue"], wait=False, install_signal_handlers=False, delete_jobs="successful"
        )
    assert done == [("seven", 0), ("seven", 1)]
    assert waiting(connection, database) == ["eight/0"]


def test_tables_that_another_process_makes_meanwhile_are_used(
    connection: Connection, database: Database
) -> None:
    with database.connect() as other, ThreadPoolExecutor(1) as thread:
        other.execute(sql.SQL("DROP SCHEMA {} CASCADE").format(sql.Identifier(database.schema)))
        prepare(other, database)
        with other.transaction():
            make_engine_tables(other, database)

            def make_too() -> None:
                with connection.transaction():
                    make_engine_tables(connection, database)

            making = thread.submit(make_too)
            while not _is_waiting(other, connection.info.backend_pid):
                time.sleep(0.005)
        making.result()
    assert waiting(connection, database) == []


def _is_waiting(connection: Connection, backend: int) -> bool:
    query = "SELECT EXISTS (SELECT FROM pg_locks WHERE pid = %s AND NOT granted)"
    return connection.execute(query, (backend,)).fetchone() == (True,)


def test_tables_of_an_older_engine_are_brought_up_to_date(
    connection: Connection, database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for migration in migrations_path.glob("*.sql"):
        (tmp_path / migration.name).write_text("THIS WAS DONE BEFORE")
    (tmp_path / "98.sql").write_text("CREATE TABLE newer (); CREATE TABLE newest ()")
    (tmp_path / "99.sql").write_text("DROP TABLE newest")
    monkeypatch.setattr(engine, "migrations_path", tmp_path)
    make_engine_tables(connection, database)
    make_engine_tables(connection, database)
    query = "SELECT to_regclass(%s) IS NOT NULL"
    for table, is_there in (("newer", True), ("newest", False)):
        found = connection.execute(query, (f"{database.schema}.{table}",)).fetchone()
        assert found == (is_there,)


def test_tables_of_a_newer_engine_are_refused(
    connection: Connection, database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "00.sql").touch()
    monkeypatch.setattr(engine, "migrations_path", tmp_path)
    with pytest.raises(JournalError, match="a different version of procrastinate"):
        make_engine_tables(connection, database)
