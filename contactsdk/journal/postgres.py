"""`PostgresJournal`: a journal in a PostgreSQL database, to give to a run and to read.

It needs the extra `postgres`.
"""

import asyncio
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import closing, contextmanager
from typing import Any, Final

from attrs import frozen
from psycopg import sql

from contactsdk.arguments import check_positive, check_seconds
from contactsdk.errors import JournalError
from contactsdk.journal import postgres_statements as statements
from contactsdk.journal.identity import Account, Digests, check_input, other_account
from contactsdk.journal.postgres_connection import Connection, Database, errors_of
from contactsdk.journal.postgres_schema import is_ready, prepare
from contactsdk.journal.postgres_status import RunStatus, status_of
from contactsdk.journal.postgres_store import PostgresStore
from contactsdk.journal.postgres_submitted import progress_of
from contactsdk.journal.postgres_whole_run import WholeRunStore
from contactsdk.journal.protocol import DEFAULT_ATTEMPT_TIMEOUT_S
from contactsdk.journal.rows import JournalRow
from contactsdk.journal.run import JournalRun
from contactsdk.journal.sqlite_file import Durability
from contactsdk.journal.store import StoredRow
from contactsdk.models import Item

_ALL_NUMBERS: Final = (0, 2**62)
_LONGEST_NAME: Final = 200
_ROWS_AT_A_TIME: Final = 2000


def make_tables(url: str, *, schema: str = "contactsdk") -> str:
    """Create the tables of journals, or migrate older tables; the user needs the right to do so.

    Returns the name of the database, without user and password.

    Raises:
        ValueError: The URL is wrong; the message does not repeat it.
        JournalError: The tables cannot be created or migrated.
    """
    database = Database.at(url, schema)
    with errors_of(database.name), database.connect() as connection:
        prepare(connection, database)
    return database.name


