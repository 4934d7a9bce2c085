"""What follows an attempt: another one, the outcome of the contact, or the end of the run."""

from collections.abc import Awaitable
from typing import Final

from contactsdk import wire
from contactsdk.bulk.run import Run
from contactsdk.bulk.schedule import Job
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
from contactsdk.retry import Fail, Retry, decide, final_error, held_back_in_a_row

_LAPSED_WAIT_S: Final = 1.0  # the next intent waits for the journal, so this may be short


class AttemptResults:
    """The one way from the result of an attempt to what follows, alone or in a batch.

    What a method returns, if anything, is to be awaited: it puts an outcome on record.
    """

    def __init__(self, run: Run) -> None:
        self._run = run

    def begin(self, job: Job, now: float) -> None:
        """Make a contact ready for its first attempt, at this time by the run's clock."""
        assert isinstance(job.item, Contact)  # noqa: S101  # others are not sent
        job.content = wire.encode(job.item)
        job.began_at = self._run.clock()
        self._run.note_first_attempt(job)
        job.delivery.started_at = now
        self._start_deadline(job, now)

    def succeeded(self, job: Job, contact_id: int) -> Awaitable[None] | None:
        """The contact was added or updated."""
        run = self._run
        run.foreign_answers.record_success(job.index)
        run.prove()
        return run.jobs.conclude(job, contact_id, None)

    def record_failure(self, turn: Turn, error: ContactError, held_back_before: int) -> bool:
        """Let the pacer know that a request failed.

        Returns whether the platform, not the contact, is the cause. Such a failure, a throttle or
        an outage, counts against no contact's attempts. The run is stopped where the platform has
        let nothing through for too long, or asks for too long a wait. `held_back_before` says how
        many requests for the same were throttled or asked to wait, in a row, before this one.
        """
        run = self._run
        run.throttled += isinstance(error, RateLimitedError)
        in_a_row = held_back_in_a_row(error, held_back_before)
        is_free = run.pacer.record_result(turn, error, in_a_row=in_a_row)
        if is_free:
            run.note_platform_failure(error)
        give_up_s = run.options.give_up_s
        blocked_since = run.pacer.blocked_since
        is_blocked = blocked_since is not None and run.clock() - blocked_since > give_up_s
        if is_blocked or (is_free and (error.retry_after_s or 0.0) > give_up_s):
            run.give_up(error)
        return is_free

    def decide(self, job: Job, error: ContactError, *, is_free: bool) -> Retry | Fail:
        """What follows an attempt that ended with this error, which is the contact's own object."""
        run, delivery = self._run, job.delivery
        delivery.record_failure(error, is_free=is_free)
        decision = self._decision(job, error, is_free)
        if isinstance(decision, Retry) and run.is_stopping:
            return Fail(run.jobs.interrupted(job))
        return decision

    def retry(self, job: Job, wait_s: float, *, is_free: bool) -> None:
        """Have a contact sent again after `wait_s` seconds."""
        run = self._run
        run.jobs.withdraw(job)
        if is_free:
            # What concerns all contacts is not part of the time that this one has.
            self._start_deadline(job, run.now() + wait_s)
        run.retry_later(job, wait_s)

    def not_sent(self, job: Job) -> None:
        """Have a contact sent again that was not sent, since the journal's lease had lapsed."""
        job.delivery.attempts -= 1  # it counts requests that were made
        self.retry(job, _LAPSED_WAIT_S, is_free=True)

    def failed(self, job: Job, final: ContactError) -> Awaitable[None] | None:
        """The call ends with this error, which also ends the run if it concerns all contacts.

        An uncertain add is looked for first, if the policy says so.
        """
        run = self._run
        self.note_final(final)
        if isinstance(final, UncertainError) and run.may_be_settled(job):
            assert run.settler is not None  # noqa: S101  # it may be settled
            unsettled = run.settler.begin(job, final)
            if unsettled is None:
                return None
            final = unsettled
        return run.jobs.conclude(job, None, final)

    async def look_for(self, job: Job, turn: Turn) -> None:
        """Look for an uncertain add, and for others that are due; see to those that have ended."""
        run = self._run
        assert run.settler is not None  # noqa: S101  # it began the search
        for found_job, contact_id, error in await run.settler.look(job, turn):
            if contact_id is not None:
                run.foreign_answers.record_success(found_job.index)
                run.prove()
            recording = run.jobs.conclude(found_job, contact_id, error, settled=error is None)
            if recording is not None:
                await recording

    def note_final(self, final: ContactError) -> None:
        """Stop the run if the final error of a contact concerns all of them."""
        run = self._run
        if isinstance(final, RejectedError) and final.error_code is not None:
            run.prove()  # the platform itself refused this contact: address, key and secret work
        for stopping in (final, final.__cause__):
            if isinstance(stopping, SetupError) and not isinstance(final, UnavailableError):
                run.stop(stopping)
        if run.stopped_by is None or run.stopped_by not in (final, final.__cause__):
            _drop_frames(final)

    def _start_deadline(self, job: Job, now: float) -> None:
        """Begin the contact's own time, in which waits and attempts count."""
        deadline_s = self._run.options.policy.deadline_s
        if deadline_s is not None:
            job.delivery.deadline = now + deadline_s

    def _decision(self, job: Job, error: ContactError, is_free: bool) -> Retry | Fail:
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


def _drop_frames(error: ContactError) -> None:
    """Drop the tracebacks, which would keep all that the attempt held as long as the error."""
    raised: BaseException | None = error
    while raised is not None and raised.__traceback__ is not None:
        raised.__traceback__ = None
        raised = raised.__cause__ or raised.__context__
