"""What follows an attempt: a retry, the outcome of the contact, or the end of the run."""

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
    """Handles the results of attempts, of single contacts and of contacts in batches."""

    def __init__(self, run: Run) -> None:
        self._run = run

    def begin(self, job: Job, now: float, paused_s: float) -> None:
        """Prepare a contact for its first attempt, which begins now.

        `now` is the event loop's time. `paused_s` is how long the pacer has held all requests back,
        which the run's clock leaves out.
        """
        run = self._run
        assert isinstance(job.item, Contact)  # noqa: S101  # only contacts are sent
        job.content = wire.encode(job.item)
        job.began_at = now
        run.note_first_attempt(job)
        job.delivery.started_at = now - paused_s
        self._start_deadline(job, now - paused_s)

    def succeeded(self, job: Job, contact_id: int) -> None:
        """The contact was added or updated."""
        run = self._run
        run.foreign_answers.record_success(job.index)
        run.prove()
        run.jobs.conclude(job, contact_id, None)

    def record_failure(self, turn: Turn, error: ContactError, held_back_before: int) -> bool:
        """Tell the pacer that a request failed; returns whether the platform is the cause.

        If the platform is the cause (a throttle or an outage), the attempt does not count against
        the contact. The run is stopped if the platform has let nothing through for `give_up_s`, or
        asks for a longer wait than that. `held_back_before` is the number of requests for the same
        contact or batch that were throttled or asked to wait, in a row, before this one.
        """
        run = self._run
        run.throttled += isinstance(error, RateLimitedError)
        in_a_row = held_back_in_a_row(error, held_back_before)
        is_uncounted = run.pacer.record_result(turn, error, in_a_row=in_a_row)
        if is_uncounted:
            run.note_platform_failure(error)
        give_up_s = run.options.give_up_s
        blocked_since = run.pacer.blocked_since
        is_blocked = blocked_since is not None and run.clock() - blocked_since > give_up_s
        if is_blocked or (is_uncounted and (error.retry_after_s or 0.0) > give_up_s):
            run.give_up(error)
        return is_uncounted

    def decide(self, job: Job, error: ContactError, *, is_uncounted: bool) -> Retry | Fail:
        """Decide whether an attempt that ended with this error is followed by a retry.

        The attempt is noted on `error`, so it must not be the error of another contact too.
        `is_uncounted` says that the attempt does not count against the contact.
        """
        run, delivery = self._run, job.delivery
        delivery.record_failure(error, is_uncounted=is_uncounted)
        decision = self._decision(job, error, is_uncounted)
        if isinstance(decision, Retry) and run.is_stopping:
            return Fail(run.jobs.interrupted(job))
        return decision

    def retry(self, job: Job, wait_s: float, *, is_uncounted: bool) -> None:
        """Schedule a contact to be sent again after `wait_s` seconds."""
        run = self._run
        run.jobs.withdraw(job)
        if is_uncounted:
            # The contact's deadline must not include time in which the platform held all back.
            self._start_deadline(job, run.now() + wait_s)
        run.retry_later(job, wait_s)

    def not_sent(self, job: Job) -> None:
        """Schedule a contact again that was not sent because the journal's lease had lapsed."""
        job.delivery.attempts -= 1  # no request was made
        self.retry(job, _LAPSED_WAIT_S, is_uncounted=True)

    def failed(self, job: Job, final: ContactError) -> None:
        """End the contact with this error; an error that concerns all contacts also stops the run.

        If the policy says so, an uncertain add is first looked up on the platform.
        """
        run = self._run
        self.note_final(final)
        if isinstance(final, UncertainError) and run.may_be_settled(job):
            assert run.settler is not None  # noqa: S101  # it may be settled
            unsettled = run.settler.begin(job, final)
            if unsettled is None:
                return
            final = unsettled
        run.jobs.conclude(job, None, final)

    async def look_for(self, job: Job, turn: Turn) -> None:
        """Look up an uncertain add, and others that are due, and conclude those that have ended."""
        run = self._run
        assert run.settler is not None  # noqa: S101  # it began the search
        for found_job, contact_id, error in await run.settler.look(job, turn):
            if contact_id is not None:
                run.foreign_answers.record_success(found_job.index)
                run.prove()
            run.jobs.conclude(found_job, contact_id, error, settled=error is None)

    def note_final(self, final: ContactError) -> None:
        """Stop the run if the final error of a contact concerns all of them."""
        run = self._run
        if isinstance(final, RejectedError) and final.error_code is not None:
            # The platform itself refused this contact, so address, key and secret work.
            run.prove()
        for stopping in (final, final.__cause__):
            if isinstance(stopping, SetupError) and not isinstance(final, UnavailableError):
                run.stop(stopping)
        if run.stopped_by is None or run.stopped_by not in (final, final.__cause__):
            _drop_frames(final)

    def _start_deadline(self, job: Job, now: float) -> None:
        """Start the deadline of the contact, which covers all its attempts and waits."""
        deadline_s = self._run.options.policy.deadline_s
        if deadline_s is not None:
            job.delivery.deadline = now + deadline_s

    def _decision(self, job: Job, error: ContactError, is_uncounted: bool) -> Retry | Fail:
        run = self._run
        judged = run.foreign_answers.judge(job.index, error)
        if isinstance(judged, Fail):
            return Fail(final_error(judged.error, job.delivery))
        now, policy, patience_s = run.now(), run.options.policy, run.options.give_up_s
        decision = decide(
            judged, job.delivery, now, policy, is_uncounted=is_uncounted, patience_s=patience_s
        )
        if isinstance(decision, Fail) and judged is not error:
            last = run.foreign_answers.judge_last(job.index, error, judged)
            return Fail(final_error(last, job.delivery))
        return decision


def _drop_frames(error: ContactError) -> None:
    """Drop the tracebacks: they would keep the objects of the attempt alive with the error."""
    raised: BaseException | None = error
    while raised is not None and raised.__traceback__ is not None:
        raised.__traceback__ = None
        raised = raised.__cause__ or raised.__context__
