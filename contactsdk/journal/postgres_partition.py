"""The store behind a partition of a submitted run: its open rows, counted from 0 as a stream does.

A stream counts its input from 0, while the rows of a partition have numbers of the whole run. So
this store gives out each row with its place among those that it has read, and writes it back with
its number.
"""

import sys
from array import array
from bisect import bisect_left
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any, TypeAlias

from contactsdk.errors import JournalError
from contactsdk.journal import postgres_submitted as submitted
from contactsdk.journal.identity import Account, Digests, other_account
from contactsdk.journal.postgres_connection import Connection, connect_durably, errors_of
from contactsdk.journal.postgres_schema import prepare
from contactsdk.journal.postgres_store import PostgresStore
from contactsdk.journal.store import PAGE_NUMBERS, StoredRow

OnRelease: TypeAlias = Callable[[Connection, int], object]
"""Is called when a partition is let go, with how many of its rows are open, in that transaction."""


class PartitionTakenError(JournalError):
    """Another worker sends the partition now, or nothing of it is to be sent."""


class PartitionStore(PostgresStore):
    """The open rows of one partition, as `Store` has the rows of a run.

    `next_page` reads them page after page; `read_page` has the last of these pages.
    """

    def __init__(self, *args: Any, on_release: OnRelease | None = None, **options: Any) -> None:
        super().__init__(*args, **options)
        self.end = sys.maxsize  # each item was recorded before it is read
        self._on_release = on_release
        self._first = 0
        self._page: Sequence[StoredRow] = ()
        # The number of each row that was read, by its place. Any may be written again at the end.
        self._numbers = array("q")

    async def open(self, account: Account, *, standby: bool = False) -> "PartitionStore":
        """Take the lease of the partition.

        Raises:
            PartitionTakenError: Another worker has it, or the run is stopped, or not sealed yet.
            JournalError: The run is another account's, or the database cannot be used.
        """
        try:
            with errors_of(self.name):
                await self._in_thread(self._begin, account)
            await self._execute(self._note_attempt_timeout)
            if not await self._execute(self._take):
                raise PartitionTakenError(
                    f"{self.name}, part {self._part}: another worker sends it, or the run is "
                    "stopped, or its input is not whole"
                )
            self._first, self.highest_id = await self._execute(self._find_first_open)
        except BaseException:
            await self.close(())
            raise
        return self

    async def next_page(self) -> Sequence[StoredRow]:
        """The next open rows, with their contents and their places; none after the last."""
        query = submitted.read_open_rows(self._database)
        values = {**self._mine(), "first": self._first, "limit": PAGE_NUMBERS}
        found = await self._execute(lambda c: c.execute(query, values, binary=True).fetchall())
        rows = self._noted(found)
        if rows:
            self._first = rows[-1].number + 1
        start = len(self._numbers)
        self._numbers.extend(row.number for row in rows)
        self._page = [row._replace(number=start + place) for place, row in enumerate(rows)]
        return self._page

    async def read_page(self, page: int) -> Sequence[StoredRow]:
        return self._page

    async def last_sent(self, keys: Collection[bytes]) -> Mapping[bytes, int]:
        # A row that is not open has no place: it comes right before the next one that has.
        numbers = [self._numbers[row.number] for row in self._page]
        return {
            key: self._page[0].number + bisect_left(numbers, number)
            for key, number in (await super().last_sent(keys)).items()
        }

    async def uncertain_among(self, keys: Collection[bytes]) -> Collection[bytes]:
        query = submitted.find_uncertain_keys(self._database)
        values = {**self._mine(), "keys": list(keys)}
        found = await self._execute(lambda c: c.execute(query, values, binary=True).fetchall())
        return {key for (key,) in found}

    def in_flight_s(self, number: int) -> float:
        return super().in_flight_s(self._numbers[number])

    async def write(self, rows: Sequence[StoredRow]) -> None:
        await super().write(self._numbered(rows))

    async def close(self, rows: Sequence[StoredRow]) -> None:
        await super().close(self._numbered(rows))

    def _numbered(self, rows: Sequence[StoredRow]) -> list[StoredRow]:
        """Rows with their numbers instead of their places."""
        return [row._replace(number=self._numbers[row.number]) for row in rows]

    # In the thread.

    def _begin(self, account: Account) -> None:
        connection = self._connection = connect_durably(self._database, self._durability, self.name)
        prepare(connection, self._database)
        query = submitted.find_submitted(self._database)
        found = connection.execute(query, {"name": self._run_name}).fetchone()
        if found is None or found[6] is None:
            raise JournalError(f"{self.name}: no such run was submitted")
        self._run, self.account, self.salt, *_ = found
        if Digests.of(self.salt, account.secret).of_account(account) != self.account:
            raise other_account(self.name)

    def _find_first_open(self, connection: Connection) -> tuple[int, int]:
        query = submitted.find_first_open(self._database)
        found = connection.execute(query, self._mine()).fetchone()
        return (0, 0) if found is None else (found[0], found[1])

    def _release(self, connection: Connection, rows: Sequence[StoredRow]) -> None:
        if rows:
            self._write(connection, rows)
        with connection.transaction():
            # By itself, so that the next statement sees what others did that had it before.
            lock = submitted.lock_lease(self._database)
            if connection.execute(lock, self._mine()).fetchone() is None:
                return
            advance = submitted.advance_first_open(self._database)
            found = connection.execute(advance, self._mine()).fetchone()
            self._release_lease(connection)
            if self._on_release is not None and found is not None:
                self._on_release(connection, found[0])
