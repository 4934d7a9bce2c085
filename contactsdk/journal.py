"""A durable record of a bulk run, so that one that was killed goes on where it stopped.

A row of the journal stands for an item of the input, by its number. That a contact is about to be
sent is written before its bytes leave, and what became of it before that is handed out; so a row
that says "sent" is one that may or may not have been applied.
"""

import asyncio
import concurrent.futures  # loads its threads where they are asked for
import json
import os
import sqlite3
from collections.abc import Iterable, Iterator
from contextlib import closing, contextmanager, suppress
from enum import StrEnum
from hashlib import blake2b
from os import PathLike, fspath
from pathlib import Path
from typing import Any, Final, Literal, TypeAlias

from attrs import evolve, field, frozen

from contactsdk import errors, wire
from contactsdk.errors import (
    ContactError,
    InvalidContactError,
    JournalError,
    RejectedError,
    UnavailableError,
    UncertainError,
)
from contactsdk.models import Contact, Item, key_of
from contactsdk.retry import logger

Durability: TypeAlias = Literal["process", "power"]

_APPLICATION: Final = 0x434F4E54  # "CONT", in the header of the file
_VERSION: Final = 1
_PAGE_ROWS: Final = 1000
_PAST_THE_LAST: Final = (None, None)

_SCHEMA: Final = f"""
PRAGMA application_id = {_APPLICATION};
PRAGMA user_version = {_VERSION};
CREATE TABLE account (salt BLOB NOT NULL, digest BLOB NOT NULL);
CREATE TABLE rows (
    number INTEGER PRIMARY KEY,
    line INTEGER,
    digest BLOB NOT NULL,
    key BLOB,
    state TEXT NOT NULL,
    id INTEGER,
    error BLOB,
    attempts INTEGER NOT NULL
) WITHOUT ROWID;
"""

_WRITE: Final = """
INSERT INTO rows VALUES (?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (number) DO UPDATE SET
    state = excluded.state, id = excluded.id, error = excluded.error, attempts = excluded.attempts
"""


class State(StrEnum):
    """What the journal knows of a row."""

    SENT = "sent"
    SUCCEEDED = "succeeded"
    REJECTED = "rejected"
    INVALID = "invalid"
    UNCERTAIN = "uncertain"
    NOT_APPLIED = "not applied"


@frozen(kw_only=True, eq=False)
class JournalRow:
    """One row as it is recorded: `number` is its place in the input, from 0.

    `line` is its line in a file, `None` where the input was none. `id` is the platform's; `error`
    is there where it did not succeed.
    """

    number: int
    line: int | None
    state: State
    id: int | None
    error: ContactError | None
    attempts: int


class SqliteJournal:
    """Where a bulk run keeps what it sent and what became of it, in a SQLite file of its own.

    Give it to `add_or_update_many` or `stream`; on the same input again, the run goes on where it
    stopped. Successes, rejections, invalid and uncertain contacts are final: their outcome is
    handed back without sending. What was not applied or never started is sent, but for an update
    when a later one of the same contact was sent. What was in flight when the run ended is sent
    again where that is safe, and uncertain otherwise.

    It holds ids and messages, and digests of the contacts that only the account's secret can
    check (without credentials, whoever has the file can try contacts against them). It is bound to
    the input (rows may be appended), to one run at a time, and to the account; but one in which
    nothing is or may be applied, as after a run with a wrong secret, begins anew with another.

    Args:
        path: The file; it is made where there is none.
        durability: `"process"` survives the death of the process, and costs little; `"power"`
            survives a power cut too, and waits for the disk at each of its grouped writes.
        resend_uncertain: Send uncertain contacts again, for those who looked them up: each but one
            that was sent again later in the same input. An add that was applied is doubled.
    """

    def __init__(
        self,
        path: str | PathLike[str],
        durability: Durability = "process",
        *,
        resend_uncertain: bool = False,
    ) -> None:
        if durability not in ("process", "power"):
            raise ValueError(f"durability must be 'process' or 'power', not {durability!r}")
        self.path = fspath(path)
        self.durability: Durability = durability
        self.resend_uncertain = resend_uncertain
        self.lines: dict[int, int] = {}
        """The line of an item in its file, by its number, where the reader of a file notes it."""

    def rows(self) -> Iterator[JournalRow]:
        """All that is recorded, in input order.

        Raises:
            JournalError: The file is no journal, or a run is using it.
        """
        with (
            closing(_connect(self.path, self.durability, create=False)) as connection,
            _errors_of(self.path),
            closing(connection.execute("SELECT * FROM rows ORDER BY number")) as recorded,
        ):
            for row in recorded:
                yield _journal_row(row)

    def check(self, contacts: Iterable[Item], *, secret: str) -> None:
        """See that this whole input is the recorded one; rows may have been appended since.

        `secret` is that of the account. Unlike `ContactClient.check_journal`, it takes no account
        for the file's and changes nothing.

        Raises:
            JournalError: It is not, or the secret is another one, and `number` names the first item
                that differs; or the file is no journal, or a run is using it.
        """
        with (
            closing(_connect(self.path, self.durability, create=False)) as connection,
            _errors_of(self.path),
        ):
            found = connection.execute("SELECT salt FROM account").fetchone()
            salt = found[0] if found else b""  # then there are no rows either
            _check(connection, _digest_key(salt, secret), contacts)


