"""One bulk run: the state that its workers share, from reading the input to the last outcome.

An item is read (`intake`), becomes a `Job`, is scheduled (`schedule`), sent by a worker, and ends
with one `Outcome` (`jobs`). A contact that has to wait for its next attempt goes back to the
schedule, so the number of workers is the number of requests that are open at a time, and nothing
polls.
"""

import asyncio
import math
from collections.abc import AsyncIterable, Awaitable, Callable, Iterable
from typing import Final

from contactsdk.bulk.actions import BatchActions, Send
from contactsdk.bulk.batching import BatchSize
from contactsdk.bulk.foreign_answers import ForeignAnswers
from contactsdk.bulk.intake import Intake
from contactsdk.bulk.interruptible_waits import InterruptibleWaits
from contactsdk.bulk.open_jobs import OpenJobs
from contactsdk.bulk.options import RunOptions
from contactsdk.bulk.outcome_queue import OutcomeQueue
from contactsdk.bulk.progress import Progress, RecentRate, Reporter
from contactsdk.bulk.reader import Reader
from contactsdk.bulk.schedule import Job, Schedule
from contactsdk.bulk.settling import RunClock, RunSettler, SettlingMeans
from contactsdk.bulk.turns import Turns
from contactsdk.bulk.waiters import Waiters
from contactsdk.errors import ContactError, JournalError, RateLimitedError
from contactsdk.journal import JournalRun
from contactsdk.models import Item
from contactsdk.pacing import BreakerState, Pacer, RateCap, Turn
from contactsdk.retry import Delivery
from contactsdk.settling import AnsweredIds

