"""Writes the input of a run to the database, from where workers send it.

Rows are written in transactions of 10,000. Each transaction succeeds only if no other process has
added rows since this process looked. So if two processes submit the same run, one of them stops
with an error. If a process dies, start it again with the same input: it continues after the rows
that are already in the database.
"""

import asyncio
import concurrent.futures
import os
from collections import Counter
from collections.abc import AsyncIterable, Callable, Iterable, Sequence
from functools import partial
from typing import Any, Final, TypeAlias, TypeVar

from attrs import frozen
from psycopg.sql import Composed
from psycopg.types.json import Jsonb

from contactsdk.arguments import check_count
from contactsdk.bulk.reader import Reader
from contactsdk.distributed.settings import RunSettings
from contactsdk.distributed.submitted_run import SubmittedRun
from contactsdk.errors import JournalError
from contactsdk.journal import Account, State
from contactsdk.journal import postgres_submitted as submitted
from contactsdk.journal.identity import Digests, changed_item, content_of, other_account
from contactsdk.journal.postgres import PostgresJournal
from contactsdk.journal.postgres_connection import Connection, connect_durably, errors_of
from contactsdk.journal.postgres_schema import prepare
from contactsdk.journal.rows import pack_error
from contactsdk.journal.store import StoredRow
from contactsdk.journal.store_thread import run_in
from contactsdk.models import Contact, Item

_T = TypeVar("_T")

ITEMS_AT_A_TIME: Final = 10_000
"""How many items are added in one transaction."""

MOST_PARTITIONS: Final = 1024
"""How many partitions a run may have."""

_NAMES: Final = [name for name, _ in submitted.COPIED]
_PART: Final = _NAMES.index("part")
_STATE: Final = _NAMES.index("state")

Enqueue: TypeAlias = Callable[[Connection, str, int], object]
"""Called when the input of a run is complete, for example to queue the first job of each partition.
Its arguments are the connection, the run's name and its number of partitions. It is called in a
thread, in the transaction that seals the run."""


async def feed(
    contacts: Iterable[Item] | AsyncIterable[Item],
    journal: PostgresJournal,
    account: Account,
    settings: RunSettings,
    *,
    partitions: int = 64,
    enqueue: Enqueue | None = None,
) -> SubmittedRun:
    """Add the whole input to the run of this journal; the run is created if it does not exist.

    If the run was submitted before, the input has to be the same as then. `settings` replace the
    earlier settings of the run.

    Raises:
        JournalError: There is a run of this name with another input, account or number of
            partitions; or another process is submitting it; or the database cannot be used.
        ValueError: `partitions` is out of its range.
        TypeError: `contacts` is not an iterable of contacts.
    """
    check_count("partitions", partitions, MOST_PARTITIONS)
    reader = Reader(contacts)
    feeder = _Feeder(journal, account, settings, partitions)
    try:
        await feeder.in_thread(feeder.open)
        items = await _next_items(reader)
        while items:
            taking = asyncio.ensure_future(feeder.in_thread(partial(feeder.take, items)))
            try:
                items = await _next_items(reader)  # while the database is at work
            finally:
                await taking
        if reader.error is not None:
            raise reader.error
        await feeder.in_thread(partial(feeder.seal, enqueue))
    finally:
        await reader.aclose()
        await feeder.close()
    return SubmittedRun(journal)


async def _next_items(reader: Reader) -> Sequence[Item]:
    items: list[Item] = []
    while len(items) < ITEMS_AT_A_TIME:
        item = await reader.receive()
        if item is None:
            break
        items.append(item)
    return items


@frozen
class _Run:
    """The run's own row of the database, as it was when the feeder opened the run."""

    number: int
    account: bytes
    salt: bytes
    partitions: int
    items: int
    is_sealed: bool


