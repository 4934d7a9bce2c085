"""The store behind a PostgresJournal: who has the lease, what is fenced, and broken connections."""

import asyncio
from collections.abc import Callable, Iterator
from typing import Any

import psycopg
import pytest
from attrs import define
from psycopg import sql

from contactsdk import JournalError
from contactsdk.journal import Account, JournalRun, LeaseLapsedError, State
from contactsdk.journal.postgres import PostgresJournal
from contactsdk.journal.postgres_connection import Database
from contactsdk.journal.postgres_store import PostgresStore
from contactsdk.journal.store import StoredRow
from tests.postgres.cutting import proxy_to
from tests.postgres.servers import Server

ACCOUNT = Account(url="https://api.example.com", key="key", secret="secret")
OTHER = Account(url="https://api.example.com", key="key", secret="another")

Stores = Callable[..., PostgresStore]


@define
class HeldClock:
    """The local clock of a process, held in the hand."""

    now: float = 1000.0

    def __call__(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += seconds


def row(number: int, state: State = State.SENT, **changes: Any) -> StoredRow:
    plain = StoredRow(
        number=number,
        line=None,
        digest=b"digest",
        key=b"key",
        state=state.value,
        id=None,
        error=None,
        attempts=0,
        settled=False,
        batch_id=None,
        batch_position=None,
        content=b"{}",
    )
    return plain._replace(**changes)


@pytest.fixture
def store_of(database_url: str, schema: str) -> Stores:
    def make(**options: Any) -> PostgresStore:
        return PostgresStore(Database.at(database_url, schema), "run", **options)

    return make


@pytest.fixture
def let_the_lease_end(database_url: str, schema: str) -> Callable[[], None]:
    """As if its time had passed for the database."""

    def end() -> None:
        query = sql.SQL("UPDATE {} SET until = clock_timestamp() - interval '1 second'")
        with psycopg.connect(database_url, autocommit=True) as connection:
            connection.execute(query.format(sql.Identifier(schema, "lease")))

    return end


@pytest.fixture
def break_connections(database_url: str) -> Callable[[], None]:
    """End all connections of stores on the server's side."""

    def end() -> None:
        with psycopg.connect(database_url, autocommit=True) as connection:
            connection.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
                "WHERE application_name = 'contactsdk'"
            )

    return end


async def test_error_of_a_second_process_names_the_owner_of_the_run(store_of: Stores) -> None:
    owner = await store_of().open(ACCOUNT)

    with pytest.raises(JournalError, match=r"process \d+ .* is sending it\. .* in (29|30) s"):
        await store_of().open(ACCOUNT)

    await owner.close(())
    await (await store_of().open(ACCOUNT)).close(())


async def test_standby_waits_until_the_owner_lets_go(store_of: Stores) -> None:
    owner = await store_of().open(ACCOUNT)
    await owner.write([row(0)])
    waiting = asyncio.create_task(store_of().open(ACCOUNT, standby=True))
    await asyncio.sleep(0.1)
    assert not waiting.done()

    await owner.close([row(0, State.NOT_APPLIED)])
    standby = await waiting

    assert standby.end == 1
    assert [found.state for found in await standby.read_page(0)] == [State.NOT_APPLIED]
    await standby.close(())


async def test_standby_that_is_cancelled_leaves_the_owner_alone(store_of: Stores) -> None:
    owner = await store_of().open(ACCOUNT)
    waiting = asyncio.create_task(store_of().open(ACCOUNT, standby=True))
    await asyncio.sleep(0.05)
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting

    await owner.write([row(0)])
    await owner.close(())


async def test_standby_of_another_account_does_not_wait(store_of: Stores) -> None:
    owner = await store_of().open(ACCOUNT)

    with pytest.raises(JournalError, match="another account"):
        await store_of().open(OTHER, standby=True)
    await owner.close(())


async def test_standby_of_a_run_that_is_deleted_stops_waiting(
    store_of: Stores, database_url: str, schema: str
) -> None:
    owner = await store_of().open(ACCOUNT)
    standby = store_of()
    waiting = asyncio.create_task(standby.open(ACCOUNT, standby=True))
    async with asyncio.timeout(60):
        while not hasattr(standby, "salt"):  # it has found the run
            await asyncio.sleep(0.01)
    with psycopg.connect(database_url, autocommit=True) as connection:
        connection.execute(sql.SQL("DELETE FROM {}").format(sql.Identifier(schema, "run")))

    with pytest.raises(JournalError, match="the run was deleted meanwhile"):
        await waiting
    await owner.close(())


