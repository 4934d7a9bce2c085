"""The statements of runs that were submitted for workers: to feed, send, watch and stop them."""

from attrs import frozen
from psycopg import sql
from psycopg.sql import Composed

from contactsdk.journal.postgres_connection import Connection, Database
from contactsdk.journal.postgres_statements import COLUMNS, filled

# What is left to do in a partition. A contact that ended as not applied is tried again by `resume`.
_OPEN = {
    "open_states": sql.SQL("('waiting', 'sent')"),
    "open_count": sql.SQL("recorded - succeeded - failed - uncertain - not_applied"),
}


def submit_run(database: Database) -> Composed:
    """Record a run of this name with a lease for each partition, unless there is one."""
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
    """The run of this name, and what was said when it was submitted; `options` is NULL if not."""
    return filled(
        """
        SELECT id, account, salt, partitions, items, sealed, options, stopped_for
        FROM {run} WHERE name = %(name)s
        """,
        database,
    )


def change_options(database: Database) -> Composed:
    """Have a run sent as was said last, and the longest attempts counted."""
    return filled(
        """
        UPDATE {run} SET options = %(options)s,
            attempt_timeout_s = greatest(attempt_timeout_s, %(attempt_timeout_s)s)
        WHERE name = %(name)s
        """,
        database,
    )


def read_digests(database: Database) -> Composed:
    """The digests of the rows whose numbers lie between two, in input order."""
    return filled(
        """
        SELECT digest FROM {row}
        WHERE run = %(run)s AND number >= %(first)s AND number < %(end)s ORDER BY number
        """,
        database,
    )


def count_items(database: Database) -> Composed:
    """Count items that are being added, if nobody else has added any: its number, or no row."""
    return filled(
        """
        UPDATE {run} SET items = items + %(count)s
        WHERE id = %(run)s AND items = %(items)s AND NOT sealed RETURNING id
        """,
        database,
    )


def copy_rows(database: Database) -> Composed:
    """Add rows from the client, in binary, in the order of `COPIED`."""
    names = sql.SQL(", ").join(sql.Identifier(name) for name, _ in COPIED)
    return filled("COPY {row} ({copied}) FROM STDIN (FORMAT BINARY)", database, copied=names)


COPIED = (("run", "bigint"), ("part", "integer"), ("epoch", "bigint"), *COLUMNS)
"""The columns of a row that is added, each with its type."""


def count_added(database: Database) -> Composed:
    """Count rows that were added, by partition."""
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
    """Note that the input is whole, if nobody else has added to it: its number, or no row."""
    return filled(
        """
        UPDATE {run} SET sealed = true
        WHERE id = %(run)s AND items = %(items)s AND NOT sealed RETURNING id
        """,
        database,
    )


def read_open_rows(database: Database) -> Composed:
    """The next open rows of a partition, each with its epoch and its item, in input order."""
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


def find_first_open(database: Database) -> Composed:
    """Below which number no row of a partition is open, and the highest id of the whole run."""
    return filled(
        """
        SELECT lease.first_open, (SELECT max(highest_id) FROM {lease} WHERE run = %(run)s)
        FROM {lease} AS lease WHERE lease.run = %(run)s AND lease.part = %(part)s
        """,
        database,
    )


def lock_lease(database: Database) -> Composed:
    """Wait for others that change the lease, for the rest of a transaction, as its owner."""
    return filled(
        """
        SELECT first_open FROM {lease}
        WHERE run = %(run)s AND part = %(part)s AND epoch = %(epoch)s FOR UPDATE
        """,
        database,
    )


def advance_first_open(database: Database) -> Composed:
    """Note below which number no row is open; how many are."""
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
    """The partitions that nobody sends and that have open rows: name of the run, and part."""
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
    """Take no more notice of submitted runs in which nothing is open."""
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
    """How far a run has come, all its partitions together."""
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
    """How far a run has come, as `find_progress` finds it."""

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
    """Who has a lease now."""
    left_s: float
    """For how many seconds the last of these leases is good."""


def progress_of(connection: Connection, database: Database, name: str) -> FoundProgress | None:
    """How far the run of this name has come; `None` where there is none."""
    found = connection.execute(find_progress(database), {"name": name}).fetchone()
    return None if found is None else FoundProgress(*found)


def read_rows_of_state(database: Database) -> Composed:
    """The next rows of a run, of one state or of all, in input order."""
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
    """Have a run stopped for all workers, unless it is already."""
    return filled(
        """
        UPDATE {run} SET stopped_for = coalesce(stopped_for, %(reason)s) WHERE name = %(name)s
        RETURNING id
        """,
        database,
    )


def note_setup_error(database: Database) -> Composed:
    """Note that a worker cannot send; one that makes it so many workers stops the run.

    Returned is why the run is stopped, NULL if it is not.
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
    """Wait for all that change the leases of a run, for the rest of a transaction."""
    return filled(
        """
        SELECT part FROM {lease} WHERE run = (SELECT id FROM {run} WHERE name = %(name)s)
        ORDER BY part FOR UPDATE
        """,
        database,
    )


def reopen_rows(database: Database) -> Composed:
    """Have what was not applied sent again."""
    return filled(
        """
        UPDATE {row} SET state = 'waiting', error = NULL
        WHERE run = (SELECT id FROM {run} WHERE name = %(name)s) AND state = 'not applied'
        """,
        database,
    )


def reopen_run(database: Database) -> Composed:
    """Have a run sent again that was stopped, after its rows were reopened."""
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
