"""The store of `PostgresJournal`: rows in a database, written by one process at a time.

Statements are executed in one thread, one after another, so the event loop never waits for the
database. If the connection breaks, the store connects again and repeats the statement with a new
epoch. A statement that was sent over the old connection may still be executed late; with its old
epoch it changes nothing.
"""

import asyncio
import concurrent.futures
import logging
import math
import os
import secrets
import socket
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any, Final, Self, TypeVar

import psycopg

from contactsdk.errors import JournalError
from contactsdk.journal import postgres_statements as statements
from contactsdk.journal.identity import Account, Digests, other_account
from contactsdk.journal.lease import Lease, LeaseEnds, clock_s
from contactsdk.journal.postgres_connection import (
    Connection,
    Database,
    connect_durably,
    errors_of,
    is_broken,
    journal_error,
)
from contactsdk.journal.postgres_schema import prepare
from contactsdk.journal.rows import UNSENT, State
from contactsdk.journal.sqlite_file import Durability
from contactsdk.journal.store import PAGE_NUMBERS, LeaseLapsedError, StoredRow
from contactsdk.journal.store_thread import run_in

_T = TypeVar("_T")

_logger: Final = logging.getLogger("contactsdk")

_NEEDED: Final = (*UNSENT, State.SENT, State.UNCERTAIN)
_IN_DOUBT: Final = (State.SENT, State.UNCERTAIN)
_SENT: Final = State.SENT.value
_UNSENT_VALUES: Final = [state.value for state in UNSENT]
_FIRST_PAUSE_S: Final = 0.05
_LONGEST_PAUSE_S: Final = 1.0
_RECONNECT_TO_CLOSE_S: Final = 2.0