async def test_idle_run_renews_its_lease_and_notices_when_it_is_taken_over(
    store_of: Stores,
    let_the_lease_end: Callable[[], None],
    caplog: pytest.LogCaptureFixture,
) -> None:
    store = store_of(lease_s=0.6)
    run = await JournalRun.start(await store.open(ACCOUNT), ACCOUNT)
    async with asyncio.timeout(30), asyncio.TaskGroup() as beside:
        writing = beside.create_task(run.write_loop())
        await asyncio.sleep(1)
        store.check_may_send()

        while True:
            let_the_lease_end()
            try:
                second = await store_of().open(ACCOUNT)
            except JournalError:
                continue  # it was renewed in between
            break
        while "the journal was not written" not in caplog.text:
            await asyncio.sleep(0.05)
        writing.cancel()
    assert "taken the run over" in caplog.text
    await run.close()
    await second.close(())


async def test_owner_that_was_taken_over_writes_and_sends_nothing(
    store_of: Stores, let_the_lease_end: Callable[[], None]
) -> None:
    first = await store_of().open(ACCOUNT)
    await first.write([row(0)])
    let_the_lease_end()
    second = await store_of().open(ACCOUNT)

    for rows in ([row(0, State.SUCCEEDED), row(1)], []):
        with pytest.raises(JournalError, match="taken the run over"):
            await first.write(rows)
    with pytest.raises(LeaseLapsedError, match="never sent"):
        first.check_may_send()
    with pytest.raises(JournalError, match="taken the run over"):
        await first.restart(b"")
    with pytest.raises(JournalError, match="taken the run over"):
        await first.close([row(2)])

    second.check_may_send()
    assert [(found.number, found.state) for found in await second.read_page(0)] == [(0, "sent")]
    await second.write([row(0, State.UNCERTAIN)])
    await second.close(())


async def test_lease_that_nobody_took_can_be_extended_after_its_time(
    store_of: Stores, let_the_lease_end: Callable[[], None]
) -> None:
    clock = HeldClock()
    store = await store_of(now=clock).open(ACCOUNT)
    store.check_may_send()
    let_the_lease_end()
    clock.now += 30
    with pytest.raises(LeaseLapsedError, match="never sent"):
        store.check_may_send()

    await store.write(())

    store.check_may_send()
    await store.close(())


async def test_lease_counts_from_before_the_write_was_sent(database_url: str, schema: str) -> None:
    clock = HeldClock()
    with proxy_to(database_url) as proxy:
        database = Database.at(proxy.url, schema)
        store = await PostgresStore(database, "run", now=clock, lease_s=10.0).open(ACCOUNT)

        def come_late() -> None:
            clock.now += 10

        proxy.on_answer = come_late
        await store.write([row(0)])

        with pytest.raises(LeaseLapsedError, match="never sent"):
            store.check_may_send()
        await store.close(())


async def test_last_row_of_a_number_wins_in_a_group(store_of: Stores) -> None:
    store = await store_of().open(ACCOUNT)

    await store.write([row(1, State.SENT), row(0), row(1, State.SUCCEEDED, id=7)])

    assert [(found.number, found.state, found.id) for found in await store.read_page(0)] == [
        (0, "sent", None),
        (1, "succeeded", 7),
    ]
    await store.close(())


