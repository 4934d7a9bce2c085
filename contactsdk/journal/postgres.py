"""A journal in a PostgreSQL database, as callers hand it to a run and as they read it.

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
    """Make the tables of journals, or bring older ones up to date, by a user who may.

    Returns the name of the database, without user and password.

    Raises:
        ValueError: The URL is wrong; the message does not repeat it.
        JournalError: They cannot be made.
    """
    database = Database.at(url, schema)
    with errors_of(database.name), database.connect() as connection:
        prepare(connection, database)
    return database.name


class PostgresJournal:
    """Where a bulk run keeps what it sent and what became of it, in a PostgreSQL database.

    Give it to `add_or_update_many` or `stream` like a `SqliteJournal`, whose rules it shares. Many
    processes, on any machines, may be given the same run and the same input: one at a time has the
    run's lease and sends. When that one has died, the next one goes on: a standby by itself, or
    whoever is started later than `lease_s` seconds afterwards. A process that was only paused
    sends nothing more and records nothing more when it wakes up after that.

    The database holds ids, messages and digests as a file would; and of each contact that is open
    or uncertain what is sent, until it is final. A run is removed, with all that is kept of it, by
    `DELETE FROM contactsdk.run WHERE name = '...'`.

    The tables are made by the first use, in a schema of their own.

    Args:
        url: The database, such as `postgresql://user:password@host:5432/name`.
        run: The name of the run, up to 200 characters. Another input needs another name.
        standby: Wait, when the run is to be started, as long as another process is sending it,
            without limit.
        lease_s: For how many seconds the run belongs to a process after it was last heard of. No
            contact is sent for so long after the owner has died.
        reconnect_s: For how many seconds a database that goes away in mid-run is waited for, before
            the run stops; nothing is sent meanwhile.
        durability: `"power"` needs a database that waits for its disk at each write; `"process"`
            does not wait, and survives the death of this process, but not of the database. The
            default is `"power"`, where that of a `SqliteJournal` is `"process"`.
        resend_uncertain: Send uncertain contacts again, as for `SqliteJournal`.
        line_of: Gives the line of an item in its file, by its number, to be recorded with it; it
            may return `None`. By default (`None`) there are no lines.
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
        """Whether to wait for a process that is sending it."""
        self.lease_s = lease_s
        """For how many seconds the run belongs to a process after it was last heard of."""
        self.reconnect_s = reconnect_s
        """For how many seconds a database that goes away is waited for."""
        self.durability: Durability = durability
        """What the journal survives."""
        self.resend_uncertain = resend_uncertain
        """Whether uncertain contacts are sent again."""
        self.line_of = line_of
        """The line of an item in its file, by its number; `None` where there are no lines."""

    @property
    def name(self) -> str:
        """What messages call it: the database, without user and password, and the run."""
        return f"{self.database.name}, run {self.run}"

    def __repr__(self) -> str:
        return f"PostgresJournal({self.database.name!r}, run={self.run!r})"

    def exists(self) -> bool:
        """Whether there is a run of this name; looking blocks.

        Raises:
            JournalError: The database cannot be read.
        """
        with self._reading() as connection:
            return self._find(connection) is not None

    def status(self) -> RunStatus:
        """How far the run has come, also while a process sends it; asking blocks.

        A `RunStatus` can be imported from `contactsdk.journal.postgres`.

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
        """That a submitted run is not whole, or was stopped, or is being sent.

        Raises:
            JournalError: There is no run of this name, or the database cannot be read.
        """
        return self.status().remarks

    def rows(self) -> Iterator[JournalRow]:
        """All that is recorded at this moment, in input order, also while a process sends it.

        Reading blocks, and its errors come with the first row (`next`).

        Raises:
            JournalError: There is no run of this name, or the database cannot be read.
        """
        with self._reading() as connection:
            found = self._found(connection)
            query = statements.read_rows(self.database)
            for *row, _ in self._read(connection, query, (found.run, *_ALL_NUMBERS)):
                yield StoredRow(*row).public()

    def check(self, contacts: Iterable[Item], *, secret: str) -> None:
        """See that this whole input is the recorded one; rows may have been appended since.

        `secret` is that of the account, or an empty string for a client without credentials; which
        account it is, is not looked at, unlike `ContactClient.check_journal`. Nothing is changed.
        Reading blocks, and consumes an iterator.

        Raises:
            JournalError: It is not, or the secret is another one, and `number` is the index of the
                first item that differs; or there is no run of this name, or the database cannot be
                read.
        """
        with self._reading() as connection:
            found = self._found(connection)
            self._check(connection, found, contacts, Digests.of(found.salt, secret))

    def check_account(self, contacts: Iterable[Item], account: Account) -> None:
        """See that a run of this account on this whole input would go on with what is recorded.

        That is so of a run that was not begun yet, and of one that would begin anew. Nothing is
        changed. Called by `ContactClient.check_journal`.

        Raises:
            JournalError: The input is another one, and `number` is the index of the first item
                that differs; or the run is another account's, or the database cannot be read.
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

        Called by `ContactClient`.

        Raises:
            JournalError: Another process is sending it, or it is another account's; or the database
                cannot be used.
        """
        store = self._store(PostgresStore, attempt_timeout_s)
        return await self._started(store, account, standby=self.standby)

    async def open_to_settle(
        self, account: Account, *, attempt_timeout_s: float = DEFAULT_ATTEMPT_TIMEOUT_S
    ) -> JournalRun:
        """As `open_run`, to look for what is uncertain and not to send anything.

        Of a run that was submitted, it takes the leases of all partitions.

        Raises:
            JournalError: Another process is sending any of it, or it is another account's; or the
                database cannot be used.
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
        # Not around what is done with it, whose own errors are not errors of the journal.
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
        """What a query finds, a page at a time."""
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
    """A run as `find_run` finds it."""

    run: int
    account: bytes
    salt: bytes
    is_submitted: bool


def _checked_name(run: str) -> str:
    if not isinstance(run, str) or not 0 < len(run) <= _LONGEST_NAME or not run.isprintable():
        raise ValueError(f"run must be a name of 1 to {_LONGEST_NAME} printable characters")
    return run
