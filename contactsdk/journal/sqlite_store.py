"""The store of `SqliteJournal`: rows in a SQLite file, with a checksum."""

import asyncio
import concurrent.futures  # this loads its module for threads only at first use
import os
import sqlite3
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager, suppress
from typing import Final, Self, TypeVar

from contactsdk.journal.identity import Account, Digests
from contactsdk.journal.integrity import Checksum, RowHash
from contactsdk.journal.rows import State
from contactsdk.journal.sqlite_checks import (
    check_surroundings,
    damaged,
    errors_of,
    may_be_applied,
    read_head,
    verified_pages,
)
from contactsdk.journal.sqlite_file import Durability, JournalFile, make, open_to_write
from contactsdk.journal.store import PAGE_NUMBERS, StoredRow
from contactsdk.journal.store_thread import run_in

_T = TypeVar("_T")

_WRITE: Final = "REPLACE INTO rows VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
_WRITE_CHECKSUM: Final = "UPDATE head SET count = ?, total = ?"
_READ_ROW: Final = "SELECT * FROM rows WHERE number = ?"
_READ_PAGE: Final = "SELECT * FROM rows WHERE number >= ? AND number < ? ORDER BY number"
_MAKE_LATEST: Final = (
    "CREATE TEMP TABLE latest (key BLOB PRIMARY KEY, number INTEGER NOT NULL) WITHOUT ROWID"
)
_FILL_LATEST: Final = (
    "INSERT INTO latest SELECT key, max(number) FROM rows "
    "WHERE key IS NOT NULL AND state != ? GROUP BY key"
)
_FIND_LATEST: Final = "SELECT key, number FROM latest WHERE key = ?"
_SENT: Final = State.SENT.value
_NO_ROWS: Final = Checksum(0, 0)
_MOST_HASHES: Final = 10_000


