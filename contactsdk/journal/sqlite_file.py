"""A journal's SQLite file: made, locked, opened, and left alone by forked processes.

It is a database with a rollback journal, `FILE-journal` beside it, which is never removed. So what
was committed is all in one file, and a side file tells of a journal that was moved away.
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

# OFF writes in order without waiting for the disk: nothing is lost while the machine has power.
# FULL waits, at its first commit for the folder too.
_SYNCHRONOUS: Final[dict[Durability, str]] = {"process": "OFF", "power": "FULL"}


class JournalFile:
    """A journal's file that this process has to itself until it is closed.

    In a process that was forked meanwhile it is neither written nor closed, so that what the parent
    writes and has locked stays as it is.
    """

    def __init__(self, path: str, connection: sqlite3.Connection, side: IO[bytes]) -> None:
        self.path = path
        """Its absolute path, with no link at its end."""
        self.connection = connection
        """For this process only, and for one thread at a time."""
        self._side = side
        self._process = os.getpid()
        self._main = os.stat(path)
        self._is_closed = False
        _open_files.add(self)

    @property
    def is_foreign(self) -> bool:
        """Whether another process opened it, of which this one is a fork."""
        return os.getpid() != self._process

    def check_process(self) -> None:
        """See that this process is the one that opened it.

        Raises:
            JournalError: It is a fork of that one.
        """
        if self.is_foreign:
            raise JournalError(
                f"{self.path}: process {self._process} opened it, of which this one is a fork; "
                "only the process that opens a journal may use it"
            )

    def check_place(self) -> None:
        """See that what was written is where the next run will look for it.

        Raises:
            JournalError: The file was moved, removed, replaced or cut.
        """
        try:
            main = os.stat(self.path)
        except FileNotFoundError:
            main = None
        if main is None or not os.path.samestat(main, self._main):
            raise JournalError(
                f"{self.path}: moved, removed or replaced while a run was using it; the run was "
                "stopped. Put it back before the run goes on"
            )
        if main.st_size < self._main.st_size:
            raise damaged(self.path, "it was cut while a run was using it, and the run was stopped")
        self._main = main

    def close(self) -> None:
        """Let go of it; in a fork of the process that opened it, nothing happens."""
        if self.is_foreign or self._is_closed:
            return
        self._is_closed = True
        _open_files.discard(self)
        self.connection.close()
        self._side.close()

    def leave_to_parent(self) -> None:
        """In a forked process: keep it from ever being closed here."""
        # Closing a connection undoes what is being written at that moment, which is the parent's.
        # The interpreter closes it with the last reference, at its own end too; so one stays.
        ctypes.pythonapi.Py_IncRef(ctypes.py_object(self.connection))
        # The lock on it lasts as long as any copy of it is open, so it would outlive the parent.
        self._side.close()


_open_files: Final[weakref.WeakSet[JournalFile]] = weakref.WeakSet()


def _leave_all_to_parent() -> None:
    for file in _open_files:
        file.leave_to_parent()


if sys.platform == "win32":  # pragma: no cover  # the tests run where processes fork

    def _lock(side: IO[bytes], *, shared: bool) -> None:
        """There, SQLite does not lose its own lock."""

else:
    import fcntl

    os.register_at_fork(after_in_child=_leave_all_to_parent)

    def _lock(side: IO[bytes], *, shared: bool) -> None:
        fcntl.flock(side, (fcntl.LOCK_SH if shared else fcntl.LOCK_EX) | fcntl.LOCK_NB)


def make(path: str, salt: bytes, account: bytes) -> None:
    """Make a journal without rows, whole from the first moment on that it is there.

    Raises:
        JournalError: It cannot be made there.
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
            _name(new, path)
        finally:
            with suppress(FileNotFoundError):
                os.unlink(new)


def open_to_write(path: str, durability: Durability) -> JournalFile:
    """Open a journal that is there, for one run alone.

    Raises:
        JournalError: It is not a journal, is in use, or cannot be written.
    """
    with errors_of(path), ExitStack() as opened:
        side = opened.enter_context(_locked_side(path, os.O_RDWR | os.O_CREAT))
        check_header(path)
        connection = opened.enter_context(closing(_connect(path, "rw")))
        # With this, the lock that is taken once is kept until the end; and the side file stays
        # when what a killed run was writing is undone.
        connection.execute("PRAGMA locking_mode = EXCLUSIVE")
        connection.execute("PRAGMA journal_mode = PERSIST")
        connection.execute(f"PRAGMA synchronous = {_SYNCHRONOUS[durability]}")
        connection.execute("BEGIN EXCLUSIVE")
        connection.execute("COMMIT")
        file = JournalFile(path, connection, side)
        opened.pop_all()  # it closes them from now on
        return file


@contextmanager
def open_to_read(path: str) -> Iterator[sqlite3.Connection]:
    """Open a journal to read it; nothing is changed, and nothing needs to be writable.

    What a killed run was writing is undone in a copy.

    Raises:
        JournalError: It is not a journal, or is in use.
    """
    with ExitStack() as opened:
        # Not around what is done with it, whose own errors are not errors of the journal.
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
    # Not waiting for another process is what tells of it at once.
    return sqlite3.connect(
        f"{Path(path).absolute().as_uri()}?mode={mode}",
        uri=True,
        timeout=0,
        isolation_level=None,
        check_same_thread=False,
    )


def _name(new: str, path: str) -> None:
    """Give a new file its name, unless another process has just made one of that name."""
    try:
        os.link(new, path)
    except FileExistsError:
        pass
    except OSError:  # a file system without links
        if not os.path.lexists(path):
            os.rename(new, path)


def _locked_side(path: str, flags: int) -> IO[bytes]:
    """Open and lock the side file, for reading or for writing, until it is closed.

    SQLite locks the journal itself, but loses that lock when anything else in this process opens
    and closes the file, such as to copy it. This one stays.
    """
    side = os.fdopen(os.open(side_path(path), flags, os.stat(path).st_mode & 0o777), "rb")
    try:
        _lock(side, shared=flags == os.O_RDONLY)
    except BlockingIOError as exc:
        side.close()
        raise in_use(path) from exc
    return side
