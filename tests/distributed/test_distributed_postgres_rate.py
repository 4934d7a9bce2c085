"""A rate that processes share by a row of a database."""

import asyncio
import time

import pytest
from psycopg import sql

from contactsdk import Contact, ContactClient, Credentials
from contactsdk.bulk.turns import SharedRate, Turns
from contactsdk.distributed.postgres_rate import PostgresRate, TurnTable
from contactsdk.distributed.reserved_turns import TOLERANCE_S, spacing_s
from contactsdk.errors import JournalError, RateLimitedError, UnavailableError
from contactsdk.journal import Account
from contactsdk.journal.postgres_connection import Connection, Database
from contactsdk.sandbox import Sandbox
from tests.distributed.processes import a_pacer, loop_time
from tests.postgres.servers import Server

ACCOUNT = Account(url="https://example.com/api", key="key", secret="secret")
NOWHERE = Database.at("postgresql://user:hidden@127.0.0.1:1/none", "contactsdk")
OTHER = Account(url="https://example.com/api", key="other", secret="secret")


def turns_of(rate: PostgresRate, account: Account = ACCOUNT) -> Turns:
    return rate.turns(account, a_pacer(), asyncio.get_running_loop().time)


async def acquired(turns: Turns, count: int) -> list[float]:
    """When each of so many turns came that were asked for at once."""

    async def acquire() -> float:
        await turns.acquire()
        return loop_time()

    return await asyncio.gather(*(acquire() for _ in range(count)))


@pytest.mark.parametrize("rate_per_s", [0.0, -1.0, float("nan")])
def test_ceiling_must_be_positive(rate_per_s: float) -> None:
    with pytest.raises(ValueError, match="rate_per_s"):
        TurnTable(NOWHERE).rate(rate_per_s)


def test_it_is_a_shared_rate() -> None:
    assert isinstance(TurnTable(NOWHERE).rate(1.0), SharedRate)


async def test_two_that_share_a_rate_get_different_turns(database: Database) -> None:
    async with TurnTable(database) as one, TurnTable(database) as other:
        both = [turns_of(table.rate(100.0)) for table in (one, other)]
        times = await asyncio.gather(*(acquired(turns, 10) for turns in both))

    in_order = sorted([*times[0], *times[1]])
    # The first may be late by the tolerance, and turns may have been thrown away.
    assert in_order[-1] - in_order[0] >= 19 * spacing_s(100.0) - TOLERANCE_S


async def test_accounts_share_nothing(database: Database) -> None:
    async with TurnTable(database) as table:
        rate = table.rate(0.001)
        await turns_of(rate).acquire()
        await turns_of(rate, OTHER).acquire()  # else it would wait for a quarter of an hour


async def test_row_is_the_same_for_all_runs_of_an_account(
    database: Database, connection: Connection
) -> None:
    async with TurnTable(database) as table:
        await turns_of(table.rate(1000.0)).acquire()
        await turns_of(table.rate(500.0)).acquire()

    query = sql.SQL("SELECT rate, account FROM {}").format(database.table("turn"))
    ((rate, account),) = connection.execute(query).fetchall()
    assert rate == 500.0
    assert b"key" not in account


@pytest.mark.parametrize("rate_per_s", [None, 1000.0])
async def test_pause_of_one_process_is_that_of_all(
    database: Database, rate_per_s: float | None
) -> None:
    pacers, clock = (a_pacer(), a_pacer()), asyncio.get_running_loop().time
    async with TurnTable(database) as one, TurnTable(database) as other:
        asked, keeping = (
            table.rate(rate_per_s).turns(ACCOUNT, pacer, clock)
            for table, pacer in zip((one, other), pacers, strict=True)
        )
        error = RateLimitedError("wait", retry_after_s=120.0)
        pacers[0].record_result(asked.acquire_nowait() or await asked.acquire(), error)
        assert asked.acquire_nowait() is None
        await one.in_thread(lambda connection: None)  # it is posted

        keeping.acquire_nowait()
        await other.in_thread(lambda connection: None)
        await asyncio.sleep(0.01)

        assert keeping.acquire_nowait() is None
        assert pacers[1].paused_until == pytest.approx(pacers[0].paused_until, abs=5)


