"""Random interleavings of processes that take, write, renew, release and lose one run's lease."""

import asyncio
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import psycopg
import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule, run_state_machine_as_test
from psycopg import sql

from contactsdk import JournalError
from contactsdk.journal import Account, LeaseLapsedError, State
from contactsdk.journal.postgres import make_tables
from contactsdk.journal.postgres_connection import Database
from contactsdk.journal.postgres_store import PostgresStore
from contactsdk.journal.store import StoredRow

ACCOUNT = Account(url="https://api.example.com", key="key", secret="secret")
LEASE_S = 30.0

processes = st.integers(0, 2)
numbers = st.integers(0, 3)
states = st.sampled_from(State)


class Interleavings(RuleBasedStateMachine):
    """Three processes and one run, and beside them what its record should be."""

    def __init__(self, url: str, schema: str) -> None:
        super().__init__()
        self.database = Database.at(url, schema)
        self.run = secrets.token_hex(8)
        self.runner = asyncio.Runner()
        self.connection = psycopg.connect(url, autocommit=True)
        self.now = 1000.0
        self.stores: dict[int, PostgresStore] = {}
        self.owner: int | None = None
        self.is_live = False
        self.may_send: set[int] = set()
        self.rows: dict[int, str] = {}

    def teardown(self) -> None:
        for process in list(self.stores):
            self.release(process)
        self.connection.close()
        self.runner.close()

    @rule(process=processes)
    def take(self, process: int) -> None:
        if process in self.stores:
            return
        store = PostgresStore(self.database, self.run, lease_s=LEASE_S, now=lambda: self.now)
        with self.refused(self.is_live):
            self.runner.run(store.open(ACCOUNT))
        if not self.is_live:
            self.stores[process] = store
            self.owner, self.is_live = process, True
            self.may_send.add(process)

    @rule(process=processes, number=numbers, state=states)
    def write(self, process: int, number: int, state: State) -> None:
        if self.extend(process, [_row(number, state)]):
            self.rows[number] = state.value

    @rule(process=processes)
    def renew(self, process: int) -> None:
        self.extend(process, [])

    def extend(self, process: int, rows: list[StoredRow]) -> bool:
        """Whether this process wrote these rows, and with them extended its lease."""
        store = self.stores.get(process)
        if store is None:
            return False
        is_owner = self.owner == process
        with self.refused(not is_owner):
            self.runner.run(store.write(rows))
        if is_owner:
            self.is_live = True
            self.may_send.add(process)
        else:
            self.may_send.discard(process)
        return is_owner

    @rule(process=processes)
    def release(self, process: int) -> None:
        store = self.stores.pop(process, None)
        if store is None:
            return
        self.runner.run(store.close(()))
        self.may_send.discard(process)
        if self.owner == process:
            self.owner, self.is_live = None, False

    @rule()
    def expire(self) -> None:
        """The time of the lease passes, for the database and by every local clock."""
        self.now += LEASE_S
        self.is_live = False
        self.may_send.clear()
        self.execute(
            "UPDATE {lease} SET until = clock_timestamp() - interval '1 second' "
            "FROM {run} AS run WHERE run.id = run AND run.name = %s"
        )

    @invariant()
    def no_other_process_may_send(self) -> None:
        for process, store in self.stores.items():
            try:
                store.check_may_send()
            except LeaseLapsedError:
                assert process not in self.may_send
            else:
                assert process in self.may_send
        assert self.may_send <= {self.owner}

    @invariant()
    def record_is_what_its_owners_wrote(self) -> None:
        if not self.stores:
            return
        found = self.execute(
            "SELECT number, state FROM {row} AS row JOIN {run} AS run ON run.id = row.run "
            "WHERE run.name = %s"
        )
        assert dict(found.fetchall()) == self.rows
        counts = self.execute(
            "SELECT recorded, succeeded, failed, uncertain FROM {lease} "
            "JOIN {run} AS run ON run.id = run WHERE run.name = %s"
        ).fetchone()
        of = list(self.rows.values())
        failed = of.count("rejected") + of.count("invalid")
        assert counts == (len(of), of.count("succeeded"), failed, of.count("uncertain"))

    def execute(self, query: str) -> psycopg.Cursor[Any]:
        tables = {name: self.database.table(name) for name in ("run", "lease", "row")}
        return self.connection.execute(sql.SQL(query).format(**tables), (self.run,))

    @contextmanager
    def refused(self, is_refused: bool) -> Iterator[None]:
        if not is_refused:
            yield
            return
        with pytest.raises(JournalError):
            yield


def _row(number: int, state: State) -> StoredRow:
    return StoredRow(
        number, None, b"d", b"k", state.value, None, None, 0, False, None, None, 0, b"{}"
    )


def test_record_follows_its_owner_in_every_interleaving(database_url: str, schema: str) -> None:
    make_tables(database_url, schema=schema)

    class HereInterleavings(Interleavings):
        def __init__(self) -> None:
            super().__init__(database_url, schema)

    run_state_machine_as_test(
        HereInterleavings, settings=settings(max_examples=25, stateful_step_count=25)
    )
