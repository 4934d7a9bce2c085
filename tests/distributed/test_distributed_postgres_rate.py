"""A rate that processes share by a row of a database."""

import asyncio
import time

import psycopg
import pytest
from distributed.processes import a_pacer, loop_time
from postgres.servers import Server
from psycopg import sql

from contactsdk.bulk.turns import SharedRate, Turns
from contactsdk.distributed.postgres_rate import PostgresRate
from contactsdk.distributed.reserved_turns import TOLERANCE_S, spacing_s
from contactsdk.errors import JournalError, RateLimitedError
from contactsdk.journal import Account
from contactsdk.journal.postgres import make_tables
from contactsdk.journal.postgres_connection import Database

ACCOUNT = Account(url="https://example.com/api", key="key", secret="secret")
OTHER = Account(url="https://example.com/api", key="other", secret="secret")


@pytest.fixture
def database(database_url: str, schema: str) -> Database:
    make_tables(database_url, schema=schema)
    return Database.at(database_url, schema)


def turns_of(rate: PostgresRate, account: Account = ACCOUNT) -> Turns:
    pacer = a_pacer()
    return Turns(pacer, rate.cap(account, pacer, asyncio.get_running_loop().time))


async def acquired(turns: Turns, count: int) -> list[float]:
    """When each of so many turns came that were asked for at once."""

    async def acquire() -> float:
        await turns.acquire()
        return loop_time()

    return await asyncio.gather(*(acquire() for _ in range(count)))


@pytest.mark.parametrize("rate_per_s", [0.0, -1.0, float("nan")])
def test_ceiling_must_be_positive(rate_per_s: float) -> None:
    with pytest.raises(ValueError, match="rate_per_s"):
        PostgresRate(Database.at("postgresql://localhost/none", "contactsdk"), rate_per_s)


def test_it_is_a_shared_rate() -> None:
    rate = PostgresRate(Database.at("postgresql://localhost/none", "contactsdk"), 1.0)

    assert isinstance(rate, SharedRate)


async def test_two_that_share_a_rate_get_different_turns(database: Database) -> None:
    async with PostgresRate(database, 100.0) as one, PostgresRate(database, 100.0) as other:
        both = turns_of(one), turns_of(other)
        times = await asyncio.gather(*(acquired(turns, 10) for turns in both))

    in_order = sorted([*times[0], *times[1]])
    # The first may be late by the tolerance, and turns may have been thrown away.
    assert in_order[-1] - in_order[0] >= 19 * spacing_s(100.0) - TOLERANCE_S


async def test_accounts_share_nothing(database: Database, schema: str) -> None:
    async with PostgresRate(database, 0.001) as rate:
        await turns_of(rate).acquire()
        await turns_of(rate, OTHER).acquire()  # else it would wait for a quarter of an hour


async def test_row_is_the_same_for_all_runs_of_an_account(
    database: Database, database_url: str, schema: str
) -> None:
    async with PostgresRate(database, 1000.0) as rate, PostgresRate(database, 500.0) as other:
        await turns_of(rate).acquire()
        await turns_of(other).acquire()

    with psycopg.connect(database_url) as connection:
        table = sql.Identifier(schema, "turn")
        rows = connection.execute(sql.SQL("SELECT rate, account FROM {}").format(table)).fetchall()
    assert [row[0] for row in rows] == [500.0]
    assert b"key" not in rows[0][1]


async def test_pause_of_one_process_is_that_of_all(database: Database) -> None:
    async with PostgresRate(database, 1000.0) as one, PostgresRate(database, 1000.0) as other:
        throttled, pacer, clock = a_pacer(), a_pacer(), asyncio.get_running_loop().time
        asked = Turns(throttled, one.cap(ACCOUNT, throttled, clock))
        error = RateLimitedError("wait", retry_after_s=120.0)
        throttled.record_result(await asked.acquire(), error)
        assert asked.acquire_nowait() is None  # which shares the pause
        await one.in_thread(lambda connection: None)

        waiting = asyncio.create_task(Turns(pacer, other.cap(ACCOUNT, pacer, clock)).acquire())
        while pacer.paused_until < loop_time():
            await asyncio.sleep(0.01)
        waiting.cancel()

        assert pacer.paused_until == pytest.approx(throttled.paused_until, abs=5)


async def test_turn_is_as_good_where_the_clock_is_another_one(database: Database) -> None:
    async with PostgresRate(database, 1000.0) as rate:
        pacer, clock = a_pacer(), asyncio.get_running_loop().time
        cap = rate.cap(ACCOUNT, pacer, lambda: clock() - 12345.0)
        await asyncio.wait_for(Turns(pacer, cap).acquire(), 30)


async def test_connection_that_breaks_is_made_anew(database: Database, database_url: str) -> None:
    slept: list[float] = []
    async with PostgresRate(database, 1000.0, sleep=slept.append) as rate:
        turns = turns_of(rate)
        await turns.acquire()
        pid = await rate.in_thread(lambda connection: connection.info.backend_pid)
        with psycopg.connect(database_url, autocommit=True) as connection:
            connection.execute("SELECT pg_terminate_backend(%s, 10000)", (pid,))

        await acquired(turns, 100)

    assert len(slept) == 1


async def test_database_that_stays_away_is_an_error() -> None:
    away = Database.at("postgresql://user:hidden@127.0.0.1:1/none", "contactsdk")
    async with PostgresRate(away, 10.0, reconnect_s=0.0) as rate:
        with pytest.raises(JournalError) as caught:
            await turns_of(rate).acquire()

    assert "hidden" not in str(caught.value)


async def test_database_that_comes_back_in_time_is_no_error(
    database: Database, server: Server
) -> None:
    async with PostgresRate(database, 1000.0, sleep=lambda _: time.sleep(0.05)) as rate:
        turns = turns_of(rate)
        await turns.acquire()
        with server.away():
            waiting = asyncio.create_task(acquired(turns, 30))
            await asyncio.sleep(0)
        await waiting


async def test_event_loop_never_waits_for_the_database(
    database: Database, database_url: str, schema: str
) -> None:
    async with PostgresRate(database, 1000.0) as rate:
        turns = turns_of(rate)
        await turns.acquire()
        with psycopg.connect(database_url) as connection:
            table = sql.Identifier(schema, "turn")
            connection.execute(sql.SQL("LOCK TABLE {}").format(table))
            waiting = asyncio.create_task(acquired(turns, 200))
            await asyncio.sleep(0.05)
            assert not waiting.done()  # and we are here
        await waiting


async def test_table_that_is_not_there_is_an_error(database_url: str, schema: str) -> None:
    async with PostgresRate(Database.at(database_url, schema), 10.0) as rate:
        with pytest.raises(JournalError, match="turn"):
            await turns_of(rate).acquire()
