"""What each contact of a run goes through: its turn, the intent on record, an attempt, and next."""

import asyncio
import logging
from collections.abc import Awaitable
from typing import Final

from contactsdk import wire
from contactsdk.bulk.reader import was_cancelled
from contactsdk.bulk.run import Run
from contactsdk.bulk.schedule import Job
from contactsdk.deadlines import is_being_cancelled
from contactsdk.errors import (
    ContactError,
    RateLimitedError,
    RejectedError,
    SetupError,
    UnavailableError,
    UncertainError,
)
from contactsdk.models import Contact
from contactsdk.pacing import Turn
from contactsdk.retry import Fail, Retry, decide, describe, final_error

_logger: Final = logging.getLogger("contactsdk")


class Worker:
    """Sends one contact at a time. A run has as many workers as requests may be open."""

    def __init__(self, run: Run) -> None:
        self._run = run

    async def work(self) -> None:
        """Send contacts until there are no more."""
        run = self._run
        while (job := run.next_job_nowait() or await run.next_job()) is not None:
            if job.outcome is not None:
                await self._hand_out(job)
                continue
            turn = run.turns.acquire_nowait()
            if turn is None:
                # Meanwhile another contact may become more urgent, such as a retry that is due.
                run.put_back(job)
                turn = await run.next_turn()
                if turn is None:
                    return
                next_job = run.next_job_nowait()
                if next_job is None or next_job.outcome is not None:
                    run.pacer.abandon(turn)
                    if next_job is not None:
                        await self._hand_out(next_job)
                    continue
                job = next_job
            if job.is_looked_for:
                await self._look_for(job, turn)
            else:
                await self._attempt(job, turn)

    async def _hand_out(self, job: Job) -> None:
        assert job.outcome is not None  # noqa: S101  # the caller looked
        if self._run.journal is None:
            self._run.finish(job, job.outcome)
        else:
            await self._run.record(self._run.journal, job, job.outcome)

    async def _look_for(self, job: Job, turn: Turn) -> None:
        run = self._run
        assert run.settler is not None  # noqa: S101  # it began the search
        for found_job, contact_id, error in await run.settler.look(job, turn):
            if contact_id is not None:
                run.foreign_answers.record_success(found_job.index)
                run.prove()
            recording = run.conclude(found_job, contact_id, error, settled=error is None)
            if recording is not None:
                await recording

    async def _attempt(self, job: Job, turn: Turn) -> None:
        run, delivery = self._run, job.delivery
        if job.began_at is None:
            self._begin(job)
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
                job.content, deadline=deadline, before_send=delivery.hand_over
            )
        except ContactError as error:
            recording = self._after_failure(job, turn, error)
        except asyncio.CancelledError as exc:
            run.pacer.abandon(turn)
            if is_being_cancelled():
                raise
            # Something else was cancelled, such as a session of the caller's that was closed.
            recording = self._after_accident(job, was_cancelled("a request", exc), exc)
        except Exception as exc:
            run.pacer.abandon(turn)
            # Such as a client that was closed, or a journal that cannot be written: no fault of
            # this contact.
            recording = self._after_accident(job, exc, exc)
        else:
            run.pacer.record_result(turn, None)
            run.foreign_answers.record_success(job.index)
            run.prove()
            recording = run.conclude(job, contact_id, None)
        finally:
            run.in_flight -= 1
        if recording is not None:
            await recording

    def _begin(self, job: Job) -> None:
        run = self._run
        assert isinstance(job.item, Contact)  # noqa: S101  # others are not sent
        job.content = wire.encode(job.item)
        job.began_at = run.clock()
        run.note_first_attempt(job)
        job.delivery.started_at = run.now()
        self._start_deadline(job)

    def _start_deadline(self, job: Job, wait_s: float = 0.0) -> None:
        """Begin the contact's own time, in which waits and attempts count, after this wait."""
        deadline_s = self._run.options.policy.deadline_s
        if deadline_s is not None:
            job.delivery.deadline = self._run.now() + wait_s + deadline_s

    def _after_failure(self, job: Job, turn: Turn, error: ContactError) -> Awaitable[None] | None:
        """Record what the error says about the platform, and decide what follows."""
        run, delivery = self._run, job.delivery
        is_free = self._record_result(job, turn, error)
        delivery.record_failure(error, is_free=is_free)
        decision = self._decide(job, error, is_free)
        if isinstance(decision, Retry) and not run.is_stopping:
            if run.journal is not None and not delivery.maybe_applied:
                run.journal.withdraw(job.index, job.item)
            _logger.info("%s", describe(decision, error, delivery, run.options.policy))
            if is_free:
                # What concerns all contacts is no part of the time that this one has.
                self._start_deadline(job, decision.wait_s)
            run.retry_later(job, decision.wait_s)
            return None
        final = decision.error if isinstance(decision, Fail) else run.interrupted(job)
        if isinstance(final, RejectedError) and final.error_code is not None:
            run.prove()  # the platform itself refused this contact: address, key and secret work
        for stopping in (final, final.__cause__):
            if isinstance(stopping, SetupError) and not isinstance(final, UnavailableError):
                run.stop(stopping)
        if run.stopped_by is None or run.stopped_by not in (final, final.__cause__):
            _drop_frames(final)
        if isinstance(final, UncertainError) and run.may_be_settled(job):
            assert run.settler is not None  # noqa: S101  # it may be settled
            unsettled = run.settler.begin(job, final)
            if unsettled is None:
                return None
            final = unsettled
        return run.conclude(job, None, final)

    def _decide(self, job: Job, error: ContactError, is_free: bool) -> Retry | Fail:
        run = self._run
        judged = run.foreign_answers.judge(job.index, error)
        if isinstance(judged, Fail):
            return Fail(final_error(judged.error, job.delivery))
        now, policy, patience_s = run.now(), run.options.policy, run.options.give_up_s
        decision = decide(judged, job.delivery, now, policy, is_free=is_free, patience_s=patience_s)
        if isinstance(decision, Fail) and judged is not error:
            last = run.foreign_answers.judge_last(job.index, error, judged)
            return Fail(final_error(last, job.delivery))
        return decision

    def _record_result(self, job: Job, turn: Turn, error: ContactError) -> bool:
        """Whether the failure is about the platform as a whole, and costs the contact no attempt.

        Stops the run where the platform has let nothing through for too long, or asks for too
        long a wait.
        """
        run, delivery = self._run, job.delivery
        is_throttled = isinstance(error, RateLimitedError)
        run.throttled += is_throttled
        if delivery.deadline is not None and run.now() >= delivery.deadline:
            run.pacer.abandon(turn)  # cut short by its own deadline, which says nothing of others
            return False
        is_held_back = is_throttled or error.retry_after_s
        in_a_row = delivery.held_back_in_a_row + 1 if is_held_back else 0
        is_free = run.pacer.record_result(turn, error, in_a_row=in_a_row)
        give_up_s = run.options.give_up_s
        blocked_since = run.pacer.blocked_since
        is_blocked = blocked_since is not None and run.clock() - blocked_since > give_up_s
        if is_blocked or (is_free and (error.retry_after_s or 0.0) > give_up_s):
            run.stop(error)
        return is_free

    def _after_accident(
        self, job: Job, reason_to_stop: Exception, cause: BaseException
    ) -> Awaitable[None] | None:
        """What is no answer and no failure of sending ends the run, and loses no contact."""
        self._run.stop(reason_to_stop)
        error = self._run.interrupted(job)
        error.__cause__ = cause
        return self._run.conclude(job, None, error)


def _drop_frames(error: ContactError) -> None:
    """Drop the tracebacks, which would keep all that the attempt held as long as the error."""
    raised: BaseException | None = error
    while raised is not None and raised.__traceback__ is not None:
        raised.__traceback__ = None
        raised = raised.__cause__ or raised.__context__
