"""A rate limit that all processes of an account share, kept in a row of a PostgreSQL table.

Statements are executed in a thread, one after another, so the event loop never waits for the
database. Turns are times of the database's clock; each process converts them to its own clock.
"""

import asyncio
import concurrent.futures
import logging
import math
import time
from collections.abc import Callable
from types import TracebackType
from typing import Any, Final, LiteralString, Self, TypeVar

import psycopg
from attrs import frozen
from psycopg import sql

from contactsdk.arguments import check_positive
from contactsdk.bulk.turns import Turns
from contactsdk.distributed.database_clock import DatabaseClock
from contactsdk.distributed.reserved_turns import TOLERANCE_S
from contactsdk.distributed.shared_cap import SharedCap
from contactsdk.distributed.shared_pauses import PostedPauses
from contactsdk.journal import Account
from contactsdk.journal.identity import Digests
from contactsdk.journal.postgres_connection import Connection, Database, is_broken, journal_error
from contactsdk.journal.store_thread import run_in
from contactsdk.pacing import Pacer

_T = TypeVar("_T")

_logger: Final = logging.getLogger("contactsdk")

_PAUSE_S: Final = 0.5  # between two attempts to connect

# `lead_s` moves the first turn ahead: a turn whose tolerance is over when the answer arrives is
# useless.
_RESERVE: Final = """
    INSERT INTO {turn} AS turn (account, next_at, rate)
    VALUES (
        %(account)s,
        clock_timestamp() + (%(lead_s)s + %(span_s)s) * interval '1 second',
        %(rate_per_s)s
    )
    ON CONFLICT (account) DO UPDATE SET rate = excluded.rate, next_at = greatest(
        turn.next_at, turn.paused_until, clock_timestamp() + %(lead_s)s * interval '1 second'
    ) + %(span_s)s * interval '1 second'
    RETURNING
        extract(epoch FROM next_at)::float - %(span_s)s,
        extract(epoch FROM clock_timestamp())::float
"""

_PAUSE: Final = """
    INSERT INTO {turn} AS turn (account, next_at, rate, paused_until)
    VALUES (
        %(account)s, clock_timestamp(), %(rate_per_s)s,
        clock_timestamp() + %(seconds)s * interval '1 second'
    )
    ON CONFLICT (account) DO UPDATE
    SET paused_until = greatest(turn.paused_until, excluded.paused_until)
"""

_READ_PAUSE: Final = """
    SELECT extract(epoch FROM paused_until)::float, extract(epoch FROM clock_timestamp())::float
    FROM {turn} WHERE account = %(account)s
"""