@frozen(kw_only=True, eq=False)
class Account:
    """Whose contacts a run sends; key and secret are empty where a gateway signs."""

    url: str
    key: str = field(repr=False)
    secret: str = field(repr=False)


class JournalRun:
    """A journal in use by one run of one account.

    Raises:
        JournalError: The file is no journal, is in use, or belongs to another account.
    """

    def __init__(self, journal: SqliteJournal, account: Account) -> None:
        self._journal = journal
        self._connection = _connect(journal.path, journal.durability, create=True)
        try:
            with _errors_of(journal.path):
                self._key = self._bind(account)
                # A run that starts anew never asks for a key, and is spared the index.
                if self._connection.execute("SELECT 1 FROM rows LIMIT 1").fetchone():
                    self._connection.execute("CREATE INDEX IF NOT EXISTS by_key ON rows (key)")
        except BaseException:
            self._connection.close()
            raise
        # Without waiting for the disk, a write takes less than handing it to a thread would.
        is_slow = journal.durability == "power"
        self._thread = concurrent.futures.ThreadPoolExecutor(1) if is_slow else None
        self._page: dict[int, Any] = {}
        self._page_end = 0
        self._identities: dict[int, tuple[bytes, bytes | None]] = {}
        self._in_doubt: set[int] = set()
        self._batch = _Batch()
        self._wanted = asyncio.Event()

    def check(self, items: Iterable[Item]) -> None:
        """See that a whole input is the one that is recorded, before any of it is sent.

        Raises:
            JournalError: It is not; `number` names the first item that differs.
        """
        with _errors_of(self._journal.path):
            _check(self._connection, self._key, items)

    def is_in_doubt(self, number: int) -> bool:
        """Whether what is sent now may have been applied by an earlier run."""
        return number in self._in_doubt

    def recall(self, number: int, item: Item, *, repeat_safe: bool) -> JournalRow | None:
        """What became of this item in an earlier run; `None` if it is to be sent.

        Items are recalled in input order.

        Raises:
            JournalError: It is another item than the recorded one, or the file cannot be read.
        """
        if number >= self._page_end:
            self._read_page(number)
        row = self._page.pop(number, None)
        if row is None:
            return None
        if row[2] != _digest(item, self._key):
            raise _changed(number)
        recorded = _journal_row(row)
        match recorded.state:
            case State.SUCCEEDED | State.REJECTED | State.INVALID:
                return recorded
            case State.NOT_APPLIED:
                # An older update must not win over a newer one. A plain add changes nobody's.
                is_late = repeat_safe and self._was_sent_later(number, row[3])
                late = UnavailableError("not applied, and a later one of the same contact was sent")
                return evolve(recorded, error=late) if is_late else None
        is_safe = recorded.state is State.SENT and repeat_safe
        if is_safe or (self._journal.resend_uncertain and not self._was_sent_later(number, row[3])):
            self._in_doubt.add(number)
            return None
        unknown = UncertainError("sent by an earlier run that ended before an answer came")
        return recorded if recorded.error else evolve(recorded, error=unknown)

    async def intend(self, number: int, contact: Contact) -> None:
        """Have it on record, before its bytes leave, that this contact is being sent.

        Raises:
            JournalError: It cannot be written; nothing must be sent.
        """
        await self._durable(self._row(number, contact, State.SENT))

    def withdraw(self, number: int, contact: Contact) -> None:
        """Note that what was sent was not applied; until that is written, it may have been."""
        self._add(self._row(number, contact, State.NOT_APPLIED))

    async def settle(
        self, number: int, item: Item, id_: int | None, error: ContactError | None, attempts: int
    ) -> None:
        """Have it on record what became of an item, before that is handed out.

        Raises:
            JournalError: It cannot be written; it may count as in flight from here on.
        """
        state = _state_of(error)
        await self._durable(self._row(number, item, state, id_, error, attempts))

    async def write_on(self) -> None:
        """Write what is to be written, as long as the run lasts; much at a time."""
        while await self._wanted.wait():
            self._wanted.clear()
            batch, self._batch = self._batch, _Batch()
            try:
                if self._thread is None:
                    self._write(batch.rows)
                else:
                    loop = asyncio.get_running_loop()
                    # Shielded: a batch that waits for the thread is written all the same.
                    writing = loop.run_in_executor(self._thread, self._write, batch.rows)
                    await asyncio.shield(writing)
            except sqlite3.Error as exc:
                batch.error = JournalError(f"{self._journal.path}: {exc}")
            batch.written.set()

    def close(self) -> None:
        """Write what is left, and let go of the file."""
        if self._thread is not None:
            self._thread.shutdown()
        try:
            self._write(self._batch.rows)
        except sqlite3.Error as exc:
            # What was not applied counts as in flight then; nothing that was promised is lost.
            logger.warning("the end of the journal was not written: %s", exc)
        finally:
            self._connection.close()

    def _bind(self, account: Account) -> bytes:
        """The key of all digests; with it, the file is the account's from now on."""
        row = self._connection.execute("SELECT salt, digest FROM account").fetchone()
        salt = os.urandom(16) if row is None else row[0]
        key = _digest_key(salt, account.secret)
        name = f"{account.url}\0{account.key}".encode()
        digest = blake2b(name, key=key, digest_size=16).digest()
        if row is None:
            self._connection.execute("INSERT INTO account VALUES (?, ?)", (salt, digest))
        elif row[1] != digest:
            query = "SELECT 1 FROM rows WHERE state IN (?, ?, ?) LIMIT 1"
            held = State.SENT, State.SUCCEEDED, State.UNCERTAIN
            if self._connection.execute(query, held).fetchone():
                raise JournalError(
                    f"{self._journal.path}: made for another account (address, key or secret)"
                )
            # Such as after a wrong secret. The rows first: what they hold needs the old key.
            self._connection.execute("DELETE FROM rows")
            self._connection.execute("UPDATE account SET digest = ?", (digest,))
        return key

    def _row(
        self,
        number: int,
        item: Item,
        state: State,
        id_: int | None = None,
        error: ContactError | None = None,
        attempts: int = 0,
    ) -> tuple[Any, ...]:
        line = self._journal.lines.get(number)
        digest, key = self._identity(number, item)
        if state is not State.SENT:
            del self._identities[number]
            self._in_doubt.discard(number)
        return number, line, digest, key, state, id_, _packed(error), attempts

    def _identity(self, number: int, item: Item) -> tuple[bytes, bytes | None]:
        """The digests of an item and of its key; made once for all that becomes of it."""
        known = self._identities.get(number)
        if known is None:
            key = None
            if isinstance(item, Contact):
                key = blake2b(repr(key_of(item)).encode(), key=self._key, digest_size=16).digest()
            known = self._identities[number] = _digest(item, self._key), key
        return known

    def _add(self, row: tuple[Any, ...]) -> "_Batch":
        self._batch.rows.append(row)
        self._wanted.set()
        return self._batch

    async def _durable(self, row: tuple[Any, ...]) -> None:
        batch = self._add(row)
        await batch.written.wait()
        if batch.error is not None:
            raise batch.error

    def _write(self, rows: list[tuple[Any, ...]]) -> None:
        if not rows:
            return
        self._connection.execute("BEGIN")
        try:
            self._connection.executemany(_WRITE, rows)
            self._connection.execute("COMMIT")
        except BaseException:
            with suppress(sqlite3.Error):
                self._connection.execute("ROLLBACK")
            raise

    def _read_page(self, number: int) -> None:
        query = "SELECT * FROM rows WHERE number >= ? ORDER BY number LIMIT ?"
        with _errors_of(self._journal.path):
            rows = self._connection.execute(query, (number, _PAGE_ROWS)).fetchall()
        self._page = {row[0]: row for row in rows}
        # Past the last row there are none, and this run adds none that it comes to later.
        self._page_end = rows[-1][0] + 1 if len(rows) == _PAGE_ROWS else _NO_MORE

    def _was_sent_later(self, number: int, key: bytes) -> bool:
        query = "SELECT 1 FROM rows WHERE key = ? AND number > ? AND state != ? LIMIT 1"
        parameters = (key, number, State.NOT_APPLIED)
        with _errors_of(self._journal.path):
            return self._connection.execute(query, parameters).fetchone() is not None


