"""The sweep: gives a job to each partition that may have something to send and nobody to send it.

This one rule heals whatever can happen to a job: that its worker was killed, that another worker
finished it, that it failed or was removed, that its continuation was never enqueued.
"""

from collections.abc import Collection
from typing import Final

import psycopg
from procrastinate import App
from procrastinate.exceptions import ConnectorException
from procrastinate.jobs import Status
from psycopg import sql

from contactsdk.distributed.engine import enqueue
from contactsdk.journal.postgres_connection import Connection, Database

HEARTBEAT_S: Final = 5.0
"""How often an engine says that it is alive."""

STALLED_S: Final = 30.0
"""After how many seconds without a sign of life an engine counts as dead, and its job as failed."""

# Of the transaction, and not of the session, which a pooler may give to somebody else. The first
# number is any; the second one tells the schemas apart.
_TRY_LOCK: Final = "SELECT pg_try_advisory_xact_lock(1668248182, hashtext(%s))"

_IDLE_PARTITIONS: Final = """
    SELECT lease.run, lease.part
    FROM {run} AS run JOIN {lease} AS lease ON lease.run = run.id
    WHERE run.id = ANY(%s) AND run.sealed AND run.stopped_for IS NULL
        AND NOT lease.done AND lease.until < clock_timestamp()
        AND NOT EXISTS (
            SELECT FROM {procrastinate_jobs} AS job
            WHERE job.status = 'todo' AND job.queueing_lock = lease.run || '/' || lease.part
        )
    ORDER BY lease.run, lease.part
"""


def sweep(connection: Connection, database: Database, queue: str, runs: Collection[int]) -> int:
    """Give a job to each partition of these runs that needs one; how many there were.

    Nothing is done where another worker does it at this moment.

    Raises:
        psycopg.Error: The database refused, or is gone.
    """
    names = ("run", "lease", "procrastinate_jobs")
    query = sql.SQL(_IDLE_PARTITIONS).format(**{name: database.table(name) for name in names})
    with connection.transaction():
        if connection.execute(_TRY_LOCK, (database.schema,)).fetchone() != (True,):
            return 0
        found = connection.execute(query, (list(runs),)).fetchall()
        return sum(enqueue(connection, database, queue, run, [part]) for run, part in found)


async def finish_stalled_jobs(app: App, queue: str) -> None:
    """Finish the jobs of dead engines as failed, so that they do not stand there for ever.

    They are not retried: a job that two workers do in turn is finished by the first of them.

    Raises:
        ConnectorException: The database refused, or is gone.
    """
    jobs = app.job_manager
    for job in await jobs.get_stalled_jobs(queue=queue, seconds_since_heartbeat=STALLED_S):
        try:
            await jobs.finish_job(job, Status.FAILED, delete_job=False)
        except ConnectorException as exc:
            # What raises is the engine's own function: somebody has finished the job meanwhile.
            if not isinstance(exc.__cause__, psycopg.errors.RaiseException):
                raise
