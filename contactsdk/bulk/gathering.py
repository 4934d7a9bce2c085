"""Gathers the contacts of the next batch."""

import asyncio
from collections.abc import Awaitable, Iterable

from attrs import frozen

from contactsdk.bulk.batching import GATHER_S
from contactsdk.bulk.run import Run
from contactsdk.bulk.schedule import Job
from contactsdk.pacing import Turn


@frozen
class Batch:
    """The next work of a batch worker: contacts to send, contacts to look up, or both."""

    jobs: list[Job]
    """Contacts to send together; their keys are all different. May be empty."""
    turn: Turn | None
    """The turn in which to send `jobs`; `None` if there are no jobs."""
    searches: list[Job]
    """Uncertain contacts to look up on the platform; may be empty."""


class Gathering:
    """Fills the batches of a run, one after another."""

    def __init__(self, run: Run) -> None:
        self._run = run
        # One batch is filled at a time: a slow input then fills one batch instead of starting many.
        self._filling = asyncio.Lock()

    async def next_batch(self) -> Batch | None:
        """Wait for the next batch; `None` if there will be no more."""
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
        """How many contacts a batch may have; the first contact of a run goes alone."""
        return self._run.batch_size.most if self._run.proven.is_set() else 1

    async def _take(self, first: Job) -> list[Job]:
        """The contacts of a batch: as many as fit and as come before the gathering time is over.

        Some of these jobs may have an outcome already, or are to be looked up.
        """
        run = self._run
        end, size = run.clock() + GATHER_S, self._size()
        jobs = [first]
        while len(jobs) < size:
            job = run.next_job_nowait() or await run.next_job_until(end, size - len(jobs))
            if job is None:
                break
            jobs.append(job)
        return jobs


async def all_of(recordings: Iterable[Awaitable[None]]) -> None:
    """Await all recordings at once, so that a journal can write them in one group.

    Raises:
        Exception: The error of the first recording that failed, after all have ended.
    """
    for ended in await asyncio.gather(*recordings, return_exceptions=True):
        if ended is not None:
            raise ended