class SqliteStore:
    """The rows of a journal in a SQLite file; `Store` describes its methods."""

    highest_id = 0
    renew_every_s = None

    def __init__(
        self, file: JournalFile, durability: Durability, pages: Mapping[int, Checksum]
    ) -> None:
        head = read_head(file.connection, file.path)
        self.name = file.path
        self.salt = head.salt
        self.account = head.account
        self._file = file
        self._connection = file.connection
        # A write that does not wait for the disk takes less time than handing it to a thread.
        is_slow = durability == "power"
        self._thread = concurrent.futures.ThreadPoolExecutor(1) if is_slow else None
        self._row_hash = RowHash(head.salt)
        self._pages = pages
        self._pages_read = 0
        self._has_latest = False
        self._checksum = Checksum.of_no_rows(head.salt, head.account)
        for checksum in pages.values():
            self._checksum = self._checksum.plus(checksum)
        (last,) = file.connection.execute("SELECT max(number) FROM rows").fetchone()
        self.end = self._written_end = 0 if last is None else last + 1
        # The hashes of rows that are in flight, by number, so that these rows need not be read to
        # change them. It is limited in size, since a run may leave rows as sent.
        self._hashes_sent: dict[int, int] = {}

    @classmethod
    async def open(cls, path: str, durability: Durability, account: Account) -> Self:
        """Open or create the file; other tasks can run while the whole file is verified.

        Raises:
            JournalError: The file is not a journal, is damaged or in use, or cannot be written.
        """
        if not check_surroundings(path):
            salt = os.urandom(16)
            make(path, salt, Digests.of(salt, account.secret).of_account(account))
        file = open_to_write(path, durability)
        try:
            pages: dict[int, Checksum] = {}
            with closing(verified_pages(file.connection, path)) as verified:
                for page, checksum in verified:
                    pages[page] = checksum
                    await asyncio.sleep(0)
            with errors_of(path):
                return cls(file, durability, pages)
        except BaseException:
            file.close()
            raise

    def check_may_send(self) -> None:
        pass  # the file is locked until it is closed, so no other process can own the run

    async def may_be_applied(self) -> bool:
        return await self._run(lambda: may_be_applied(self._connection))

    async def restart(self, account: bytes) -> None:
        await self._run(lambda: self._restart(account))

    async def read_page(self, page: int) -> Sequence[StoredRow]:
        return await self._run(lambda: self._read_page(page))

    def number_in_input(self, number: int) -> int:
        return number

    def in_flight_s(self, number: int) -> float:
        return 0.0  # a file has no lease, and does not record when an earlier run ended

    async def last_sent(self, keys: Collection[bytes]) -> Mapping[bytes, int]:
        return await self._run(lambda: self._last_sent(keys))

    async def uncertain_among(self, keys: Collection[bytes]) -> Collection[bytes]:
        return ()  # a run of this store reads all rows

    async def write(self, rows: Sequence[StoredRow]) -> None:
        await self._run(lambda: self._write(rows))

    async def close(self, rows: Sequence[StoredRow]) -> None:
        # Nothing is awaited here, since this is also called while an event loop is torn down.
        if self._file.is_in_fork:
            return
        if self._thread is not None:
            self._thread.shutdown()
        try:
            with errors_of(self.name):
                self._write(rows)
        finally:
            self._file.close()

    async def _run(self, step: Callable[[], _T]) -> _T:
        self._file.check_process()
        with errors_of(self.name):
            if self._thread is None:
                return step()
            return await run_in(self._thread, step)

    def _restart(self, account: bytes) -> None:
        checksum = Checksum.of_no_rows(self.salt, account)
        with self._transaction():
            self._connection.execute("DELETE FROM rows")
            query = "UPDATE head SET account = ?, count = ?, total = ?"
            self._connection.execute(query, (account, *checksum.stored()))
        self.account, self._checksum = account, checksum
        self.end = self._written_end = 0

    def _read_page(self, page: int) -> Sequence[StoredRow]:
        first = page * PAGE_NUMBERS
        found = self._connection.execute(_READ_PAGE, (first, first + PAGE_NUMBERS))
        rows = [StoredRow(*row) for row in found]
        # Only the first reading of a page is checked: after it, this run may have written its rows.
        if page >= self._pages_read:
            if Checksum.of(map(self._row_hash, rows)) != self._pages.get(page, _NO_ROWS):
                raise damaged(self.name, "another program changed it while a run was using it")
            self._pages_read = page + 1
        return rows

    def _last_sent(self, keys: Collection[bytes]) -> Mapping[bytes, int]:
        if not self._has_latest:
            # A temporary table, made at first use: only a run that continues needs it.
            self._connection.execute(_MAKE_LATEST)
            self._connection.execute(_FILL_LATEST, (State.NOT_APPLIED.value,))
            self._has_latest = True
        found = (self._connection.execute(_FIND_LATEST, (key,)).fetchone() for key in keys)
        return dict(row for row in found if row is not None)

    def _write(self, rows: Sequence[StoredRow]) -> None:
        if not rows:
            return
        # It is checked before writing, since writing restores the size of a truncated file, and
        # once more after it, before anything else is sent.
        self._file.check_place()
        rows = sorted(rows)
        hashes = [self._row_hash(row) for row in rows]
        with self._transaction():
            written = [row.number for row in rows if row.number < self._written_end]
            before = [hash_ for number in written if (hash_ := self._take_hash(number)) is not None]
            self._connection.executemany(_WRITE, (row[:-1] for row in rows))
            checksum = self._checksum.changed(before, hashes)
            self._connection.execute(_WRITE_CHECKSUM, checksum.stored())
        self._checksum = checksum
        self._written_end = max(self._written_end, rows[-1].number + 1)
        sent = {r.number: hash_ for r, hash_ in zip(rows, hashes, strict=True) if r.state == _SENT}
        self._hashes_sent.update(sent)
        if len(self._hashes_sent) > _MOST_HASHES:
            self._hashes_sent = dict([*self._hashes_sent.items()][-_MOST_HASHES // 2 :])
        self._file.check_place()

    def _take_hash(self, number: int) -> int | None:
        """The hash of the recorded row of this number; `None` if there is no such row.

        The hash is no longer kept in memory, since the row is about to be replaced.
        """
        known = self._hashes_sent.pop(number, None)
        if known is not None:
            return known
        row = self._connection.execute(_READ_ROW, (number,)).fetchone()
        return None if row is None else self._row_hash(StoredRow(*row))

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        self._connection.execute("BEGIN")
        try:
            yield
            self._connection.execute("COMMIT")
        except BaseException:
            if not self._file.is_in_fork:
                with suppress(sqlite3.Error):
                    self._connection.execute("ROLLBACK")
            raise
