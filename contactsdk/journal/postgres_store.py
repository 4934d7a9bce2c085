"""The store behind `PostgresJournal`: rows in a database that many processes share, one at a time.

Its statements are made in one thread, one after another, so that the event loop never waits for the
database. A connection that breaks is made anew, and its statement repeated under a new epoch: what
was sent over the old connection, and may be executed late, changes nothing any more.
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
    """The rows of a run in a PostgreSQL database; see `Store` for what each method does.

    It has one lease: of a whole run, or of one part of a run that was submitted.
    """

    account: bytes
    salt: bytes
    end: int
    highest_id = 0

    takes_submitted = False
    """Whether the run may be one that was submitted for workers."""

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
        """Why the run was stopped for all, as the last write found it; `None` if it was not."""
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
        """Make what is not there yet, and take the lease; a `standby` waits until it is free.

        Raises:
            JournalError: The database cannot be used; or the lease is another process's, and this
                is no standby; or its owner sends another account's contacts.
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
                        f"{self.name}: {owner} is sending it; if that has died, another may take "
                        f"over in {left_s:.0f} s. A standby waits for that"
                    )
                await asyncio.sleep(min(self.renew_every_s, _LONGEST_PAUSE_S))
            self.end = await self._execute(self._find_end)
        except BaseException:
            await self.close(())
            raise
        return self

    def check_may_send(self) -> None:
        if not self._lease.is_good(self._now()):
            raise LeaseLapsedError(
                "never sent: the time was over for which this process has the run to itself"
            )

    async def may_be_applied(self) -> bool:
        query = statements.find_maybe_applied(self._database)
        values = self._run, statements.MAYBE_APPLIED_VALUES
        return await self._execute(lambda c: c.execute(query, values).fetchone() == (True,))

    async def begin_anew(self, account: bytes) -> None:
        query = statements.begin_anew(self._database)

        def begin(connection: Connection) -> None:
            values = {**self._mine(), "account": account}
            self._as_owner(connection.execute(query, values).fetchone())

        await self._execute(begin)
        self.account, self.end = account, 0

    async def read_page(self, page: int) -> Sequence[StoredRow]:
        query, first = statements.read_rows(self._database), page * PAGE_NUMBERS
        values = self._run, first, first + PAGE_NUMBERS
        found = await self._execute(lambda c: c.execute(query, values, binary=True).fetchall())
        return self._noted(found)

    def in_flight_s(self, number: int) -> float:
        return max(0.0, self._in_flight_until.get(number, -math.inf) - self._now())

    async def last_sent(self, keys: Collection[bytes]) -> Mapping[bytes, int]:
        query = statements.find_last_sent(self._database)
        values = self._run, list(keys), _UNSENT_VALUES
        return await self._execute(lambda c: dict(c.execute(query, values, binary=True).fetchall()))

    async def uncertain_among(self, keys: Collection[bytes]) -> Collection[bytes]:
        return ()  # it reads all rows

    async def write(self, rows: Sequence[StoredRow]) -> None:
        await self._execute(lambda c: self._write(c, rows))

    async def close(self, rows: Sequence[StoredRow]) -> None:
        if os.getpid() != self._process:
            return  # a fork, in which the thread does not run
        self._reconnect_s = min(self._reconnect_s, _RECONNECT_TO_CLOSE_S)
        try:
            await self._in_thread(self._end, rows)
        finally:
            self._thread.shutdown(wait=False)

    def _noted(self, found: Sequence[tuple[Any, ...]]) -> list[StoredRow]:
        """Rows with their epochs, of which is noted until when older owners' may be in flight."""
        self._in_flight_until = {}
        rows = []
        for *values, epoch in found:
            row = StoredRow(*values)
            rows.append(row)
            if row.state in _IN_DOUBT:
                self._in_flight_until[row.number] = self._lease_ends.until(epoch)
        return rows

    # In the thread.

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
        # Before anything is sent by this client, whose attempts may take longer than all before.
        query = statements.note_attempt_timeout(self._database)
        values = {"run": self._run, "attempt_timeout_s": self._attempt_timeout_s}
        connection.execute(query, values)

    def _take(self, connection: Connection) -> bool:
        asked_at = self._now()
        values = {**self._mine(), "owner": self._owner, "lease_s": self._lease_s}
        taken = connection.execute(statements.take_lease(self._database), values).fetchone()
        if taken is None:
            return False
        self._lease = Lease.taken(taken[0], self._lease_s, asked_at=asked_at)
        ends = connection.execute(statements.find_lease_ends(self._database), self._mine())
        left = ends.fetchall()
        now = self._now()
        self._lease_ends = LeaseEnds([(epoch, now + left_s) for epoch, left_s in left])
        return True

    def _mine(self) -> dict[str, Any]:
        return {"run": self._run, "part": self._part, "epoch": self._lease.epoch}

    def _find_owner(self, connection: Connection) -> tuple[str, float]:
        find = statements.find_run(self._database)
        found = connection.execute(find, {"name": self._run_name}).fetchone()
        if found is None:
            raise JournalError(f"{self.name}: it was deleted meanwhile")
        self._run, self.account, self.salt, is_submitted, self._partitions, owner, left_s = found
        if is_submitted and not self.takes_submitted:
            raise JournalError(f"{self.name}: it was submitted for workers, which alone send it")
        return owner, left_s

    def _find_end(self, connection: Connection) -> int:
        found = connection.execute(statements.find_end(self._database), (self._run,)).fetchone()
        assert found is not None  # noqa: S101  # an aggregate has one row
        end: int = found[0]
        return end

    def _write(self, connection: Connection, rows: Sequence[StoredRow]) -> None:
        values = {**self._mine(), "lease_s": self._lease_s}
        asked_at = self._now()
        if rows:
            values.update(columns_of(rows))
            found = connection.execute(self._write_rows, values, prepare=True, binary=True)
        else:
            extend = statements.extend_lease(self._database)
            found = connection.execute(extend, values)
        _, self.stopped_for = self._as_owner(found.fetchone())
        self._lease.extend(asked_at=asked_at)
        for row in rows:
            if row.state == _SENT:
                self._in_flight.add(row.number)
            else:
                self._in_flight.discard(row.number)

    def _as_owner(self, found: tuple[Any, ...] | None) -> tuple[Any, ...]:
        """Go on if a statement found the lease to be ours, whose epoch it returns then."""
        if found is None:
            self._lease.lose()
            raise JournalError(
                f"{self.name}: another process has taken the run over, or it was deleted; nothing "
                "more was sent"
            )
        return found

    def _end(self, rows: Sequence[StoredRow]) -> None:
        try:
            if self._lease.epoch:
                self._repeated(lambda connection: self._release(connection, rows))
        finally:
            if self._connection is not None:
                self._connection.close()

    def _release(self, connection: Connection, rows: Sequence[StoredRow]) -> None:
        if rows:
            self._write(connection, rows)
        self._release_lease(connection)

    def _release_lease(self, connection: Connection) -> None:
        values = {**self._mine(), "is_in_flight": bool(self._in_flight)}
        connection.execute(statements.release_lease(self._database), values)

    def _reconnect(self) -> Connection:
        connection = self._connection = connect_durably(self._database, self._durability, self.name)
        if self._lease.epoch:
            # What was sent over the old connection may be executed yet, after what follows here.
            asked_at = self._now()
            epoch = self._renew(connection)
            self._lease = Lease.taken(epoch, self._lease_s, asked_at=asked_at)
        return connection

    def _renew(self, connection: Connection) -> int:
        values = {**self._mine(), "owner": self._owner, "lease_s": self._lease_s}
        query = statements.renew_epoch(self._database)
        epoch, *_ = self._as_owner(connection.execute(query, values).fetchone())
        return int(epoch)

    def _repeated(self, step: Callable[[Connection], _T]) -> _T:
        """Do a step, and again with a new connection where that broke."""
        started, pause_s = self._now(), _FIRST_PAUSE_S
        while True:
            try:
                return step(self._connection or self._reconnect())
            except psycopg.Error as exc:
                is_over = self._now() - started >= self._reconnect_s
                if is_over or not is_broken(self._connection, exc):
                    raise journal_error(self.name, exc) from exc
                _logger.info("%s: the connection broke, and is made anew", self.name)
                if self._connection is not None:
                    self._connection.close()
                    self._connection = None
            self._sleep(pause_s)
            pause_s = min(2 * pause_s, _LONGEST_PAUSE_S)

    # From the event loop.

    async def _execute(self, step: Callable[[Connection], _T]) -> _T:
        if os.getpid() != self._process:
            raise JournalError(
                f"{self.name}: process {self._process} opened it, of which this one is a fork; "
                "only the process that opens a journal may use it"
            )
        return await self._in_thread(lambda: self._repeated(step))

    async def _in_thread(self, step: Callable[..., _T], *values: object) -> _T:
        # Shielded: what waits for the thread is done all the same.
        loop = asyncio.get_running_loop()
        return await asyncio.shield(loop.run_in_executor(self._thread, step, *values))


def columns_of(rows: Sequence[StoredRow]) -> dict[str, list[Any]]:
    """Rows as one list a column: the last one of a number, in the order in which they are on disk.

    There is one at least.
    """
    last = {row.number: row for row in rows}
    in_order = (_kept(last[number]) for number in sorted(last))
    names = (name for name, _ in statements.COLUMNS)
    columns = zip(*in_order, strict=True)
    return {name: list(column) for name, column in zip(names, columns, strict=True)}


def _kept(row: StoredRow) -> StoredRow:
    """The row as it is kept: with what is sent as long as that may be needed again."""
    is_needed = row.key is not None and row.state in _NEEDED
    return row if is_needed else row._replace(content=None)
