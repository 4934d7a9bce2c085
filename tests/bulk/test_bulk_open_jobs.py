"""An outcome is handed out once it is recorded, and the next contact with its key is sent then."""

import asyncio
from typing import Any

from contactsdk.bulk.open_jobs import OpenJobs
from contactsdk.bulk.outcome_queue import OutcomeQueue
from contactsdk.bulk.schedule import Job, Schedule
from contactsdk.bulk.settling import RunClock
from contactsdk.journal.group_commit import OnWritten
from contactsdk.retry import Delivery
from contactsdk.settling import AnsweredIds
from tests.bulk.held import updates


class HeldJournal:
    """Writes nothing until it is told to."""

    on_written: OnWritten

    def note_outcome(self, *_: object, on_written: OnWritten, **__: Any) -> None:
        self.on_written = on_written


async def test_idle_worker_is_engaged_for_the_next_of_a_key_once_an_outcome_is_recorded() -> None:
    schedule, outcomes, journal = Schedule(lambda: None), OutcomeQueue(10), HeldJournal()
    clock = asyncio.get_running_loop().time
    ready: list[bool] = []
    jobs = OpenJobs(
        outcomes,
        schedule,
        AnsweredIds(keeps=False),
        RunClock(clock=clock, now=clock),
        settler=None,
        on_recorded=lambda: ready.append(schedule.has_job(clock())),
        on_journal_error=lambda error: None,
    )
    jobs.use(journal)  # type: ignore[arg-type]
    first, second = (
        Job(number, item, "key", Delivery(True, 0.0, None))
        for number, item in enumerate(updates([7, 7]))
    )
    for job in (first, second):
        jobs.add(job)
        schedule.claim(job)

    jobs.conclude(first, 7, None)
    assert outcomes.get_nowait() is None
    assert ready == []

    journal.on_written(0, None)

    assert ready == [True]
    assert outcomes.get_nowait() is not None
    await jobs.all_recorded()
