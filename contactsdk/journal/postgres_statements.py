"""The SQL statements of `PostgresStore`; each is executed as a transaction of its own."""

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
"""The columns of a row, as (name, type), in the order of the fields of a `StoredRow`."""

_NAMES = sql.SQL(", ").join(sql.Identifier(name) for name, _ in COLUMNS)
_STORED = sql.SQL(", ").join(sql.Identifier(name) for name, _ in COLUMNS[:-1])

MAYBE_APPLIED_VALUES = [state.value for state in MAYBE_APPLIED]
"""The states of `MAYBE_APPLIED`, as the texts that the database stores."""


_GIVEN = sql.SQL(", ").join(sql.SQL(f"%({name})s::{kind}[]") for name, kind in COLUMNS)

# How the counts of a lease change when `given` rows replace `old` rows of the same numbers.
_CHANGES = sql.SQL(
    """
    count(*) - count(old.number) AS recorded,
    count(*) FILTER (WHERE given.state = 'succeeded')
        - count(*) FILTER (WHERE old.state = 'succeeded') AS succeeded,
    count(*) FILTER (WHERE given.state IN ('rejected', 'invalid'))
        - count(*) FILTER (WHERE old.state IN ('rejected', 'invalid')) AS failed,
    count(*) FILTER (WHERE given.state = 'uncertain')
        - count(*) FILTER (WHERE old.state = 'uncertain') AS uncertain,
    count(*) FILTER (WHERE given.state = 'not applied')
        - count(*) FILTER (WHERE old.state = 'not applied') AS not_applied,
    max(given.id) AS highest_id
    """
)
_COUNTS = sql.SQL(
    """
    recorded = lease.recorded + change.recorded,
    succeeded = lease.succeeded + change.succeeded,
    failed = lease.failed + change.failed,
    uncertain = lease.uncertain + change.uncertain,
    not_applied = lease.not_applied + change.not_applied,
    highest_id = greatest(lease.highest_id, change.highest_id)
    """
)


def filled(text: LiteralString, database: Database, **parts: sql.Composable) -> Composed:
    """A statement in which the placeholders for tables and columns are filled in."""
    tables = {name: database.table(name) for name in ("run", "lease", "lease_end", "row", "turn")}
    columns = {"names": _NAMES, "stored": _STORED, "given": _GIVEN}
    counts = {"changes": _CHANGES, "counts": _COUNTS}
    return sql.SQL(text).format(**tables, **columns, **counts, **parts)


def take_lease(database: Database) -> Composed:
    """Take a lease that was released or has expired; returns its new epoch, or no row.

    The same owner may take its own lease again: it does so when the answer to its first statement
    was lost. The database's clock decides. The statement records when the last owner's lease
    expired, since what that owner sent may still be in flight. The lease of a submitted run that is
    stopped or not sealed cannot be taken.
    """
    return filled(
        """
        WITH before AS (
            SELECT epoch, owner, until FROM {lease}
            WHERE run = %(run)s AND part = %(part)s FOR UPDATE
        ), taken AS (
            UPDATE {lease} AS lease
            SET epoch = before.epoch + 1, owner = %(owner)s,
                until = clock_timestamp() + %(lease_s)s * interval '1 second'
            FROM before WHERE lease.run = %(run)s AND lease.part = %(part)s
                AND (before.until < clock_timestamp() OR before.owner = %(owner)s)
                AND EXISTS (
                    SELECT FROM {run} AS run WHERE run.id = %(run)s
                        AND (run.options IS NULL OR (run.sealed AND run.stopped_for IS NULL))
                )
            RETURNING lease.epoch
        ), ended AS (
            INSERT INTO {lease_end} (run, part, epoch, ended)
            SELECT %(run)s, %(part)s, before.epoch, before.until FROM before, taken
            WHERE before.until > timestamptz 'epoch' AND before.owner <> %(owner)s
            ON CONFLICT DO NOTHING
        )
        SELECT epoch FROM taken
        """,
        database,
    )


def renew_epoch(database: Database) -> Composed:
    """Give the lease of this owner a new epoch, and extend it; returns the epoch, or no row.

    After that, statements of the same owner with the older epoch change nothing, even if they reach
    the database late.
    """
    return filled(
        """
        UPDATE {lease} SET epoch = epoch + 1,
            until = clock_timestamp() + %(lease_s)s * interval '1 second'
        WHERE run = %(run)s AND part = %(part)s AND owner = %(owner)s
        RETURNING epoch
        """,
        database,
    )


def note_attempt_timeout(database: Database) -> Composed:
    """Record the longest time that an attempt may take, if it is longer than the recorded one."""
    return filled(
        """
        UPDATE {run} SET attempt_timeout_s = %(attempt_timeout_s)s
        WHERE id = %(run)s AND attempt_timeout_s < %(attempt_timeout_s)s
        """,
        database,
    )


def find_lease_ends(database: Database) -> Composed:
    """Each earlier epoch that left contacts in flight, and for how many seconds they may still be
    in flight; the seconds are negative if that time has passed.
    """
    return filled(
        """
        SELECT ends.epoch,
            extract(epoch FROM ends.ended - clock_timestamp())::float + run.attempt_timeout_s
        FROM {lease_end} AS ends JOIN {run} AS run ON run.id = ends.run
        WHERE ends.run = %(run)s AND ends.part = %(part)s ORDER BY ends.epoch
        """,
        database,
    )


