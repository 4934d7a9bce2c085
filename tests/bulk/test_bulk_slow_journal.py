"""Runs whose journal takes a while to write, in held time: what is left at the end, and why."""

import asyncio
from collections.abc import Callable, Mapping, Sequence

import pytest
from attrs import define

from contactsdk import Contact, Outcome, OutcomeStream, RetryPolicy, UncertainError
from contactsdk.bulk import Run, RunOptions, outcome_stream
from contactsdk.bulk.attempt_results import AttemptResults
from contactsdk.bulk.recorded_settling import settle_recorded
from contactsdk.bulk.schedule import Job
from contactsdk.journal import JournalRun, State
from contactsdk.journal.store import StoredRow
from contactsdk.pacing import Pacer
from contactsdk.wire import ContactFilter, ListedContact, contact_to_json
from tests.bulk.held import HeldPlatform, NoBatches, in_held_time, many, number, read_all
from tests.journal.journals import ACCOUNT, MemoryStore


@define
class SlowStore(MemoryStore):
    """Takes a second for each group, and fails in an unforeseen way at one of them."""

    fails_at: int = 0
    writes: int = 0

    async def write(self, rows: Sequence[StoredRow]) -> None:
        self.writes += 1
        await asyncio.sleep(1.0)
        if self.writes == self.fails_at:
            raise OverflowError("too large")
        await super().write(rows)


class UnequalPlatform(HeldPlatform):
    """Takes a time of its own for each contact, by number, and otherwise five seconds."""

    def __init__(self, latencies: Mapping[int, float]) -> None:
        super().__init__()
        self.latencies = latencies

    async def answer(self, contact: Contact, deadline: float | None) -> int:
        await asyncio.sleep(self.latencies.get(number(contact), 5.0))
        return 1


def stream_with(
    store: MemoryStore, contacts: Sequence[Contact], platform: HeldPlatform, concurrency: int = 2
) -> OutcomeStream:
    policy = RetryPolicy()
    pacer = Pacer(base_s=0.5, max_wait_s=30.0, clock=asyncio.get_running_loop().time)
    run = Run(
        contacts,
        platform.send,
        NoBatches(),
        pacer,
        RunOptions(policy=policy, concurrency=concurrency),
        open_journal=lambda: JournalRun.start(store, ACCOUNT),
        is_proven=True,
    )
    return outcome_stream(run)


def uncertain_after(contact_id: int) -> Callable[[Contact], int | UncertainError]:
    """Gives the first contact this id, and no answer to the others."""
    return lambda contact: UncertainError("no answer") if number(contact) else contact_id


@in_held_time
async def test_stream_that_is_left_just_as_its_last_write_ends_has_no_error() -> None:
    stream = stream_with(SlowStore(), many(1), HeldPlatform(latency_s=0.1))

    async with stream:
        await asyncio.sleep(2.1 - 1e-12)  # the intent and the outcome take a second each

    assert stream.stopped_by is None
    assert len(stream.undelivered) == 1


async def interrupted_settling() -> tuple[SlowStore, list[Contact]]:
    """A run that was left while it recorded that its second contact is uncertain."""
    store, contacts = SlowStore(), many(2)
    platform = HeldPlatform(uncertain_after(77), latency_s=0.1)
    async with stream_with(store, contacts, platform, concurrency=1):
        await asyncio.sleep(2.7)  # three writes take a second each, and two answers 0.1 s
    return store, contacts


@in_held_time
async def test_outcome_whose_recording_was_interrupted_keeps_its_floor() -> None:
    store, _ = await interrupted_settling()

    assert store.rows[1].state == State.UNCERTAIN
    assert store.rows[1].id_floor == 77


@in_held_time
async def test_older_contact_is_not_taken_for_one_whose_recording_was_interrupted() -> None:
    store, contacts = await interrupted_settling()
    store.end, store.is_closed = 2, False

    async def find(_: ContactFilter) -> Sequence[ListedContact]:
        return [ListedContact(id=5, modified=None, shown=contact_to_json(contacts[1]))]

    again = await JournalRun.start(store, ACCOUNT)
    outcomes = await settle_recorded(again, contacts, find, None)

    assert [outcome.ok for outcome in outcomes] == [False]


@in_held_time
async def test_run_ends_if_its_journal_and_a_worker_fail_together(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    succeeded = AttemptResults.succeeded

    def fail_for_the_third(self: AttemptResults, job: Job, contact_id: int) -> None:
        if job.index == 2:
            raise RuntimeError("a fault of a worker")
        succeeded(self, job, contact_id)

    monkeypatch.setattr(AttemptResults, "succeeded", fail_for_the_third)
    # The third answer comes just as the write of the first outcome fails, and the second outcome
    # waits to be written.
    platform = UnequalPlatform({0: 0.1, 1: 0.5, 2: 1.1})
    stream = stream_with(SlowStore(fails_at=2), many(9), platform, concurrency=3)

    async with asyncio.timeout(100):
        outcomes, error = await read_all(stream)

    assert error is not None
    assert [outcome.index for outcome in sorted(outcomes, key=by_index)] == [*range(len(outcomes))]


def by_index(outcome: Outcome) -> int:
    return outcome.index


@in_held_time
async def test_unforeseen_error_of_a_journal_is_the_cause_of_what_stops_the_run() -> None:
    stream = stream_with(SlowStore(fails_at=2), many(5), HeldPlatform(latency_s=0.1))

    await read_all(stream)

    assert stream.stopped_by is not None
    causes = (stream.stopped_by, stream.stopped_by.__cause__)
    assert any(isinstance(cause, OverflowError) for cause in causes)