class _Batch:
    """What is written together."""

    def __init__(self) -> None:
        self.rows: list[tuple[Any, ...]] = []
        self.written = asyncio.Event()
        self.error: JournalError | None = None


@contextmanager
def _errors_of(path: str) -> Iterator[None]:
    try:
        yield
    except sqlite3.Error as exc:
        raise JournalError(f"{path}: {exc}") from exc


def _connect(path: str, durability: Durability, *, create: bool) -> sqlite3.Connection:
    if not create and not Path(path).exists():
        raise JournalError(f"{path}: there is no such file")
    # Not waiting for another process is what tells of it at once.
    mode = "rwc" if create else "rw"
    try:
        connection = sqlite3.connect(
            f"{Path(path).absolute().as_uri()}?mode={mode}",
            uri=True,
            timeout=0,
            isolation_level=None,
            check_same_thread=False,
        )
    except sqlite3.Error as exc:
        raise JournalError(f"{path}: {exc}") from exc
    try:
        # With this, the lock that the first write takes is kept until the end.
        connection.execute("PRAGMA locking_mode = EXCLUSIVE")
        is_empty = not connection.execute("SELECT 1 FROM sqlite_schema").fetchone()
        (application,) = connection.execute("PRAGMA application_id").fetchone()
        (version,) = connection.execute("PRAGMA user_version").fetchone()
        if not is_empty and application != _APPLICATION:
            raise JournalError(f"{path}: this is no journal of contactsdk")
        if not is_empty and version != _VERSION:
            raise JournalError(
                f"{path}: a journal of version {version}, and this can read version {_VERSION}"
            )
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute(f"PRAGMA synchronous = {_SYNCHRONOUS[durability]}")
        connection.execute("BEGIN EXCLUSIVE")
        if is_empty:
            for statement in filter(str.strip, _SCHEMA.split(";")):
                connection.execute(statement)
        connection.execute("COMMIT")
    except sqlite3.DatabaseError as exc:
        connection.close()
        what = _MEANT.get(getattr(exc, "sqlite_errorcode", None), exc)
        raise JournalError(f"{path}: {what}") from exc
    except BaseException:
        connection.close()
        raise
    return connection