class PostgresJournal:
    """The journal of a bulk run in a PostgreSQL database: what was sent, and each outcome.

    Give it to `add_or_update_many` or `stream`, like a `SqliteJournal`; the same rules apply. Many
    processes, on any machines, may use the same run with the same input. One of them at a time
    holds the run's lease and sends. When it dies, another one takes over: a standby does so by
    itself, and so does a process that is started more than `lease_s` seconds later. A process that
    was only paused and wakes up after a takeover sends nothing more and records nothing more.

    The database holds ids, messages and digests, as a journal file does. It also holds the content
    of each contact that is open or uncertain, until the contact has a final outcome. To remove a
    run with all of its data, use `DELETE FROM contactsdk.run WHERE name = '...'`.

    The first use creates the tables, in a schema of their own.

    Args:
        url: The database, such as `postgresql://user:password@host:5432/name`.
        run: The name of the run, up to 200 characters. Another input needs another name.
        standby: Whether the start of a run waits while another process is sending the run; there is
            no limit on the wait.
        lease_s: How long the lease lasts after its owner was last heard of, in seconds. When an
            owner dies, nobody sends for this long.
        reconnect_s: How long the run waits for a database that is away before it stops, in seconds.
            Nothing is sent meanwhile.
        durability: With `"power"` each write waits for the database's disk. With `"process"` it
            does not wait: the journal survives the death of this process, but not a crash of the
            database. The default is `"power"`, unlike that of `SqliteJournal`.
        resend_uncertain: Send uncertain contacts again, as in `SqliteJournal`.
        line_of: A function that is given the number of an item, from 0, and returns its line in its
            file, or `None`. The line is recorded with the item. `None` records no lines.
        schema: The schema that holds the tables.

    Raises:
        ValueError: An argument is wrong; the message never repeats the URL.
    """

    def __init__(
        self,
        url: str,
        *,
        run: str,
        standby: bool = False,
        lease_s: float = 30.0,
        reconnect_s: float = 60.0,
        durability: Durability = "power",
        resend_uncertain: bool = False,
        line_of: Callable[[int], int | None] | None = None,
        schema: str = "contactsdk",
    ) -> None:
        if durability not in ("process", "power"):
            raise ValueError(f"durability must be 'process' or 'power', not {durability!r}")
        check_positive("lease_s", lease_s)
        check_seconds("reconnect_s", reconnect_s)
        self.database = Database.at(url, schema)
        """The database and its schema."""
        self.run = _checked_name(run)
        """The name of the run."""
        self.standby = standby
        """Whether the start of a run waits while another process is sending it."""
        self.lease_s = lease_s
        """How long the lease lasts after its owner was last heard of, in seconds."""
        self.reconnect_s = reconnect_s
        """How long a run waits for a database that is away, in seconds."""
        self.durability: Durability = durability
        """What the journal survives: `"process"` or `"power"`."""
        self.resend_uncertain = resend_uncertain
        """Whether uncertain contacts are sent again."""
        self.line_of = line_of
        """Returns the line of an item in its file, by its number; `None` if there are no lines."""

    @property
    def name(self) -> str:
        """The name of the journal in messages: the database, without user and password, and the
        run.
        """
        return f"{self.database.name}, run {self.run}"

    def __repr__(self) -> str:
        return f"PostgresJournal({self.database.name!r}, run={self.run!r})"

    def exists(self) -> bool:
        """Whether there is a run of this name; this call blocks.

        Raises:
            JournalError: The database cannot be read.
        """
        with self._reading() as connection:
            return self._find(connection) is not None

    def status(self) -> RunStatus:
        """The progress of the run, also while a process sends it; this call blocks.

        `RunStatus` can be imported from `contactsdk.journal.postgres`.

        Raises:
            JournalError: There is no run of this name, or the database cannot be read.
        """
        with self._reading() as connection, errors_of(self.name):
            is_made = is_ready(connection, self.database)
            found = progress_of(connection, self.database, self.run) if is_made else None
        if found is None:
            raise self._no_run()
        return status_of(found)

    def remarks(self) -> Sequence[str]:
        """Sentences for a reader of the journal: whether a submitted run is not complete, was
        stopped, or is being sent. Empty if none of these is the case; this call blocks.

        Raises:
            JournalError: There is no run of this name, or the database cannot be read.
        """
        return self.status().remarks

    def rows(self) -> Iterator[JournalRow]:
        """All rows that are recorded at this moment, in input order, also while a process sends.

        Reading blocks. Errors are raised when the first row is read, not by this call.

        Raises:
            JournalError: There is no run of this name, or the database cannot be read.
        """
        with self._reading() as connection:
            found = self._found(connection)
            query = statements.read_rows(self.database)
            for *row, _ in self._read(connection, query, (found.run, *_ALL_NUMBERS)):
                yield StoredRow(*row).public()

    def check(self, contacts: Iterable[Item], *, secret: str) -> None:
        """Check that this is the recorded input; items may have been appended since.

        `secret` is the account's secret, or an empty string for a client without credentials. The
        account itself is not checked; `ContactClient.check_journal` does that. Nothing is changed.
        This call blocks, and consumes `contacts` if that is an iterator.

        Raises:
            JournalError: An item differs or is missing, or the secret is not the right one; then
                `number` is the index of the first such item. Or there is no run of this name, or
                the database cannot be read.
        """
        with self._reading() as connection:
            found = self._found(connection)
            self._check(connection, found, contacts, Digests.of(found.salt, secret))

    def check_account(self, contacts: Iterable[Item], account: Account) -> None:
        """Check that this account could continue the recorded run with this input.

        The check also passes if the run was not started yet, and if it would start from the
        beginning. Nothing is changed. `ContactClient.check_journal` calls this.

        Raises:
            JournalError: An item of the input differs or is missing; then `number` is the index of
                the first such item. Or the run belongs to another account, or the database cannot
                be read.
        """
        with self._reading() as connection:
            found = self._find(connection)
            if found is None:
                return
            digests = Digests.of(found.salt, account.secret)
            if digests.of_account(account) == found.account:
                self._check(connection, found, contacts, digests)
                return
            query = statements.find_maybe_applied(self.database)
            with errors_of(self.name):
                values = found.run, statements.MAYBE_APPLIED_VALUES
                may_be_applied = connection.execute(query, values).fetchone() == (True,)
            if may_be_applied or found.is_submitted:
                raise other_account(self.name)

    async def open_run(
        self, account: Account, *, attempt_timeout_s: float = DEFAULT_ATTEMPT_TIMEOUT_S
    ) -> JournalRun:
        """Take the run's lease for this account; a standby waits for it.

        `ContactClient` calls this. `attempt_timeout_s` is the longest time that one attempt of the
        client may take.

        Raises:
            JournalError: Another process is sending the run, or the run belongs to another account,
                or the database cannot be used.
        """
        store = self._store(PostgresStore, attempt_timeout_s)
        return await self._started(store, account, standby=self.standby)

    async def open_to_settle(
        self, account: Account, *, attempt_timeout_s: float = DEFAULT_ATTEMPT_TIMEOUT_S
    ) -> JournalRun:
        """Like `open_run`, for settling: uncertain contacts are looked up, and nothing is sent.

        If the run was submitted for workers, this takes the leases of all partitions.

        Raises:
            JournalError: Another process is sending any part of the run, or the run belongs to
                another account, or the database cannot be used.
        """
        is_submitted = await asyncio.to_thread(self._is_submitted)
        kind = WholeRunStore if is_submitted else PostgresStore
        return await self._started(self._store(kind, attempt_timeout_s), account)

    def _store(self, kind: type[PostgresStore], attempt_timeout_s: float) -> PostgresStore:
        return kind(
            self.database,
            self.run,
            attempt_timeout_s=attempt_timeout_s,
            durability=self.durability,
            lease_s=self.lease_s,
            reconnect_s=self.reconnect_s,
        )

    async def _started(
        self, store: PostgresStore, account: Account, *, standby: bool = False
    ) -> JournalRun:
        await store.open(account, standby=standby)
        return await JournalRun.start(
            store, account, line_of=self.line_of, resend_uncertain=self.resend_uncertain
        )

    def _is_submitted(self) -> bool:
        with self._reading() as connection:
            found = self._find(connection)
            return found is not None and found.is_submitted

    @contextmanager
    def _reading(self) -> Iterator[Connection]:
        with errors_of(self.name):
            connection = self.database.connect()
            connection.autocommit = False  # rows are read a page at a time in one transaction
        # The caller's code runs outside of `errors_of`: its errors are not errors of the journal.
        with closing(connection):
            yield connection

    def _find(self, connection: Connection) -> "_Found | None":
        with errors_of(self.name):
            if not is_ready(connection, self.database):
                return None
            query = statements.find_run(self.database)
            found = connection.execute(query, {"name": self.run}).fetchone()
        return None if found is None else _Found(*found[:4])

    def _found(self, connection: Connection) -> "_Found":
        found = self._find(connection)
        if found is None:
            raise self._no_run()
        return found

    def _no_run(self) -> JournalError:
        return JournalError(
            f"{self.name}: there is no run of this name: check `run`, or start it first"
        )

    def _check(
        self, connection: Connection, found: "_Found", contacts: Iterable[Item], digests: Digests
    ) -> None:
        query = statements.read_digests(self.database)
        recorded = self._read(connection, query, (found.run,))
        check_input(((number, digest) for number, digest in recorded), contacts, digests)

    def _read(
        self, connection: Connection, query: sql.Composed, values: tuple[Any, ...]
    ) -> Iterator[tuple[Any, ...]]:
        """The rows that a query finds, fetched page by page."""
        with connection.cursor("found") as cursor:
            with errors_of(self.name):
                cursor.execute(query, values)
            while True:
                with errors_of(self.name):
                    page = cursor.fetchmany(_ROWS_AT_A_TIME)
                if not page:
                    return
                yield from page


@frozen
class _Found:
    """The first columns of the row that `find_run` finds."""

    run: int
    account: bytes
    salt: bytes
    is_submitted: bool


def _checked_name(run: str) -> str:
    if not isinstance(run, str) or not 0 < len(run) <= _LONGEST_NAME or not run.isprintable():
        raise ValueError(f"run must be a name of 1 to {_LONGEST_NAME} printable characters")
    return run