class _Feeder:
    """Adds items to one run, with one connection and in one thread."""

    def __init__(
        self, journal: PostgresJournal, account: Account, settings: RunSettings, partitions: int
    ) -> None:
        self._journal = journal
        self._database = journal.database
        self._account = account
        self._settings = settings
        self._partitions = partitions
        self._thread = concurrent.futures.ThreadPoolExecutor(1)
        self._connection: Connection | None = None
        self._count = 0

    async def in_thread(self, step: Callable[[], _T]) -> _T:
        """Run `step` in the thread; a cancellation of this call does not interrupt the step."""
        return await run_in(self._thread, step)

    async def close(self) -> None:
        """Close the connection."""
        await self.in_thread(self._close)
        self._thread.shutdown(wait=False)

    # The methods below run in the thread.

    def open(self) -> None:
        """Find the run, or create it."""
        journal, database = self._journal, self._database
        with errors_of(journal.name):
            connection = connect_durably(database, journal.durability, journal.name)
            self._connection = connection
            prepare(connection, database)
            salt = os.urandom(16)
            values = {
                "name": journal.run,
                "account": Digests.of(salt, self._account.secret).of_account(self._account),
                "salt": salt,
                "partitions": self._partitions,
                "options": Jsonb(self._settings.to_json()),
                "attempt_timeout_s": self._settings.attempt_timeout_s,
            }
            connection.execute(submitted.submit_run(database), values)
            self._run = self._found(connection)
            self._digests = Digests.of(self._run.salt, self._account.secret)
            self._check_run()
            connection.execute(submitted.change_options(database), values)

    def _found(self, connection: Connection) -> _Run:
        query = submitted.find_submitted(self._database)
        found = connection.execute(query, {"name": self._journal.run}).fetchone()
        if found is None or found[6] is None:
            raise JournalError(
                f"{self._journal.name}: a run that was not submitted has this name: use another "
                "name"
            )
        return _Run(*found[:6])

    def _check_run(self) -> None:
        name, partitions = self._journal.name, self._run.partitions
        if self._digests.of_account(self._account) != self._run.account:
            raise other_account(name)
        if partitions != self._partitions:
            raise JournalError(
                f"{name}: the run has {partitions} partitions, not {self._partitions}"
            )

    def take(self, items: Sequence[Item]) -> None:
        """Compare items that are in the database already with their rows, and add the others."""
        run, first = self._run, self._count
        contents = [content_of(item) for item in items]
        digests = [self._digests.of_content(content) for content in contents]
        there = max(0, min(len(items), run.items - first))
        with errors_of(self._journal.name):
            if there:
                self._check(first, digests[:there])
            rows = [
                self._row(first + place, items[place], contents[place], digests[place])
                for place in range(there, len(items))
            ]
            if rows and run.is_sealed:
                raise JournalError(
                    f"{self._journal.name}: its input is complete with {run.items:,} items: use "
                    "another name for another input",
                    number=run.items,
                )
            if rows:
                self._add(first + there, rows)
        self._count = first + len(items)

    def _check(self, first: int, digests: Sequence[bytes]) -> None:
        query = submitted.read_digests(self._database)
        values = {"run": self._run.number, "first": first, "end": first + len(digests)}
        recorded = self._connected.execute(query, values, binary=True).fetchall()
        for number, ((recorded_digest,), digest) in enumerate(
            zip(recorded, digests, strict=True), first
        ):
            if recorded_digest != digest:
                raise changed_item(number)

    def _row(self, number: int, item: Item, content: bytes, digest: bytes) -> tuple[Any, ...]:
        """A row in the order of `COPIED`."""
        run, line_of = self._run, self._journal.line_of
        line = None if line_of is None else line_of(number)
        if isinstance(item, Contact):
            key, state, error, kept = self._digests.of_key(item), State.WAITING, None, content
        else:
            key, state, error, kept = None, State.INVALID, pack_error(item), None
        part = partition_of(key, number, run.partitions)
        row = StoredRow(
            number, line, digest, key, state.value, None, error, 0, False, None, None, 0, kept
        )
        return run.number, part, 0, *row

    def _add(self, first: int, rows: Sequence[tuple[Any, ...]]) -> None:
        connection, run = self._connected, self._run
        with connection.transaction(), connection.cursor() as cursor:
            # This is first, since it locks the run's row: another process that submits the same
            # run waits here until this transaction has ended, and then stops.
            self._count_or_stop(submitted.count_items(self._database), first, len(rows))
            with cursor.copy(submitted.copy_rows(self._database)) as copy:
                copy.set_types([kind for _, kind in submitted.COPIED])
                for row in rows:
                    copy.write_row(row)
            counts = Counter(row[_PART] for row in rows)
            failed = Counter(row[_PART] for row in rows if row[_STATE] == State.INVALID)
            values = {
                "run": run.number,
                "parts": list(counts),
                "counts": list(counts.values()),
                "failed": [failed[part] for part in counts],
            }
            cursor.execute(submitted.count_added(self._database), values)

    def seal(self, enqueue: Enqueue | None) -> None:
        """Record that the input is complete; from then on workers send the run."""
        connection, run = self._connected, self._run
        if self._count < run.items:
            raise changed_item(self._count)
        if run.is_sealed:
            return
        with errors_of(self._journal.name), connection.transaction():
            self._count_or_stop(submitted.seal(self._database), self._count, 0)
            if enqueue is not None:
                enqueue(connection, self._journal.run, run.partitions)

    def _count_or_stop(self, statement: Composed, items: int, count: int) -> None:
        values = {"run": self._run.number, "items": items, "count": count}
        if self._connected.execute(statement, values).fetchone() is None:
            raise JournalError(
                f"{self._journal.name}: another process has added items to the run or sealed it "
                "meanwhile, or the run was deleted: submit the same input again to continue"
            )

    @property
    def _connected(self) -> Connection:
        assert self._connection is not None  # noqa: S101  # `open` is called first
        return self._connection

    def _close(self) -> None:
        if self._connection is not None:
            self._connection.close()


def partition_of(key: bytes | None, number: int, partitions: int) -> int:
    """The partition of an item, by the digest of its key, or by its number if it has no key."""
    return (number if key is None else int.from_bytes(key[:8])) % partitions
