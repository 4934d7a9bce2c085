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

from contactsdk.distributed.engine import enqueue, queue_of, queueing_lock
from contactsdk.distributed.work import open_partitions
from contactsdk.journal import Account
from contactsdk.journal.identity import Digests
from contactsdk.journal.postgres_connection import Connection, Database

HEARTBEAT_S: Final = 5.0
"""How often an engine says that it is alive."""

STALLED_S: Final = 30.0
"""After how many seconds without a sign of life an engine counts as dead, and its job as failed."""

# Of the transaction, and not of the session, which a pooler may give to somebody else. The first
# number is any; the second one tells the schemas apart.
_TRY_LOCK: Final = "SELECT pg_try_advisory_xact_lock(1668248182, hashtext(%s))"

_WAITING: Final = "SELECT queueing_lock FROM {} WHERE status = 'todo' AND queue_name = %s"


def sweep(connection: Connection, database: Database, account: Account) -> Collection[str]:
    """Give a job to each partition of this account's runs that needs one.

    Returned are the names of the runs that need one and are another account's. Nothing is done
    where another worker does it at this moment.

    Raises:
        psycopg.Error: The database refused, or is gone.
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
    """Which of these runs are this account's."""
    query = sql.SQL("SELECT name, salt, account FROM {} WHERE name = ANY(%s)")
    found = connection.execute(query.format(database.table("run")), (list(runs),))
    return {
        name
        for name, salt, digest in found
        if Digests.of(salt, account.secret).of_account(account) == digest
    }


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