def release_lease(database: Database) -> Composed:
    """Release the lease, so that the next owner can take it at once.

    If contacts are in flight, their time counts from now. If not, but an earlier owner's contacts
    may still be in flight, their remaining time is recorded under this epoch too: rows of uncertain
    contacts that this owner wrote again have this epoch now.
    """
    return filled(
        """
        WITH released AS (
            UPDATE {lease} SET until = timestamptz 'epoch'
            WHERE run = %(run)s AND part = %(part)s AND epoch = %(epoch)s
            RETURNING run, part, epoch
        ), older AS (
            SELECT max(ends.ended) AS ended
            FROM {lease_end} AS ends JOIN {run} AS run ON run.id = ends.run
            WHERE ends.run = %(run)s AND ends.part = %(part)s
                AND ends.ended + run.attempt_timeout_s * interval '1 second' > clock_timestamp()
        )
        INSERT INTO {lease_end} (run, part, epoch, ended)
        SELECT released.run, released.part, released.epoch,
            CASE WHEN %(is_in_flight)s THEN clock_timestamp() ELSE older.ended END
        FROM released, older WHERE %(is_in_flight)s OR older.ended IS NOT NULL
        ON CONFLICT DO NOTHING
        """,
        database,
    )


def write_rows(database: Database) -> Composed:
    """Extend the lease, write rows that are given as one array per column, and count them by state.

    It returns the epoch and why the run was stopped (NULL if it was not). If another owner has the
    lease, it writes nothing and returns no row. The lease is extended first: that locks the lease,
    so a new owner waits until this statement is done, and then cannot take the lease.
    """
    changed = sql.SQL(", ").join(
        sql.SQL("{0} = excluded.{0}").format(sql.Identifier(name)) for name, _ in COLUMNS[1:]
    )
    return filled(
        """
        WITH given AS (
            SELECT * FROM unnest({given}) AS given ({names})
        ), change AS (
            SELECT {changes}
            FROM given LEFT JOIN {row} AS old
                ON old.run = %(run)s AND old.number = given.number
        ), extended AS (
            UPDATE {lease} AS lease SET
                until = clock_timestamp() + %(lease_s)s * interval '1 second',
                {counts}
            FROM change
            WHERE lease.run = %(run)s AND lease.part = %(part)s AND lease.epoch = %(epoch)s
            RETURNING lease.run, lease.part, lease.epoch
        ), written AS (
            INSERT INTO {row} AS row (run, part, epoch, {names})
            SELECT extended.run, extended.part, extended.epoch, given.* FROM extended, given
            ON CONFLICT (run, number) DO UPDATE SET epoch = excluded.epoch, {changed}
        )
        SELECT extended.epoch, run.stopped_for
        FROM extended JOIN {run} AS run ON run.id = extended.run
        """,
        database,
        changed=changed,
    )


def extend_lease(database: Database) -> Composed:
    """Extend the lease without writing rows; returns the same columns as `write_rows`."""
    return filled(
        """
        UPDATE {lease} AS lease SET until = clock_timestamp() + %(lease_s)s * interval '1 second'
        FROM {run} AS run
        WHERE lease.run = %(run)s AND lease.part = %(part)s AND lease.epoch = %(epoch)s
            AND run.id = lease.run
        RETURNING lease.epoch, run.stopped_for
        """,
        database,
    )


def restart_run(database: Database) -> Composed:
    """Remove all rows of a run and change its account, if the lease still has this epoch."""
    return filled(
        """
        WITH extended AS (
            UPDATE {lease} SET recorded = 0, succeeded = 0, failed = 0, uncertain = 0,
                not_applied = 0, highest_id = 0
            WHERE run = %(run)s AND part = %(part)s AND epoch = %(epoch)s
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
    """Add a run of this name with one lease, unless there is a run of this name."""
    return filled(
        """
        WITH added AS (
            INSERT INTO {run} (name, account, salt, attempt_timeout_s)
            VALUES (%(name)s, %(account)s, %(salt)s, %(attempt_timeout_s)s)
            ON CONFLICT (name) DO NOTHING RETURNING id
        )
        INSERT INTO {lease} (run) SELECT id FROM added
        """,
        database,
    )


def find_run(database: Database) -> Composed:
    """The run of this name, with the owner whose lease lasts longest and its remaining seconds."""
    return filled(
        """
        SELECT run.id, run.account, run.salt, run.options IS NOT NULL, run.partitions, lease.owner,
            greatest(0, extract(epoch FROM lease.until - clock_timestamp())::float)
        FROM {run} AS run JOIN {lease} AS lease ON lease.run = run.id
        WHERE run.name = %(name)s ORDER BY lease.until DESC LIMIT 1
        """,
        database,
    )


def find_end(database: Database) -> Composed:
    """One more than the highest recorded number; 0 for a run without rows."""
    return filled("SELECT coalesce(max(number) + 1, 0) FROM {row} WHERE run = %s", database)


def find_maybe_applied(database: Database) -> Composed:
    """Whether any contact of a run was applied or may have been applied."""
    return filled("SELECT EXISTS (SELECT FROM {row} WHERE run = %s AND state = ANY(%s))", database)


def read_rows(database: Database) -> Composed:
    """The rows of a run in a range of numbers, each with its epoch, in input order.

    The range includes its first number and excludes its last.
    """
    return filled(
        "SELECT {stored}, epoch FROM {row} WHERE run = %s AND number >= %s AND number < %s "
        "ORDER BY number",
        database,
    )


def find_last_sent(database: Database) -> Composed:
    """For each of these keys, the highest number of a row that is in none of these states."""
    return filled(
        "SELECT key, max(number) FROM {row} "
        "WHERE run = %s AND key = ANY(%s) AND state <> ALL(%s) GROUP BY key",
        database,
    )


def read_digests(database: Database) -> Composed:
    """The number and digest of each row of a run, in input order."""
    return filled("SELECT number, digest FROM {row} WHERE run = %s ORDER BY number", database)