_SHORTEST_PAUSE_S: Final = 0.5  # a shorter wait is the spacing of requests under a rate limit


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
        turns: Turns | None = None,
    ) -> None:
        self.options = options
        self.send = send
        self.batch_actions = batch_actions
        self.batch_size = BatchSize(options.batch_size or 1)
        self.pacer = pacer
        self.clock = asyncio.get_running_loop().time
        self.outcomes = OutcomeQueue(bound=options.most_in_flight)
        self._idle = Waiters()
        self.schedule = Schedule(self._idle.wake)
        self.foreign_answers = ForeignAnswers(is_proven=is_proven)
        self.journal: JournalRun | None = None
        self.in_flight = 0
        self.throttled = 0
        self.is_stopping = False
        rate = options.rate_per_s
        cap = None if rate is None else RateCap(rate, clock=self.clock)
        self.turns = turns or Turns(pacer, cap)
        self.unless_stopped = InterruptibleWaits()
        """Waits that `stop` ends: those to start something new."""
        self.unless_given_up = InterruptibleWaits()
        """Waits that only `give_up` ends: those for results of accepted batches."""
        self.proven = asyncio.Event()
        """Set once more than one request may be open: after the first good answer."""
        if is_proven and options.batch_size is None:
            # With batches this proves too little: a key may work without the right to use batches.
            self.proven.set()
        self._ids = ids or AnsweredIds(keeps=settling is not None)
        times = RunClock(clock=self.clock, now=self.now)
        self.settler = self._settler(settling, times)
        """Looks up uncertain adds; `None` if the run does not settle them."""
        self.jobs = OpenJobs(
            self.outcomes,
            self.schedule,
            self._ids,
            times,
            settler=self.settler,
            on_recorded=self.engage_idle,
            on_journal_error=self.stop,
        )
        self.intake = Intake(
            Reader(contacts),
            self.jobs,
            self.schedule,
            self.outcomes,
            self._idle,
            options.policy,
            has_journal=open_journal is not None,
            most_in_flight=options.most_in_flight,
            settler=self.settler,
            on_journal_error=self.stop,
        )
        self._open_journal = open_journal
        self._stopped_by: Exception | None = None
        self._last_failure: ContactError | None = None
        self._started_at = self.clock()
        self._paused_before_s = pacer.paused_s
        self._recent = RecentRate(self._started_at)
        on_progress = options.on_progress
        self._reporter = None if on_progress is None else Reporter(on_progress)

    # The life of a run.

    async def open(self) -> None:
        """Open the journal.

        Raises:
            JournalError: It cannot be used.
        """
        if self._open_journal is not None:
            self.journal = await self._open_journal()
            self._ids.note_highest(self.journal.highest_id)
            self.jobs.use(self.journal)
            self.intake.use(self.journal)

    async def aclose(self) -> None:
        """Close the journal."""
        if self.journal is not None:
            await self.journal.close()

    @property
    def stopped_by(self) -> Exception | None:
        """Why the run ended before its input did; `None` if it did not."""
        return self._stopped_by or self.intake.stopped_by

    def stop(self, reason: Exception | None) -> None:
        """Start nothing new, and let requests in flight end; only the first reason is kept."""
        if self.stopped_by is None:
            self._stopped_by = reason
        if self.is_stopping:
            return
        self.is_stopping = True
        self.intake.stop()
        self._idle.wake_all()
        self.unless_stopped.interrupt()
        self.proven.set()  # so that no task waits for it any more

    def give_up(self, reason: Exception) -> None:
        """Stop, and do not wait for the results of accepted batches."""
        self.stop(reason)
        self.unless_given_up.interrupt()

    def prove(self) -> None:
        """Note that the platform gave a good answer; the other workers wait for this to start."""
        self._last_failure = None
        self.proven.set()

    def end(self) -> None:
        """Hand out an outcome for each item that has none yet, and end the queue of outcomes."""
        try:
            self.jobs.finish_all()
            self.report()
        finally:
            self.outcomes.finish()

    # What comes next.

    def next_job_nowait(self) -> Job | None:
        """A job, if there is one at once and there is room for its outcome."""
        if self.is_stopping or not self.outcomes.has_room:
            return None
        schedule = self.schedule
        job = schedule.take(self.clock()) if schedule.ready or schedule.waiting else None
        if job is None:
            job = self.intake.read_directly()
        if job is not None and self._idle.waiting:
            self.engage_idle()
        return job

    async def next_job(self, wanted: int = 1) -> Job | None:
        """Wait for the next job; `None` if there will be no more.

        `wanted` is the number of jobs that the caller can use in all.
        """
        while not self.is_stopping:
            if not self.outcomes.has_room:
                await self.outcomes.room()
                continue
            job = self.next_job_nowait()
            if job is not None:
                return job
            if self.intake.is_finished and not (self.schedule or self._is_looking_up()):
                break
            self.intake.want(wanted)
            await self._idle.wait(self.schedule.next_due)
        self._idle.wake_all()
        self.proven.set()
        return None

    async def next_job_until(self, end: float, wanted: int) -> Job | None:
        """Wait for the next job until this time at most; `None` if none comes or can come."""
        while self.clock() < end:
            job = self.next_job_nowait()
            may_come = self.intake.may_read_more and not self.is_stopping
            if job is not None or self.intake.reads_directly or not may_come:
                return job
            self.intake.want(wanted)
            await self._idle.wait(min(end, self.schedule.next_due or end))
        return None

    def engage_idle(self) -> None:
        """Wake one idle worker if a job can be taken, or read, at once."""
        if self._idle.waiting:
            self.intake.want(0)
            if self.schedule.has_job(self.clock()) or self.intake.read_ahead():
                self._idle.wake()

    def retry_later(self, job: Job, wait_s: float) -> None:
        """Schedule a job to be sent again after `wait_s` seconds."""
        self.schedule.retry_at(job, self.clock() + wait_s)

    def put_back(self, job: Job) -> None:
        """Put a job back that was taken but not started."""
        if job.delivery.attempts:
            self.schedule.retry_at(job, self.clock())
        else:
            self.schedule.make_ready(job)

    def most_urgent(self, job: Job) -> Job:
        """This job, or a retry that has become due meanwhile; then this job is put back."""
        if job.delivery.attempts or (retry := self.schedule.take_due(self.clock())) is None:
            return job
        self.put_back(job)
        self.engage_idle()
        return retry

    async def next_turn(self) -> Turn | None:
        """Wait for a turn; `None` if the run is stopped.

        The run is stopped here if the platform lets nothing through for `give_up_s` or asks for a
        longer wait, and if the database of a shared rate cannot be used.
        """
        if self.is_stopping:
            return None
        turn = self.turns.acquire_nowait()
        while turn is None and not self.is_stopping:
            patience_s = self._patience_left_s()
            if patience_s <= 0:
                self.give_up(self._last_failure or self._long_wait())
                return None
            try:
                async with asyncio.timeout(patience_s):
                    return await self.turns.acquire_unless(self.unless_stopped)
            except TimeoutError:
                continue  # decide again whether to give the platform up
            except JournalError as error:
                self.stop(error)  # the database that has the turns cannot be reached
        return turn

    def note_platform_failure(self, error: ContactError) -> None:
        """Note a failure that the platform caused, and not the contact."""
        self._last_failure = error

    def _patience_left_s(self) -> float:
        """For how many seconds to wait for a turn before the platform may have to be given up."""
        now, give_up_s = self.clock(), self.options.give_up_s
        if self.pacer.paused_until - now > give_up_s:
            return 0.0
        blocked_since = self.pacer.blocked_since
        if blocked_since is None or self._last_failure is None:
            return give_up_s
        return blocked_since + give_up_s - now

    def _long_wait(self) -> ContactError:
        wait_s = self.pacer.paused_until - self.clock()
        what = f"never sent: the platform asks to wait for another {wait_s:.0f} s"
        return RateLimitedError(what, retry_after_s=wait_s)

    def before_send(self, delivery: Delivery) -> Callable[[], object]:
        """The function to call right before a contact is handed to a connection."""
        journal = self.journal
        if journal is None:
            return delivery.hand_over

        def hand_over() -> None:
            journal.check_may_send()  # if this raises, nothing was handed over
            delivery.hand_over()

        return hand_over

    def now(self) -> float:
        """The time by the run's clock, which stands still while the whole run is paused."""
        return self.clock() - self.pacer.paused_s

    # Settling.

    def note_first_attempt(self, job: Job) -> None:
        """Note that the first attempt of a job is about to begin, and set its `id_floor`."""
        # If this contact is added, its id is above all ids that were answered before.
        is_settling = self.settler is not None
        job.delivery.id_floor = self._ids.begin_add() if is_settling else self._ids.highest

    def may_be_settled(self, job: Job) -> bool:
        """Whether a job is looked up if it becomes uncertain now."""
        is_settling = self.settler is not None and not self.is_stopping
        return is_settling and not job.delivery.is_idempotent

    def _settler(self, means: SettlingMeans | None, times: RunClock) -> RunSettler | None:
        if means is None or self.options.policy.settle_s is None:
            return None
        return RunSettler(
            means,
            self.options.policy,
            self._ids,
            self.schedule,
            self.pacer,
            times=times,
            wait_for_turn=self.next_turn,
        )

    def _is_looking_up(self) -> bool:
        """Whether contacts are being looked up, which may have to be sent again."""
        return self.settler is not None and self.settler.waiting > 0

    # Progress.

    def report(self) -> None:
        """Call `on_progress`, if there is one."""
        if self._reporter is None:
            return
        now, settler = self.clock(), self.settler
        self._reporter.report(
            Progress(
                read=self.intake.count,
                succeeded=self.jobs.succeeded,
                failed=self.jobs.failed,
                uncertain=self.jobs.uncertain,
                in_flight=self.in_flight + (settler.in_flight if settler else 0),
                throttled=self.throttled + (settler.throttled if settler else 0),
                rate_limit_per_s=self.pacer.rate_per_s,
                paused_s=self.pacer.paused_s - self._paused_before_s,
                is_platform_away=self.pacer.breaker_state is not BreakerState.CLOSED,
                resumes_in_s=self._resumes_in_s(now),
                rate_per_s=self._recent.per_s(now, self.jobs.ended),
                elapsed_s=now - self._started_at,
            )
        )

    def _resumes_in_s(self, now: float) -> float | None:
        wait_s = self.pacer.ready_at - now
        return wait_s if _SHORTEST_PAUSE_S <= wait_s < math.inf else None
