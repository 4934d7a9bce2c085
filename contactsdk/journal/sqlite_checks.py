"""Checks of a journal's SQLite file, before its content is trusted."""

import os
import sqlite3
import stat
from collections.abc import Generator, Iterator
from contextlib import closing, contextmanager
from itertools import groupby
from typing import Any, Final

from attrs import frozen

from contactsdk.errors import JournalError
from contactsdk.journal.integrity import Checksum, RowHash
from contactsdk.journal.rows import MAYBE_APPLIED
from contactsdk.journal.store import PAGE_NUMBERS, StoredRow

APPLICATION: Final = 0x434F4E54  # "CONT"
"""The application id in the header of the file."""
VERSION: Final = 2
"""The version of the format, in the header of the file."""
TABLES: Final = (
    "CREATE TABLE head (salt BLOB NOT NULL, account BLOB NOT NULL, count INTEGER NOT NULL, "
    "total BLOB NOT NULL)",
    "CREATE TABLE rows (number INTEGER PRIMARY KEY, line INTEGER, digest BLOB NOT NULL, key BLOB, "
    "state TEXT NOT NULL, id INTEGER, error BLOB, attempts INTEGER NOT NULL, "
    "settled INTEGER NOT NULL, batch_id TEXT, batch_position INTEGER, "
    "id_floor INTEGER NOT NULL)",
)
"""The SQL that creates the tables, exactly as SQLite stores it. The columns of `rows` are the
fields of a `StoredRow`, except `content`."""

_HEADER_BYTES: Final = 100
_MAGIC: Final = b"SQLite format 3\0"
_WITHOUT_WAL: Final = b"\1\1"

_REMEDY: Final = (
    "Nothing is sent with it: restore a copy that was made after its last run; or look up on the "
    "platform which contacts are there, and send the others with a new journal"
)

_MEANINGS: Final[dict[int, str]] = {
    sqlite3.SQLITE_BUSY: "another run is using it, or a program reads it: wait until it has "
    "ended, or close that program",
    sqlite3.SQLITE_CORRUPT: f"damaged. {_REMEDY}",
    sqlite3.SQLITE_NOTADB: f"damaged. {_REMEDY}",
    sqlite3.SQLITE_READONLY: "read-only (the file, its folder or its file system): it can be read, "
    "but no run can record anything in it",
}


@frozen(eq=False)
class Head:
    """The one row of the table `head`, which describes the journal."""

    salt: bytes
    """Random bytes that all digests and hashes depend on."""
    account: bytes
    """The digest of the account."""
    checksum: tuple[int, bytes]
    """The checksum of all rows, as `Checksum.stored` returns it."""


def side_path(path: str) -> str:
    """The path of SQLite's rollback journal, with which it undoes an unfinished transaction."""
    return f"{path}-journal"


def damaged(path: str, what: str) -> JournalError:
    """The error for a damaged journal; `what` says what is wrong."""
    return JournalError(f"{path}: damaged: {what}. {_REMEDY}")


def in_use(path: str) -> JournalError:
    """The error for a journal that another run or program has locked."""
    return JournalError(f"{path}: {_MEANINGS[sqlite3.SQLITE_BUSY]}")


@contextmanager
def errors_of(path: str) -> Iterator[None]:
    """Turn errors of SQLite and of the file system into a `JournalError` about this file."""
    try:
        yield
    except sqlite3.Error as exc:
        code = getattr(exc, "sqlite_errorcode", 0) & 0xFF  # the primary code, without its extension
        raise JournalError(f"{path}: {_MEANINGS.get(code, exc)}") from exc
    except OSError as exc:
        raise JournalError(f"{path}: {exc.strerror or exc}") from exc


def check_surroundings(path: str) -> bool:
    """Check that no wrong side file is beside the journal; returns whether the journal exists.

    Raises:
        JournalError: There is a side file without its journal, or a side file of a write-ahead log,
            which a journal never has.
    """
    for strange in (f"{path}-wal", f"{path}-shm"):
        if os.path.lexists(strange):
            raise JournalError(
                f"{path}: the file {strange} exists, so another program has the journal open or "
                "did not close it properly. Nothing was sent: close the journal in that program"
            )
    if os.path.lexists(path):
        return True
    if os.path.lexists(side_path(path)):
        raise JournalError(
            f"{path}: this file does not exist, but its side file {side_path(path)} does: the "
            "journal was moved or removed. Nothing was sent: put it back; or remove the side file "
            "too, to start a new journal, which sends all contacts again"
        )
    return False


