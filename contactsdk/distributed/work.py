"""The work that is open for workers: partitions to send, and runs that a worker cannot send."""

from collections.abc import Sequence
from typing import Final, NamedTuple

from contactsdk.journal import postgres_submitted as submitted
from contactsdk.journal.postgres import PostgresJournal
from contactsdk.journal.postgres_connection import Connection, Database, errors_of

SETUP_ERRORS_TO_STOP: Final = 3
"""If this many different workers could not send a run, it is stopped for all workers."""


class OpenPartition(NamedTuple):
    """A partition that has open rows and that no worker is sending."""

    run: str
    """The name of the run."""
    part: int
    """The number of the partition, from 0."""


def open_partitions(connection: Connection, database: Database) -> Sequence[OpenPartition]:
    """All partitions of runs that are not stopped that have open rows and no worker.

    It may be called in a transaction.

    Raises:
        psycopg.Error: The database cannot be used.
    """
    connection.execute(submitted.note_finished(database))
    found = connection.execute(submitted.find_unfinished(database))
    return [OpenPartition(*row) for row in found]


def record_setup_error(journal: PostgresJournal, worker: str, reason: str) -> str | None:
    """Record that this worker cannot send the run; returns why the run is stopped for all workers.

    The result is `None` if the run is not stopped. The third worker that cannot send the run stops
    it, for its `reason`. This function blocks until the database has answered.

    Raises:
        JournalError: The database cannot be used.
    """
    values = {"name": journal.run, "worker": worker, "reason": reason, "most": SETUP_ERRORS_TO_STOP}
    with errors_of(journal.name), journal.database.connect() as connection:
        query = submitted.note_setup_error(journal.database)
        found = connection.execute(query, values).fetchone()
    return None if found is None else found[0]
