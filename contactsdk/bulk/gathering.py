"""Which contacts go into the next batch, and when it leaves."""

import asyncio
from collections.abc import Awaitable, Iterable

from attrs import frozen

from contactsdk.bulk.batching import GATHER_S
from contactsdk.bulk.run import Run
from contactsdk.bulk.schedule import Job
from contactsdk.pacing import Turn


@frozen
class Batch:
    """What a worker does next."""

    jobs: list[Job]
    """Contacts to send together; their keys are all different."""
    turn: Turn | None
    """The turn to send them; `None` where there are none to send."""
    searches: list[Job]
    """Uncertain contacts to look for."""


class Gathering:
    """Fills the batches of a run, one after another."""

    def __init__(self, run: Run) -> None:
        self._run = run
        # One at a time, so that an input that is slow fills one batch and does not begin several.
        self._filling = asyncio.Lock()

    async def next_batch(self) -> Batch | None:
        """The next batch, once it may leave; `None` when there will be none."""
        run = self._run
        run.engage_idle()  # the worker that fills a batch is the one that waits for more
        async with self._filling:
            while (first := await run.next_job(self._size())) is not None:
                taken = await self._take(first)
                await all_of(run.jobs.hand_out(job) for job in taken if job.outcome is not None)
                searches = [job for job in taken if job.is_looked_for]
                jobs = [job for job in taken if job.outcome is None and not job.is_looked_for]
                turn = None
                if jobs:
                    turn = await run.next_turn()
                if turn is not None or (searches and not jobs):
                    return Batch(jobs, turn, searches)
                for job in (*jobs, *searches):
                    run.put_back(job)
        return None

    def _size(self) -> int:
        """How many contacts a batch takes; the first one of a run goes alone."""
        return self._run.batch_size.most if self._run.proven.is_set() else 1

    async def _take(self, first: Job) -> list[Job]:
        """As many as fit, are at hand, or come in time; with some there is nothing to send."""
        run = self._run
        end, size = run.clock() + GATHER_S, self._size()
        jobs = [first]
        while len(jobs) < size:
            job = run.next_job_nowait() or await run.next_job_until(end, size - len(jobs))
            if job is None:
                break
            jobs.append(job)
        return jobs


async def all_of(recordings: Iterable[Awaitable[None] | None]) -> None:
    """Wait for all of them at once, since a journal writes together what comes together.

    Raises:
        Exception: What the first of them raised, if any did, once all have ended.
    """
    waiting = [recording for recording in recordings if recording is not None]
    for ended in await asyncio.gather(*waiting, return_exceptions=True):
        if ended is not None:
            raise ended