async def test_clock_of_the_process_may_be_any(database: Database) -> None:
    clock = asyncio.get_running_loop().time
    async with TurnTable(database) as table:
        turns = table.rate(1000.0).turns(ACCOUNT, a_pacer(), lambda: clock() - 12345.0)

        await acquired(turns, 20)


async def test_connection_that_breaks_is_made_anew(
    database: Database, connection: Connection
) -> None:
    slept: list[float] = []
    async with TurnTable(database, sleep=slept.append) as table:
        turns = turns_of(table.rate(1000.0))
        await turns.acquire()
        pid = await table.in_thread(lambda connection: connection.info.backend_pid)
        connection.execute("SELECT pg_terminate_backend(%s, 10000)", (pid,))

        await acquired(turns, 100)

    assert len(slept) == 1


async def test_database_that_stays_away_is_an_error() -> None:
    async with TurnTable(NOWHERE, reconnect_s=0.0) as table:
        with pytest.raises(JournalError) as caught:
            await turns_of(table.rate(10.0)).acquire()

    assert "hidden" not in str(caught.value)


async def test_database_that_comes_back_in_time_is_not_an_error(
    database: Database, server: Server
) -> None:
    async with TurnTable(database, sleep=lambda _: time.sleep(0.05)) as table:
        turns = turns_of(table.rate(1000.0))
        await turns.acquire()
        with server.away():
            waiting = asyncio.create_task(acquired(turns, 30))
            await asyncio.sleep(0)
        await waiting


async def test_event_loop_never_waits_for_the_database(database: Database) -> None:
    async with TurnTable(database) as table:
        turns = turns_of(table.rate(1000.0))
        await turns.acquire()
        with database.connect() as connection, connection.transaction():
            connection.execute(sql.SQL("LOCK TABLE {}").format(database.table("turn")))
            waiting = asyncio.create_task(acquired(turns, 200))
            await asyncio.sleep(0.05)
            assert not waiting.done()  # and we are here
        await waiting


async def test_table_that_is_not_there_is_an_error(database_url: str, schema: str) -> None:
    async with TurnTable(Database.at(database_url, schema)) as table:
        with pytest.raises(JournalError, match="turn"):
            await turns_of(table.rate(10.0)).acquire()


async def test_run_that_gets_no_turn_is_stopped_and_loses_no_contact() -> None:
    contacts = [
        Contact(first_name="Ada", last_name=f"No {n}", email=f"a{n}@example.com") for n in range(3)
    ]
    async with (
        Sandbox() as sandbox,
        TurnTable(NOWHERE, reconnect_s=0.0) as table,
        ContactClient(sandbox.url, Credentials(sandbox.key, sandbox.secret)) as client,
    ):
        report = await client.add_or_update_many(contacts, rate_per_s=table.rate(10.0))

    assert isinstance(report.stopped_by, JournalError)
    assert {type(outcome.error) for outcome in report.outcomes} <= {UnavailableError}
    assert not sandbox.ledger.requests


async def test_run_sends_by_the_turns_of_a_shared_rate(database: Database) -> None:
    contacts = [
        Contact(first_name="Ada", last_name=f"No {n}", email=f"a{n}@example.com") for n in range(20)
    ]
    clock = asyncio.get_running_loop().time
    async with (
        Sandbox() as sandbox,
        TurnTable(database) as table,
        ContactClient(sandbox.url, Credentials(sandbox.key, sandbox.secret)) as client,
    ):
        started_at = clock()
        report = await client.add_or_update_many(contacts, rate_per_s=table.rate(100.0))

    assert all(outcome.ok for outcome in report.outcomes)
    assert clock() - started_at >= 19 * spacing_s(100.0) - TOLERANCE_S
