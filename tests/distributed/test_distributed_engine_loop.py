import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from procrastinate.exceptions import ConnectorException
from procrastinate.worker import Worker
from psycopg import sql

from contactsdk import JournalError
from contactsdk.distributed import engine
from contactsdk.distributed.engine import enqueue, make_engine_tables
from contactsdk.journal.postgres import make_tables
from contactsdk.journal.postgres_connection import Connection, Database
from contactsdk.workers import engine_loop
from contactsdk.workers.engine_loop import EngineLoop, pass_over_lost_jobs
from tests.postgres.servers import Server

Drain = Callable[[str, int], Awaitable[None]]


async def nothing(*values: object) -> None:
    await asyncio.sleep(0)


def loop_of(
    database: Database,
    drain: Drain,
    sweep: Callable[[], Awaitable[None]] = nothing,
    restarts: list[str] | None = None,
) -> EngineLoop:
    return EngineLoop(
        database,
        "queue",
        drain,
        sweep,
        sweep_every_s=0.01,
        on_restart=([] if restarts is None else restarts).append,
        sleep=lambda seconds: asyncio.sleep(0.01),
    )


async def until(is_true: Callable[[], bool]) -> None:
    async with asyncio.timeout(60):
        while not is_true():
            await asyncio.sleep(0.01)


def statuses(connection: Connection, database: Database) -> list[str]:
    query = sql.SQL("SELECT status FROM {} ORDER BY id")
    table = database.table("procrastinate_jobs")
    return [status for (status,) in connection.execute(query.format(table))]


def forget_workers(connection: Connection, database: Database) -> None:
    """As another worker does with those that it takes for dead."""
    table = database.table("procrastinate_workers")
    connection.execute(sql.SQL("DELETE FROM {}").format(table))


def listeners(connection: Connection) -> int:
    query = "SELECT count(*) FROM pg_stat_activity WHERE query LIKE 'LISTEN \"procrastinate%'"
    ((count,),) = connection.execute(query)
    return int(count)


async def test_jobs_are_done_until_the_loop_is_stopped(
    connection: Connection, database: Database
) -> None:
    done: list[int] = []

    async def drain(run: str, part: int) -> None:
        done.append(part)
        if part == 2:
            loop.stop()

    loop = loop_of(database, drain)
    enqueue(connection, database, "queue", "run", [0, 1, 2, 3])
    await loop.run()
    assert done == [0, 1, 2]
    assert statuses(connection, database) == ["todo"]


async def test_job_that_comes_later_is_done_at_once(
    connection: Connection, database: Database
) -> None:
    async def drain(run: str, part: int) -> None:
        loop.stop()

    loop = loop_of(database, drain)
    running = asyncio.create_task(loop.run())
    await until(lambda: listeners(connection) > 0)
    enqueue(connection, database, "queue", "run", [0])
    await running
    assert statuses(connection, database) == []


async def test_present_job_is_finished_when_the_loop_is_stopped(
    connection: Connection, database: Database
) -> None:
    begun, is_stopped = asyncio.Event(), asyncio.Event()
    done: list[int] = []

    async def drain(run: str, part: int) -> None:
        loop.stop()
        begun.set()
        await is_stopped.wait()
        done.append(part)

    loop = loop_of(database, drain)
    enqueue(connection, database, "queue", "run", [0])
    running = asyncio.create_task(loop.run())
    await begun.wait()
    await asyncio.sleep(0.01)
    assert not running.done()
    is_stopped.set()
    await running
    assert done == [0]


async def test_loop_that_was_stopped_before_does_nothing(
    connection: Connection, database: Database
) -> None:
    loop = loop_of(database, nothing)
    enqueue(connection, database, "queue", "run", [0])
    loop.stop()
    await loop.run()
    assert statuses(connection, database) == ["todo"]


