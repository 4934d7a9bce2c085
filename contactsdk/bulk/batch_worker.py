"""The worker of a run with batches: it records intents, sends a batch, and handles its results."""

import asyncio
import copy
import logging
from collections.abc import Awaitable, Callable, Iterable, Sequence
from typing import Final

from contactsdk import wire
from contactsdk.bulk.attempt_results import AttemptResults
from contactsdk.bulk.batch_results import BatchResults, NoResults, in_flight
from contactsdk.bulk.batching import halves, may_be_for_one
from contactsdk.bulk.gathering import Gathering, all_of
from contactsdk.bulk.reader import was_cancelled
from contactsdk.bulk.run import Run
from contactsdk.bulk.schedule import Job
from contactsdk.deadlines import is_being_cancelled
from contactsdk.errors import (
    ContactError,
    JournalError,
    RateLimitedError,
    UnavailableError,
)
from contactsdk.journal import LeaseLapsedError
from contactsdk.models import Contact
from contactsdk.pacing import Turn
from contactsdk.retry import Retry, final_error, reason

_logger: Final = logging.getLogger("contactsdk")


class BatchWorker:
    """Sends one batch at a time. A run has one of these for each batch that may be in flight."""

    def __init__(self, run: Run, gathering: Gathering) -> None:
        self._run = run
        self._gathering = gathering
        self._attempts = AttemptResults(run)
        self._waits_in_vain = 0

    async def work(self) -> None:
        """Send batches until there are no more contacts."""
        while (batch := await self._gathering.next_batch()) is not None:
            if batch.turn is not None:
                await self._send_all(batch.jobs, batch.turn)
            for job in batch.searches:
                self._run.engage_idle()  # a look-up may take long
                turn = await self._run.next_turn()
                if turn is None:
                    self._run.put_back(job)
                else:
                    await self._attempts.look_for(job, turn)

    async def _send_all(self, jobs: list[Job], turn: Turn) -> None:
        """Send a batch; if the platform refuses the whole batch, send it in parts."""
        parts = await self._send(jobs, turn)
        while parts:
            part = parts.pop(0)
            next_turn = await self._run.next_turn()
            if next_turn is None:
                for job in (job for waiting in (part, *parts) for job in waiting):
                    self._run.put_back(job)
                return
            parts = await self._send(part, next_turn) + parts
            self._run.engage_idle()  # what waited behind contacts of this part

    async def _send(self, jobs: list[Job], turn: Turn) -> list[list[Job]]:
        """Send a batch and handle its results; returns the parts to send if it was refused."""
        jobs = self._ready(jobs)
        if not jobs:
            self._run.pacer.abandon(turn)
            return []
        try:
            with in_flight(self._run, turn):
                async_id = await self._request(jobs)
        except ContactError as error:
            return self._after_refusal(jobs, turn, error)
        except LeaseLapsedError:
            for job in jobs:
                self._attempts.not_sent(job)
        except asyncio.CancelledError as exc:
            if is_being_cancelled():
                raise
            # This task was not cancelled, but the request was, for example since the caller closed
            # the session.
            self._stop(jobs, was_cancelled("a request", exc), exc)
        except Exception as exc:
            # For example, the client was closed, or the journal cannot be written.
            self._stop(jobs, exc, exc)
        else:
            await self._finish(jobs, async_id)
        return []

    def _ready(self, jobs: Iterable[Job]) -> list[Job]:
        """The contacts whose deadline has not passed; the others end here, as timed out."""
        clock_now, paused_s = self._run.clock(), self._run.pacer.paused_s
        now = clock_now - paused_s
        ready: list[Job] = []
        late: list[Job] = []
        for job in jobs:
            if job.began_at is None:
                self._attempts.begin(job, clock_now, paused_s)
            deadline = job.delivery.deadline
            is_late = deadline is not None and now >= deadline
            (late if is_late else ready).append(job)
        for job in late:
            self._attempts.failed(job, _timed_out(job))
        self._run.engage_idle()  # what waited behind those
        return ready

    async def _request(self, jobs: Sequence[Job]) -> str:
        """Record the intents and submit the batch; returns the platform's id of the batch."""
        run = self._run
        # Intents are recorded after the wait for a turn: if the process dies during that wait, no
        # contact becomes uncertain.
        await all_of(self._intents(jobs))
        for job in jobs:
            job.delivery.attempts += 1

        def hand_over() -> None:
            if run.journal is not None:
                run.journal.check_may_send()  # if this raises, nothing was handed over
            for job in jobs:
                job.delivery.hand_over()

        contents = [job.content for job in jobs]
        return await run.batch_actions.run(contents, before_send=hand_over)

    def _intents(
        self, jobs: Sequence[Job], async_id: str | None = None
    ) -> Iterable[Awaitable[None]]:
        journal = self._run.journal
        for position, job in enumerate(jobs):
            # If an earlier attempt may have been applied, the results of this batch do not prove
            # the outcome of the contact, so a later run must not use them.
            if journal is None or (async_id is not None and job.delivery.maybe_applied):
                continue
            job.is_intended = True
            assert isinstance(job.item, Contact)  # noqa: S101  # only contacts are sent
            yield journal.record_intent(
                job.index,
                job.item,
                content=job.content,
                batch_id=async_id,
                batch_position=None if async_id is None else position,
                id_floor=job.delivery.id_floor,
            )

    def _after_refusal(self, jobs: list[Job], turn: Turn, error: ContactError) -> list[list[Job]]:
        held_back = max(job.delivery.held_back_in_a_row for job in jobs)
        is_too_large = wire.is_too_large(error)
        if is_too_large:
            self._run.batch_size.shrink(len(jobs))
            # The platform's own error: for a single contact it is a refusal, and for the pacer it
            # is an answer.
            error = _cause_of(error)
        is_uncounted = self._attempts.record_failure(turn, error, held_back)
        if len(jobs) == 1 or not (is_too_large or may_be_for_one(error)):
            self._conclude(jobs, lambda _: error, is_uncounted=is_uncounted)
            return []
        for job in jobs:
            job.delivery.record_failure(error, is_uncounted=True)
            self._run.jobs.withdraw(job)
        _logger.info("a batch of %d is sent as two: %s", len(jobs), reason(error))
        return halves(jobs)

    async def _finish(self, jobs: list[Job], async_id: str) -> None:
        """Record the id of an accepted batch, wait for its results and handle them."""
        run = self._run
        try:
            await all_of(self._intents(jobs, async_id))
        except JournalError as error:
            run.stop(error)  # the accepted batch is finished nevertheless
        try:
            results = await BatchResults(run, async_id).fetch(run.options.give_up_s)
        except asyncio.CancelledError as exc:
            if is_being_cancelled():
                raise
            self._stop(jobs, was_cancelled("a request", exc), exc)
        except Exception as exc:
            self._stop(jobs, exc, exc)
        else:
            if isinstance(results, NoResults):
                self._note_no_results(results)
                self._conclude(jobs, lambda _: results.error, stays_sent=results.may_come_later)
            else:
                run.prove()
                self._take_results(jobs, results)

    def _note_no_results(self, results: NoResults) -> None:
        """Stop the run if no batch of it has had results so far.

        Until a batch has had results, each contact is sent alone. Without this stop, the run would
        wait in vain for each contact in turn, and use up the input. The first contact is given a
        second chance if it can be settled: finding it on the platform proves that the set-up works.
        """
        run = self._run
        if not results.may_come_later or run.proven.is_set():
            return
        self._waits_in_vain += 1
        is_looked_for = run.settler is not None and run.journal is None
        if self._waits_in_vain > 1 or not is_looked_for:
            run.stop(results.error)

    def _take_results(self, jobs: list[Job], results: Sequence[wire.JobResult]) -> None:
        failures: dict[int, ContactError] = {}
        for position, job in enumerate(jobs):
            result = results[position] if position < len(results) else None
            try:
                contact_id = wire.job_outcome(result, job.content)
            except ContactError as error:
                failures[job.index] = error
            else:
                self._attempts.succeeded(job, contact_id)
        failed = [job for job in jobs if job.index in failures]
        self._conclude(failed, lambda job: failures[job.index])

    def _conclude(
        self,
        jobs: Sequence[Job],
        error_of: Callable[[Job], ContactError],
        *,
        is_uncounted: bool = False,
        stays_sent: bool = False,
    ) -> None:
        """Handle the failed contacts of one batch; those to be retried all wait the same time.

        `stays_sent` says that contacts that are uncertain now stay recorded as sent, so that
        another run can fetch the results of the batch. Without a journal no other run can do so,
        and they are settled like other uncertain contacts.
        """
        run = self._run
        stays_sent = stays_sent and run.journal is not None
        retries: list[tuple[Job, Retry, bool]] = []
        for job in jobs:
            error = _own(error_of(job))
            # A throttle of a single contact, such as a race, does not count against it; the same
            # is true of a contact that is sent alone.
            is_uncounted_here = is_uncounted or isinstance(error, RateLimitedError)
            decision = self._attempts.decide(job, error, is_uncounted=is_uncounted_here)
            if isinstance(decision, Retry):
                retries.append((job, decision, is_uncounted_here))
            elif stays_sent and job.delivery.maybe_applied:
                self._attempts.note_final(decision.error)
                run.jobs.leave(job, decision.error)
            else:
                self._attempts.failed(job, decision.error)
        if retries:
            # All wait the same time, so that they can be sent in one batch again.
            wait_s = max(decision.wait_s for _, decision, _ in retries)
            _logger.info("%d contacts are sent again in %.2f s", len(retries), wait_s)
            for job, _, is_uncounted_here in retries:
                self._attempts.retry(job, wait_s, is_uncounted=is_uncounted_here)

    def _stop(self, jobs: Sequence[Job], why: Exception, cause: BaseException) -> None:
        """Stop the run for an error that is neither an answer nor a failure to send.

        Each contact of the batch still gets its outcome.
        """
        run = self._run
        run.stop(why)
        for job in jobs:
            error = run.jobs.interrupted(job, cause)
            if job.delivery.is_in_doubt:
                run.jobs.leave(job, error)
            else:
                run.jobs.conclude(job, None, error)


def _own(error: ContactError) -> ContactError:
    """A copy of an error for one contact, since an error carries the attempts of its contact."""
    own = copy.copy(error)
    own.__cause__ = error.__cause__
    return own


def _cause_of(error: ContactError) -> ContactError:
    return error.__cause__ if isinstance(error.__cause__, ContactError) else error


def _timed_out(job: Job) -> ContactError:
    late = UnavailableError("not applied: timed out", attempts=job.delivery.attempts)
    return final_error(late, job.delivery)
