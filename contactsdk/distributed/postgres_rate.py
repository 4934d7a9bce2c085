"""A rate that all processes of an account share, by a row of a PostgreSQL database.

Its statements are made in a thread, one after another, so that the event loop never waits for the
database. The database's clock says when turns are; each process knows how far its own is off.
"""

import asyncio
import concurrent.futures
import logging
import time
from collections.abc import Callable
from types import TracebackType
from typing import Any, Final, Self, TypeVar

import psycopg
from psycopg import sql

from contactsdk.arguments import check_positive
from contactsdk.distributed.database_clock import DatabaseClock
from contactsdk.distributed.reserved_turns import TOLERANCE_S
from contactsdk.distributed.shared_cap import Reservation, SharedCap
from contactsdk.journal import Account
from contactsdk.journal.identity import Digests
from contactsdk.journal.postgres_connection import Connection, Database, is_broken, journal_error
from contactsdk.pacing import Pacer

_T = TypeVar("_T")

_logger: Final = logging.getLogger("contactsdk")

_PAUSE_S: Final = 0.5  # between two attempts to connect

# A turn that begins before the answer is there is of use only for the rest of its tolerance.
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
        extract(epoch FROM paused_until)::float,
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


class PostgresRate:
    """At most `rate_per_s` requests a second by all processes together that send for an account.

    Those that share it use the same database, each with a `PostgresRate` of its own. A pause that
    the platform asks one of them for holds back all. Use it as `async with`; it connects at first
    use. When a turn is, is as exact as half of the shortest time in which the database answers.

    Args:
        database: Where the table of turns is.
        rate_per_s: The ceiling. Where two processes have different ones, each turn takes as much
            time as the ceiling of its process says.
        reconnect_s: For how many seconds a database that goes away is waited for; no request leaves
            meanwhile.

    Raises:
        ValueError: The ceiling is no positive number.
    """

    def __init__(
        self,
        database: Database,
        rate_per_s: float,
        *,
        reconnect_s: float = 60.0,
        sleep: Callable[[float], object] = time.sleep,
    ) -> None:
        check_positive("rate_per_s", rate_per_s)
        self.rate_per_s = rate_per_s
        """The ceiling, in requests a second."""
        self._database = database
        self._reconnect_s = reconnect_s
        self._sleep = sleep
        self._thread = concurrent.futures.ThreadPoolExecutor(1)
        self._connection: Connection | None = None

    def cap(self, account: Account, pacer: Pacer, clock: Callable[[], float]) -> SharedCap:
        """What lets the requests of one run of this account leave, by this clock."""
        # Without a salt, so that it is the same for all runs of the account.
        key = Digests.of(b"", account.secret).of_account(account)
        source = _Source(self, key, clock)
        return SharedCap(self.rate_per_s, source, pacer, clock=clock)

    async def aclose(self) -> None:
        """Let go of the database."""
        loop = asyncio.get_running_loop()
        self._reconnect_s = 0.0
        await asyncio.shield(loop.run_in_executor(self._thread, self._disconnect))
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
        """Do a step once those before it are done, and again where the connection breaks."""
        loop = asyncio.get_running_loop()
        return loop.run_in_executor(self._thread, self._repeated, step)

    def statement(self, text: str) -> sql.Composed:
        """A statement about the table of turns."""
        return sql.SQL(text).format(turn=self._database.table("turn"))

    # In the thread.

    def _repeated(self, step: Callable[[Connection], _T]) -> _T:
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
                _logger.info("%s: the connection broke, and is made anew", self._database.name)
                self._disconnect()
            self._sleep(_PAUSE_S)

    def _connect(self) -> Connection:
        connection = self._database.connect()
        # Nobody waits for the disk: turns that a crash takes back are over when it is well again.
        connection.execute("SET synchronous_commit = off")
        return connection

    def _disconnect(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None


class _Source:
    """The turns of one account, as `SharedCap` takes them."""

    def __init__(self, rate: PostgresRate, key: bytes, clock: Callable[[], float]) -> None:
        self._rate = rate
        self._values: dict[str, Any] = {"account": key, "rate_per_s": rate.rate_per_s}
        self._clock = clock
        self._database_clock = DatabaseClock()
        self._reserve = rate.statement(_RESERVE)
        self._pause = rate.statement(_PAUSE)
        self._answer_s = 0.0

    def reserve(self, count: int, spacing_s: float) -> "asyncio.Future[Reservation]":
        return self._rate.in_thread(lambda c: self._reserve_in(c, count * spacing_s))

    def pause(self, seconds: float) -> "asyncio.Future[None]":
        values = {**self._values, "seconds": seconds}

        def pause_in(connection: Connection) -> None:
            connection.execute(self._pause, values)

        return self._rate.in_thread(pause_in)

    def _reserve_in(self, connection: Connection, span_s: float) -> Reservation:
        # So that the first turn is still good for half of its tolerance once the answer is there.
        lead_s = self._answer_s - TOLERANCE_S / 2
        values = {**self._values, "span_s": span_s, "lead_s": lead_s}
        asked_at = self._clock()
        found = connection.execute(self._reserve, values, prepare=True).fetchone()
        answered_at = self._clock()
        assert found is not None  # noqa: S101  # it returns the row that it writes
        first_at, paused_until, database_time = found
        self._answer_s = answered_at - asked_at
        self._database_clock.record(asked_at, database_time, answered_at)
        return Reservation(
            first_at=self._database_clock.local(first_at),
            paused_until=self._database_clock.local(paused_until),
        )
