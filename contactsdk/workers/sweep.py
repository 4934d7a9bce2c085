"""The sweep: it queues a job for each partition that has open rows, no worker and no waiting job.

This one rule repairs everything that can happen to a job: its worker was killed, another worker
finished it, it failed or was removed, or its next job was never queued.
"""

from collections.abc import Collection
from typing import Final

import psycopg
from procrastinate import App
from procrastinate.exceptions import ConnectorException
from procrastinate.jobs import Status
from psycopg import sql

from contactsdk.distributed.engine import enqueue, queue_of, queueing_lock
from contactsdk.distributed.work import open_partitions
from contactsdk.journal import Account
from contactsdk.journal.identity import Digests
from contactsdk.journal.postgres_connection import Connection, Database

HEARTBEAT_S: Final = 5.0
"""The seconds between two heartbeats of an engine."""

STALLED_S: Final = 30.0
"""After this many seconds without a heartbeat, an engine counts as dead, and its job as failed."""

# The lock belongs to the transaction, not to the session: a connection pooler may give the session
# to another client. The first number is arbitrary; the second one tells the schemas apart.
_TRY_LOCK: Final = "SELECT pg_try_advisory_xact_lock(1668248182, hashtext(%s))"

_WAITING: Final = "SELECT queueing_lock FROM {} WHERE status = 'todo' AND queue_name = %s"


def sweep(connection: Connection, database: Database, account: Account) -> Collection[str]:
    """Queue a job for each partition of this account's runs that needs one.

    Returns the names of runs of other accounts that have open partitions. If another worker is
    sweeping at this moment, nothing is done.

    Raises:
        psycopg.Error: The database refused a statement or cannot be reached.
    """
    queue = queue_of(account)
    with connection.transaction():
        if connection.execute(_TRY_LOCK, (database.schema,)).fetchone() != (True,):
            return ()
        open_ = open_partitions(connection, database)
        mine = _runs_of(account, connection, database, {run for run, _ in open_})
        query = sql.SQL(_WAITING).format(database.table("procrastinate_jobs"))
        waiting = {lock for (lock,) in connection.execute(query, (queue,))}
        for run, part in open_:
            if run in mine and queueing_lock(run, part) not in waiting:
                enqueue(connection, database, queue, run, [part])
        return {run for run, _ in open_} - mine


def _runs_of(
    account: Account, connection: Connection, database: Database, runs: Collection[str]
) -> set[str]:
    """Those of the given runs that belong to this account, by their names."""
    query = sql.SQL("SELECT name, salt, account FROM {} WHERE name = ANY(%s)")
    found = connection.execute(query.format(database.table("run")), (list(runs),))
    return {
        name
        for name, salt, digest in found
        if Digests.of(salt, account.secret).of_account(account) == digest
    }


async def finish_stalled_jobs(app: App, queue: str) -> None:
    """Mark the jobs of dead engines as failed, so that they do not stay in progress for ever.

    They are not retried here: if two workers did the same job, the first would finish it for both.

    Raises:
        ConnectorException: The database refused a statement or cannot be reached.
    """
    jobs = app.job_manager
    for job in await jobs.get_stalled_jobs(queue=queue, seconds_since_heartbeat=STALLED_S):
        try:
            await jobs.finish_job(job, Status.FAILED, delete_job=False)
        except ConnectorException as exc:
            # The engine's function in the database raises this if the job was finished meanwhile.
            if not isinstance(exc.__cause__, psycopg.errors.RaiseException):
                raise
