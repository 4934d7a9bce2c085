"""What there is to do for workers: open partitions, and runs that cannot be sent."""

from collections.abc import Sequence
from typing import Final, NamedTuple

from contactsdk.journal import postgres_submitted as submitted
from contactsdk.journal.postgres import PostgresJournal
from contactsdk.journal.postgres_connection import Connection, Database, errors_of

SETUP_ERRORS_TO_STOP: Final = 3
"""How many different workers have to be unable to send a run until it is stopped for all."""


class OpenPartition(NamedTuple):
    """A partition that has open rows, and that nobody sends."""

    run: str
    """The name of its run."""
    part: int
    """Its number, from 0."""


def open_partitions(connection: Connection, database: Database) -> Sequence[OpenPartition]:
    """All partitions that have open rows and that nobody sends, of runs that are not stopped.

    It can be part of a transaction.

    Raises:
        psycopg.Error: The database cannot be used.
    """
    connection.execute(submitted.note_finished(database))
    found = connection.execute(submitted.find_unfinished(database))
    return [OpenPartition(*row) for row in found]


def record_setup_error(journal: PostgresJournal, worker: str, reason: str) -> str | None:
    """Note that this worker cannot send the run; why the run is stopped, `None` if it is not.

    The third worker stops the run for all, for this reason. It waits for the database.

    Raises:
        JournalError: The database cannot be used.
    """
    values = {"name": journal.run, "worker": worker, "reason": reason, "most": SETUP_ERRORS_TO_STOP}
    with errors_of(journal.name), journal.database.connect() as connection:
        query = submitted.note_setup_error(journal.database)
        found = connection.execute(query, values).fetchone()
    return None if found is None else found[0]
