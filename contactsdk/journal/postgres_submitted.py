"""The SQL statements for submitted runs: to feed, send, watch, stop and resume them."""

from attrs import frozen
from psycopg import sql
from psycopg.sql import Composed

from contactsdk.journal.postgres_connection import Connection, Database
from contactsdk.journal.postgres_statements import COLUMNS, filled

# Open rows are those that workers still have to send. Rows that ended as "not applied" are not
# open: only `resume` tries them again.
_OPEN = {
    "open_states": sql.SQL("('waiting', 'sent')"),
    "open_count": sql.SQL("recorded - succeeded - failed - uncertain - not_applied"),
}


def submit_run(database: Database) -> Composed:
    """Add a run of this name with a lease for each partition, unless there is one."""
    return filled(
        """
        WITH added AS (
            INSERT INTO {run} (name, account, salt, partitions, options, attempt_timeout_s)
            VALUES (%(name)s, %(account)s, %(salt)s, %(partitions)s, %(options)s,
                %(attempt_timeout_s)s)
            ON CONFLICT (name) DO NOTHING RETURNING id, partitions
        )
        INSERT INTO {lease} (run, part) SELECT id, generate_series(0, partitions - 1) FROM added
        """,
        database,
    )


def find_submitted(database: Database) -> Composed:
    """The run of this name, with its settings; `options` is NULL if it was not submitted."""
    return filled(
        """
        SELECT id, account, salt, partitions, items, sealed, options, stopped_for
        FROM {run} WHERE name = %(name)s
        """,
        database,
    )


def change_options(database: Database) -> Composed:
    """Replace the settings of a run; of the attempt timeouts, the longest is kept."""
    return filled(
        """
        UPDATE {run} SET options = %(options)s,
            attempt_timeout_s = greatest(attempt_timeout_s, %(attempt_timeout_s)s)
        WHERE name = %(name)s
        """,
        database,
    )


def read_digests(database: Database) -> Composed:
    """The digests of the rows in a range of numbers, in input order.

    The range includes its first number and excludes its end.
    """
    return filled(
        """
        SELECT digest FROM {row}
        WHERE run = %(run)s AND number >= %(first)s AND number < %(end)s ORDER BY number
        """,
        database,
    )


def count_items(database: Database) -> Composed:
    """Count items that are being added; returns the run's id.

    It returns no row if another process has added items, or if the run is sealed.
    """
    return filled(
        """
        UPDATE {run} SET items = items + %(count)s
        WHERE id = %(run)s AND items = %(items)s AND NOT sealed RETURNING id
        """,
        database,
    )


def copy_rows(database: Database) -> Composed:
    """Copy rows in binary format into the table; their columns are those of `COPIED`."""
    names = sql.SQL(", ").join(sql.Identifier(name) for name, _ in COPIED)
    return filled("COPY {row} ({copied}) FROM STDIN (FORMAT BINARY)", database, copied=names)


COPIED = (("run", "bigint"), ("part", "integer"), ("epoch", "bigint"), *COLUMNS)
"""The columns of a row that is copied, as (name, type), in order."""


def count_added(database: Database) -> Composed:
    """Add the numbers of new rows to the counts of their partitions."""
    return filled(
        """
        UPDATE {lease} AS lease
        SET recorded = lease.recorded + added.count, failed = lease.failed + added.failed
        FROM unnest(%(parts)s::integer[], %(counts)s::bigint[], %(failed)s::bigint[])
            AS added (part, count, failed)
        WHERE lease.run = %(run)s AND lease.part = added.part
        """,
        database,
    )


def seal(database: Database) -> Composed:
    """Record that the input of a run is complete; returns the run's id.

    It returns no row if another process has added items, or if the run is sealed.
    """
    return filled(
        """
        UPDATE {run} SET sealed = true
        WHERE id = %(run)s AND items = %(items)s AND NOT sealed RETURNING id
        """,
        database,
    )


def read_open_rows(database: Database) -> Composed:
    """The next open rows of a partition, each with its content and epoch, in input order."""
    return filled(
        """
        SELECT {stored}, item, epoch FROM {row}
        WHERE run = %(run)s AND part = %(part)s AND number >= %(first)s
            AND state IN {open_states}
        ORDER BY number LIMIT %(limit)s
        """,
        database,
        **_OPEN,
    )


def find_uncertain_keys(database: Database) -> Composed:
    """Those of the given keys that have uncertain rows in the run."""
    return filled(
        """
        SELECT DISTINCT key FROM {row}
        WHERE run = %(run)s AND key = ANY(%(keys)s) AND state = 'uncertain'
        """,
        database,
    )


def find_first_open(database: Database) -> Composed:
    """The number below which no row of a partition is open, and the highest id of the whole run."""
    return filled(
        """
        SELECT lease.first_open, (SELECT max(highest_id) FROM {lease} WHERE run = %(run)s)
        FROM {lease} AS lease WHERE lease.run = %(run)s AND lease.part = %(part)s
        """,
        database,
    )


def lock_lease(database: Database) -> Composed:
    """Lock the lease until the transaction ends; returns no row if its epoch has changed."""
    return filled(
        """
        SELECT first_open FROM {lease}
        WHERE run = %(run)s AND part = %(part)s AND epoch = %(epoch)s FOR UPDATE
        """,
        database,
    )