class TurnTable:
    """The table with the turns of all accounts, as one process uses it, with `async with`.

    It connects at first use. The times of turns are accurate to half of the database's shortest
    answer time.

    Args:
        database: The database that has the table.
        reconnect_s: For how many seconds a step tries again when the database is away.
        sleep: Waits in the thread between two attempts to connect; its argument is in seconds.
    """

    def __init__(
        self,
        database: Database,
        *,
        reconnect_s: float = 60.0,
        sleep: Callable[[float], object] = time.sleep,
    ) -> None:
        self._database = database
        self._reconnect_s = reconnect_s
        self._sleep = sleep
        self._thread = concurrent.futures.ThreadPoolExecutor(1)
        self._connection: Connection | None = None

    def rate(self, rate_per_s: float | None) -> "PostgresRate":
        """A shared ceiling, for the option `rate_per_s` of a run.

        With `None` there is no ceiling, and only the platform's pauses are shared.

        Raises:
            ValueError: `rate_per_s` is not a positive number.
        """
        if rate_per_s is not None:
            check_positive("rate_per_s", rate_per_s)
        return PostgresRate(self, rate_per_s)

    async def aclose(self) -> None:
        """Close the connection; a step that waits for the database fails instead of waiting on."""
        self._reconnect_s = 0.0
        await run_in(self._thread, self._disconnect)
        self._thread.shutdown(wait=False)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self.aclose()

    def in_thread(self, step: Callable[[Connection], _T]) -> "asyncio.Future[_T]":
        """Run `step` in the thread after all earlier steps, again if the connection breaks.

        The future fails with a `JournalError` if the database cannot be used.
        """
        loop = asyncio.get_running_loop()
        return loop.run_in_executor(self._thread, self._with_reconnect, step)

    def statement(self, text: LiteralString) -> sql.Composed:
        """A statement about the table."""
        return sql.SQL(text).format(turn=self._database.table("turn"))

    # The methods below run in the thread.

    def _with_reconnect(self, step: Callable[[Connection], _T]) -> _T:
        started = time.monotonic()
        while True:
            try:
                if self._connection is None:
                    self._connection = self._connect()
                return step(self._connection)
            except psycopg.Error as exc:
                is_over = time.monotonic() - started >= self._reconnect_s
                if is_over or not is_broken(self._connection, exc):
                    raise journal_error(self._database.name, exc) from exc
                _logger.info("%s: the connection broke; connecting again", self._database.name)
                self._disconnect()
            self._sleep(_PAUSE_S)

    def _connect(self) -> Connection:
        connection = self._database.connect()
        # Commits need not wait for the disk: turns that a crash loses are in the past when the
        # database is up again.
        connection.execute("SET synchronous_commit = off")
        return connection

    def _disconnect(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None


@frozen(eq=False)
class PostgresRate:
    """A ceiling on the requests a second of all processes together that send for one account.

    If the platform asks one of the processes to pause, all of them pause. If two processes have
    different ceilings, each turn takes up as much time as the ceiling of its own process says.
    """

    table: TurnTable
    """The table that has the turns."""
    rate_per_s: float | None
    """The ceiling, in requests a second; `None` for none."""

    def turns(self, account: Account, pacer: Pacer, clock: Callable[[], float]) -> Turns:
        """The turns of one run of this process; `clock` is the clock of its event loop."""
        # The digest has no salt, so it is the same for all runs of the account.
        key = Digests.of(b"", account.secret).of_account(account)
        row = AccountRow(self.table, key, self.rate_per_s or 0.0, clock)
        rate = self.rate_per_s
        cap = None if rate is None else SharedCap(rate, row, pacer, clock=clock)
        return Turns(pacer, cap, PostedPauses(row, pacer, clock=clock))


class AccountRow:
    """The row of one account: its turns and its pauses, by the clock of an event loop."""

    def __init__(
        self, table: TurnTable, key: bytes, rate_per_s: float, clock: Callable[[], float]
    ) -> None:
        self._table = table
        self._values: dict[str, Any] = {"account": key, "rate_per_s": rate_per_s}
        self._clock = clock
        self._database_clock = DatabaseClock()
        self._reserve = table.statement(_RESERVE)
        self._pause = table.statement(_PAUSE)
        self._read = table.statement(_READ_PAUSE)
        self._answer_s = 0.0

    def reserve(self, count: int, spacing_s: float) -> "asyncio.Future[float]":
        """Reserve `count` turns, `spacing_s` apart; returns the time of the first one."""
        span_s = count * spacing_s

        def reserve(connection: Connection) -> float:
            # If this answer takes as long as the last one, the first turn still has half of its
            # tolerance left when the answer arrives.
            lead_s = self._answer_s - TOLERANCE_S / 2
            values = {**self._values, "span_s": span_s, "lead_s": lead_s}
            found = self._local_time(connection, self._reserve, values)
            assert found is not None  # noqa: S101  # the statement returns the row that it writes
            return found

        return self._table.in_thread(reserve)

    def pause(self, seconds: float) -> "asyncio.Future[None]":
        """Make all processes of the account wait for at least `seconds` from now."""
        values = {**self._values, "seconds": seconds}

        def pause(connection: Connection) -> None:
            connection.execute(self._pause, values)

        return self._table.in_thread(pause)

    def read_pause(self) -> "asyncio.Future[float]":
        """Until when all processes wait; the time is in the past if they do not wait."""

        def read(connection: Connection) -> float:
            found = self._local_time(connection, self._read, self._values)
            return -math.inf if found is None else found

        return self._table.in_thread(read)

    def _local_time(
        self, connection: Connection, query: sql.Composed, values: dict[str, Any]
    ) -> float | None:
        """Execute a query for two database times; returns the first of them as a local time.

        The second one is the database's present time. `None` if the query finds no row.
        """
        asked_at = self._clock()
        found = connection.execute(query, values, prepare=True).fetchone()
        answered_at = self._clock()
        if found is None:
            return None
        wanted, database_time = found
        self._answer_s = answered_at - asked_at
        self._database_clock.record(asked_at, database_time, answered_at)
        return self._database_clock.local(wanted)
