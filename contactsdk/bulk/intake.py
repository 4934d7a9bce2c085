"""Reads the items of the input, makes jobs of them, and limits how far it reads ahead."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Final

from attrs import evolve

from contactsdk.bulk.open_jobs import OpenJobs, recalled
from contactsdk.bulk.outcome_queue import OutcomeQueue
from contactsdk.bulk.reader import Reader
from contactsdk.bulk.schedule import Job, Schedule
from contactsdk.bulk.settling import RunSettler
from contactsdk.bulk.waiters import Waiters
from contactsdk.errors import JournalError, UncertainError
from contactsdk.journal import JournalRun, State
from contactsdk.models import Contact, Item, key_of
from contactsdk.retry import Delivery, RetryPolicy, is_idempotent

MOST_WAITING_FOR_EACH_IN_FLIGHT: Final = 4
"""For each contact that may be in flight, this many may wait behind their key or for a retry."""


class Intake:
    """Reads items when workers want them, unless too many contacts are waiting.

    An input that is not async is read directly, by whichever worker is free: to wake another task
    for each contact would cost more than all else that a run does for it. An async input, and items
    that an earlier run may have recorded, are read by `read_all`, in a task of its own.

    `on_journal_error` is called with the error if an item cannot be recalled from the journal.
    """

    def __init__(
        self,
        reader: Reader,
        jobs: OpenJobs,
        schedule: Schedule,
        outcomes: OutcomeQueue,
        idle: Waiters,
        policy: RetryPolicy,
        *,
        has_journal: bool,
        most_in_flight: int,
        settler: RunSettler | None,
        on_journal_error: Callable[[JournalError], object],
    ) -> None:
        self.reads_directly = not reader.is_async and not has_journal
        """Whether workers read the input themselves."""
        self.stopped_by: Exception | None = None
        """The exception that the input raised; `None` if it raised none."""
        self.interrupted_by: BaseException | None = None
        """What the input raised that is not an `Exception`, such as a `KeyboardInterrupt`; `None`
        if there was nothing of this kind."""
        self._reader = reader
        self._jobs = jobs
        self._schedule = schedule
        self._outcomes = outcomes
        self._idle = idle
        self._policy = policy
        self._most_waiting = MOST_WAITING_FOR_EACH_IN_FLIGHT * most_in_flight
        self._settler = settler
        self._on_journal_error = on_journal_error
        self._journal: JournalRun | None = None
        self._wanted = asyncio.Semaphore(0)
        self._wanted_count = 0
        self._task: asyncio.Task[None] | None = None
        self._is_stopped = False

    @property
    def count(self) -> int:
        """How many items were read."""
        return self._reader.count

    @property
    def is_finished(self) -> bool:
        """Whether nothing more can be read."""
        return self._reader.is_finished

    @property
    def may_read_more(self) -> bool:
        """Whether another item can be read now, before any open contact ends."""
        return not (self._is_full() or self._reader.is_finished or not self._outcomes.has_room)

    def use(self, journal: JournalRun) -> None:
        """Recall items from this journal, which has the rows of earlier runs."""
        self._journal = journal
        self._switch_to_direct_reading(journal)

    def read_no_more(self) -> None:
        """Read no more items after the one that is being read now."""
        self._is_stopped = True

    def stop(self) -> None:
        """Read no more; an input that is being closed already is not disturbed."""
        self.read_no_more()
        if self._task is not None and not self._reader.is_finished:
            self._task.cancel()

    def read_directly(self) -> Job | None:
        """The next job of an input that is read directly; `None` if there is none now."""
        if not self.reads_directly:
            return None
        while not self._is_full():
            item = self._reader.read()
            if item is None:
                self._note_error()
                return None
            job = self._new_job(item)
            if self._journal is not None:
                job.not_before = self._not_before(self._journal, item)
            if job.outcome is not None or self._schedule.claim(job):
                if job.not_before is None:
                    return job
                self._schedule.make_ready(job)
        return None

    def read_ahead(self) -> bool:
        """Read items directly, for another worker, until a job is ready; returns whether one is."""
        job = self.read_directly()
        if job is None:
            return False
        self._schedule.make_ready(job)
        return True

    def want(self, count: int) -> None:
        """Request `count` items, and one for each other worker that is waiting."""
        if self.reads_directly or self._is_full():
            return
        for _ in range(count + len(self._idle.waiting) - self._wanted_count):
            self._wanted_count += 1
            self._wanted.release()

    async def read_all(self, conclude_earlier: Callable[[Job], Awaitable[bool]]) -> None:
        """Read an input as far as items are wanted, to its end or until it is read directly.

        `conclude_earlier` is called for a contact that an earlier run sent in a batch. It returns
        whether it could conclude the contact by the results of that batch.
        """
        self._task = task = asyncio.current_task()
        try:
            # An input may catch the cancellation by which `stop` ends the reading.
            while not (self._reader.is_finished or self._is_stopped):
                await self._wanted.acquire()
                await self._read_one(conclude_earlier)
                self._wanted_count -= 1
                if self._journal is not None and self._switch_to_direct_reading(self._journal):
                    return
            if task is not None and not (self._reader.is_finished or task.cancelling()):
                # A cancellation will follow after `finish`. Wait for it here, so that it does not
                # interrupt the closing of the input.
                await asyncio.get_running_loop().create_future()
        except JournalError as error:
            self._on_journal_error(error)
        finally:
            try:
                if not self.reads_directly:
                    await self._reader.aclose()
            finally:
                self._note_error()
                self._idle.wake_all()

    def _switch_to_direct_reading(self, journal: JournalRun) -> bool:
        """Have workers read the rest, if it is not async and nothing of it is recorded.

        Returns whether they do from now on.
        """
        is_past = self._reader.count >= journal.first_unrecorded
        self.reads_directly = is_past and not self._reader.is_async
        return self.reads_directly

    async def _read_one(self, conclude_earlier: Callable[[Job], Awaitable[bool]]) -> None:
        """Read until there is a job for a worker, or too many contacts wait."""
        while not (self._is_full() or self._is_stopped):
            item = await self._reader.receive()
            if item is None:
                return
            job = self._new_job(item)
            is_known = self._journal is not None and await self._recall(self._journal, job)
            if is_known or (job.earlier_batch is not None and await conclude_earlier(job)):
                await self._outcomes.room()
            elif self._begin_search(job):
                continue
            elif job.outcome is not None or self._schedule.claim(job):
                self._schedule.make_ready(job)
                if job.not_before is None:
                    self._idle.wake()
                    return

    def _new_job(self, item: Item) -> Job:
        index = self._reader.count - 1
        if isinstance(item, Contact):
            is_safe = is_idempotent(item, self._policy)
            job = Job(index, item, key_of(item), Delivery(is_safe, 0.0, None))
        else:
            job = Job(index, item, None, Delivery(False, 0.0, None))
            job.outcome = self._jobs.outcome_of(job, None, item)
        self._jobs.add(job)
        return job

    def _not_before(self, journal: JournalRun, item: Item) -> float | None:
        return journal.not_before(item) if isinstance(item, Contact) else None

    async def _recall(self, journal: JournalRun, job: Job) -> bool:
        """Recall an item from the journal; returns whether its recorded outcome was handed out."""
        if journal.needs_load(job.index):
            await journal.load(job.index)
        if self._settler is not None and journal.is_key_uncertain(job.index):
            self._settler.keys.enter(job.key)
        recorded = journal.recall(job.index, job.item, idempotent=job.delivery.is_idempotent)
        if recorded is None:
            job.not_before = self._not_before(journal, job.item)
            job.delivery.maybe_applied = job.is_intended = journal.is_in_doubt(job.index)
            if job.is_intended:
                job.earlier_batch = journal.batch_of(job.index)
            return False
        outcome = recalled(job, recorded)
        if recorded.state is State.WAITING:  # superseded by a later item: still to be recorded
            job.outcome = outcome
            return False
        if recorded.state is State.SENT:  # uncertain now: still to be recorded
            job.outcome, job.is_intended = outcome, True
            job.delivery.maybe_applied, job.delivery.id_floor = True, recorded.id_floor
            if recorded.batch_id is not None:
                job.earlier_batch = (recorded.batch_id, recorded.batch_position)
            return False
        self._jobs.finish(job, outcome)
        return True

    def _begin_search(self, job: Job) -> bool:
        """Start to look up an uncertain add that an earlier owner left in flight, if it is one.

        Returns whether it did. This is done only in a slice of a submitted run: other runs can be
        settled afterwards with the whole input, by `ContactClient.settle`.
        """
        journal, settler, outcome = self._journal, self._settler, job.outcome
        if settler is None or journal is None or not (journal.is_slice and job.is_intended):
            return False
        if outcome is None or job.delivery.is_idempotent:
            return False
        if not self._schedule.claim(job):
            return True  # its outcome is handed out when its key is free
        assert isinstance(outcome.error, UncertainError)  # noqa: S101  # it was in flight
        assert isinstance(job.item, Contact)  # noqa: S101  # only contacts are sent
        job.outcome, job.is_inherited = None, True
        error = settler.begin(job, outcome.error, not_before=journal.not_before(job.item))
        if error is not None:
            job.outcome = evolve(outcome, error=error)
            self._schedule.make_ready(job)
            self._idle.wake()
        return True

    def _is_full(self) -> bool:
        """Whether too many contacts wait, so that no more items are read."""
        waiting = self._schedule.waiting
        if self._settler is not None:
            waiting += self._settler.waiting
        return waiting >= self._most_waiting

    def _note_error(self) -> None:
        # No more items are read after an error, but those that were read before are still sent.
        error = self._reader.error
        if isinstance(error, Exception):
            self.stopped_by = self.stopped_by or error
        elif error is not None:
            self.interrupted_by = error
