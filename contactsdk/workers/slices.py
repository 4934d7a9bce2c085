"""A slice: the part of a partition that a worker sends before another partition has its turn."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Callable
from typing import Final, TypeAlias

from attrs import frozen

from contactsdk.bulk import OutcomeStream, Progress
from contactsdk.bulk.turns import SharedRate
from contactsdk.client import ContactClient
from contactsdk.distributed.partition import Partition
from contactsdk.distributed.settings import RunSettings
from contactsdk.journal import State
from contactsdk.journal.postgres import PostgresJournal
from contactsdk.journal.postgres_connection import Connection
from contactsdk.journal.rows import state_of
from contactsdk.models import Contact

SLICE_S: Final = 30.0
"""For how many seconds a slice reads contacts; those that it has read are finished after that."""

Continue: TypeAlias = Callable[[Connection], object]
"""Queues the next job of a partition, in the transaction that releases the partition's lease."""


@frozen(kw_only=True)
class SliceEnd:
    """The result of a slice."""

    counts: Counter[State]
    """How many contacts of the slice ended in each state; those "not applied" may still be open."""
    open: int | None
    """How many rows of the partition are open; `None` if another worker has taken it over."""
    stopped_by: Exception | None
    """What stopped the slice before its time was over; `None` if nothing did."""


class Slice:
    """Sends the open contacts of one partition, for `slice_s` seconds or until there are no more.

    `rate` is the ceiling that all workers share; `None` for no ceiling. If contacts are left,
    `continue_` is called when the lease is released; `None` for no call.
    """

    def __init__(
        self,
        client: ContactClient,
        journal: PostgresJournal,
        part: int,
        settings: RunSettings,
        *,
        rate: SharedRate | None = None,
        concurrency: int | None = None,
        slice_s: float = SLICE_S,
        continue_: Continue | None = None,
    ) -> None:
        self._client = client
        self._partition = Partition(journal, part, on_release=self._on_release)
        self._settings = settings
        self._rate = rate
        self._concurrency = concurrency
        self._slice_s = slice_s
        self._continue = continue_
        self._counts = Counter[State]()
        self._stream: OutcomeStream | None = None
        self._patience: asyncio.Timeout | None = None
        self._is_stopped = False
        self._open: int | None = None

    def stop(self) -> None:
        """Send nothing more, and finish the requests in flight.

        An accepted batch is waited for as long as one attempt may take. A later slice fetches the
        results that have not come by then.
        """
        if self._stream is not None and not self._is_stopped:
            self._stream.stop()
            if self._patience is not None and self._settings.batch_size is not None:
                now = asyncio.get_running_loop().time()
                self._patience.reschedule(now + self._settings.attempt_timeout_s)
        self._is_stopped = True

    async def send(self) -> SliceEnd:
        """Take the lease, send open contacts, and release the lease.

        Raises:
            PartitionTakenError: Another worker sends the partition, or the run is stopped.
            JournalError: The run belongs to another account, or the database cannot be used.
            ValueError: `concurrency` is more than the client has connections.
        """
        options = self._settings.bulk_options
        options["journal"] = self._partition
        options["rate_per_s"] = self._rate
        options["concurrency"] = self._concurrency
        options["on_progress"] = self._look_if_stopped
        stream = self._client.stream(self._contacts(), **options)
        async with stream:
            if self._is_stopped:
                stream.stop()
            await self._take_outcomes(stream)
        return SliceEnd(counts=self._counts, open=self._open, stopped_by=stream.stopped_by)

    async def _take_outcomes(self, stream: OutcomeStream) -> None:
        self._stream = stream
        try:
            async with asyncio.timeout(None) as self._patience:
                while (outcome := await stream.next()) is not None:
                    self._counts[state_of(outcome.error)] += 1
        except TimeoutError:
            pass  # only accepted batches are still in flight, and they stay recorded
        finally:
            self._patience = None

    async def _contacts(self) -> AsyncIterator[Contact]:
        clock = asyncio.get_running_loop().time
        ends_at = clock() + self._slice_s
        async for contact in self._partition:
            yield contact
            if clock() >= ends_at:
                return

    def _look_if_stopped(self, progress: Progress) -> None:
        if self._partition.stopped_for is not None:
            self.stop()

    def _on_release(self, connection: Connection, open_: int) -> None:
        self._open = open_
        if self._continue is None or not open_:
            return
        is_stopped = self._partition.stopped_for is not None
        # If something stopped this slice, it may stop the next one at once. So the next one is left
        # to the sweep, which queues it later.
        if not is_stopped and self._stream is not None and self._stream.stopped_by is None:
            self._continue(connection)