class PostgresStore:
    """The rows of a run in a PostgreSQL database; `Store` describes its methods.

    It holds one lease: of a whole run, or of one partition of a submitted run.
    """

    account: bytes
    salt: bytes
    end: int
    highest_id = 0

    takes_submitted = False
    """Whether this store can open a run that was submitted for workers."""

    def __init__(
        self,
        database: Database,
        run: str,
        *,
        part: int = 0,
        attempt_timeout_s: float = 30.0,
        durability: Durability = "power",
        lease_s: float = 30.0,
        reconnect_s: float = 60.0,
        now: Callable[[], float] = clock_s,
        sleep: Callable[[float], object] = time.sleep,
    ) -> None:
        self.name = f"{database.name}, run {run}"
        self.renew_every_s = lease_s / 3
        self.stopped_for: str | None = None
        """Why the run was stopped for all workers; `None` if it was not. Each write updates it."""
        self._database = database
        self._run_name = run
        self._part = part
        self._attempt_timeout_s = attempt_timeout_s
        self._durability: Durability = durability
        self._lease_s = lease_s
        self._reconnect_s = reconnect_s
        self._now = now
        self._sleep = sleep
        self._owner = f"{socket.gethostname()}, process {os.getpid()} ({secrets.token_hex(4)})"
        self._process = os.getpid()
        self._thread = concurrent.futures.ThreadPoolExecutor(1)
        self._connection: Connection | None = None
        self._lease = Lease(epoch=0, lease_s=lease_s, good_until=0.0)
        self._run = 0
        self._lease_ends = LeaseEnds()
        self._in_flight_until: dict[int, float] = {}
        self._in_flight: set[int] = set()
        self._write_rows = statements.write_rows(database)

    async def open(self, account: Account, *, standby: bool = False) -> Self:
        """Create tables and run if they do not exist, and take the lease.

        A `standby` waits until the lease is free.

        Raises:
            JournalError: The database cannot be used; or another process holds the lease, and this
                is not a standby or is of another account.
        """
        try:
            with errors_of(self.name):
                await self._in_thread(self._begin, account)
            await self._execute(self._note_attempt_timeout)
            while not await self._execute(self._take):
                found = await self._execute(self._find_owner)
                if Digests.of(self.salt, account.secret).of_account(account) != self.account:
                    raise other_account(self.name)
                if not standby:
                    owner, left_s = found
                    raise JournalError(
                        f"{self.name}: {owner} is sending it. If that process has died, another "
                        f"one may take over in {left_s:.0f} s; a standby waits for that"
                    )
                await asyncio.sleep(min(self.renew_every_s, _LONGEST_PAUSE_S))
            self.end = await self._execute(self._find_end)
        except BaseException:
            await self.close(())
            raise
        return self

    def check_may_send(self) -> None:
        if not self._lease.is_good(self._now()):
            raise LeaseLapsedError("never sent: the lease of this process has ended")

    async def may_be_applied(self) -> bool:
        query = statements.find_maybe_applied(self._database)
        values = self._run, statements.MAYBE_APPLIED_VALUES
        return await self._execute(lambda c: c.execute(query, values).fetchone() == (True,))

    async def restart(self, account: bytes) -> None:
        query = statements.restart_run(self._database)

        def begin(connection: Connection) -> None:
            values = {**self._lease_values(), "account": account}
            self._check_owner(connection.execute(query, values).fetchone())

        await self._execute(begin)
        self.account, self.end = account, 0

    async def read_page(self, page: int) -> Sequence[StoredRow]:
        query, first = statements.read_rows(self._database), page * PAGE_NUMBERS
        values = self._run, first, first + PAGE_NUMBERS
        found = await self._execute(lambda c: c.execute(query, values, binary=True).fetchall())
        return self._rows_with_epochs(found)

    def number_in_input(self, number: int) -> int:
        return number

    def in_flight_s(self, number: int) -> float:
        return max(0.0, self._in_flight_until.get(number, -math.inf) - self._now())

    async def last_sent(self, keys: Collection[bytes]) -> Mapping[bytes, int]:
        query = statements.find_last_sent(self._database)
        values = self._run, list(keys), _UNSENT_VALUES
        return await self._execute(lambda c: dict(c.execute(query, values, binary=True).fetchall()))

    async def uncertain_among(self, keys: Collection[bytes]) -> Collection[bytes]:
        return ()  # a run of this store reads all rows

    async def write(self, rows: Sequence[StoredRow]) -> None:
        await self._execute(lambda c: self._write(c, rows))

    async def close(self, rows: Sequence[StoredRow]) -> None:
        if os.getpid() != self._process:
            return  # this is a fork of the process that opened it: the thread does not run here
        self._reconnect_s = min(self._reconnect_s, _RECONNECT_TO_CLOSE_S)
        try:
            await self._in_thread(self._end, rows)
        finally:
            self._thread.shutdown(wait=False)

    def _rows_with_epochs(self, found: Sequence[tuple[Any, ...]]) -> list[StoredRow]:
        """Make rows from the results of a query whose last column is the epoch.

        For rows in doubt, note until when an earlier owner's request may still be applied.
        """
        self._in_flight_until = {}
        rows = []
        for *values, epoch in found:
            row = StoredRow(*values)
            rows.append(row)
            if row.state in _IN_DOUBT:
                self._in_flight_until[row.number] = self._lease_ends.until(epoch)
        return rows

    # The methods below run in the thread.

    def _begin(self, account: Account) -> None:
        connection = self._connection = connect_durably(self._database, self._durability, self.name)
        prepare(connection, self._database)
        salt = os.urandom(16)
        digest = Digests.of(salt, account.secret).of_account(account)
        values = {
            "name": self._run_name,
            "account": digest,
            "salt": salt,
            "attempt_timeout_s": self._attempt_timeout_s,
        }
        connection.execute(statements.add_run(self._database), values)
        self._find_owner(connection)

    def _note_attempt_timeout(self, connection: Connection) -> None:
        # This is recorded before anything is sent: this client's attempts may take longer than
        # those of all earlier clients.
        query = statements.note_attempt_timeout(self._database)
        values = {"run": self._run, "attempt_timeout_s": self._attempt_timeout_s}
        connection.execute(query, values)

    def _take(self, connection: Connection) -> bool:
        asked_at = self._now()
        values = {**self._lease_values(), "owner": self._owner, "lease_s": self._lease_s}
        taken = connection.execute(statements.take_lease(self._database), values).fetchone()
        if taken is None:
            return False
        self._lease = Lease.taken(taken[0], self._lease_s, asked_at=asked_at)
        ends = connection.execute(statements.find_lease_ends(self._database), self._lease_values())
        left = ends.fetchall()
        now = self._now()
        self._lease_ends = LeaseEnds([(epoch, now + left_s) for epoch, left_s in left])
        return True

    def _lease_values(self) -> dict[str, Any]:
        return {"run": self._run, "part": self._part, "epoch": self._lease.epoch}

    def _find_owner(self, connection: Connection) -> tuple[str, float]:
        find = statements.find_run(self._database)
        found = connection.execute(find, {"name": self._run_name}).fetchone()
        if found is None:
            raise JournalError(f"{self.name}: the run was deleted meanwhile: start it again")
        self._run, self.account, self.salt, is_submitted, self._partitions, owner, left_s = found
        if is_submitted and not self.takes_submitted:
            raise JournalError(
                f"{self.name}: this run was submitted for workers, and only they can send it"
            )
        return owner, left_s

    def _find_end(self, connection: Connection) -> int:
        found = connection.execute(statements.find_end(self._database), (self._run,)).fetchone()
        assert found is not None  # noqa: S101  # an aggregate has one row
        end: int = found[0]
        return end

    def _write(self, connection: Connection, rows: Sequence[StoredRow]) -> None:
        values = {**self._lease_values(), "lease_s": self._lease_s}
        asked_at = self._now()
        if rows:
            values.update(columns_of(rows))
            found = connection.execute(self._write_rows, values, prepare=True, binary=True)
        else:
            extend = statements.extend_lease(self._database)
            found = connection.execute(extend, values)
        _, self.stopped_for = self._check_owner(found.fetchone())
        self._lease.extend(asked_at=asked_at)
        for row in rows:
            if row.state == _SENT:
                self._in_flight.add(row.number)
            else:
                self._in_flight.discard(row.number)

    def _check_owner(self, found: tuple[Any, ...] | None) -> tuple[Any, ...]:
        """Return the row of a statement that applies only while this store has the lease.

        Raises:
            JournalError: There is no row, so the lease is lost for good.
        """
        if found is None:
            self._lease.lose()
            raise JournalError(
                f"{self.name}: another process has taken the run over, or the run was deleted; "
                "nothing more was sent"
            )
        return found

    def _end(self, rows: Sequence[StoredRow]) -> None:
        try:
            if self._lease.epoch:
                self._with_reconnect(lambda connection: self._release(connection, rows))
        finally:
            if self._connection is not None:
                self._connection.close()

    def _release(self, connection: Connection, rows: Sequence[StoredRow]) -> None:
        if rows:
            self._write(connection, rows)
        self._release_lease(connection)

    def _release_lease(self, connection: Connection) -> None:
        values = {**self._lease_values(), "is_in_flight": bool(self._in_flight)}
        connection.execute(statements.release_lease(self._database), values)

    def _reconnect(self) -> Connection:
        connection = self._connection = connect_durably(self._database, self._durability, self.name)
        if self._lease.epoch:
            # A statement of the old connection may still be executed, after those that follow here.
            # The new epoch makes it change nothing.
            asked_at = self._now()
            epoch = self._renew(connection)
            self._lease = Lease.taken(epoch, self._lease_s, asked_at=asked_at)
        return connection

    def _renew(self, connection: Connection) -> int:
        values = {**self._lease_values(), "owner": self._owner, "lease_s": self._lease_s}
        query = statements.renew_epoch(self._database)
        epoch, *_ = self._check_owner(connection.execute(query, values).fetchone())
        return int(epoch)

    def _with_reconnect(self, step: Callable[[Connection], _T]) -> _T:
        """Run a step; if the connection breaks, connect again and repeat it."""
        started, pause_s = self._now(), _FIRST_PAUSE_S
        while True:
            try:
                return step(self._connection or self._reconnect())
            except psycopg.Error as exc:
                is_over = self._now() - started >= self._reconnect_s
                if is_over or not is_broken(self._connection, exc):
                    raise journal_error(self.name, exc) from exc
                _logger.info("%s: the connection broke; connecting again", self.name)
                if self._connection is not None:
                    self._connection.close()
                    self._connection = None
            self._sleep(pause_s)
            pause_s = min(2 * pause_s, _LONGEST_PAUSE_S)

    # The methods below are called in the event loop.

    async def _execute(self, step: Callable[[Connection], _T]) -> _T:
        if os.getpid() != self._process:
            raise JournalError(
                f"{self.name}: process {self._process} opened this journal, and this process is a "
                "fork of it; only the process that opens a journal may use it"
            )
        return await self._in_thread(lambda: self._with_reconnect(step))

    async def _in_thread(self, step: Callable[..., _T], *values: object) -> _T:
        return await run_in(self._thread, step, *values)


def columns_of(rows: Sequence[StoredRow]) -> dict[str, list[Any]]:
    """Turn rows into one list per column, sorted by number, which is their order on disk.

    If several rows have the same number, the last one counts. `rows` must not be empty.
    """
    last = {row.number: row for row in rows}
    in_order = (_kept(last[number]) for number in sorted(last))
    names = (name for name, _ in statements.COLUMNS)
    columns = zip(*in_order, strict=True)
    return {name: list(column) for name, column in zip(names, columns, strict=True)}


def _kept(row: StoredRow) -> StoredRow:
    """The row as it is stored: its content is dropped when it cannot be needed again."""
    is_needed = row.key is not None and row.state in _NEEDED
    return row if is_needed else row._replace(content=None)