_MEANT: Final[dict[int | None, str]] = {
    sqlite3.SQLITE_BUSY: "another run is using it",
    sqlite3.SQLITE_NOTADB: "this is no journal of contactsdk, and no SQLite file at all",
}

_SYNCHRONOUS: Final[dict[Durability, str]] = {"process": "NORMAL", "power": "FULL"}

_NO_MORE: Final = 2**63


def _digest_key(salt: bytes, secret: str) -> bytes:
    return blake2b(salt + secret.encode()).digest()


def _digest(item: Item, key: bytes) -> bytes:
    what = (
        wire.encode(item)
        if isinstance(item, Contact)
        else repr(item.errors).encode("utf-8", "backslashreplace")
    )
    return blake2b(what, key=key, digest_size=16).digest()


def _check(connection: sqlite3.Connection, key: bytes, items: Iterable[Item]) -> None:
    query = "SELECT number, digest FROM rows ORDER BY number"
    # An open cursor would keep the file in use past the closing of its connection.
    with closing(connection.execute(query)) as recorded:
        number, digest = next(recorded, _PAST_THE_LAST)
        for index, item in enumerate(items):
            if number is None:
                return
            if index == number:
                if _digest(item, key) != digest:
                    raise _changed(index)
                number, digest = next(recorded, _PAST_THE_LAST)
    if number is not None:
        raise _changed(number)


def _changed(number: int) -> JournalError:
    return JournalError(
        f"item {number} is not the one that the journal recorded; nothing from there on was sent",
        number=number,
    )


def _state_of(error: ContactError | None) -> State:
    match error:
        case None:
            return State.SUCCEEDED
        case InvalidContactError():
            return State.INVALID
        case RejectedError():
            return State.REJECTED
        case UncertainError():
            return State.UNCERTAIN
        case _:
            return State.NOT_APPLIED


def _packed(error: ContactError | None) -> bytes | None:
    if error is None:
        return None
    # Not orjson: a key of the input that our message names may hold what UTF-8 cannot.
    return json.dumps(
        {"type": type(error).__name__, "message": error.message, **error.details()}
    ).encode()


def _journal_row(row: tuple[Any, ...]) -> JournalRow:
    number, line, _, _, state, id_, packed, attempts = row
    return JournalRow(
        number=number,
        line=line,
        state=State(state),
        id=id_,
        error=None if packed is None else _unpacked(packed),
        attempts=attempts,
    )


def _unpacked(packed: bytes) -> ContactError:
    values = json.loads(packed)
    kind = getattr(errors, values.pop("type"))
    if kind is InvalidContactError:
        return InvalidContactError([((), values["message"])])
    error = kind(**values)
    assert isinstance(error, ContactError)  # noqa: S101  # what _packed was given
    return error
