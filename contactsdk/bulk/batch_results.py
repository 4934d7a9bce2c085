"""Waiting for the results of a batch that the platform has accepted."""

import asyncio
import contextlib
import functools
from collections.abc import Awaitable, Callable, Iterator, Sequence
from typing import TypeVar

from attrs import frozen

from contactsdk import wire
from contactsdk.bulk.attempt_results import AttemptResults
from contactsdk.bulk.batching import Patience, poll_waits_s
from contactsdk.bulk.run import Run
from contactsdk.errors import (
    ContactError,
    RejectedError,
    SetupError,
    StaleDateError,
    UncertainError,
)
from contactsdk.pacing import Turn
from contactsdk.retry import held_back_in_a_row

_T = TypeVar("_T")


@frozen
class NoResults:
    """The results of a batch did not come."""

    error: UncertainError
    """The error for each contact of the batch; it says why."""
    may_come_later: bool
    """Whether a later run may still get the results, so that the journal's rows stay open."""


class BatchResults:
    """Fetches the results of one batch; each request waits for a turn of the pacer."""

    def __init__(self, run: Run, async_id: str) -> None:
        self._run = run
        self._async_id = async_id
        self._attempts = AttemptResults(run)
        self._held_back_in_a_row = 0
        self._asked_to_wait_s = 0.0
        self._stale_dates = 0

    async def fetch(self, patience_s: float) -> Sequence[wire.JobResult] | NoResults:
        """Wait for the results of the batch: one for each contact, in the order of the batch.

        Returns `NoResults` if they cannot come, or if the batch has made no progress for
        `patience_s` seconds.
        """
        run = self._run
        patience = Patience(patience_s, run.now())
        waits_s = poll_waits_s()
        while not patience.is_over(run.now()):
            await self._sleep(max(next(waits_s), self._asked_to_wait_s))
            if run.unless_given_up.is_interrupted:
                return self._no_results_yet("the run was stopped before its results came")
            if patience.is_running_out(run.now()):
                await self._note_progress(patience)
            try:
                results = await self._ask(run.batch_actions.results)
            except ContactError as error:
                if self._is_final(error):
                    return self._no_results_ever(error)
            else:
                if results is not None:
                    return results
        return self._no_results_yet(f"it made no progress for {patience_s:.0f} s")

    async def _note_progress(self, patience: Patience) -> None:
        with contextlib.suppress(ContactError):  # a request that fails counts as no progress
            percent = await self._ask(self._run.batch_actions.progress)
            patience.record_progress(percent or 0, self._run.now())

    async def _ask(self, request: Callable[[str], Awaitable[_T]]) -> _T | None:
        """Make one request at its turn; `None` if the run gives the platform up before that."""
        turn = await self._run.turns.acquire_unless(self._run.unless_given_up)
        return None if turn is None else await self._request(request, turn)

    async def _request(self, request: Callable[[str], Awaitable[_T]], turn: Turn) -> _T:
        try:
            with in_flight(self._run, turn):
                answer = await request(self._async_id)
        except ContactError as error:
            self._attempts.record_failure(turn, error, self._held_back_in_a_row)
            self._note_failure(error)
            raise
        self._held_back_in_a_row, self._asked_to_wait_s = 0, 0.0
        return answer

    def _note_failure(self, error: ContactError) -> None:
        self._held_back_in_a_row = held_back_in_a_row(error, self._held_back_in_a_row)
        self._asked_to_wait_s = error.retry_after_s or 0.0
        self._stale_dates += isinstance(error, StaleDateError)

    def _is_final(self, error: ContactError) -> bool:
        """Whether asking again is useless after this error."""
        if isinstance(error, StaleDateError):
            return self._stale_dates > 1  # after the first one, the clock was corrected
        return isinstance(error, SetupError) or _is_refused(error)

    async def _sleep(self, seconds: float) -> None:
        await self._run.unless_given_up.wait_for(functools.partial(asyncio.sleep, seconds))

    def _no_results_ever(self, error: ContactError) -> NoResults:
        if isinstance(error, SetupError):
            self._run.stop(error)
        # The details of the refusal are left out: they are about this request, not about a contact.
        unknown = UncertainError(
            f"the platform accepted batch {self._async_id}, but does not return its results: "
            f"{error.message}"
        )
        unknown.__cause__ = error
        return NoResults(unknown, may_come_later=not _is_refused(error))

    def _no_results_yet(self, why: str) -> NoResults:
        text = f"the platform accepted batch {self._async_id}, but {why}"
        return NoResults(UncertainError(text), may_come_later=True)


@contextlib.contextmanager
def in_flight(run: Run, turn: Turn) -> Iterator[None]:
    """Count a request as in flight, and report its result to the pacer.

    A `ContactError` is not reported: the caller does that.
    """
    run.in_flight += 1
    try:
        yield
    except ContactError:
        raise
    except BaseException:
        run.pacer.abandon(turn)
        raise
    else:
        run.pacer.record_result(turn, None)
    finally:
        run.in_flight -= 1


def _is_refused(error: ContactError) -> bool:
    """Whether the platform refuses this request, for example if it has deleted the batch."""
    is_forgotten = error.specific_code == wire.NO_SUCH_BATCH
    return is_forgotten or isinstance(error.__cause__, RejectedError)
