"""The store for settling a submitted run: it holds the leases of all partitions."""

from collections.abc import Sequence

from psycopg import sql
from psycopg.sql import Composed

from contactsdk.journal import postgres_submitted as submitted
from contactsdk.journal.lease import Lease, LeaseEnds
from contactsdk.journal.postgres_connection import Connection, Database
from contactsdk.journal.postgres_statements import COLUMNS, filled
from contactsdk.journal.postgres_store import PostgresStore, columns_of
from contactsdk.journal.store import StoredRow


class WholeRunStore(PostgresStore):
    """All rows of a submitted run; it changes existing rows and adds none.

    While this store holds the leases, all of them have the same epoch.
    """

    takes_submitted = True

    async def may_be_applied(self) -> bool:
        return True  # a submitted run is never restarted for another account

    # The methods below run in the thread.

    def _take(self, connection: Connection) -> bool:
        values = {**self._lease_values(), "owner": self._owner, "lease_s": self._lease_s}
        with connection.transaction():
            # The lock is a statement of its own, so that the next statement sees all changes of
            # those who held a lease before.
            connection.execute(submitted.lock_leases(self._database), {"name": self._run_name})
            asked_at = self._now()
            taken = connection.execute(_take_all(self._database), values).fetchone()
        if taken is None:
            return False
        self._lease = Lease.taken(taken[0], self._lease_s, asked_at=asked_at)
        left = connection.execute(_find_last_end(self._database), self._lease_values()).fetchone()
        if left is not None and left[0] is not None:
            self._lease_ends = LeaseEnds([(_ALL_EPOCHS, self._now() + left[0])])
        return True

    def _renew(self, connection: Connection) -> int:
        values = {**self._lease_values(), "owner": self._owner, "lease_s": self._lease_s}
        return self._epoch_of_all(connection.execute(_renew_all(self._database), values).fetchall())

    def _write(self, connection: Connection, rows: Sequence[StoredRow]) -> None:
        values = {**self._lease_values(), "lease_s": self._lease_s}
        asked_at = self._now()
        with connection.transaction():
            self._epoch_of_all(connection.execute(_extend_all(self._database), values).fetchall())
            if rows:
                values.update(columns_of(rows))
                connection.execute(_change_rows(self._database), values, binary=True)
        self._lease.extend(asked_at=asked_at)

    def _epoch_of_all(self, found: Sequence[tuple[int]]) -> int:
        """The epoch of the leases; `found` must have one row for each partition.

        Raises:
            JournalError: Another process has taken one of the leases.
        """
        all_of_them = found[0] if len(found) == self._partitions else None
        epoch, *_ = self._check_owner(all_of_them)
        return int(epoch)

    def _release_lease(self, connection: Connection) -> None:
        connection.execute(_release_all(self._database), self._lease_values())


_ALL_EPOCHS = 2**62


def _take_all(database: Database) -> Composed:
    """Take all leases of a run if none of them is live; returns their epoch, or no row."""
    return filled(
        """
        WITH ended AS (
            INSERT INTO {lease_end} (run, part, epoch, ended)
            SELECT run, part, epoch, until FROM {lease}
            WHERE run = %(run)s AND until > timestamptz 'epoch' AND owner <> %(owner)s
                AND until < clock_timestamp()
            ON CONFLICT DO NOTHING
        ), taken AS (
            UPDATE {lease} SET owner = %(owner)s,
                epoch = (SELECT max(epoch) + 1 FROM {lease} WHERE run = %(run)s),
                until = clock_timestamp() + %(lease_s)s * interval '1 second'
            WHERE run = %(run)s AND NOT EXISTS (
                SELECT FROM {lease}
                WHERE run = %(run)s AND until >= clock_timestamp() AND owner <> %(owner)s
            )
            RETURNING epoch
        )
        SELECT epoch FROM taken LIMIT 1
        """,
        database,
    )


def _renew_all(database: Database) -> Composed:
    """Like `renew_epoch`, for all leases of a run."""
    return filled(
        """
        UPDATE {lease} SET epoch = epoch + 1,
            until = clock_timestamp() + %(lease_s)s * interval '1 second'
        WHERE run = %(run)s AND owner = %(owner)s
        RETURNING epoch
        """,
        database,
    )


def _extend_all(database: Database) -> Composed:
    """Extend all leases of a run; returns the epoch of each one that still has this epoch."""
    return filled(
        """
        UPDATE {lease} SET until = clock_timestamp() + %(lease_s)s * interval '1 second'
        WHERE run = %(run)s AND epoch = %(epoch)s
        RETURNING epoch
        """,
        database,
    )


def _release_all(database: Database) -> Composed:
    """Release all leases. Rows that earlier owners left in flight keep their older epochs."""
    return filled(
        "UPDATE {lease} SET until = timestamptz 'epoch' WHERE run = %(run)s AND epoch = %(epoch)s",
        database,
    )


def _change_rows(database: Database) -> Composed:
    """Change rows that are given as one array per column; count them by partition and state."""
    return filled(
        """
        WITH given AS (
            SELECT * FROM unnest({given}) AS given ({names})
        ), change AS (
            SELECT old.part, {changes}
            FROM given JOIN {row} AS old ON old.run = %(run)s AND old.number = given.number
            GROUP BY old.part
        ), counted AS (
            UPDATE {lease} AS lease SET {counts} FROM change
            WHERE lease.run = %(run)s AND lease.part = change.part
        )
        UPDATE {row} AS row SET epoch = %(epoch)s, {given_values} FROM given
        WHERE row.run = %(run)s AND row.number = given.number
        """,
        database,
        given_values=sql.SQL(", ").join(
            sql.SQL("{0} = given.{0}").format(sql.Identifier(name)) for name, _ in COLUMNS[1:]
        ),
    )


def _find_last_end(database: Database) -> Composed:
    """For how many seconds contacts of any earlier owner may still be in flight; NULL if none."""
    return filled(
        """
        SELECT extract(epoch FROM max(ends.ended) - clock_timestamp())::float
            + max(run.attempt_timeout_s)
        FROM {lease_end} AS ends JOIN {run} AS run ON run.id = ends.run WHERE ends.run = %(run)s
        """,
        database,
    )
