"""Connections to a PostgreSQL database, and their errors. It needs the extra `postgres`."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final, Self, TypeAlias

import psycopg
from attrs import field, frozen
from psycopg import sql
from psycopg.conninfo import conninfo_to_dict

from contactsdk.errors import JournalError
from contactsdk.journal.sqlite_file import Durability

Connection: TypeAlias = psycopg.Connection[tuple[Any, ...]]

# The URL overrides these. With them, a connection whose other end is gone is noticed within half a
# minute.
_DEFAULTS: Final[dict[str, Any]] = {
    "application_name": "contactsdk",
    "connect_timeout": 10,
    "keepalives_idle": 10,
    "keepalives_interval": 5,
    "keepalives_count": 3,
    "tcp_user_timeout": 25_000,
}
# The statements are short: compiling one would take longer than executing it.
SETTINGS: Final = "SET jit = off"

_ENDINGS: Final = (psycopg.errors.AdminShutdown, psycopg.errors.CrashShutdown)

_PORTS: Final = re.compile(r"[0-9]*(,[0-9]*)*")


@frozen(kw_only=True)
class Database:
    """A database and the schema in it that holds the journals."""

    options: dict[str, Any] = field(repr=False)
    """The connection parameters for libpq, including the password."""
    name: str
    """The name in messages: the address of the database, without user and password."""
    schema: str
    """The schema that holds the tables; `contactsdk` unless the caller names another."""

    @classmethod
    def at(cls, url: str, schema: str) -> Self:
        """The database of a URL such as `postgresql://user:password@host/name`.

        Raises:
            ValueError: `url` is not such a URL; the message does not repeat it.
        """
        expected = "url must look like postgresql://user:password@host:5432/database"
        if not url.startswith(("postgresql://", "postgres://")):
            raise ValueError(expected)
        try:
            given = conninfo_to_dict(url)
        except psycopg.Error:
            raise ValueError(expected) from None  # libpq may repeat the password
        host, port = str(given.get("host", "")), str(given.get("port", ""))
        # An unescaped "@" or "/" in a password ends the password too early. The rest of it would
        # then be shown as the host or the port.
        if "@" in host or not _PORTS.fullmatch(port):
            raise ValueError(f"{expected}; in a password, write @ as %40, / as %2F and : as %3A")
        where = f"{host or 'localhost'}{f':{port}' if port else ''}"
        name = f"postgresql://{where}/{given.get('dbname', '')}"
        return cls(options={**_DEFAULTS, **given}, name=name, schema=schema)

    def connect(self) -> Connection:
        """Connect in autocommit mode: each statement is a transaction of its own.

        Raises:
            psycopg.Error: The database cannot be reached, or refuses the connection.
        """
        connection = psycopg.connect(**self.options, autocommit=True)
        try:
            connection.execute(SETTINGS)
        except BaseException:
            connection.close()
            raise
        return connection

    def table(self, name: str) -> sql.Identifier:
        """The qualified name of a table of the schema, to put into a statement."""
        return sql.Identifier(self.schema, name)


def connect_durably(database: Database, durability: Durability, name: str) -> Connection:
    """Connect with this durability of commits; `name` is the name of the journal in messages.

    Raises:
        JournalError: `durability` is `"power"`, but the database does not wait for its disk.
        psycopg.Error: The database cannot be reached, or refuses the connection.
    """
    connection = database.connect()
    try:
        if durability == "process":
            connection.execute("SET synchronous_commit = off")
        elif connection.execute("SHOW synchronous_commit").fetchone() == ("off",):
            raise JournalError(
                f"{name}: synchronous_commit is off in this database, so a crash of the database "
                "can lose recorded rows: turn it on, or use durability 'process'"
            )
    except BaseException:
        connection.close()
        raise
    return connection


def is_broken(connection: Connection | None, exc: psycopg.Error) -> bool:
    """Whether this error means that the connection could not be made or can no longer be used."""
    # A server that shuts a connection down reports it before the connection is closed.
    return connection is None or connection.closed or isinstance(exc, _ENDINGS)


@contextmanager
def errors_of(name: str) -> Iterator[None]:
    """Turn errors of psycopg into a `JournalError` about the journal of this name."""
    try:
        yield
    except psycopg.Error as exc:
        raise journal_error(name, exc) from exc


def journal_error(name: str, exc: psycopg.Error) -> JournalError:
    """The error for a journal whose database refused a statement or could not be reached."""
    # Only the primary message is used: the details may repeat the values of a row.
    what = exc.diag.message_primary or str(exc).strip() or type(exc).__name__
    if isinstance(exc, psycopg.errors.InsufficientPrivilege):
        what += (
            "; a user who may create tables has to run `contactsdk journal init URL`. Other users "
            "need USAGE on the schema and its sequences, and SELECT, INSERT, UPDATE and DELETE on "
            "its tables"
        )
    return JournalError(f"{name}: {what}")