async def test_all_fields_of_a_row_come_back(store_of: Stores) -> None:
    full = row(
        2**33,
        State.UNCERTAIN,
        line=2**33,
        id=2**40,
        error=b"\0\xff",
        attempts=3,
        settled=True,
        batch_id="abc",
        batch_position=199,
        id_floor=2**40 - 1,
    )
    empty = row(2**33 + 1, State.INVALID, key=None)
    store = await store_of().open(ACCOUNT)
    await store.write([full, empty])
    found = await store.read_page(2**33 // 1000)
    await store.close(())

    assert found == [full._replace(content=None), empty._replace(content=None)]
    again = await store_of().open(ACCOUNT)
    assert again.end == 2**33 + 2
    await again.close(())


async def test_last_sent_names_the_last_row_of_each_key_that_may_be_applied(
    store_of: Stores,
) -> None:
    store = await store_of().open(ACCOUNT)
    await store.write(
        [
            row(0, State.SUCCEEDED, key=b"a"),
            row(1, State.SENT, key=b"a"),
            row(2, State.NOT_APPLIED, key=b"a"),
            row(3, State.NOT_APPLIED, key=b"b"),
            row(4, State.UNCERTAIN, key=b"c"),
        ]
    )

    assert await store.last_sent({b"a", b"b", b"d"}) == {b"a": 1}
    await store.close(())


async def test_broken_connection_is_made_anew_and_the_write_repeated(
    store_of: Stores, break_connections: Callable[[], None]
) -> None:
    store = await store_of().open(ACCOUNT)
    await store.write([row(0)])
    break_connections()

    await store.write([row(0, State.SUCCEEDED)])

    assert [found.state for found in await store.read_page(0)] == ["succeeded"]
    break_connections()
    await store.close([row(1)])
    again = await store_of().open(ACCOUNT)
    assert again.end == 2
    await again.close(())


async def test_write_whose_answer_was_lost_is_repeated_by_the_same_owner(
    database_url: str, schema: str
) -> None:
    with proxy_to(database_url) as proxy:
        store = await PostgresStore(Database.at(proxy.url, schema), "run").open(ACCOUNT)
        for rows in ([row(0)], []):
            proxy.lose_next_answer()
            await store.write(rows)
        await store.write([row(0, State.NOT_APPLIED)])

        assert [found.state for found in await store.read_page(0)] == ["not applied"]
        await store.close(())


async def test_write_that_reaches_the_database_late_changes_nothing_any_more(
    database_url: str, schema: str
) -> None:
    with proxy_to(database_url) as proxy:
        store = await PostgresStore(Database.at(proxy.url, schema), "run").open(ACCOUNT)
        await store.write([row(1)])  # from now on a write is one message
        proxy.hold_next_statement()
        await store.write([row(0)])
        await store.write([row(0, State.SUCCEEDED, id=7)])

        proxy.hand_on_what_was_held()

        first, _ = await store.read_page(0)
        assert (first.state, first.id) == (State.SUCCEEDED, 7)
        await store.close(())


async def test_owner_whose_connection_broke_gets_no_lease_that_another_took_meanwhile(
    store_of: Stores, let_the_lease_end: Callable[[], None], break_connections: Callable[[], None]
) -> None:
    first = await store_of().open(ACCOUNT)
    let_the_lease_end()
    second = await store_of().open(ACCOUNT)
    break_connections()

    with pytest.raises(JournalError, match="taken the run over"):
        await first.write([row(0)])
    await second.write([row(0)])
    await first.close(())
    second.check_may_send()
    await second.close(())


async def test_what_a_dead_owner_sent_counts_as_in_flight_for_as_long_as_an_attempt_may_take(
    store_of: Stores, let_the_lease_end: Callable[[], None]
) -> None:
    clock = HeldClock()
    dead = await store_of(attempt_timeout_s=60.0).open(ACCOUNT)
    await dead.write([row(0), row(1, State.SUCCEEDED), row(2, State.UNCERTAIN)])
    let_the_lease_end()
    next_one = await store_of(attempt_timeout_s=10.0, now=clock).open(ACCOUNT)
    await next_one.write([row(3)])
    await next_one.read_page(0)

    left = [next_one.in_flight_s(number) for number in range(4)]
    clock.now += 60

    assert left == [pytest.approx(59, abs=5), 0, left[0], 0]
    assert next_one.in_flight_s(0) == 0
    for store in (dead, next_one):
        await store.close(())


async def test_owner_that_lets_go_in_order_leaves_nothing_to_wait_for(store_of: Stores) -> None:
    owner = await store_of().open(ACCOUNT)
    await owner.write([row(0), row(1)])
    await owner.write([row(0, State.UNCERTAIN)])
    await owner.close([row(1, State.NOT_APPLIED)])

    next_one = await store_of().open(ACCOUNT)
    await next_one.read_page(0)

    assert [next_one.in_flight_s(number) for number in range(2)] == [0, 0]
    await next_one.close(())


async def test_owner_that_lets_go_of_what_it_sent_leaves_it_in_flight_from_then_on(
    store_of: Stores,
) -> None:
    owner = await store_of(attempt_timeout_s=60.0).open(ACCOUNT)
    await owner.write([row(0)])
    await owner.close(())

    next_one = await store_of().open(ACCOUNT)
    await next_one.read_page(0)

    assert next_one.in_flight_s(0) == pytest.approx(60, abs=5)
    await next_one.close(())


async def test_row_waits_for_the_owner_that_sent_it_and_for_none_that_came_later(
    store_of: Stores, break_connections: Callable[[], None], database_url: str, schema: str
) -> None:
    first = await store_of(attempt_timeout_s=60.0).open(ACCOUNT)
    await first.write([row(0)])
    break_connections()
    await first.write([row(1)])  # under a new epoch of the same owner
    await first.close(())
    ages = sql.SQL("UPDATE {} SET ended = ended - interval '40 seconds'")
    with psycopg.connect(database_url, autocommit=True) as connection:
        connection.execute(ages.format(sql.Identifier(schema, "lease_end")))
    second = await store_of().open(ACCOUNT)
    await second.write([row(2)])
    await second.close(())

    third = await store_of().open(ACCOUNT)
    await third.read_page(0)
    left = [third.in_flight_s(number) for number in range(3)]
    await third.close(())

    assert left == pytest.approx([20, 20, 60], abs=5)


async def test_row_that_became_uncertain_meanwhile_is_still_in_flight_for_the_next_owner(
    store_of: Stores, let_the_lease_end: Callable[[], None]
) -> None:
    dead = await store_of(attempt_timeout_s=60.0).open(ACCOUNT)
    await dead.write([row(0)])
    let_the_lease_end()
    second = await store_of().open(ACCOUNT)
    await second.close([row(0, State.UNCERTAIN)])

    third = await store_of().open(ACCOUNT)
    await third.read_page(0)

    assert third.in_flight_s(0) == pytest.approx(59, abs=5)
    for store in (dead, third):
        await store.close(())


async def test_lease_is_taken_again_by_the_owner_whose_answer_was_lost(
    database_url: str, schema: str
) -> None:
    before = await PostgresStore(Database.at(database_url, schema), "run").open(ACCOUNT)
    with proxy_to(database_url) as proxy:
        store = PostgresStore(Database.at(proxy.url, schema), "run")
        opening = asyncio.create_task(store.open(ACCOUNT, standby=True))
        await asyncio.sleep(0.2)
        taking = psycopg.connect(database_url, autocommit=True)

        def lose_what_took_it() -> None:
            query = sql.SQL("SELECT epoch = 2 FROM {}").format(sql.Identifier(schema, "lease"))
            if taking.execute(query).fetchone() == (True,):
                proxy.on_answer = lambda: None
                proxy.lose_next_answer()

        proxy.on_answer = lose_what_took_it
        await before.close(())
        await opening

        await store.write([row(0)])
        taking.close()
        await store.close(())


async def test_database_that_stays_away_ends_the_wait_with_an_error(
    server: Server, schema: str
) -> None:
    clock = HeldClock()
    database = Database.at(server.url, schema)
    store = await PostgresStore(database, "run", now=clock, sleep=clock.sleep).open(ACCOUNT)
    started = clock.now
    with server.away():
        with pytest.raises(JournalError, match="refused"):
            await store.write([row(0)])
        assert 60 <= clock.now - started < 62
        with pytest.raises(LeaseLapsedError, match="never sent"):
            store.check_may_send()
        with pytest.raises(JournalError, match="refused"):
            await store.close(())
        assert clock.now - started < 65


async def test_cancelled_write_is_finished_before_the_store_is_closed(store_of: Stores) -> None:
    store = await store_of().open(ACCOUNT)
    writing = asyncio.create_task(store.write([row(0)]))
    await asyncio.sleep(0)
    writing.cancel()
    with pytest.raises(asyncio.CancelledError):
        await writing
    await store.close([row(1)])

    again = await store_of().open(ACCOUNT)
    assert [found.number for found in await again.read_page(0)] == [0, 1]
    await again.close(())


async def test_connection_that_breaks_at_any_answer_is_one_error_to_a_reader(
    database_url: str, schema: str
) -> None:
    with proxy_to(database_url) as proxy:
        journal = PostgresJournal(proxy.url, run="run", schema=schema)
        for number in range(5):
            answers = iter(range(number))

            def lose_one(answers: Iterator[int] = answers) -> None:
                if next(answers, None) is None and not proxy.is_losing:
                    proxy.on_answer = lambda: None
                    proxy.lose_next_answer()

            proxy.on_answer = lose_one
            with pytest.raises(JournalError):
                journal.status()
