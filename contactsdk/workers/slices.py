"""A slice: what one worker sends of a partition before it looks what else there is to send."""

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
"""For how many seconds contacts are read; what was read is finished after that, too."""

Continue: TypeAlias = Callable[[Connection], object]
"""Gives a partition its next job, in the transaction in which the present slice lets go of it."""


@frozen(kw_only=True)
class SliceEnd:
    """What became of a slice."""

    counts: Counter[State]
    """How many of its contacts ended in which state; what was not applied may still be open."""
    open: int | None
    """How many rows of the partition are open; `None` where another worker has taken it over."""
    stopped_by: Exception | None
    """What stopped it before its time was over; `None` where nothing did."""


class Slice:
    """Sends the open contacts of one partition, for a while or until there are no more.

    `rate` is the ceiling that all workers share; `None` for none.
    Where some are left, `continue_` is called as the partition is let go; `None` for nothing.
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
        """Send nothing more, and finish what is in flight.

        A batch that was accepted is given the time of an attempt: a later slice fetches the results
        that are not there by then.
        """
        if self._stream is not None and not self._is_stopped:
            self._stream.stop()
            if self._patience is not None and self._settings.batch_size is not None:
                now = asyncio.get_running_loop().time()
                self._patience.reschedule(now + self._settings.attempt_timeout_s)
        self._is_stopped = True

    async def send(self) -> SliceEnd:
        """Take the lease, send what is open, and let go.

        Raises:
            PartitionTakenError: Another worker sends the partition, or the run is stopped.
            JournalError: The run is another account's, or the database cannot be used.
            ValueError: `concurrency` is more than the connections of the client.
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
            pass  # what is still in flight is a batch, which stays on record
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
        # What stopped it may stop the next one at once: the sweep gives that one its time.
        if not is_stopped and self._stream is not None and self._stream.stopped_by is None:
            self._continue(connection)
