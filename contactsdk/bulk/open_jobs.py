"""The items of a run that have no outcome yet; each of them gets exactly one here."""

import asyncio
from collections.abc import Callable

from contactsdk.bulk.outcome_queue import OutcomeQueue
from contactsdk.bulk.outcomes import Outcome
from contactsdk.bulk.schedule import Job, Schedule
from contactsdk.bulk.settling import RunClock, RunSettler
from contactsdk.errors import (
    ContactError,
    JournalError,
    UnavailableError,
    UncertainError,
)
from contactsdk.journal import JournalRow, JournalRun
from contactsdk.journal.group_commit import OnWritten
from contactsdk.journal.rows import SENT_EARLIER
from contactsdk.models import Contact
from contactsdk.settling import AnsweredIds


class OpenJobs:
    """Gives each item that was read exactly one outcome, which is recorded before it is handed out.

    `on_recorded` is called after an outcome was recorded and handed out, and `on_journal_error`
    with the error if the journal cannot record one.
    """

    def __init__(
        self,
        outcomes: OutcomeQueue,
        schedule: Schedule,
        ids: AnsweredIds,
        times: RunClock,
        *,
        settler: RunSettler | None,
        on_recorded: Callable[[], object],
        on_journal_error: Callable[[JournalError], object],
    ) -> None:
        self.succeeded = 0
        self.failed = 0
        self.uncertain = 0
        self._outcomes = outcomes
        self._schedule = schedule
        self._ids = ids
        self._times = times
        self._settler = settler
        self._on_recorded = on_recorded
        self._on_journal_error = on_journal_error
        self._journal: JournalRun | None = None
        self._jobs: dict[int, Job] = {}
        self._recording = 0
        self._waiting_for_all: asyncio.Future[None] | None = None
        self._is_cancelled = False

    @property
    def ended(self) -> int:
        """How many items have an outcome."""
        return self.succeeded + self.failed + self.uncertain

    def use(self, journal: JournalRun) -> None:
        """Record outcomes in this journal from now on."""
        self._journal = journal

    def add(self, job: Job) -> None:
        """Add an item that was read."""
        self._jobs[job.index] = job

    def conclude(
        self,
        job: Job,
        contact_id: int | None,
        error: ContactError | None,
        *,
        settled: bool = False,
    ) -> None:
        """End an item: hand out its outcome now, or with a journal once that is recorded.

        This does not wait for the journal.
        """
        outcome = self.outcome_of(job, contact_id, error, settled=settled)
        if self._journal is None:
            self.finish(job, outcome)
            return
        job.ending = outcome
        if contact_id is not None:
            # Now, since the next contact may be prepared before this outcome is recorded.
            self._ids.record(contact_id)
        self._recording += 1
        self._note(job, outcome, self._after_write)

    async def hand_out(self, job: Job) -> None:
        """Record and hand out the outcome that an unsent item has already."""
        outcome = job.outcome
        assert outcome is not None  # noqa: S101  # the caller has checked it
        if self._journal is not None:
            job.ending = outcome
            try:
                await self._journal.record_outcome(
                    job.index,
                    job.item,
                    outcome.id,
                    outcome.error,
                    outcome.attempts,
                    settled=outcome.settled,
                )
            except JournalError as error:
                self._on_journal_error(error)
        self.finish(job, outcome)

    async def all_recorded(self) -> None:
        """Wait until no outcome is being recorded."""
        while self._recording:
            self._waiting_for_all = asyncio.get_running_loop().create_future()
            await self._waiting_for_all

    def leave_recording_to_the_end(self) -> None:
        """From now on, outcomes that were being recorded are handed out only by `finish_all`.

        It is called when the run is being cancelled.
        """
        self._is_cancelled = True

    def leave(self, job: Job, error: ContactError) -> None:
        """Hand out that a contact is uncertain, but leave it recorded as sent.

        Another run can then try again to find its outcome.
        """
        if self._journal is not None:
            self._journal.leave(job.index)
        self.finish(job, self.outcome_of(job, None, error))

    def withdraw(self, job: Job) -> None:
        """Take the recorded intent back, if it is certain that the contact was not applied."""
        if self._journal is not None and job.is_intended and not job.delivery.is_in_doubt:
            self._journal.withdraw(job.index, job.item)

    def finish(self, job: Job, outcome: Outcome) -> None:
        """Hand out the outcome of an item and release its key, so that the next contact can go."""
        del self._jobs[job.index]
        if outcome.id is not None:
            self._ids.record(outcome.id)
        if self._settler is not None:
            if job.began_at is not None:
                self._ids.end_add(job.delivery.id_floor)
            if outcome.uncertain and job.search is None:
                self._settler.keys.enter(job.key)
        if outcome.error is None:
            self.succeeded += 1
        elif outcome.uncertain:
            self.uncertain += 1
        else:
            self.failed += 1
        self._outcomes.put(outcome)
        # Nobody is woken for what waited behind it: the caller takes the next job at once, or calls
        # `Run.engage_idle`.
        self._schedule.release(job)

    def finish_all(self) -> None:
        """Hand out an outcome for each item that has none yet, in input order."""
        self._schedule.clear()
        for job in sorted(self._jobs.values(), key=lambda job: job.index):
            if job.ending is not None:
                # The recording of this outcome was interrupted, perhaps before it began.
                self._note(job, job.ending)
                self.finish(job, job.ending)
                continue
            self.withdraw(job)
            outcome = job.outcome or self.outcome_of(job, None, self.interrupted(job))
            if job.is_inherited and outcome.uncertain:
                # Otherwise each slice would look for it again from the beginning.
                job.is_interrupted = False
                self._note(job, outcome)
            self.finish(job, outcome)

    def outcome_of(
        self,
        job: Job,
        contact_id: int | None,
        error: ContactError | None,
        *,
        settled: bool = False,
    ) -> Outcome:
        """Make the outcome of an item that ends now."""
        contact = job.item if isinstance(job.item, Contact) else None
        elapsed_s = 0.0 if job.began_at is None else self._times.clock() - job.began_at
        attempts = job.delivery.attempts
        return Outcome(job.index, contact, contact_id, error, attempts, elapsed_s, settled)

    def interrupted(self, job: Job, cause: BaseException | None = None) -> ContactError:
        """The error of a contact that has no outcome because the run was stopped."""
        job.is_interrupted = True
        error = self._interrupted(job)
        error.__cause__ = cause or error.__cause__
        return error

    def _interrupted(self, job: Job) -> ContactError:
        delivery = job.delivery
        if not delivery.attempts and delivery.maybe_applied:
            return UncertainError(SENT_EARLIER)
        if job.search is not None and job.is_looked_for:
            return job.search.final_error(self._times.now())
        if delivery.is_in_doubt:
            text = "sent, but the run was stopped before an answer came"
            return UncertainError(text, attempts=delivery.attempts)
        text = "never sent: the run was stopped first"
        if delivery.attempts:
            text = "not applied: the run was stopped before another attempt"
        return UnavailableError(text, attempts=delivery.attempts)

    def _note(self, job: Job, outcome: Outcome, on_written: OnWritten | None = None) -> None:
        assert self._journal is not None  # noqa: S101  # only runs with a journal come here
        self._journal.note_outcome(
            job.index,
            job.item,
            outcome.id,
            outcome.error,
            outcome.attempts,
            settled=outcome.settled,
            is_interrupted=job.is_interrupted,
            on_written=on_written,
        )

    def _after_write(self, number: int, error: JournalError | None) -> None:
        if self._is_cancelled:
            return
        job = self._jobs[number]
        assert job.ending is not None  # noqa: S101  # it was being recorded ...
        assert self._journal is not None  # noqa: S101  # ... in this journal
        if error is not None:
            self._on_journal_error(error)
        self._journal.leave(number)
        # The outcome is handed out even if it could not be recorded.
        self.finish(job, job.ending)
        self._on_recorded()
        self._recording -= 1
        waiting = self._waiting_for_all
        if not self._recording and waiting is not None and not waiting.done():
            waiting.set_result(None)


def recalled(job: Job, recorded: JournalRow) -> Outcome:
    """The outcome of an item that an earlier run has recorded."""
    return Outcome(
        index=job.index,
        contact=job.item if isinstance(job.item, Contact) else None,
        id=recorded.id if recorded.error is None else None,
        error=recorded.error,
        attempts=recorded.attempts,
        elapsed_s=0.0,
        settled=recorded.settled,
    )