async def test_loop_that_is_stopped_while_it_begins_does_nothing(
    connection: Connection, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    loop = loop_of(database, nothing)

    class Stopping(Worker):
        def __init__(self, *args: Any, **options: Any) -> None:
            super().__init__(*args, **options)
            loop.stop()

    monkeypatch.setattr(engine_loop, "Worker", Stopping)
    enqueue(connection, database, "queue", "run", [0])
    await loop.run()
    assert statuses(connection, database) == ["todo"]


async def test_present_job_is_cancelled_when_the_loop_is(
    connection: Connection, database: Database
) -> None:
    begun = asyncio.Event()

    async def drain(run: str, part: int) -> None:
        begun.set()
        await asyncio.Event().wait()

    running = asyncio.create_task(loop_of(database, drain).run())
    enqueue(connection, database, "queue", "run", [0])
    await begun.wait()
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    assert statuses(connection, database) == ["aborted"]


async def test_idle_loop_ends_when_it_is_cancelled(database: Database) -> None:
    swept = asyncio.Event()

    async def sweep() -> None:
        swept.set()

    running = asyncio.create_task(loop_of(database, nothing, sweep).run())
    await swept.wait()
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running


async def test_worker_that_others_took_for_dead_goes_on(
    connection: Connection, database: Database
) -> None:
    done: list[int] = []
    restarts: list[str] = []

    async def drain(run: str, part: int) -> None:
        done.append(part)
        if part == 0:
            forget_workers(connection, database)
            enqueue(connection, database, "queue", "run", [1])
        else:
            loop.stop()

    loop = loop_of(database, drain, restarts=restarts)
    enqueue(connection, database, "queue", "run", [0])
    await loop.run()
    assert done == [0, 1]
    (reason,) = restarts
    assert "violates foreign key constraint" in reason


@pytest.fixture
def quick_engines(monkeypatch: pytest.MonkeyPatch) -> None:
    """Engines that notice at once that their database is away."""
    monkeypatch.setattr(engine, "POOL_TIMEOUT_S", 0.2)
    monkeypatch.setattr(engine_loop, "HEARTBEAT_S", 0.01)


@pytest.fixture
def own_database(server: Server, schema: str) -> Database:
    """A database whose server a test may stop."""
    make_tables(server.url, schema=schema)
    database = Database.at(server.url, schema)
    with database.connect() as connection:
        make_engine_tables(connection, database)
    return database


@pytest.mark.usefixtures("quick_engines")
async def test_loop_goes_on_when_the_database_is_there_again(
    server: Server, own_database: Database
) -> None:
    done: list[int] = []
    restarts: list[str] = []

    async def drain(run: str, part: int) -> None:
        done.append(part)
        loop.stop()

    loop = loop_of(own_database, drain, restarts=restarts)
    running = asyncio.create_task(loop.run())
    with own_database.connect() as connection:
        await until(lambda: listeners(connection) > 0)
    with server.away():
        await until(lambda: bool(restarts))
    with own_database.connect() as connection:
        enqueue(connection, own_database, "queue", "run", [0])
    await running
    assert done == [0]
    assert all(own_database.name in reason for reason in restarts)


@pytest.mark.usefixtures("quick_engines")
async def test_loop_ends_when_it_is_stopped_while_the_database_is_away(
    server: Server, own_database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(engine, "POOL_TIMEOUT_S", 3600)  # it would wait for it for an hour
    with server.away():
        loop = loop_of(own_database, nothing)
        running = asyncio.create_task(loop.run())
        await asyncio.sleep(0.1)
        assert not running.done()
        loop.stop()
        await running


async def test_sweep_is_repeated(database: Database) -> None:
    swept = 0

    async def sweep() -> None:
        nonlocal swept
        swept += 1
        if swept == 3:
            loop.stop()

    loop = loop_of(database, nothing, sweep)
    await loop.run()
    assert swept == 3


async def test_sweep_that_failed_is_tried_again(
    database: Database, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "contactsdk")
    swept = 0

    async def sweep() -> None:
        nonlocal swept
        swept += 1
        if swept == 2:
            loop.stop()
        raise JournalError("the database is away")

    loop = loop_of(database, nothing, sweep)
    await loop.run()
    assert "the sweep for idle partitions failed: the database is away" in caplog.messages


async def test_loop_survives_a_mistake_in_the_sweep(
    database: Database, caplog: pytest.LogCaptureFixture
) -> None:
    swept = 0

    async def sweep() -> None:
        nonlocal swept
        swept += 1
        if swept == 2:
            loop.stop()
        raise ZeroDivisionError

    loop = loop_of(database, nothing, sweep)
    await loop.run()
    assert swept == 2
    assert "the sweep for idle partitions failed" in caplog.messages


@pytest.mark.parametrize(
    ("error", "is_shown"), [(ConnectorException(), False), (ZeroDivisionError(), True)]
)
async def test_job_that_somebody_else_has_finished_is_ignored(
    error: Exception, is_shown: bool, caplog: pytest.LogCaptureFixture
) -> None:
    loop = asyncio.get_running_loop()
    pass_over_lost_jobs(loop, {"message": "a task failed", "exception": error})
    assert ("a task failed" in caplog.text) == is_shown


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (None, "its connection broke"),  # as it ends where only its heartbeat failed
        (ZeroDivisionError("a mistake"), "ZeroDivisionError: a mistake"),
    ],
)
async def test_engine_that_ends_by_itself_is_started_again(
    error: Exception | None, reason: str, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    restarts: list[str] = []

    class Ending(Worker):
        async def run(self) -> None:
            if restarts:
                loop.stop()
            elif error is not None:
                raise error

    monkeypatch.setattr(engine_loop, "Worker", Ending)
    loop = loop_of(database, nothing, restarts=restarts)
    await loop.run()
    assert restarts == [reason]
