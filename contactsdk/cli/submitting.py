"""An import with a journal in a database: it is submitted, watched, and its outcomes are read.

Workers send the contacts; if there is no worker, this process does. Anybody who runs the same
command again joins the run, since the database has everything that is known of it.
"""

import asyncio
import contextlib
from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING, Final

from attrs import frozen

from contactsdk.bulk import Outcome, Progress
from contactsdk.bulk.progress import RecentRate
from contactsdk.cli.checking import NumberedItem
from contactsdk.cli.interruption import STOPPING, Interruption
from contactsdk.cli.run import Ending, Sending, find_wrong_setup
from contactsdk.client import ContactClient
from contactsdk.errors import JournalError, SetupError, UncertainError
from contactsdk.files import Result, not_started, result_of
from contactsdk.journal import JournalRow
from contactsdk.journal import State as JournalState
from contactsdk.models import Contact, Item

if TYPE_CHECKING:  # at run time, these need an extra
    from contactsdk.distributed import RunProgress
    from contactsdk.journal.postgres import PostgresJournal
    from contactsdk.workers.run_worker import RunWorker

_LOOK_EVERY_S: Final = 0.2

# More partitions cost more: each has a lease, and contacts of two partitions never share a batch.
_ROWS_OF_A_PARTITION: Final = 500
_MOST_PARTITIONS: Final = 64


# The journal asks for a row's number when it writes rows, 10,000 at a time.
_NUMBERS_KEPT: Final = 20_000


class RunStoppedError(Exception):
    """The run was stopped for all workers; the message is the reason."""


class LeftRunningError(Exception):
    """A signal ended the command before the run was done; the message says how far the run is."""


class _InterruptedError(Exception):
    """A signal came while the input was being submitted."""


@frozen(kw_only=True)
class Watching:
    """The functions that are called while an import is submitted and watched."""

    record: Callable[[Result], None]
    """Called with the result of each row, in input order, once the run has ended."""
    begin: Callable[[], None]
    """Called right before the first row is submitted."""
    show: Callable[[Progress], object]
    """Called with the progress of the run, a few times a second."""
    say: Callable[[str], object]
    """Called with a message of one line for the user."""


async def import_by_workers(
    client: ContactClient,
    journal: "PostgresJournal",
    numbered: Iterable[NumberedItem],
    sending: Sending,
    watching: Watching,
) -> Ending:
    """Have every row of an input sent, record the result of each, and close the client.

    `numbered` is read twice, so it must not be an iterator.

    Raises:
        LeftRunningError: A signal came; nothing was recorded, and the run may go on.
        ValueError: An option is out of its range.
        JournalError: The database cannot be used, or has another run of this name.
    """
    async with client:
        wrong = await find_wrong_setup(client)
        if wrong is not None:
            for line, number, _ in numbered:
                watching.record(not_started(line, number))
            return Ending(wrong)
        submitted = _SubmittedImport(client, journal, sending, watching)
        with Interruption(submitted.interrupt) as interruption:
            await interruption.guard(submitted.run_to_its_end(numbered))
        if submitted.progress is None or interruption.happened:
            await submitted.look_again()
            raise LeftRunningError(submitted.left())
        await submitted.record_all(numbered)
        return Ending(submitted.stopped_by)


