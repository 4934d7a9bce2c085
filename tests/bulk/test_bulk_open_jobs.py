"""An outcome is handed out once it is recorded, and the next contact with its key is sent then."""

import asyncio
from collections.abc import Callable
from typing import Any

from contactsdk import InvalidContactError
from contactsdk.bulk.open_jobs import OpenJobs
from contactsdk.bulk.outcome_queue import OutcomeQueue
from contactsdk.bulk.schedule import Job, Schedule
from contactsdk.bulk.settling import RunClock
from contactsdk.errors import JournalError
from contactsdk.journal.group_commit import OnWritten
from contactsdk.retry import Delivery
from contactsdk.settling import AnsweredIds
from tests.bulk.held import updates


class HeldJournal:
    """Writes nothing until it is told to."""

    def leave(self, number: int) -> None:
        pass

    def __init__(self) -> None:
        self.noted: list[int] = []
        self.on_written: OnWritten | None = None

    def note_outcome(
        self, number: int, *_: object, on_written: OnWritten | None, **__: Any
    ) -> None:
        self.noted.append(number)
        self.on_written = on_written or self.on_written

    def write(self) -> None:
        assert self.on_written is not None
        self.on_written(self.noted[0], None)


class BrokenJournal:
    """Can write nothing."""

    async def record_outcome(self, *_: object, **__: object) -> None:
        raise JournalError("the disk is full")


class Open:
    """Open jobs with what they are made of."""

    def __init__(self, journal: object, on_recorded: Callable[[], object] = lambda: None) -> None:
        clock = asyncio.get_running_loop().time
        self.schedule, self.outcomes = Schedule(lambda: None), OutcomeQueue(10)
        self.errors: list[JournalError] = []
        self.jobs = OpenJobs(
            self.outcomes,
            self.schedule,
            AnsweredIds(keeps=False),
            RunClock(clock=clock, now=clock),
            settler=None,
            on_recorded=on_recorded,
            on_journal_error=self.errors.append,
        )
        self.jobs.use(journal)  # type: ignore[arg-type]

    def add(self, *ids: int) -> list[Job]:
        """Jobs for updates with the same key, of which the first has claimed it."""
        added = [
            Job(number, item, "key", Delivery(True, 0.0, None))
            for number, item in enumerate(updates(list(ids)))
        ]
        for job in added:
            self.jobs.add(job)
            self.schedule.claim(job)
        return added


async def test_idle_worker_is_engaged_for_the_next_of_a_key_once_an_outcome_is_recorded() -> None:
    journal, ready = HeldJournal(), list[bool]()
    now = asyncio.get_running_loop().time
    run = Open(journal, lambda: ready.append(run.schedule.has_job(now())))
    first, _ = run.add(7, 7)

    run.jobs.conclude(first, 7, None)
    assert run.outcomes.get_nowait() is None
    assert ready == []

    journal.write()

    assert ready == [True]
    assert run.outcomes.get_nowait() is not None
    await run.jobs.all_recorded()


async def test_end_of_a_run_waits_for_all_that_is_being_recorded() -> None:
    journal = HeldJournal()
    run = Open(journal)
    (only,) = run.add(7)
    run.jobs.conclude(only, 7, None)

    waiting = asyncio.create_task(run.jobs.all_recorded())
    await asyncio.sleep(0)
    assert not waiting.done()

    journal.write()
    await waiting

    assert run.outcomes.get_nowait() is not None


async def test_outcome_is_recorded_again_and_handed_out_once_if_that_was_interrupted() -> None:
    journal = HeldJournal()
    run = Open(journal)
    (only,) = run.add(7)
    run.jobs.conclude(only, 7, None)

    run.jobs.leave_recording_to_the_end()
    journal.write()
    assert run.outcomes.get_nowait() is None

    run.jobs.finish_all()

    assert journal.noted == [0, 0]
    outcome = run.outcomes.get_nowait()
    assert outcome is not None
    assert outcome.id == 7
    assert run.outcomes.get_nowait() is None


async def test_outcome_that_cannot_be_recorded_is_handed_out_and_reported() -> None:
    run = Open(BrokenJournal())
    wrong = InvalidContactError([((), "no name")])
    job = Job(0, wrong, None, Delivery(False, 0.0, None))
    job.outcome = run.jobs.outcome_of(job, None, wrong)
    run.jobs.add(job)

    await run.jobs.hand_out(job)

    assert [str(error) for error in run.errors] == ["the disk is full"]
    outcome = run.outcomes.get_nowait()
    assert outcome is not None
    assert outcome.error is wrong