def advance_first_open(database: Database) -> Composed:
    """Update the number below which no row is open; returns how many rows are open."""
    return filled(
        """
        UPDATE {lease} AS lease SET first_open = coalesce(
            (
                SELECT min(row.number) FROM {row} AS row
                WHERE row.run = %(run)s AND row.part = %(part)s
                    AND row.number >= lease.first_open AND row.state IN {open_states}
            ),
            lease.first_open
        )
        WHERE run = %(run)s AND part = %(part)s AND epoch = %(epoch)s
        RETURNING {open_count}
        """,
        database,
        **_OPEN,
    )


def find_unfinished(database: Database) -> Composed:
    """The partitions that have open rows and no worker, as (name of the run, part).

    Partitions of runs that are stopped, or not sealed, are left out.
    """
    return filled(
        """
        SELECT run.name, lease.part
        FROM {run} AS run JOIN {lease} AS lease ON lease.run = run.id
        WHERE run.sealed AND NOT run.finished AND run.stopped_for IS NULL
            AND lease.until < clock_timestamp() AND {open_count} > 0
        ORDER BY run.id, lease.part
        """,
        database,
        **_OPEN,
    )


def note_finished(database: Database) -> Composed:
    """Mark sealed runs without open rows as finished, so that the other queries skip them."""
    return filled(
        """
        UPDATE {run} AS run SET finished = true
        WHERE run.sealed AND NOT run.finished AND NOT EXISTS (
            SELECT FROM {lease} AS lease WHERE lease.run = run.id AND {open_count} > 0
        )
        """,
        database,
        **_OPEN,
    )


def find_progress(database: Database) -> Composed:
    """The progress of a run, summed over all its partitions."""
    return filled(
        """
        SELECT run.id, run.partitions, run.items, run.sealed, run.options IS NOT NULL,
            run.stopped_for, sum(lease.recorded)::bigint, sum(lease.succeeded)::bigint,
            sum(lease.failed)::bigint, sum(lease.uncertain)::bigint, sum(lease.not_applied)::bigint,
            coalesce(array_agg(DISTINCT lease.owner)
                FILTER (WHERE lease.until > clock_timestamp()), '{{}}'),
            greatest(0, extract(epoch FROM max(lease.until) - clock_timestamp())::float)
        FROM {run} AS run JOIN {lease} AS lease ON lease.run = run.id
        WHERE run.name = %(name)s GROUP BY run.id
        """,
        database,
    )


@frozen
class FoundProgress:
    """The row that `find_progress` finds."""

    run: int
    partitions: int
    items: int
    is_sealed: bool
    is_submitted: bool
    stopped_for: str | None
    recorded: int
    succeeded: int
    failed: int
    uncertain: int
    not_applied: int
    owners: list[str]
    """The processes that hold a lease of the run now."""
    left_s: float
    """For how many seconds the longest of these leases still lasts; 0 if there is none."""


def progress_of(connection: Connection, database: Database, name: str) -> FoundProgress | None:
    """The progress of the run of this name; `None` if there is no such run."""
    found = connection.execute(find_progress(database), {"name": name}).fetchone()
    return None if found is None else FoundProgress(*found)


def read_rows_of_state(database: Database) -> Composed:
    """The next rows of a run, in one state or in any, in input order."""
    return filled(
        """
        SELECT {stored} FROM {row}
        WHERE run = (SELECT id FROM {run} WHERE name = %(name)s) AND number > %(after)s
            AND (%(state)s::text IS NULL OR state = %(state)s)
        ORDER BY number LIMIT %(limit)s
        """,
        database,
    )


def stop_run(database: Database) -> Composed:
    """Stop a run for all workers; a run that is stopped already keeps its reason."""
    return filled(
        """
        UPDATE {run} SET stopped_for = coalesce(stopped_for, %(reason)s) WHERE name = %(name)s
        RETURNING id
        """,
        database,
    )


def note_setup_error(database: Database) -> Composed:
    """Record that a worker cannot send the run, and stop the run if `most` workers cannot.

    It returns why the run is stopped; NULL if it is not.
    """
    return filled(
        """
        UPDATE {run} SET
            setup_errors = setup_errors || jsonb_build_object(%(worker)s::text, %(reason)s::text),
            stopped_for = CASE
                WHEN stopped_for IS NULL AND %(most)s <= (
                    SELECT count(*) FROM jsonb_object_keys(
                        setup_errors || jsonb_build_object(%(worker)s::text, 0)
                    )
                ) THEN %(reason)s ELSE stopped_for END
        WHERE name = %(name)s RETURNING stopped_for
        """,
        database,
    )


def lock_leases(database: Database) -> Composed:
    """Lock all leases of a run until the transaction ends."""
    return filled(
        """
        SELECT part FROM {lease} WHERE run = (SELECT id FROM {run} WHERE name = %(name)s)
        ORDER BY part FOR UPDATE
        """,
        database,
    )


def reopen_rows(database: Database) -> Composed:
    """Make the rows of a run that ended as "not applied" open again."""
    return filled(
        """
        UPDATE {row} SET state = 'waiting', error = NULL
        WHERE run = (SELECT id FROM {run} WHERE name = %(name)s) AND state = 'not applied'
        """,
        database,
    )


def reopen_run(database: Database) -> Composed:
    """Make a run open for workers again; its rows must have been reopened before."""
    return filled(
        """
        WITH resumed AS (
            UPDATE {run} SET stopped_for = NULL, setup_errors = '{{}}', finished = false
            WHERE name = %(name)s RETURNING id
        )
        UPDATE {lease} AS lease SET not_applied = 0, first_open = 0
        FROM resumed WHERE lease.run = resumed.id
        """,
        database,
    )