def check_header(path: str) -> None:
    """Check that the file is a journal of this version.

    Call it only while the side file is locked: opening and closing the file here drops the locks
    that SQLite may hold on it in this process.

    Raises:
        JournalError: The file is not a journal, or is one of another version.
        OSError: The file cannot be read.
    """
    if not stat.S_ISREG(os.stat(path).st_mode):
        raise JournalError(f"{path}: this is not a file, so it cannot be a journal")
    with open(path, "rb") as file:
        header = file.read(_HEADER_BYTES)
    if not header:
        raise damaged(path, "the file is empty, and a journal is never empty")
    if not header.startswith(_MAGIC):
        raise JournalError(f"{path}: this is not a journal of contactsdk, and not an SQLite file")
    if int.from_bytes(header[68:72], "big") != APPLICATION:
        raise JournalError(f"{path}: this is not a journal of contactsdk")
    if (version := int.from_bytes(header[60:64], "big")) != VERSION:
        raise JournalError(
            f"{path}: this journal has version {version}, and this release of contactsdk reads "
            f"version {VERSION}: use the release that made it"
        )
    if header[18:20] != _WITHOUT_WAL:
        raise JournalError(
            f"{path}: another program switched it to a write-ahead log. Nothing was sent: switch "
            "it back in that program (PRAGMA journal_mode = PERSIST)"
        )


def read_head(connection: sqlite3.Connection, path: str) -> Head:
    """The one row of the table `head`.

    Raises:
        JournalError: The tables are not those of a journal.
    """
    tables = connection.execute("SELECT sql FROM sqlite_schema ORDER BY name").fetchall()
    if tables != [(table,) for table in TABLES]:
        raise damaged(path, "another program changed its tables")
    heads = connection.execute("SELECT salt, account, count, total FROM head").fetchall()
    if len(heads) != 1:
        raise damaged(path, "its table `head` does not have exactly one row")
    salt, account, count, total = heads[0]
    return Head(salt, account, (count, total))


def may_be_applied(connection: sqlite3.Connection) -> bool:
    """Whether any recorded contact was applied or may have been applied."""
    query = "SELECT 1 FROM rows WHERE state IN (?, ?, ?) LIMIT 1"
    return connection.execute(query, MAYBE_APPLIED).fetchone() is not None


def stored(
    connection: sqlite3.Connection, query: str, path: str
) -> Generator[tuple[Any, ...], None, None]:
    """The rows that a query finds; close this generator before the connection.

    Raises:
        JournalError: The rows cannot be read.
    """
    with errors_of(path), closing(connection.execute(query)) as rows:
        yield from rows


def verified_pages(
    connection: sqlite3.Connection, path: str
) -> Generator[tuple[int, Checksum], None, None]:
    """Read all rows; yields each page that has rows, with the checksum of these rows alone.

    The journal is verified only when the generator has reached its end. Close the generator before
    the connection.

    Raises:
        JournalError: Rows are missing, changed or added, or the file is damaged in another way.
    """
    with errors_of(path):
        head = read_head(connection, path)
        if (found := connection.execute("PRAGMA quick_check(1)").fetchone()) != ("ok",):
            raise damaged(path, str(found[0]).replace("\n", " "))
    try:
        row_hash = RowHash(head.salt)
        whole = Checksum.of_no_rows(head.salt, head.account)
        with closing(stored(connection, "SELECT * FROM rows ORDER BY number", path)) as rows:
            for page, of_page in groupby(rows, lambda row: row[0] // PAGE_NUMBERS):
                checksum = Checksum.of(row_hash(StoredRow(*row)) for row in of_page)
                whole = whole.plus(checksum)
                yield page, checksum
    except (TypeError, ValueError) as exc:  # a value has a type that contactsdk never writes
        raise damaged(path, "another program changed its rows") from exc
    if whole.stored() != head.checksum:
        count, recorded = whole.count, head.checksum[0]
        raise damaged(
            path,
            f"it has {count} rows, and should have {recorded}"
            if count != recorded
            else "some of its rows differ from what was recorded last",
        )
