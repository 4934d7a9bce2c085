"""The store behind a submitted run as a whole, for settling: it has all leases of the run."""

from collections.abc import Sequence

from psycopg import sql
from psycopg.sql import Composed

from contactsdk.errors import JournalError
from contactsdk.journal import postgres_submitted as submitted
from contactsdk.journal.lease import Lease
from contactsdk.journal.postgres_connection import Connection, Database
from contactsdk.journal.postgres_statements import COLUMNS, filled
from contactsdk.journal.postgres_store import PostgresStore, columns_of
from contactsdk.journal.store import StoredRow


class WholeRunStore(PostgresStore):
    """All rows of a submitted run; rows that are there are changed, and none is added.

    The leases of all partitions have the same epoch as long as this store has them.
    """

    async def may_be_applied(self) -> bool:
        return True  # it never begins anew with another account

    # In the thread.

    def _find_owner(self, connection: Connection) -> tuple[str, float]:
        query = submitted.find_submitted(self._database)
        found = connection.execute(query, {"name": self._run_name}).fetchone()
        progress = submitted.progress_of(connection, self._database, self._run_name)
        if found is None or progress is None:
            raise JournalError(f"{self.name}: it was deleted meanwhile")
        self._run, self.account, self.salt, self._partitions, *_ = found
        return ", ".join(progress.owners), progress.left_s

    def _take(self, connection: Connection) -> bool:
        values = {**self._mine(), "owner": self._owner, "lease_s": self._lease_s}
        with connection.transaction():
            # By itself, so that what follows sees what others did that had a lease before.
            connection.execute(submitted.lock_leases(self._database), {"name": self._run_name})
            asked_at = self._now()
            taken = connection.execute(_take_all(self._database), values).fetchone()
        if taken is None:
            return False
        self._lease = Lease.taken(taken[0], self._lease_s, asked_at=asked_at)
        left = connection.execute(_find_last_end(self._database), self._mine()).fetchone()
        if left is not None and left[0] is not None:
            self._lease_ends = [(_ALL_EPOCHS, self._now() + left[0])]
        return True

    def _renew(self, connection: Connection) -> int:
        values = {**self._mine(), "owner": self._owner, "lease_s": self._lease_s}
        return self._extended(connection.execute(_renew_all(self._database), values).fetchall())

    def _write(self, connection: Connection, rows: Sequence[StoredRow]) -> None:
        values = {**self._mine(), "lease_s": self._lease_s}
        asked_at = self._now()
        with connection.transaction():
            self._extended(connection.execute(_extend_all(self._database), values).fetchall())
            if rows:
                values.update(columns_of(rows))
                connection.execute(_change_rows(self._database), values, binary=True)
        self._lease.extend(asked_at=asked_at)

    def _extended(self, found: Sequence[tuple[int]]) -> int:
        """The epoch of all leases, if all of them are this store's."""
        all_of_them = found[0] if len(found) == self._partitions else None
        epoch, *_ = self._as_owner(all_of_them)
        return int(epoch)

    def _release_lease(self, connection: Connection) -> None:
        connection.execute(_release_all(self._database), self._mine())


_ALL_EPOCHS = 2**62


def _take_all(database: Database) -> Composed:
    """Take all leases of a run, if none is live; their epoch, or no row."""
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
    """As `renew_epoch`, of all leases."""
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
    """As `extend_lease`, of all leases."""
    return filled(
        """
        UPDATE {lease} SET until = clock_timestamp() + %(lease_s)s * interval '1 second'
        WHERE run = %(run)s AND epoch = %(epoch)s
        RETURNING epoch
        """,
        database,
    )


def _release_all(database: Database) -> Composed:
    """Let the next owners take the leases at once; what was in flight keeps its older epoch."""
    return filled(
        "UPDATE {lease} SET until = timestamptz 'epoch' WHERE run = %(run)s AND epoch = %(epoch)s",
        database,
    )


def _change_rows(database: Database) -> Composed:
    """Change rows given as one array a column, and count them by partition and state."""
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
    """For how many seconds anything that an older owner sent may be in flight; NULL for none."""
    return filled(
        """
        SELECT extract(epoch FROM max(ends.ended) - clock_timestamp())::float
            + max(run.attempt_timeout_s)
        FROM {lease_end} AS ends JOIN {run} AS run ON run.id = ends.run WHERE ends.run = %(run)s
        """,
        database,
    )
