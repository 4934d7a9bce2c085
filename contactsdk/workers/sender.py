"""Sends partitions, one slice at a time, and handles how each slice ended."""

import asyncio
import logging
import os
import secrets
import socket
from collections.abc import Callable
from typing import Final

from contactsdk.arguments import check_positive
from contactsdk.client import ContactClient
from contactsdk.distributed.postgres_rate import TurnTable
from contactsdk.distributed.submitted_run import SubmittedRun
from contactsdk.distributed.work import record_setup_error
from contactsdk.errors import ContactError, JournalError, SetupError
from contactsdk.journal.postgres import PostgresJournal
from contactsdk.journal.postgres_partition import PartitionTakenError
from contactsdk.retry import reason
from contactsdk.workers.slices import SLICE_S, Continue, Slice, SliceEnd

_logger: Final = logging.getLogger("contactsdk")


class Sender:
    """Sends slices of partitions with one client.

    `journal_of` returns the journal of a run, given the run's name. `turns` is the table for a rate
    that all workers share; without it, the rate of a run is not limited. `say` is called with a
    line of text for each event.
    """

    stopped_by: Exception | None = None
    """Why this worker cannot send any more; `None` while it can."""

    def __init__(
        self,
        client: ContactClient,
        journal_of: Callable[[str], PostgresJournal],
        *,
        turns: TurnTable | None = None,
        concurrency: int | None,
        slice_s: float = SLICE_S,
        say: Callable[[str], object] = _logger.info,
    ) -> None:
        check_positive("slice_s", slice_s)
        self.name = f"{socket.gethostname()}, process {os.getpid()} ({secrets.token_hex(4)})"
        """The name of this worker, which no other worker has."""
        self.is_stopping = False
        self._client = client
        self._journal_of = journal_of
        self._turns = turns
        self._concurrency = concurrency
        self._slice_s = slice_s
        self._say = say
        self._slice: Slice | None = None

    def stop(self) -> None:
        """Send nothing more, and finish the requests in flight."""
        self.is_stopping = True
        if self._slice is not None:
            self._slice.stop()

    async def send(self, run: str, part: int, continue_: Continue | None = None) -> SliceEnd | None:
        """Send a slice of a partition, if it has open contacts and no other worker sends them.

        If contacts are left, `continue_` is called in the transaction that releases the lease.
        Returns `None` if there was nothing that this worker could send.
        """
        if self.is_stopping:
            return None
        journal = self._journal_of(run)
        try:
            settings = await SubmittedRun(journal).settings()
            self._slice = Slice(
                self._client,
                journal,
                part,
                settings,
                rate=None if self._turns is None else self._turns.rate(settings.rate_per_s),
                concurrency=self._concurrency,
                slice_s=self._slice_s,
                continue_=continue_,
            )
            if self.is_stopping:
                return None
            end = await self._slice.send()
            if end.counts or end.stopped_by is not None:
                self._say(f"run {run}, part {part}: {_described(end)}")
            if end.stopped_by is not None:
                await self._see_to(end.stopped_by, journal)
            return end
        except PartitionTakenError:
            pass  # another worker sends it, or the run was stopped
        except JournalError as error:
            self._say(f"run {run}, part {part}: {error}")
        finally:
            self._slice = None
        return None

    async def _see_to(self, error: Exception, journal: PostgresJournal) -> None:
        """Stop what has to be stopped for this error: this worker, the run, or nothing."""
        match error:
            case SetupError():
                self._stop_for(error)
                # If the platform itself has answered, other workers may get the same error.
                if error.http_status is not None:
                    record = asyncio.to_thread(record_setup_error, journal, self.name, str(error))
                    if await record is not None:
                        self._say(f"run {journal.run}: stopped for all workers: {_why(error)}")
            case JournalError(number=None):
                # It was reported already. Another worker has the partition now, or the database is
                # away.
                pass
            case ContactError() | JournalError():
                await SubmittedRun(journal).stop(str(error))
                self._say(f"run {journal.run}: stopped for all workers: {_why(error)}")
            case RuntimeError():
                self._stop_for(error)  # the client was closed

    def _stop_for(self, error: Exception) -> None:
        self.stopped_by = error
        self.is_stopping = True


def _described(end: SliceEnd) -> str:
    ended = ", ".join(f"{count:,} {state}" for state, count in sorted(end.counts.items()))
    left = "" if not end.open else f"; {end.open:,} left"
    why = "" if end.stopped_by is None else f"; {_why(end.stopped_by)}"
    return f"{ended or 'nothing sent'}{left}{why}"


def _why(error: Exception) -> str:
    """What to say of an error; a text of the platform may have values of a contact."""
    if isinstance(error, ContactError) and error.http_status is not None:
        return reason(error)
    return str(error)
