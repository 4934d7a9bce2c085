"""The worker of a run without batches: a turn, a recorded intent, an attempt, and what follows.

The way of a contact, from here to its outcome or its next attempt:

1. `Run.next_job` gives it to a worker, and `Run.turns` says when its request may leave.
2. `JournalRun.record_intent` records that it is about to be sent, and `Run.send` makes the attempt.
3. The pacer learns from the result (`Pacer.record_result`), and after a failure `retry.decide`
   decides whether another attempt follows.
4. If one does, `AttemptResults.retry` puts the contact back into the schedule until that is due; it
   keeps its key. Otherwise `OpenJobs.conclude` records its outcome and hands it out.
"""

import asyncio
import logging
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
    """Sends one contact at a time. A run has one worker for each request that may be in flight."""

    def __init__(self, run: Run) -> None:
        self._run = run
        self._results = AttemptResults(run)

    async def work(self) -> None:
        """Send contacts until there are no more."""
        run = self._run
        while (job := run.next_job_nowait() or await run.next_job()) is not None:
            if job.outcome is not None:
                await run.jobs.hand_out(job)
                continue
            turn = run.turns.acquire_nowait()
            if turn is None:
                # The job is kept while it waits. If it were put back, other workers would take it
                # and wait for turns too, and most of these turns would have nothing to send.
                turn = await run.next_turn()
                if turn is None:
                    run.put_back(job)
                    continue  # the run was stopped
                job = run.most_urgent(job)
            if job.search is not None and job.is_looked_for:
                await self._results.look_for(job, turn)
            else:
                await self._attempt(job, turn)

    async def _attempt(self, job: Job, turn: Turn) -> None:
        """Make an attempt, and handle its result.

        The outcome is not recorded yet when this returns. So one write of the journal can have both
        this outcome and the intent of the next contact.
        """
        run, delivery = self._run, job.delivery
        paused_s = run.pacer.paused_s
        if job.began_at is None:
            self._results.begin(job, run.clock(), paused_s)
        deadline = delivery.deadline
        if deadline is not None:
            deadline += paused_s  # by the event loop's clock, which attempts use
        run.in_flight += 1
        try:
            if run.journal is not None:
                # The intent is recorded after the wait for a turn: if the process dies during that
                # wait, the contact does not become uncertain.
                job.is_intended = True
                assert isinstance(job.item, Contact)  # noqa: S101  # only contacts are sent
                await run.journal.record_intent(
                    job.index, job.item, content=job.content, id_floor=delivery.id_floor
                )
            delivery.attempts += 1
            contact_id = await run.send(
                job.content, deadline=deadline, before_send=run.before_send(delivery)
            )
        except ContactError as error:
            self._after_failure(job, turn, error)
        except LeaseLapsedError:
            run.pacer.abandon(turn)  # the platform is not the cause
            self._results.not_sent(job)
        except asyncio.CancelledError as exc:
            run.pacer.abandon(turn)
            if is_being_cancelled():
                raise
            # This task was not cancelled, but the request was, for example since the caller closed
            # the session.
            run.stop(was_cancelled("a request", exc))
            run.jobs.conclude(job, None, run.jobs.interrupted(job, exc))
        except Exception as exc:
            run.pacer.abandon(turn)
            # For example, the client was closed, or the journal cannot be written. The contact is
            # not the cause.
            run.stop(exc)
            run.jobs.conclude(job, None, run.jobs.interrupted(job, exc))
        else:
            run.pacer.record_result(turn, None)
            self._results.succeeded(job, contact_id)
        finally:
            run.in_flight -= 1

    def _after_failure(self, job: Job, turn: Turn, error: ContactError) -> None:
        run, delivery = self._run, job.delivery
        is_uncounted = self._record_failure(job, turn, error)
        decision = self._results.decide(job, error, is_uncounted=is_uncounted)
        if isinstance(decision, Fail):
            self._results.failed(job, decision.error)
            return
        _logger.info("%s", describe(decision, error, delivery, run.options.policy))
        self._results.retry(job, decision.wait_s, is_uncounted=is_uncounted)

    def _record_failure(self, job: Job, turn: Turn, error: ContactError) -> bool:
        """Record a failed attempt; returns whether the platform is the cause, and not the contact.

        Such an attempt does not count against the contact.
        """
        run, delivery = self._run, job.delivery
        if delivery.deadline is not None and run.now() >= delivery.deadline:
            # The contact's own deadline ended the attempt, which says nothing about the platform.
            run.throttled += isinstance(error, RateLimitedError)
            run.pacer.abandon(turn)
            return False
        return self._results.record_failure(turn, error, delivery.held_back_in_a_row)
