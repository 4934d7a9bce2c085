"""The tables of journals in a PostgreSQL database, and their migrations."""

from typing import Final

from psycopg import sql

from contactsdk.errors import JournalError
from contactsdk.journal.postgres_connection import Connection, Database

MIGRATIONS: Final = (
    # 1. Each row is written at least twice. No index has a column that changes, and each page has
    # free room, so an update stays on its page. `item` is the content to send; it is kept while the
    # row is open or uncertain.
    """
    CREATE TABLE {schema}.run (
        id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
        name text NOT NULL UNIQUE,
        account bytea NOT NULL,
        salt bytea NOT NULL,
        created timestamptz NOT NULL DEFAULT clock_timestamp()
    );
    CREATE TABLE {schema}.lease (
        run bigint NOT NULL REFERENCES {schema}.run ON DELETE CASCADE,
        part integer NOT NULL DEFAULT 0,
        epoch bigint NOT NULL DEFAULT 0,
        owner text NOT NULL DEFAULT '',
        until timestamptz NOT NULL DEFAULT timestamptz 'epoch',
        recorded bigint NOT NULL DEFAULT 0,
        succeeded bigint NOT NULL DEFAULT 0,
        failed bigint NOT NULL DEFAULT 0,
        uncertain bigint NOT NULL DEFAULT 0,
        PRIMARY KEY (run, part)
    ) WITH (fillfactor = 10);
    CREATE TABLE {schema}.row (
        run bigint NOT NULL REFERENCES {schema}.run ON DELETE CASCADE,
        number bigint NOT NULL,
        line bigint,
        digest bytea NOT NULL,
        key bytea,
        state text NOT NULL,
        id bigint,
        error bytea,
        attempts integer NOT NULL,
        settled boolean NOT NULL,
        batch_id text,
        batch_position integer,
        id_floor bigint NOT NULL,
        item bytea,
        epoch bigint NOT NULL,
        PRIMARY KEY (run, number)
    ) WITH (fillfactor = 70);
    CREATE INDEX row_key ON {schema}.row (run, key);
    """,
    # 2. Runs that are submitted for workers, in partitions with one lease each. `options` is NULL
    # for a run whose sender reads the input itself. `first_open` is the lowest number that may be
    # open. `lease_end` records when the lease of an earlier owner ended that left contacts in
    # flight. The index has no condition on `state`: with one, updates could not stay on their page.
    """
    ALTER TABLE {schema}.run
        ADD partitions integer NOT NULL DEFAULT 1,
        ADD items bigint NOT NULL DEFAULT 0,
        ADD sealed boolean NOT NULL DEFAULT false,
        ADD finished boolean NOT NULL DEFAULT false,
        ADD options jsonb,
        ADD attempt_timeout_s double precision NOT NULL DEFAULT 30,
        ADD stopped_for text,
        ADD setup_errors jsonb NOT NULL DEFAULT '{{}}';
    ALTER TABLE {schema}.lease
        ADD not_applied bigint NOT NULL DEFAULT 0,
        ADD highest_id bigint NOT NULL DEFAULT 0,
        ADD first_open bigint NOT NULL DEFAULT 0;
    ALTER TABLE {schema}.row ADD part integer NOT NULL DEFAULT 0;
    CREATE INDEX row_part ON {schema}.row (run, part, number);
    UPDATE {schema}.lease AS lease SET
        not_applied = (
            SELECT count(*) FROM {schema}.row AS row
            WHERE row.run = lease.run AND row.state = 'not applied'
        ),
        highest_id = (
            SELECT coalesce(max(row.id), 0) FROM {schema}.row AS row WHERE row.run = lease.run
        );
    CREATE TABLE {schema}.lease_end (
        run bigint NOT NULL REFERENCES {schema}.run ON DELETE CASCADE,
        part integer NOT NULL,
        epoch bigint NOT NULL,
        ended timestamptz NOT NULL,
        PRIMARY KEY (run, part, epoch)
    );
    CREATE TABLE {schema}.turn (
        account bytea PRIMARY KEY,
        next_at timestamptz NOT NULL DEFAULT clock_timestamp(),
        rate double precision NOT NULL,
        paused_until timestamptz NOT NULL DEFAULT timestamptz 'epoch'
    ) WITH (fillfactor = 10);
    """,
)
"""The SQL of each migration, in order: the first one makes version 1, the next one version 2."""

VERSION: Final = len(MIGRATIONS)
"""The version of the tables that this release of contactsdk reads and writes."""

# The number is arbitrary. The lock keeps two processes from creating the tables at the same time.
_LOCK: Final = "SELECT pg_advisory_xact_lock(1668248180)"

_BEGINNING: Final = """
    CREATE SCHEMA IF NOT EXISTS {schema};
    CREATE TABLE IF NOT EXISTS {schema}.version (number integer NOT NULL);
"""


def prepare(connection: Connection, database: Database) -> None:
    """Create the tables, or migrate older tables; tables of this version are left as they are.

    Raises:
        JournalError: A newer release of contactsdk made the tables.
        psycopg.Error: The database user may not create tables.
    """
    if found_version(connection, database) == VERSION:
        return
    schema = sql.Identifier(database.schema)
    with connection.transaction():
        connection.execute(_LOCK)
        connection.execute(sql.SQL(_BEGINNING).format(schema=schema))
        for migration in MIGRATIONS[found_version(connection, database) :]:
            connection.execute(sql.SQL(migration).format(schema=schema))
        version = sql.Identifier(database.schema, "version")
        connection.execute(sql.SQL("DELETE FROM {}").format(version))
        connection.execute(sql.SQL("INSERT INTO {} VALUES (%s)").format(version), (VERSION,))


def is_ready(connection: Connection, database: Database) -> bool:
    """Whether the tables exist.

    Raises:
        JournalError: An older or a newer release of contactsdk made the tables.
    """
    version = found_version(connection, database)
    if version is not None and version < VERSION:
        raise JournalError(
            f"{database.name}: its journals have version {version}, and this contactsdk reads "
            f"version {VERSION}: migrate them with `contactsdk journal init URL`"
        )
    return version is not None


def found_version(connection: Connection, database: Database) -> int | None:
    """The version of the tables; `None` if there are no tables.

    Raises:
        JournalError: A newer release of contactsdk made the tables.
    """
    table = sql.Identifier(database.schema, "version")
    is_there = "SELECT to_regclass(format('%%I.%%I', %s::text, 'version')) IS NOT NULL"
    if connection.execute(is_there, (database.schema,)).fetchone() != (True,):
        return None
    query = sql.SQL("SELECT coalesce(max(number), 0) FROM {}").format(table)
    ((number,),) = connection.execute(query)
    if number > VERSION:
        raise JournalError(
            f"{database.name}: its journals have version {number}, and this contactsdk reads and "
            f"writes version {VERSION}: install a newer contactsdk"
        )
    return int(number)
