"""What the contacts of a batch go through: intents, one request, its results, and next."""

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
    """Sends one batch at a time. A run has as many of them as batches may be in flight."""

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
                turn = await self._run.next_turn()
                if turn is None:
                    self._run.put_back(job)
                else:
                    await self._attempts.look_for(job, turn)

    async def _send_all(self, jobs: list[Job], turn: Turn) -> None:
        """Send a batch, in parts where the platform refuses it whole."""
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
        """Send a batch and see to what follows; the batches to send instead, if it was refused."""
        try:
            jobs = await self._ready(jobs)
        except BaseException:
            # Such as a cancellation: a probe whose turn is never ended would stop all later calls.
            self._run.pacer.abandon(turn)
            raise
        if not jobs:
            self._run.pacer.abandon(turn)
            return []
        try:
            with in_flight(self._run, turn):
                async_id = await self._request(jobs)
        except ContactError as error:
            return await self._after_refusal(jobs, turn, error)
        except LeaseLapsedError:
            for job in jobs:
                self._attempts.not_sent(job)
        except asyncio.CancelledError as exc:
            if is_being_cancelled():
                raise
            # Something else was cancelled, such as a session of the caller's that was closed.
            await self._stop(jobs, was_cancelled("a request", exc), exc)
        except Exception as exc:
            # Such as a client that was closed, or a journal that cannot be written.
            await self._stop(jobs, exc, exc)
        else:
            await self._finish(jobs, async_id)
        return []

    async def _ready(self, jobs: Iterable[Job]) -> list[Job]:
        """Those that may be sent now; the time of the others is over."""
        now = self._run.now()
        ready: list[Job] = []
        late: list[Job] = []
        for job in jobs:
            if job.began_at is None:
                self._attempts.begin(job, now)
            deadline = job.delivery.deadline
            is_late = deadline is not None and now >= deadline
            (late if is_late else ready).append(job)
        await all_of(self._attempts.failed(job, _timed_out(job)) for job in late)
        self._run.engage_idle()  # what waited behind those
        return ready

    async def _request(self, jobs: Sequence[Job]) -> str:
        """Put the batch on record, and have the platform accept it; its id."""
        run = self._run
        # Last, so that a run that dies while it waits for a turn leaves nothing uncertain.
        await all_of(self._intents(jobs))
        for job in jobs:
            job.delivery.attempts += 1

        def hand_over() -> None:
            if run.journal is not None:
                run.journal.check_may_send()  # first: if it raises, nothing was handed over
            for job in jobs:
                job.delivery.hand_over()

        contents = [job.content for job in jobs]
        return await run.batch_actions.run(contents, before_send=hand_over)

    def _intents(
        self, jobs: Sequence[Job], async_id: str | None = None
    ) -> Iterable[Awaitable[None]]:
        journal = self._run.journal
        for position, job in enumerate(jobs):
            # Where an earlier attempt may have been applied, the results of this one do not tell
            # what became of the contact, so another run must not rely on them.
            if journal is None or (async_id is not None and job.delivery.maybe_applied):
                continue
            job.is_intended = True
            assert isinstance(job.item, Contact)  # noqa: S101  # others are not sent
            yield journal.record_intent(
                job.index,
                job.item,
                batch_id=async_id,
                batch_position=None if async_id is None else position,
                id_floor=job.delivery.id_floor,
            )

    async def _after_refusal(
        self, jobs: list[Job], turn: Turn, error: ContactError
    ) -> list[list[Job]]:
        held_back = max(job.delivery.held_back_in_a_row for job in jobs)
        is_too_large = wire.is_too_large(error)
        if is_too_large:
            self._run.batch_size.shrink(len(jobs))
            # As the platform put it: to a single contact it is a refusal, to the pacer an answer.
            error = _cause_of(error)
        is_free = self._attempts.record_failure(turn, error, held_back)
        if len(jobs) == 1 or not (is_too_large or may_be_for_one(error)):
            await self._conclude(jobs, lambda _: error, is_free=is_free)
            return []
        for job in jobs:
            job.delivery.record_failure(error, is_free=True)
            self._run.jobs.withdraw(job)
        _logger.info("a batch of %d is sent as two: %s", len(jobs), reason(error))
        return halves(jobs)

    async def _finish(self, jobs: list[Job], async_id: str) -> None:
        """See to what becomes of a batch that was accepted."""
        run = self._run
        try:
            await all_of(self._intents(jobs, async_id))
        except JournalError as error:
            run.stop(error)  # what was accepted is finished all the same
        try:
            results = await BatchResults(run, async_id).fetch(run.options.give_up_s)
        except asyncio.CancelledError as exc:
            if is_being_cancelled():
                raise
            await self._stop(jobs, was_cancelled("a request", exc), exc)
        except Exception as exc:
            await self._stop(jobs, exc, exc)
        else:
            if isinstance(results, NoResults):
                self._note_no_results(results)
                await self._conclude(jobs, lambda _: results.error, is_left=results.may_come_later)
            else:
                run.prove()
                await self._take_results(jobs, results)

    def _note_no_results(self, results: NoResults) -> None:
        """Stop the run if no batch of it has had results so far.

        Until then each contact goes alone. Without this each would be waited for, one after
        another, and the input be used up. A contact that is looked for may yet prove the set-up.
        """
        run = self._run
        if not results.may_come_later or run.proven.is_set():
            return
        self._waits_in_vain += 1
        is_looked_for = run.settler is not None and run.journal is None
        if self._waits_in_vain > 1 or not is_looked_for:
            run.stop(results.error)

    async def _take_results(self, jobs: list[Job], results: Sequence[wire.JobResult]) -> None:
        recordings: list[Awaitable[None] | None] = []
        failures: dict[int, ContactError] = {}
        for position, job in enumerate(jobs):
            result = results[position] if position < len(results) else None
            try:
                contact_id = wire.job_outcome(result, job.content)
            except ContactError as error:
                failures[job.index] = error
            else:
                recordings.append(self._attempts.succeeded(job, contact_id))
        await all_of(recordings)
        failed = [job for job in jobs if job.index in failures]
        await self._conclude(failed, lambda job: failures[job.index])

    async def _conclude(
        self,
        jobs: Sequence[Job],
        error_of: Callable[[Job], ContactError],
        *,
        is_free: bool = False,
        is_left: bool = False,
    ) -> None:
        """End the attempts of contacts that failed, in one batch and with one wait.

        `is_left` says that what becomes uncertain stays on record as sent, so that another run can
        ask for the results again. Without a journal none can, so it is looked for like any other.
        """
        run = self._run
        is_left = is_left and run.journal is not None
        retries: list[tuple[Job, Retry, bool]] = []
        recordings: list[Awaitable[None] | None] = []
        for job in jobs:
            error = _own(error_of(job))
            # A throttle of one contact, such as a race, costs it no attempt, as when it is sent
            # alone in a run.
            is_free_here = is_free or isinstance(error, RateLimitedError)
            decision = self._attempts.decide(job, error, is_free=is_free_here)
            if isinstance(decision, Retry):
                retries.append((job, decision, is_free_here))
            elif is_left and job.delivery.maybe_applied:
                self._attempts.note_final(decision.error)
                run.jobs.leave(job, decision.error)
            else:
                recordings.append(self._attempts.failed(job, decision.error))
        if retries:
            # One wait for all, so that they can go into one batch again.
            wait_s = max(decision.wait_s for _, decision, _ in retries)
            _logger.info("%d contacts are sent again in %.2f s", len(retries), wait_s)
            for job, _, is_free_here in retries:
                self._attempts.retry(job, wait_s, is_free=is_free_here)
        await all_of(recordings)

    async def _stop(self, jobs: Sequence[Job], why: Exception, cause: BaseException) -> None:
        """Stop the run for an error that is neither an answer nor a failure to send.

        No contact is lost.
        """
        run = self._run
        run.stop(why)
        for job in jobs:
            error = run.jobs.interrupted(job, cause)
            if job.delivery.is_in_doubt:
                run.jobs.leave(job, error)
        certain = [job for job in jobs if not job.delivery.is_in_doubt]
        await all_of(
            run.jobs.conclude(job, None, run.jobs.interrupted(job, cause)) for job in certain
        )


def _own(error: ContactError) -> ContactError:
    """An error of its own for each contact: it notes that contact's attempts."""
    own = copy.copy(error)
    own.__cause__ = error.__cause__
    return own


def _cause_of(error: ContactError) -> ContactError:
    return error.__cause__ if isinstance(error.__cause__, ContactError) else error


def _timed_out(job: Job) -> ContactError:
    late = UnavailableError("not applied: timed out", attempts=job.delivery.attempts)
    return final_error(late, job.delivery)
