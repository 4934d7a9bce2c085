"""A journal's SQLite file: how it is created, locked and opened, and protected from forks.

The file is a database with a rollback journal, which is the side file `FILE-journal` and is never
removed. So all committed data is in one file, and a side file without its journal shows that the
journal was moved away.
"""

import ctypes
import os
import secrets
import shutil
import sqlite3
import sys
import tempfile
import weakref
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager, suppress
from pathlib import Path
from typing import IO, Final, Literal, TypeAlias

from contactsdk.errors import JournalError
from contactsdk.journal.integrity import Checksum
from contactsdk.journal.sqlite_checks import (
    APPLICATION,
    TABLES,
    VERSION,
    check_header,
    check_surroundings,
    damaged,
    errors_of,
    in_use,
    side_path,
)

Durability: TypeAlias = Literal["process", "power"]

# OFF does not wait for the disk: nothing is lost as long as the machine has power. FULL waits for
# the disk; at the first commit it also waits for the directory.
_SYNCHRONOUS: Final[dict[Durability, str]] = {"process": "OFF", "power": "FULL"}


class JournalFile:
    """A journal's file that is locked for this process until it is closed.

    A fork of this process neither writes nor closes the file, so that the parent's transactions and
    locks are not disturbed.
    """

    def __init__(self, path: str, connection: sqlite3.Connection, side: IO[bytes]) -> None:
        self.path = path
        """The absolute path of the file; it is not a symbolic link."""
        self.connection = connection
        """The connection, for this process only and for one thread at a time."""
        self._side = side
        self._process = os.getpid()
        self._main = os.stat(path)
        self._is_closed = False
        _open_files.add(self)

    @property
    def is_in_fork(self) -> bool:
        """Whether this process is a fork of the one that opened the file."""
        return os.getpid() != self._process

    def check_process(self) -> None:
        """Check that this process is the one that opened the file.

        Raises:
            JournalError: This process is a fork of that one.
        """
        if self.is_in_fork:
            raise JournalError(
                f"{self.path}: process {self._process} opened this journal, and this process is a "
                "fork of it; only the process that opens a journal may use it"
            )

    def check_place(self) -> None:
        """Check that the file is still where the next run will look for it.

        Raises:
            JournalError: The file was moved, removed, replaced or truncated.
        """
        try:
            main = os.stat(self.path)
        except FileNotFoundError:
            main = None
        if main is None or not os.path.samestat(main, self._main):
            raise JournalError(
                f"{self.path}: moved, removed or replaced while a run was using it; the run was "
                "stopped. Put it back before you continue the run"
            )
        if main.st_size < self._main.st_size:
            what = "it was truncated while a run was using it, and the run was stopped"
            raise damaged(self.path, what)
        self._main = main

    def close(self) -> None:
        """Close and unlock the file; in a fork of the process that opened it, this does nothing."""
        if self.is_in_fork or self._is_closed:
            return
        self._is_closed = True
        _open_files.discard(self)
        self.connection.close()
        self._side.close()

    def leave_to_parent(self) -> None:
        """Called in a forked process: make sure that it never closes the connection."""
        # Closing the connection would roll back a transaction of the parent. The interpreter closes
        # it when its last reference goes, even at exit, so one reference is kept for ever.
        ctypes.pythonapi.Py_IncRef(ctypes.py_object(self.connection))
        # The lock lasts until all copies of this descriptor are closed. Without this it would
        # outlive the parent.
        self._side.close()


_open_files: Final[weakref.WeakSet[JournalFile]] = weakref.WeakSet()


def _leave_all_to_parent() -> None:
    for file in _open_files:
        file.leave_to_parent()


if sys.platform == "win32":  # pragma: no cover  # the tests run where processes fork

    def _lock(side: IO[bytes], *, shared: bool) -> None:
        """Do nothing: on Windows, SQLite does not lose its own lock."""

else:
    import fcntl

    os.register_at_fork(after_in_child=_leave_all_to_parent)

    def _lock(side: IO[bytes], *, shared: bool) -> None:
        fcntl.flock(side, (fcntl.LOCK_SH if shared else fcntl.LOCK_EX) | fcntl.LOCK_NB)


