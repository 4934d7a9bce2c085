"""The statements of `PostgresStore`, each of which is a transaction of its own."""

from typing import Final, LiteralString

from psycopg import sql
from psycopg.sql import Composed

from contactsdk.journal.postgres_connection import Database
from contactsdk.journal.rows import MAYBE_APPLIED

COLUMNS: Final[tuple[tuple[LiteralString, LiteralString], ...]] = (
    ("number", "bigint"),
    ("line", "bigint"),
    ("digest", "bytea"),
    ("key", "bytea"),
    ("state", "text"),
    ("id", "bigint"),
    ("error", "bytea"),
    ("attempts", "integer"),
    ("settled", "boolean"),
    ("batch_id", "text"),
    ("batch_position", "integer"),
    ("id_floor", "bigint"),
    ("item", "bytea"),
)
"""The columns of a row, in the order of the fields of a `StoredRow`, each with its type."""

_NAMES = sql.SQL(", ").join(sql.Identifier(name) for name, _ in COLUMNS)
_STORED = sql.SQL(", ").join(sql.Identifier(name) for name, _ in COLUMNS[:-1])

MAYBE_APPLIED_VALUES = [state.value for state in MAYBE_APPLIED]
"""The states of `MAYBE_APPLIED`, as the database takes them."""


def _filled(text: LiteralString, database: Database, **parts: sql.Composable) -> Composed:
    tables = {name: database.table(name) for name in ("run", "lease", "row")}
    return sql.SQL(text).format(names=_NAMES, stored=_STORED, **tables, **parts)


def take_lease(database: Database) -> Composed:
    """Take the lease of a run whose last owner released it, or let its time run out.

    One that the same owner has already, since an answer was lost, is taken anew. The database's
    clock decides.
    """
    return _filled(
        """
        UPDATE {lease}
        SET epoch = epoch + 1, owner = %(owner)s,
            until = clock_timestamp() + %(lease_s)s * interval '1 second'
        WHERE run = %(run)s AND part = 0
            AND (until < clock_timestamp() OR owner = %(owner)s)
        RETURNING epoch
        """,
        database,
    )


def release_lease(database: Database) -> Composed:
    """Let the next owner take the lease at once."""
    return _filled(
        "UPDATE {lease} SET until = timestamptz 'epoch' WHERE run = %s AND part = 0 AND epoch = %s",
        database,
    )


def write_rows(database: Database) -> Composed:
    """Extend the lease, write rows given as one array per column, and count them by their state.

    All or nothing: where another owner has the lease, it returns no row and writes none. That the
    lease is extended first keeps a new owner waiting until this is done, and then from taking it.
    """
    given = sql.SQL(", ").join(sql.SQL(f"%s::{kind}[]") for _, kind in COLUMNS)
    changed = sql.SQL(", ").join(
        sql.SQL("{0} = excluded.{0}").format(sql.Identifier(name)) for name, _ in COLUMNS[1:]
    )
    return _filled(
        """
        WITH given AS (
            SELECT * FROM unnest({given}) AS given ({names})
        ), change AS (
            SELECT
                count(*) - count(old.number) AS recorded,
                count(*) FILTER (WHERE given.state = 'succeeded')
                    - count(*) FILTER (WHERE old.state = 'succeeded') AS succeeded,
                count(*) FILTER (WHERE given.state IN ('rejected', 'invalid'))
                    - count(*) FILTER (WHERE old.state IN ('rejected', 'invalid')) AS failed,
                count(*) FILTER (WHERE given.state = 'uncertain')
                    - count(*) FILTER (WHERE old.state = 'uncertain') AS uncertain
            FROM given LEFT JOIN {row} AS old ON old.run = %s AND old.number = given.number
        ), extended AS (
            UPDATE {lease} AS lease SET
                until = clock_timestamp() + %s * interval '1 second',
                recorded = lease.recorded + change.recorded,
                succeeded = lease.succeeded + change.succeeded,
                failed = lease.failed + change.failed,
                uncertain = lease.uncertain + change.uncertain
            FROM change WHERE lease.run = %s AND lease.part = 0 AND lease.epoch = %s
            RETURNING lease.run, lease.epoch
        ), written AS (
            INSERT INTO {row} AS row (run, epoch, {names})
            SELECT extended.run, extended.epoch, given.* FROM extended, given
            ON CONFLICT (run, number) DO UPDATE SET epoch = excluded.epoch, {changed}
        )
        SELECT epoch FROM extended
        """,
        database,
        given=given,
        changed=changed,
    )


def extend_lease(database: Database) -> Composed:
    """Extend the lease, without anything to write; where another owner has it, return no row."""
    return _filled(
        "UPDATE {lease} SET until = clock_timestamp() + %s * interval '1 second' "
        "WHERE run = %s AND part = 0 AND epoch = %s RETURNING epoch",
        database,
    )


def begin_anew(database: Database) -> Composed:
    """Remove all rows of a run, and make it another account's, as the owner of its lease."""
    return _filled(
        """
        WITH extended AS (
            UPDATE {lease} SET recorded = 0, succeeded = 0, failed = 0, uncertain = 0
            WHERE run = %(run)s AND part = 0 AND epoch = %(epoch)s
            RETURNING run, epoch
        ), removed AS (
            DELETE FROM {row} AS row USING extended WHERE row.run = extended.run
        ), changed AS (
            UPDATE {run} AS run SET account = %(account)s FROM extended
            WHERE run.id = extended.run
        )
        SELECT epoch FROM extended
        """,
        database,
    )


def add_run(database: Database) -> Composed:
    """Record a run of this name, unless there is one."""
    return _filled(
        """
        WITH added AS (
            INSERT INTO {run} (name, account, salt) VALUES (%s, %s, %s)
            ON CONFLICT (name) DO NOTHING RETURNING id
        )
        INSERT INTO {lease} (run) SELECT id FROM added
        """,
        database,
    )


def find_run(database: Database) -> Composed:
    """The run of this name: its number, account and salt, the owner of its lease and the seconds
    left of it, and its counts.
    """
    return _filled(
        """
        SELECT run.id, run.account, run.salt, lease.owner,
            greatest(0, extract(epoch FROM lease.until - clock_timestamp())::float),
            lease.recorded, lease.succeeded, lease.failed, lease.uncertain
        FROM {run} AS run JOIN {lease} AS lease ON lease.run = run.id AND lease.part = 0
        WHERE run.name = %s
        """,
        database,
    )


def find_end(database: Database) -> Composed:
    """One more than the last number that was recorded."""
    return _filled("SELECT coalesce(max(number) + 1, 0) FROM {row} WHERE run = %s", database)


def find_maybe_applied(database: Database) -> Composed:
    """Whether any contact of a run is, or may be, applied."""
    return _filled("SELECT EXISTS (SELECT FROM {row} WHERE run = %s AND state = ANY(%s))", database)


def read_rows(database: Database) -> Composed:
    """The rows of a run whose numbers lie between two, in input order."""
    return _filled(
        "SELECT {stored} FROM {row} WHERE run = %s AND number >= %s AND number < %s "
        "ORDER BY number",
        database,
    )


def find_last_sent(database: Database) -> Composed:
    """The last row of each of these keys whose state is not `not applied`."""
    return _filled(
        "SELECT key, max(number) FROM {row} "
        "WHERE run = %s AND key = ANY(%s) AND state <> %s GROUP BY key",
        database,
    )


def read_digests(database: Database) -> Composed:
    """The number and digest of each row of a run, in input order."""
    return _filled("SELECT number, digest FROM {row} WHERE run = %s ORDER BY number", database)
