"""The store of one partition of a submitted run.

A stream counts its input from 0, while the rows of a partition have numbers of the whole run. So
this store hands out each row with its place among the rows that it has read, from 0, and writes it
back with its number in the run.
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
"""Called when the lease of a partition is released, in the same transaction. Its arguments are the
connection and the number of rows of the partition that are still open."""


class PartitionTakenError(JournalError):
    """Another worker sends the partition now, or its run is stopped or not sealed."""


class PartitionStore(PostgresStore):
    """The open rows of one partition, as a `Store`.

    `next_page` reads one page after another; `read_page` returns the page that was read last. The
    first page that is not full is the last one: rows that become open later belong to another
    slice.
    """

    def __init__(self, *args: Any, on_release: OnRelease | None = None, **options: Any) -> None:
        super().__init__(*args, **options)
        self.end = sys.maxsize  # every item was recorded before this store reads it
        self._on_release = on_release
        self._first = 0
        self._page: Sequence[StoredRow] = ()
        # The number of each row that was read, by its place. All are kept until the end, since any
        # of the rows may be written then.
        self._numbers = array("q")

    async def open(self, account: Account, *, standby: bool = False) -> "PartitionStore":
        """Take the lease of the partition.

        Raises:
            PartitionTakenError: Another worker holds the lease, or the run is stopped or not sealed
                yet.
            JournalError: The run belongs to another account, or the database cannot be used.
        """
        try:
            with errors_of(self.name):
                await self._in_thread(self._begin, account)
            await self._execute(self._note_attempt_timeout)
            if not await self._execute(self._take):
                raise PartitionTakenError(
                    f"{self.name}, part {self._part}: another worker sends it, or the run is "
                    "stopped, or its input is not complete"
                )
            self._first, self.highest_id = await self._execute(self._find_first_open)
        except BaseException:
            await self.close(())
            raise
        return self

    async def next_page(self) -> Sequence[StoredRow]:
        """The next open rows, each with its content and its place; empty after the last row."""
        if len(self._numbers) % PAGE_NUMBERS:
            return ()
        query = submitted.read_open_rows(self._database)
        values = {**self._lease_values(), "first": self._first, "limit": PAGE_NUMBERS}
        found = await self._execute(lambda c: c.execute(query, values, binary=True).fetchall())
        rows = self._rows_with_epochs(found)
        if rows:
            self._first = rows[-1].number + 1
        start = len(self._numbers)
        self._numbers.extend(row.number for row in rows)
        self._page = [row._replace(number=start + place) for place, row in enumerate(rows)]
        return self._page

    async def read_page(self, page: int) -> Sequence[StoredRow]:
        return self._page

    async def last_sent(self, keys: Collection[bytes]) -> Mapping[bytes, int]:
        # The row that was sent last may not be open, so it has no place: it counts as right before
        # the next row that has one.
        numbers = [self._numbers[row.number] for row in self._page]
        return {
            key: self._page[0].number + bisect_left(numbers, number)
            for key, number in (await super().last_sent(keys)).items()
        }

    async def uncertain_among(self, keys: Collection[bytes]) -> Collection[bytes]:
        query = submitted.find_uncertain_keys(self._database)
        values = {**self._lease_values(), "keys": list(keys)}
        found = await self._execute(lambda c: c.execute(query, values, binary=True).fetchall())
        return {key for (key,) in found}

    def number_in_input(self, number: int) -> int:
        return self._numbers[number]

    def in_flight_s(self, number: int) -> float:
        return super().in_flight_s(self._numbers[number])

    async def write(self, rows: Sequence[StoredRow]) -> None:
        await super().write(self._numbered(rows))

    async def close(self, rows: Sequence[StoredRow]) -> None:
        await super().close(self._numbered(rows))

    def _numbered(self, rows: Sequence[StoredRow]) -> list[StoredRow]:
        """The same rows with their numbers in the run instead of their places."""
        return [row._replace(number=self._numbers[row.number]) for row in rows]

    # The methods below run in the thread.

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
        found = connection.execute(query, self._lease_values()).fetchone()
        return (0, 0) if found is None else (found[0], found[1])

    def _release(self, connection: Connection, rows: Sequence[StoredRow]) -> None:
        if rows:
            self._write(connection, rows)
        with connection.transaction():
            # The lock is a statement of its own, so that the next statement sees all changes of
            # those who held the lock before.
            lock = submitted.lock_lease(self._database)
            if connection.execute(lock, self._lease_values()).fetchone() is None:
                return
            advance = submitted.advance_first_open(self._database)
            found = connection.execute(advance, self._lease_values()).fetchone()
            self._release_lease(connection)
            if self._on_release is not None and found is not None:
                self._on_release(connection, found[0])
