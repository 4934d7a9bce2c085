"""What each contact of a run goes through: its turn, the intent on record, an attempt, and next."""

import asyncio
import logging
from collections.abc import Awaitable
from typing import Final

from contactsdk.bulk.attempt_results import AttemptResults
from contactsdk.bulk.reader import was_cancelled
from contactsdk.bulk.run import Run
from contactsdk.bulk.schedule import Job
from contactsdk.deadlines import is_being_cancelled
from contactsdk.errors import ContactError, RateLimitedError
from contactsdk.journal import LeaseLapsedError
from contactsdk.models import Contact
from contactsdk.pacing import Turn
from contactsdk.retry import Fail, describe

_logger: Final = logging.getLogger("contactsdk")


class Worker:
    """Sends one contact at a time. A run has as many workers as requests may be open."""

    def __init__(self, run: Run) -> None:
        self._run = run
        self._results = AttemptResults(run)

    async def work(self) -> None:
        """Send contacts until there are no more."""
        run = self._run
        while (job := run.next_job_nowait() or await run.next_job()) is not None:
            if job.outcome is not None:
                await self._hand_out(job)
                continue
            turn = run.turns.acquire_nowait()
            if turn is None:
                # The job is kept: were it put back, others would take it and wait for turns, too,
                # and for most of these turns there would be nothing to send.
                turn = await run.next_turn()
                if turn is None:
                    run.put_back(job)
                    continue  # the run was stopped
                job = run.most_urgent(job)
            if job.is_looked_for:
                await self._results.look_for(job, turn)
            else:
                await self._attempt(job, turn)

    async def _hand_out(self, job: Job) -> None:
        recording = self._run.jobs.hand_out(job)
        if recording is not None:
            await recording

    async def _attempt(self, job: Job, turn: Turn) -> None:
        run, delivery = self._run, job.delivery
        if job.began_at is None:
            self._results.begin(job, run.now())
        deadline = delivery.deadline
        if deadline is not None:
            deadline += run.pacer.paused_s  # by the event loop's clock, as attempts have it
        run.in_flight += 1
        try:
            if run.journal is not None:
                # Last, so that of a run that dies while it waits for a turn nothing is in doubt.
                job.is_intended = True
                assert isinstance(job.item, Contact)  # noqa: S101  # others are not sent
                await run.journal.record_intent(job.index, job.item, id_floor=delivery.id_floor)
            delivery.attempts += 1
            contact_id = await run.send(
                job.content, deadline=deadline, before_send=run.before_send(delivery)
            )
        except ContactError as error:
            recording = self._after_failure(job, turn, error)
        except LeaseLapsedError:
            run.pacer.abandon(turn)  # it is no failure of the platform
            self._results.not_sent(job)
            recording = None
        except asyncio.CancelledError as exc:
            run.pacer.abandon(turn)
            if is_being_cancelled():
                raise
            # Something else was cancelled, such as a session of the caller's that was closed.
            run.stop(was_cancelled("a request", exc))
            recording = run.jobs.conclude(job, None, run.jobs.interrupted(job, exc))
        except Exception as exc:
            run.pacer.abandon(turn)
            # Such as a client that was closed, or a journal that cannot be written: no fault of
            # this contact.
            run.stop(exc)
            recording = run.jobs.conclude(job, None, run.jobs.interrupted(job, exc))
        else:
            run.pacer.record_result(turn, None)
            recording = self._results.succeeded(job, contact_id)
        finally:
            run.in_flight -= 1
        if recording is not None:
            await recording

    def _after_failure(self, job: Job, turn: Turn, error: ContactError) -> Awaitable[None] | None:
        run, delivery = self._run, job.delivery
        is_free = self._record_failure(job, turn, error)
        decision = self._results.decide(job, error, is_free=is_free)
        if isinstance(decision, Fail):
            return self._results.failed(job, decision.error)
        _logger.info("%s", describe(decision, error, delivery, run.options.policy))
        self._results.retry(job, decision.wait_s, is_free=is_free)
        return None

    def _record_failure(self, job: Job, turn: Turn, error: ContactError) -> bool:
        """Whether the failure is the platform's own state, and costs the contact no attempt."""
        run, delivery = self._run, job.delivery
        if delivery.deadline is not None and run.now() >= delivery.deadline:
            # Cut short by its own deadline, which says nothing of others.
            run.throttled += isinstance(error, RateLimitedError)
            run.pacer.abandon(turn)
            return False
        return self._results.record_failure(turn, error, delivery.held_back_in_a_row)
