"""One bulk run: what its workers share, from reading the input to the outcome of each item.

An item is read, becomes a `Job`, is scheduled, sent by a worker, and ends with one `Outcome`. A
contact that has to wait for its next attempt goes back to the schedule, so the number of workers
is the number of requests that are open at a time, and nothing polls.
"""

import asyncio
import math
from collections.abc import AsyncIterable, Awaitable, Callable, Iterable
from typing import Final

from attrs import frozen

from contactsdk.arguments import check_count, check_positive, check_seconds
from contactsdk.bulk.actions import BatchActions, Send
from contactsdk.bulk.batching import BatchSize
from contactsdk.bulk.foreign_answers import ForeignAnswers
from contactsdk.bulk.interruptible_waits import InterruptibleWaits
from contactsdk.bulk.outcome_queue import OutcomeQueue
from contactsdk.bulk.outcomes import Outcome
from contactsdk.bulk.progress import OnProgress, Progress, RecentRate, Reporter
from contactsdk.bulk.reader import Reader
from contactsdk.bulk.schedule import Job, Schedule
from contactsdk.bulk.settling import RunClock, RunSettler, SettlingMeans
from contactsdk.bulk.turns import Turns
from contactsdk.bulk.waiters import Waiters
from contactsdk.errors import (
    ContactError,
    InvalidContactError,
    JournalError,
    UnavailableError,
    UncertainError,
)
from contactsdk.journal import JournalRow, JournalRun, State
from contactsdk.models import Contact, Item, key_of
from contactsdk.pacing import BreakerState, Pacer, RateCap
from contactsdk.retry import Delivery, RetryPolicy, is_idempotent
from contactsdk.settling import AnsweredIds
from contactsdk.wire import MAX_JOBS

MOST_WAITING_FOR_EACH_IN_FLIGHT: Final = 4
"""So many contacts may wait for each one in flight: behind their key, or for their next attempt."""

_SHORTEST_PAUSE_S: Final = 0.5  # what is shorter is the spacing of requests under a rate limit


@frozen(kw_only=True)
class RunOptions:
    """What a run is to do, checked.

    Raises:
        ValueError: A number is out of its range.
    """

    policy: RetryPolicy
    concurrency: int
    batch_size: int | None = None
    rate_per_s: float | None = None
    give_up_s: float = 300.0
    on_progress: OnProgress | None = None

    def __attrs_post_init__(self) -> None:
        check_count("concurrency", self.concurrency)
        if self.batch_size is not None:
            check_count("batch_size", self.batch_size, MAX_JOBS)
        check_seconds("give_up_s", self.give_up_s)
        if self.rate_per_s is not None:
            check_positive("rate_per_s", self.rate_per_s)

    @property
    def most_in_flight(self) -> int:
        """How many contacts are in flight at a time, at most."""
        return self.concurrency * (self.batch_size or 1)


