"""A worker: it sends submitted runs, together with any number of others on any machines.

A job of the engine is only a hint that a partition may have something to send. The rows and the
lease in the database decide whether it has, and who sends it. So a lost or doubled job is harmless.
"""

import asyncio
import logging
from collections.abc import Callable, Collection
from typing import Final

from yarl import URL

from contactsdk.arguments import check_positive
from contactsdk.client import ContactClient
from contactsdk.distributed.engine import enqueue, make_tables, queue_of
from contactsdk.distributed.postgres_rate import TurnTable
from contactsdk.journal.postgres import PostgresJournal
from contactsdk.journal.postgres_connection import Connection, Database, errors_of
from contactsdk.workers.engine_loop import EngineLoop
from contactsdk.workers.sender import Sender
from contactsdk.workers.slices import SLICE_S
from contactsdk.workers.sweep import sweep

_logger: Final = logging.getLogger("contactsdk")

_SWEEP_EVERY_S: Final = 5.0


class Worker:
    """Sends all runs that were submitted for the account of a client, one partition at a time.

    Any number of workers, on any machines, share the work. Make one worker in each process.

    Args:
        client: The `ContactClient` to send with. The worker shares its connections, rate limit and
            circuit breaker with its other calls.
        url: The database, such as `postgresql://user:password@host:5432/name`.
        concurrency: The largest number of requests in flight; `None` means 32 contacts or 4
            batches.
        lease_s: How long the lease of a partition lasts after this worker was last heard of, in
            seconds; no other worker sends the partition before.
        slice_s: For how many seconds contacts of one partition are read before another partition
            has its turn.
        say: Called with a line of text for each event.
        schema: The schema that holds the tables.

    Raises:
        ValueError: An argument is wrong; the message never repeats the URL.
    """

    def __init__(
        self,
        client: ContactClient,
        url: str,
        *,
        concurrency: int | None = None,
        lease_s: float = 30.0,
        slice_s: float = SLICE_S,
        say: Callable[[str], object] = _logger.info,
        schema: str = "contactsdk",
    ) -> None:
        check_positive("lease_s", lease_s)
        self._database = Database.at(url, schema)
        self._url = url
        self._account = client.account
        self._queue = queue_of(client.account)
        self._say = say
        self._other_accounts: set[str] = set()
        self._turns = TurnTable(self._database)
        self._sender = Sender(
            client,
            lambda run: PostgresJournal(url, run=run, lease_s=lease_s, schema=schema),
            turns=self._turns,
            concurrency=concurrency,
            slice_s=slice_s,
            say=say,
        )
        self._loop = EngineLoop(
            self._database,
            self._queue,
            self._drain,
            self._sweep,
            sweep_every_s=min(_SWEEP_EVERY_S, lease_s / 3),
            on_restart=lambda reason: say(f"starting again: {reason}"),
        )

    async def work(self) -> None:
        """Send all open partitions and wait for more, until `stop` is called.

        If this call is cancelled, requests in flight are cancelled too, and their contacts may be
        uncertain.

        Raises:
            SetupError: This worker cannot send, since every call will fail.
            RuntimeError: The client was closed.
            JournalError: The database cannot be used at the start.
        """
        await asyncio.to_thread(make_tables, self._url, schema=self._database.schema)
        self._say(
            f"ready: sending the runs in {self._database.name} to {URL(self._account.url).origin()}"
        )
        async with self._turns:
            await self._loop.run()
        if self._sender.stopped_by is not None:
            raise self._sender.stopped_by
        self._say("stopped")

    def stop(self) -> None:
        """Send nothing more and finish the requests in flight; then `work` returns."""
        self._loop.stop()
        self._sender.stop()

    async def _drain(self, run: str, part: int) -> None:
        def continue_(connection: Connection) -> None:
            enqueue(connection, self._database, self._queue, run, [part])

        await self._sender.send(run, part, continue_)
        if self._sender.stopped_by is not None:
            self._loop.stop()

    async def _sweep(self) -> None:
        others = await asyncio.to_thread(self._sweep_in_thread)
        for run in sorted(set(others) - self._other_accounts):
            self._say(
                f"run {run}: it is for another account (address, key or secret): not sent here"
            )
        self._other_accounts.update(others)

    def _sweep_in_thread(self) -> Collection[str]:
        with errors_of(self._database.name), self._database.connect() as connection:
            return sweep(connection, self._database, self._account)
