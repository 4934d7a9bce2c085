"""Connections to a PostgreSQL database, and what can go wrong with one (extra `postgres`)."""

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

# What the URL does not say. A connection whose other end is gone is noticed within half a minute.
_DEFAULTS: Final[dict[str, Any]] = {
    "application_name": "contactsdk",
    "connect_timeout": 10,
    "keepalives_idle": 10,
    "keepalives_interval": 5,
    "keepalives_count": 3,
    "tcp_user_timeout": 25_000,
}
# The statements are short: to compile one takes longer than it ever runs.
SETTINGS: Final = "SET jit = off"

_ENDINGS: Final = (psycopg.errors.AdminShutdown, psycopg.errors.CrashShutdown)

_PORTS: Final = re.compile(r"[0-9]*(,[0-9]*)*")


@frozen(kw_only=True)
class Database:
    """A database and the schema in it that holds the journals."""

    options: dict[str, Any] = field(repr=False)
    """What libpq is given to connect; the password is among it."""
    name: str
    """Where it is, for messages; without user and password."""
    schema: str
    """The schema that holds the tables; `contactsdk` unless the caller names another."""

    @classmethod
    def at(cls, url: str, schema: str) -> Self:
        """The database that a URL such as `postgresql://user:password@host/name` names.

        Raises:
            ValueError: It is not such a URL. The message does not repeat it.
        """
        expected = "url must look like postgresql://user:password@host:5432/database"
        if not url.startswith(("postgresql://", "postgres://")):
            raise ValueError(expected)
        try:
            given = conninfo_to_dict(url)
        except psycopg.Error:
            raise ValueError(expected) from None  # libpq may repeat the password
        host, port = str(given.get("host", "")), str(given.get("port", ""))
        # An "@" or "/" in a password ends it too early: its rest would be shown as host or port.
        if "@" in host or not _PORTS.fullmatch(port):
            raise ValueError(f"{expected}; in a password, write @ as %40, / as %2F and : as %3A")
        where = f"{host or 'localhost'}{f':{port}' if port else ''}"
        name = f"postgresql://{where}/{given.get('dbname', '')}"
        return cls(options={**_DEFAULTS, **given}, name=name, schema=schema)

    def connect(self) -> Connection:
        """A connection of which each statement is a transaction, unless it says otherwise.

        Raises:
            psycopg.Error: The connection cannot be made.
        """
        connection = psycopg.connect(**self.options, autocommit=True)
        try:
            connection.execute(SETTINGS)
        except BaseException:
            connection.close()
            raise
        return connection

    def table(self, name: str) -> sql.Identifier:
        """A table of the schema, as it is put into a statement."""
        return sql.Identifier(self.schema, name)


def connect_durably(database: Database, durability: Durability, name: str) -> Connection:
    """A connection whose commits survive what this durability says, for the journal of this name.

    Raises:
        JournalError: The database does not wait for its disk, and `"power"` was asked for.
        psycopg.Error: There is none to be had.
    """
    connection = database.connect()
    try:
        if durability == "process":
            connection.execute("SET synchronous_commit = off")
        elif connection.execute("SHOW synchronous_commit").fetchone() == ("off",):
            raise JournalError(
                f"{name}: synchronous_commit is off in this database, so its crash can lose "
                "what was recorded: turn it on, or use durability 'process'"
            )
    except BaseException:
        connection.close()
        raise
    return connection


def is_broken(connection: Connection | None, exc: psycopg.Error) -> bool:
    """Whether this error means that there is no connection, or none that is of any more use."""
    # A server that ends a connection says so, before it is closed.
    return connection is None or connection.closed or isinstance(exc, _ENDINGS)


@contextmanager
def errors_of(name: str) -> Iterator[None]:
    """Turn what psycopg raises into a `JournalError` about the journal of this name."""
    try:
        yield
    except psycopg.Error as exc:
        raise journal_error(name, exc) from exc


def journal_error(name: str, exc: psycopg.Error) -> JournalError:
    """The error of a journal whose database refused, or could not be reached."""
    # Only the first part: the others may repeat what was to be written.
    what = exc.diag.message_primary or str(exc).strip() or type(exc).__name__
    if isinstance(exc, psycopg.errors.InsufficientPrivilege):
        what += (
            "; `contactsdk journal init URL` makes the tables, by a user who may. Others need "
            "USAGE on the schema and its sequences, and SELECT, INSERT, UPDATE and DELETE on its "
            "tables"
        )
    return JournalError(f"{name}: {what}")
