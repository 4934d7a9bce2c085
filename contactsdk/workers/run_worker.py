"""A worker for one run, in any process."""

import asyncio
import logging
import random
from collections.abc import Awaitable, Callable
from typing import Final

from contactsdk.client import ContactClient
from contactsdk.distributed.postgres_rate import TurnTable
from contactsdk.distributed.submitted_run import RunProgress, SubmittedRun
from contactsdk.distributed.work import open_partitions
from contactsdk.journal.postgres_connection import errors_of
from contactsdk.workers.sender import Sender
from contactsdk.workers.slices import SLICE_S

_logger: Final = logging.getLogger("contactsdk")

_LOOK_EVERY_S: Final = 0.5


class RunWorker:
    """Sends one submitted run in this process, together with any other workers.

    Unlike `Worker`, it ends when the run is done, and it needs only the extra `postgres`.

    Args:
        client: A `ContactClient` of the account that the run was submitted for.
        run: The run; the `lease_s` of its journal applies.
        concurrency: As for `Worker`.
        slice_s: As for `Worker`.
        say: As for `Worker`.
        sleep: Waits while other workers send the rest; its argument is in seconds.

    Raises:
        ValueError: An argument is wrong.
    """

    def __init__(
        self,
        client: ContactClient,
        run: SubmittedRun,
        *,
        concurrency: int | None = None,
        slice_s: float = SLICE_S,
        say: Callable[[str], object] = _logger.info,
        sleep: Callable[[float], Awaitable[object]] = asyncio.sleep,
    ) -> None:
        self._run = run
        self._sleep = sleep
        self._turns = TurnTable(run.journal.database)
        self._sender = Sender(
            client,
            lambda name: run.journal,
            turns=self._turns,
            concurrency=concurrency,
            slice_s=slice_s,
            say=say,
        )

    async def work(self) -> RunProgress:
        """Send partitions that no other worker sends, until the run is done or stopped.

        It also ends after `stop`. Returns the progress of the run at the end. If this call is
        cancelled, requests in flight are cancelled too, and their contacts may be uncertain.

        Raises:
            SetupError: This worker cannot send, since every call will fail.
            RuntimeError: The client was closed.
            JournalError: There is no such run, or the database cannot be used.
        """
        async with self._turns:
            return await self._work()

    async def _work(self) -> RunProgress:
        while True:
            progress = await self._run.progress()
            if progress.is_done or progress.stopped_for or self._sender.is_stopping:
                return progress
            parts = await asyncio.to_thread(self._open_parts)
            # The order is random, so that processes that look at the same time start with different
            # partitions.
            random.shuffle(parts)
            has_sent = False
            for part in parts:
                end = await self._sender.send(self._run.journal.run, part)
                has_sent |= end is not None and bool(end.counts)
            if self._sender.stopped_by is not None:
                raise self._sender.stopped_by
            if not has_sent:
                await self._sleep(_LOOK_EVERY_S)

    def stop(self) -> None:
        """Send nothing more and finish the requests in flight; then `work` returns."""
        self._sender.stop()

    def _open_parts(self) -> list[int]:
        journal = self._run.journal
        with errors_of(journal.name), journal.database.connect() as connection:
            found = open_partitions(connection, journal.database)
        return [part for run, part in found if run == journal.run]
