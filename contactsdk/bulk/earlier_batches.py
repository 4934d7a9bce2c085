"""Results of batches that an earlier run sent, and that it did not receive."""

import asyncio
from collections import OrderedDict
from collections.abc import Sequence
from typing import Final

from contactsdk import wire
from contactsdk.bulk.attempt_results import AttemptResults
from contactsdk.bulk.batch_results import BatchResults, NoResults
from contactsdk.bulk.reader import was_cancelled
from contactsdk.bulk.run import Run
from contactsdk.bulk.schedule import Job
from contactsdk.deadlines import is_being_cancelled
from contactsdk.errors import ContactError, RateLimitedError, UncertainError
from contactsdk.models import Contact

_KEPT: Final = 8
"""How many batches have their results kept: contacts of several batches alternate in the input."""

_SHORT_PATIENCE_S: Final = 10.0
"""How long to wait for a batch without progress, after the results of another one did not come."""


class EarlierBatches:
    """Fetches the results of an earlier run's batches when their contacts are read.

    No other item is read meanwhile. So only the first batch without results is waited for as long
    as `give_up_s`: after that, the other batches of the earlier run have had the same time too.
    """

    def __init__(self, run: Run) -> None:
        self._run = run
        self._attempts = AttemptResults(run)
        self._patience_s = run.options.give_up_s
        self._known: OrderedDict[str, Sequence[wire.JobResult] | NoResults] = OrderedDict()

    async def conclude(self, job: Job) -> bool:
        """Conclude this contact by the results of its batch; returns whether that was possible.

        If it was not, the contact is handled like one that was sent alone: it is sent again if that
        is safe, and is uncertain otherwise.
        """
        assert job.earlier_batch is not None  # noqa: S101  # the caller looked
        async_id, position = job.earlier_batch
        try:
            results = await self._results(async_id)
        except asyncio.CancelledError as exc:
            if is_being_cancelled():
                raise
            self._run.stop(was_cancelled("a request", exc))
            return True  # it gets its outcome at the end of the run, like all open items
        except Exception as exc:  # for example, the client was closed
            self._run.stop(exc)
            return True
        if isinstance(results, NoResults):
            return self._after_no_results(job, results)
        await asyncio.sleep(0)  # known results of many contacts must not hold the other tasks up
        return self._after_results(job, results, position or 0)

    async def _results(self, async_id: str) -> Sequence[wire.JobResult] | NoResults:
        if async_id in self._known:
            self._known.move_to_end(async_id)
            return self._known[async_id]
        results = await BatchResults(self._run, async_id).fetch(self._patience_s)
        if isinstance(results, NoResults) and results.may_come_later:
            self._patience_s = min(self._patience_s, _SHORT_PATIENCE_S)
        self._known[async_id] = results
        if len(self._known) > _KEPT:
            self._known.popitem(last=False)
        return results

    def _after_no_results(self, job: Job, results: NoResults) -> bool:
        if not results.may_come_later or job.outcome is None:
            return False
        assert self._run.journal is not None  # noqa: S101  # it knew of the batch
        if self._run.journal.is_slice and not self._run.is_stopping:
            return False  # otherwise every slice would ask again, and the run would never end
        # The contact stays recorded as sent with this batch, so that another run can ask again.
        self._run.journal.leave(job.index)
        self._run.jobs.finish(job, job.outcome)
        return True

    def _after_results(self, job: Job, results: Sequence[wire.JobResult], position: int) -> bool:
        assert isinstance(job.item, Contact)  # noqa: S101  # only contacts were sent
        result = results[position] if position < len(results) else None
        try:
            contact_id = wire.job_outcome(result, wire.encode(job.item))
        except UncertainError:
            return False
        except ContactError as error:
            # An update that has an outcome already is older than another one that was sent. It must
            # not overwrite that one.
            is_superseded = job.outcome is not None and job.delivery.is_idempotent
            job.outcome, job.delivery.maybe_applied = None, False
            if isinstance(error, RateLimitedError) and not is_superseded:
                self._run.jobs.withdraw(job)
                return False
            self._attempts.failed(job, error)
        else:
            self._attempts.succeeded(job, contact_id)
        return True