def make(path: str, salt: bytes, account: bytes) -> None:
    """Create a journal without rows; the file appears under its name only when it is complete.

    Raises:
        JournalError: The file cannot be created there.
    """
    new = f"{path}.new-{secrets.token_hex(4)}"
    with errors_of(path):
        try:
            with closing(_connect(new, "rwc")) as connection:
                connection.execute("PRAGMA journal_mode = MEMORY")
                connection.execute(f"PRAGMA application_id = {APPLICATION}")
                connection.execute(f"PRAGMA user_version = {VERSION}")
                connection.execute("BEGIN")
                for table in TABLES:
                    connection.execute(table)
                values = salt, account, *Checksum.of_no_rows(salt, account).stored()
                connection.execute("INSERT INTO head VALUES (?, ?, ?, ?)", values)
                connection.execute("COMMIT")
            _publish(new, path)
        finally:
            with suppress(FileNotFoundError):
                os.unlink(new)


def open_to_write(path: str, durability: Durability) -> JournalFile:
    """Open and lock an existing journal for one run.

    Raises:
        JournalError: The file is not a journal, is in use, or cannot be written.
    """
    with errors_of(path), ExitStack() as opened:
        side = opened.enter_context(_locked_side(path, os.O_RDWR | os.O_CREAT))
        check_header(path)
        connection = opened.enter_context(closing(_connect(path, "rw")))
        # EXCLUSIVE keeps the lock from the first transaction until the connection is closed.
        # PERSIST keeps the side file, even when SQLite rolls back what a killed run was writing.
        connection.execute("PRAGMA locking_mode = EXCLUSIVE")
        connection.execute("PRAGMA journal_mode = PERSIST")
        connection.execute(f"PRAGMA synchronous = {_SYNCHRONOUS[durability]}")
        connection.execute("BEGIN EXCLUSIVE")
        connection.execute("COMMIT")
        file = JournalFile(path, connection, side)
        opened.pop_all()  # from now on, `file` closes them
        return file


@contextmanager
def open_to_read(path: str) -> Iterator[sqlite3.Connection]:
    """Open a journal for reading; nothing is changed, and the file need not be writable.

    If a killed run left a transaction unfinished, it is rolled back in a temporary copy.

    Raises:
        JournalError: The file is not a journal, or is in use.
    """
    with ExitStack() as opened:
        # The caller's code runs outside of `errors_of`: its errors are not errors of the journal.
        with errors_of(path):
            if not check_surroundings(path):
                raise JournalError(f"{path}: there is no such file")
            if os.path.exists(side_path(path)):
                opened.enter_context(_locked_side(path, os.O_RDONLY))
            check_header(path)
            connection = opened.enter_context(closing(_connect(path, "ro")))
            try:
                _begin_reading(connection)
            except sqlite3.OperationalError as exc:
                if exc.sqlite_errorcode != sqlite3.SQLITE_READONLY_ROLLBACK:
                    raise
                connection = opened.enter_context(_copy(path))
        yield connection


def _begin_reading(connection: sqlite3.Connection) -> None:
    """Keep runs from writing until the connection is closed."""
    connection.execute("BEGIN")
    connection.execute("SELECT 1 FROM sqlite_schema").fetchone()


@contextmanager
def _copy(path: str) -> Iterator[sqlite3.Connection]:
    with tempfile.TemporaryDirectory() as folder:
        copy = os.path.join(folder, os.path.basename(path))
        shutil.copyfile(path, copy)
        shutil.copyfile(side_path(path), side_path(copy))
        with closing(_connect(copy, "rw")) as connection:
            _begin_reading(connection)
            yield connection


def _connect(path: str, mode: str) -> sqlite3.Connection:
    # Without a timeout, a journal that another process uses is an error at once.
    return sqlite3.connect(
        f"{Path(path).absolute().as_uri()}?mode={mode}",
        uri=True,
        timeout=0,
        isolation_level=None,
        check_same_thread=False,
    )


def _publish(new: str, path: str) -> None:
    """Give a new file its final name, unless another process has just created that file."""
    try:
        os.link(new, path)
    except FileExistsError:
        pass
    except OSError:  # the file system has no hard links
        if not os.path.lexists(path):
            os.rename(new, path)


def _locked_side(path: str, flags: int) -> IO[bytes]:
    """Open the side file and lock it until it is closed: shared for reading, exclusive for writing.

    SQLite locks the journal itself, but it loses that lock when other code in this process opens
    and closes the file, for example to copy it. The lock on the side file is not lost.
    """
    side = os.fdopen(os.open(side_path(path), flags, os.stat(path).st_mode & 0o777), "rb")
    try:
        _lock(side, shared=flags == os.O_RDONLY)
    except BlockingIOError as exc:
        side.close()
        raise in_use(path) from exc
    return side