class Run:
    """The state of one run; its workers use it, and `OutcomeStream` starts and ends it."""

    def __init__(
        self,
        contacts: Iterable[Item] | AsyncIterable[Item],
        send: Send,
        batch_actions: BatchActions,
        pacer: Pacer,
        options: RunOptions,
        *,
        open_journal: Callable[[], Awaitable[JournalRun]] | None = None,
        is_proven: bool = False,
        ids: AnsweredIds | None = None,
        settling: SettlingMeans | None = None,
    ) -> None:
        self.options = options
        self.send = send
        self.batch_actions = batch_actions
        self.batch_size = BatchSize(options.batch_size or 1)
        self.pacer = pacer
        self.clock = asyncio.get_running_loop().time
        self.outcomes = OutcomeQueue(bound=options.most_in_flight)
        self.schedule = Schedule()
        self.foreign_answers = ForeignAnswers(is_proven=is_proven)
        self.journal: JournalRun | None = None
        self.in_flight = 0
        self.throttled = 0
        self.stopped_by: Exception | None = None
        self.interrupted_by: BaseException | None = None
        """What the input raised that is no `Exception`, such as a `KeyboardInterrupt`."""
        self.is_stopping = False
        rate = options.rate_per_s
        cap = None if rate is None else RateCap(rate, clock=self.clock)
        self.turns = Turns(pacer, cap)
        self.ids = ids or AnsweredIds(keeps=settling is not None)
        """The ids that were answered to all calls and runs of the client."""
        self.settler: RunSettler | None = None
        """What looks for uncertain adds; `None` where they are not looked for."""
        if settling is not None and options.policy.settle_s is not None:
            self.settler = RunSettler(
                settling,
                options.policy,
                self.ids,
                self.schedule,
                pacer,
                times=RunClock(clock=self.clock, now=self.now),
                wait_for_turn=lambda: self.turns.acquire_unless(self.unless_stopped),
            )
        self._reader = Reader(contacts)
        self._open_journal = open_journal
        # Without a journal, an input that is at hand is read by whichever worker is free: to wake
        # another task for each contact would cost more than all else that a run does for it.
        self.reads_directly = not self._reader.is_async and open_journal is None
        self._most_waiting = MOST_WAITING_FOR_EACH_IN_FLIGHT * options.most_in_flight
        self._open_jobs: dict[int, Job] = {}
        self._idle = Waiters()
        self._wanted = asyncio.Semaphore(0)
        self._wanted_count = 0
        self.unless_stopped = InterruptibleWaits()
        """For what is only waited for to start something new."""
        self.unless_given_up = InterruptibleWaits()
        """For what ends something that was begun."""
        self.proven = asyncio.Event()
        """Set once more than one request may be open: after the first good answer."""
        if is_proven and options.batch_size is None:
            # A key that works may yet have no right to batches, or to their results.
            self.proven.set()
        self._succeeded = self._failed = self._uncertain = 0
        self._started_at = self.clock()
        self._paused_before_s = pacer.paused_s
        self._reading: asyncio.Task[None] | None = None
        self._recent = RecentRate(self._started_at)
        reporter = options.on_progress
        self._reporter = None if reporter is None else Reporter(reporter)

    # The life of a run.

    async def open(self) -> None:
        """Open the journal.

        Raises:
            JournalError: It cannot be used.
        """
        if self._open_journal is not None:
            self.journal = await self._open_journal()

    async def aclose(self) -> None:
        """Let go of the journal."""
        if self.journal is not None:
            await self.journal.close()

    def stop(self, reason: Exception | None) -> None:
        """Start nothing new, and let what is in flight end; the first reason is kept."""
        if self.stopped_by is None:
            self.stopped_by = reason
        if self.is_stopping:
            return
        self.is_stopping = True
        self.end_reading()
        self._idle.wake_all()
        self.unless_stopped.interrupt()

    def give_up(self, reason: Exception) -> None:
        """Stop, and wait no more for what the platform does not answer now."""
        self.stop(reason)
        self.unless_given_up.interrupt()

    def end_reading(self) -> None:
        """Read no more; an input that is being closed already is not disturbed."""
        if self._reading is not None and not self._reader.is_finished:
            self._reading.cancel()

    def prove(self) -> None:
        """The platform gave a good answer, so more than one request may be open from now on."""
        self.proven.set()

    # What comes next.

    def next_job_nowait(self) -> Job | None:
        """A job, if there is one at once and there is room for its outcome."""
        if self.is_stopping or not self.outcomes.has_room:
            return None
        if self.schedule:
            job = self.schedule.take(self.clock())
            if job is not None:
                return job
        return self._read_directly() if self.reads_directly else None

    async def next_job(self, wanted: int = 1) -> Job | None:
        """The next job, once there is one; `None` when there will be none.

        `wanted` says how many the caller has use for in all.
        """
        while not self.is_stopping:
            if not self.outcomes.has_room:
                await self.outcomes.room()
                continue
            job = self.next_job_nowait()
            if job is not None:
                return job
            if self._reader.is_finished and not self.schedule:
                break
            self._want_items(wanted)
            await self._idle.wait(self.schedule.next_due)
        self._idle.wake_all()
        self.proven.set()  # nobody need wait for it any more
        return None

    async def next_job_until(self, end: float, wanted: int) -> Job | None:
        """The next job if there is one before this time; `None` where none is to be expected."""
        while self.clock() < end:
            job = self.next_job_nowait()
            if job is not None or self.reads_directly or not self._may_read_more:
                return job
            self._want_items(wanted)
            await self._idle.wait(min(end, self.schedule.next_due or end))
        return None

    @property
    def _may_read_more(self) -> bool:
        is_full = self._is_full() or not self.outcomes.has_room
        return not (is_full or self._reader.is_finished or self.is_stopping)

    def retry_later(self, job: Job, wait_s: float) -> None:
        """Have a job sent again after so many seconds."""
        self.schedule.retry_at(job, self.clock() + wait_s)

    def put_back(self, job: Job) -> None:
        """Have a job taken again that was taken and not begun."""
        if job.delivery.attempts:
            self.schedule.retry_at(job, self.clock())
        else:
            self.schedule.make_ready(job)

    def now(self) -> float:
        """The time by the run's clock, which stands still while the whole run is paused."""
        return self.clock() - self.pacer.paused_s

    # Settling.

    def note_first_attempt(self, job: Job) -> None:
        """The first attempt of a job is about to begin."""
        # The ids that are answered from now on may be those of other contacts.
        job.delivery.id_floor = self.ids.highest if self.settler is None else self.ids.begin_add()

    def may_be_settled(self, job: Job) -> bool:
        """Whether a job is looked for if it ends as uncertain."""
        is_settling = self.settler is not None and not self.is_stopping
        return is_settling and not job.delivery.is_idempotent

    # Reading.

    def _read_directly(self) -> Job | None:
        while not self._is_full():
            item = self._reader.read()
            if item is None:
                self._note_input_error()
                return None
            job = self._new_job(item)
            if job.outcome is not None or self.schedule.claim(job):
                return job
        return None

    def _is_full(self) -> bool:
        """Whether so many contacts wait that no more are read."""
        waiting = self.schedule.waiting
        if self.settler is not None:
            waiting += self.settler.waiting
        return waiting >= self._most_waiting

    def _note_input_error(self) -> None:
        # Nothing more is read, and what was read before is still sent.
        error = self._reader.error
        if isinstance(error, Exception):
            self.stopped_by = self.stopped_by or error
        elif error is not None:
            self.interrupted_by = error

    def _want_items(self, count: int) -> None:
        """Have so many items read, and one for each other worker that waits for one."""
        if self.reads_directly or self._is_full():
            return
        for _ in range(count + len(self._idle) - self._wanted_count):
            self._wanted_count += 1
            self._wanted.release()

    async def read_all(self, conclude_earlier: Callable[[Job], Awaitable[bool]]) -> None:
        """Read an input that no worker reads directly, as far as the workers want items.

        `conclude_earlier` hands out what became of a contact that an earlier run sent in a batch,
        and says whether that is known.
        """
        self._reading = asyncio.current_task()
        try:
            while not self._reader.is_finished:
                await self._wanted.acquire()
                await self._read_one(conclude_earlier)
                self._wanted_count -= 1
        except JournalError as error:
            self.stop(error)
        finally:
            try:
                await self._reader.aclose()
            finally:
                self._note_input_error()
                self._idle.wake_all()

    async def _read_one(self, conclude_earlier: Callable[[Job], Awaitable[bool]]) -> None:
        """Read until there is something for a worker, or until too many wait."""
        while not self._is_full():
            item = await self._reader.receive()
            if item is None:
                return
            job = self._new_job(item)
            is_known = self.journal is not None and await self._recall(self.journal, job)
            if is_known or (job.earlier_batch is not None and await conclude_earlier(job)):
                await self.outcomes.room()
            elif job.outcome is not None or self.schedule.claim(job):
                self.schedule.make_ready(job)
                self._idle.wake()
                return

    def _new_job(self, item: Item) -> Job:
        index = self._reader.count - 1
        if isinstance(item, Contact):
            safe = is_idempotent(item, self.options.policy)
            job = Job(index, item, key_of(item), Delivery(safe, 0.0, None))
        else:
            job = Job(index, item, None, Delivery(False, 0.0, None))
            job.outcome = self._outcome(job, None, item)
        self._open_jobs[index] = job
        return job

    async def _recall(self, journal: JournalRun, job: Job) -> bool:
        """Whether an earlier run left an outcome for this item, which is handed out then."""
        if journal.needs_load(job.index):
            await journal.load(job.index)
        recorded = journal.recall(job.index, job.item, idempotent=job.delivery.is_idempotent)
        if recorded is None:
            job.delivery.maybe_applied = job.is_intended = journal.is_in_doubt(job.index)
            if job.is_intended:
                job.earlier_batch = journal.batch_of(job.index)
            return False
        outcome = _recalled(job, recorded)
        if recorded.state is State.SENT:  # it is uncertain now, which is to be recorded
            job.outcome, job.is_intended = outcome, True
            job.delivery.maybe_applied = True
            if recorded.batch_id is not None:
                job.earlier_batch = (recorded.batch_id, recorded.batch_position)
            return False
        self.finish(job, outcome)
        return True

    # The outcome of each item.

    def conclude(
        self,
        job: Job,
        contact_id: int | None,
        error: ContactError | None,
        *,
        settled: bool = False,
    ) -> Awaitable[None] | None:
        """Record the outcome and hand it out; what is returned, if anything, is to be awaited."""
        outcome = self._outcome(job, contact_id, error, settled=settled)
        if self.journal is None:
            self.finish(job, outcome)
            return None
        return self.record(self.journal, job, outcome)

    def hand_out(self, job: Job) -> Awaitable[None] | None:
        """Hand out the outcome of an item that is not sent, as `conclude` does."""
        assert job.outcome is not None  # noqa: S101  # the caller looked
        if self.journal is None:
            self.finish(job, job.outcome)
            return None
        return self.record(self.journal, job, job.outcome)

    def leave(self, job: Job, error: ContactError) -> None:
        """Hand out that a contact is uncertain, and leave it on record as sent.

        So another run can look again for what became of it.
        """
        self.finish(job, self._outcome(job, None, error))

    def withdraw(self, job: Job) -> None:
        """Note that the contact was not applied so far, if that is known."""
        if self.journal is not None and job.is_intended and not job.delivery.is_in_doubt:
            self.journal.withdraw(job.index, job.item)

    async def record(self, journal: JournalRun, job: Job, outcome: Outcome) -> None:
        """Hand out an outcome once it is on record."""
        try:
            await journal.record_outcome(
                job.index,
                job.item,
                outcome.id,
                outcome.error,
                outcome.attempts,
                settled=outcome.settled,
            )
        except JournalError as error:
            self.stop(error)
        # Also if it could not be recorded: what is known of the contact is not kept back.
        self.finish(job, outcome)

    def finish(self, job: Job, outcome: Outcome) -> None:
        """Hand out the one outcome of an item, and let the next contact with its key be sent."""
        del self._open_jobs[job.index]
        if outcome.id is not None:
            self.ids.record(outcome.id)
        if self.settler is not None:
            if job.began_at is not None:
                self.ids.end_add(job.delivery.id_floor)
            if outcome.uncertain and job.search is None:
                self.settler.keys.enter(job.key)
        if outcome.error is None:
            self._succeeded += 1
        elif outcome.uncertain:
            self._uncertain += 1
        else:
            self._failed += 1
        self.outcomes.put(outcome)
        if self.schedule.release(job):
            self._idle.wake()

    def before_send(self, delivery: Delivery) -> Callable[[], object]:
        """What is called right before a contact is handed to a connection."""
        journal = self.journal
        if journal is None:
            return delivery.hand_over

        def hand_over() -> None:
            journal.check_may_send()  # first: if it raises, nothing was handed over
            delivery.hand_over()

        return hand_over

    def _outcome(
        self,
        job: Job,
        contact_id: int | None,
        error: ContactError | None,
        *,
        settled: bool = False,
    ) -> Outcome:
        contact = job.item if isinstance(job.item, Contact) else None
        elapsed_s = 0.0 if job.began_at is None else self.clock() - job.began_at
        attempts = job.delivery.attempts
        return Outcome(job.index, contact, contact_id, error, attempts, elapsed_s, settled)

    def interrupted(self, job: Job, cause: BaseException | None = None) -> ContactError:
        """The error of a contact that the run does not come to, or does not come back to."""
        error = self._interrupted(job)
        error.__cause__ = cause or error.__cause__
        return error

    def _interrupted(self, job: Job) -> ContactError:
        delivery = job.delivery
        if isinstance(job.item, InvalidContactError):
            return job.item
        if not delivery.attempts and delivery.maybe_applied:
            return UncertainError("sent by an earlier run that ended before an answer came")
        if job.search is not None and job.is_looked_for:
            return job.search.final_error(self.now())
        if delivery.is_in_doubt:
            text = "sent, but the run was stopped before an answer came"
            return UncertainError(text, attempts=delivery.attempts)
        what = "not applied" if delivery.attempts else "never sent"
        return UnavailableError(f"{what}: the run was stopped before", attempts=delivery.attempts)

    def end_open_jobs(self) -> None:
        """Hand out an outcome for all that was read and has none yet, and finish the outcomes."""
        self.schedule.clear()
        for job in sorted(self._open_jobs.values(), key=lambda job: job.index):
            self.withdraw(job)
            outcome = job.outcome or self._outcome(job, None, self.interrupted(job))
            self.finish(job, outcome)
        self.report()
        self.outcomes.finish()

    def report(self) -> None:
        """Call `on_progress`, if there is one."""
        if self._reporter is None:
            return
        now = self.clock()
        done = self._succeeded + self._failed + self._uncertain
        self._reporter.report(
            Progress(
                read=self._reader.count,
                succeeded=self._succeeded,
                failed=self._failed,
                uncertain=self._uncertain,
                in_flight=self.in_flight + (self.settler.in_flight if self.settler else 0),
                throttled=self.throttled + (self.settler.throttled if self.settler else 0),
                rate_limit_per_s=self.pacer.rate_per_s,
                paused_s=self.pacer.paused_s - self._paused_before_s,
                is_platform_away=self.pacer.breaker_state is not BreakerState.CLOSED,
                resumes_in_s=self._resumes_in_s(now),
                rate_per_s=self._recent.per_s(now, done),
                elapsed_s=now - self._started_at,
            )
        )

    def _resumes_in_s(self, now: float) -> float | None:
        wait_s = self.pacer.ready_at - now
        return wait_s if _SHORTEST_PAUSE_S <= wait_s < math.inf else None


def _recalled(job: Job, recorded: JournalRow) -> Outcome:
    return Outcome(
        index=job.index,
        contact=job.item if isinstance(job.item, Contact) else None,
        id=recorded.id if recorded.error is None else None,
        error=recorded.error,
        attempts=recorded.attempts,
        elapsed_s=0.0,
        settled=recorded.settled,
    )