class _SubmittedImport:
    """One import: submits it, and watches it until it ends."""

    progress: "RunProgress | None" = None
    """How far the run was at the last look; `None` before the whole input was submitted."""
    stopped_by: Exception | None = None
    """Why the run ended before everything was sent; `None` if everything was."""

    def __init__(
        self,
        client: ContactClient,
        journal: "PostgresJournal",
        sending: Sending,
        watching: Watching,
    ) -> None:
        from contactsdk.distributed import SubmittedRun  # needs an extra, as its journal does

        self._client = client
        self._run: SubmittedRun = SubmittedRun(journal)
        self._sending = sending
        self._watching = watching
        self._clock = asyncio.get_running_loop().time
        self._started_at = self._clock()
        self._recent = RecentRate(self._started_at)
        self._interrupted = asyncio.Event()
        self._worker: RunWorker | None = None

    def interrupt(self) -> None:
        """Stop submitting, stop sending from this process, and stop watching."""
        self._interrupted.set()
        if self._worker is not None:
            self._watching.say(STOPPING)
            self._worker.stop()

    async def run_to_its_end(self, numbered: Iterable[NumberedItem]) -> None:
        """Submit the input, and watch until all is sent, the run is stopped, or a signal comes."""
        try:
            await self._submit(numbered)
        except _InterruptedError:
            return
        self.progress = progress = await self._run.progress()
        if progress.stopped_for is not None or progress.not_applied:
            await self._run.resume()
        try:
            async with asyncio.TaskGroup() as tasks:
                await self._watch(tasks)
        except ExceptionGroup as group:
            raise group.exceptions[0] from group

    async def look_again(self) -> None:
        """Update `progress`; if the database cannot be reached, it stays as it was."""
        if self.progress is not None:
            with contextlib.suppress(JournalError):
                self.progress = await self._run.progress()

    def left(self) -> str:
        """A message about a run that goes on, or can go on, without this command."""
        progress = self.progress
        if progress is None:
            return "interrupted before the whole input was in the database: nothing was sent"
        ended = f"{progress.read - progress.open:,} of {progress.read:,} rows are done"
        if progress.workers:
            return f"interrupted: {ended}, and workers go on with the others"
        return f"interrupted: {ended}; no worker sends the others now"

    async def record_all(self, numbered: Iterable[NumberedItem]) -> None:
        """Record the result of each row, as the database has it."""
        rows = self._run.rows()
        for line, number, item in numbered:
            self._watching.record(_result(line, number, item, await anext(rows)))

    async def _submit(self, numbered: Iterable[NumberedItem]) -> None:
        sending = self._sending
        try:
            partitions = (await self._run.progress()).partitions
        except JournalError:  # the run is not in the database yet
            partitions = min(max(1, sending.rows // _ROWS_OF_A_PARTITION), _MOST_PARTITIONS)
        await self._client.submit(
            self._items(numbered),
            journal=self._run.journal,
            partitions=partitions,
            rate_per_s=sending.rate_per_s,
            batch_size=sending.batch_size,
            give_up_s=sending.give_up_s,
        )

    def _items(self, numbered: Iterable[NumberedItem]) -> Iterator[Item]:
        self._watching.begin()
        lines = self._sending.lines
        for index, (_, number, item) in enumerate(numbered):
            if self._interrupted.is_set():
                # If the input just ended here, the database would take it for the whole input.
                raise _InterruptedError
            lines[index] = number
            lines.pop(index - _NUMBERS_KEPT, None)
            yield item

    async def _watch(self, tasks: asyncio.TaskGroup) -> None:
        nobody_since = seen_at = self._clock()
        while not self._interrupted.is_set():
            now = self._clock()
            try:
                progress = await self._run.progress()
            except JournalError:
                if now - seen_at >= self._run.journal.reconnect_s:
                    raise
            else:
                seen_at, self.progress = now, progress
                self._show(progress)
                if progress.stopped_for is not None and self.stopped_by is None:
                    self.stopped_by = RunStoppedError(progress.stopped_for)
                if progress.is_done or self.stopped_by is not None:
                    break
                if progress.workers:
                    nobody_since = now
                is_alone = now - nobody_since >= self._sending.worker_within_s
                if self._worker is None and (self._sending.here or is_alone):
                    self._send_here(tasks)
            await self._pause()
        if self._worker is not None:
            self._worker.stop()

    async def _pause(self) -> None:
        try:
            async with asyncio.timeout(_LOOK_EVERY_S):
                await self._interrupted.wait()
        except TimeoutError:
            return

    def _send_here(self, tasks: asyncio.TaskGroup) -> None:
        from contactsdk.workers.run_worker import RunWorker

        worker = RunWorker(
            self._client, self._run, concurrency=self._sending.concurrency, say=lambda _: None
        )

        async def work() -> None:
            try:
                await worker.work()
            except SetupError as error:
                self.stopped_by = error

        if not self._sending.here:
            self._watching.say("no worker sends this run, so this process does")
        self._worker = worker
        tasks.create_task(work())

    def _show(self, progress: "RunProgress") -> None:
        now = self._clock()
        ended = progress.read - progress.open
        self._watching.show(
            Progress(
                read=progress.read,
                succeeded=progress.succeeded,
                failed=progress.failed + progress.not_applied,
                uncertain=progress.uncertain,
                in_flight=0,
                throttled=0,
                rate_limit_per_s=None,
                paused_s=0.0,
                is_platform_away=False,
                resumes_in_s=None,
                rate_per_s=self._recent.per_s(now, ended),
                elapsed_s=now - self._started_at,
            )
        )


def _result(line: int, number: int, item: Item, row: JournalRow) -> Result:
    """The result of a row of the input, from its row in the database."""
    contact, error = item if isinstance(item, Contact) else None, row.error
    if row.state is JournalState.WAITING:
        return not_started(line, number)
    if row.state is JournalState.SENT:
        error = UncertainError("in flight when the run ended")
    outcome = Outcome(row.number, contact, row.id, error, row.attempts, 0.0, row.settled)
    return result_of(line, number, outcome)
