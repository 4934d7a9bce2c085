"""Runs of batches that died, and what the next run learns of them from the platform."""

import asyncio
import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from contactsdk import (
    BulkReport,
    Contact,
    ContactClient,
    Credentials,
    JournalError,
    RetryPolicy,
    SetupError,
    SqliteJournal,
    UncertainError,
)
from contactsdk.bulk import Run, RunOptions
from contactsdk.bulk.actions import RequestedBatchActions
from contactsdk.bulk.earlier_batches import EarlierBatches
from contactsdk.bulk.schedule import Job
from contactsdk.journal import JournalRun, State
from contactsdk.pacing import Pacer
from contactsdk.retry import Delivery
from contactsdk.sandbox import Answer, Fault, FaultKind, JobFault, Sandbox
from tests.bulk.held import in_held_time, now
from tests.bulk.held_batches import Accepted, HeldBatches
from tests.examples import a_contact

RUN, RESULTS = "batch?action=run", "batch?action=results"
QUICK = RetryPolicy(base_s=0.001, max_wait_s=0.01)
HANG = Fault(FaultKind.HANG_BEFORE_WRITE)


def contacts(count: int, **changes: Any) -> list[Contact]:
    return [
        a_contact(external_id=f"x-{number}", email=f"x{number}@example.com", **changes)
        for number in range(count)
    ]


@pytest.fixture
def journal(tmp_path: Path) -> SqliteJournal:
    return SqliteJournal(tmp_path / "run.sqlite")


def client_of(sandbox: Sandbox) -> ContactClient:
    return ContactClient(sandbox.url, Credentials(sandbox.key, sandbox.secret), retry=QUICK)


async def leave_unanswered(
    sandbox: Sandbox, items: Sequence[Contact], journal: SqliteJournal, *, batches: int = 1
) -> None:
    """A run of batches of ten that ends before so many of them have their results."""
    sandbox.script(None, *[HANG] * batches, action=RESULTS)
    async with client_of(sandbox) as client:
        stream = client.stream(items, journal=journal, batch_size=10, concurrency=batches)
        async with asyncio.timeout(120), stream:
            while sum(r.answer is Answer.HUNG for r in sandbox.ledger.requests) < batches:
                await asyncio.sleep(0.01)
    assert sum(outcome.uncertain for outcome in stream.undelivered) == 10 * batches


async def run_again(
    sandbox: Sandbox, items: Sequence[Contact], journal: SqliteJournal, **options: Any
) -> BulkReport:
    async with client_of(sandbox) as client:
        return await client.add_or_update_many(items, journal=journal, **options)


def requests_for(sandbox: Sandbox, action: str) -> int:
    return sum(request.action == action for request in sandbox.ledger.requests)


def times_written(sandbox: Sandbox) -> Counter[str]:
    return Counter(write.body["externalId"] for write in sandbox.ledger.writes)


@pytest.mark.parametrize("batch_size", [None, 10])
async def test_results_of_accepted_batches_are_fetched_and_nothing_is_sent_twice(
    batch_size: int | None, sandbox: Sandbox, journal: SqliteJournal
) -> None:
    items = contacts(31)
    await leave_unanswered(sandbox, items, journal, batches=3)
    polls = requests_for(sandbox, RESULTS)

    report = await run_again(sandbox, items, journal, batch_size=batch_size)

    assert all(outcome.ok for outcome in report.outcomes)
    assert times_written(sandbox) == Counter(item.external_id for item in items)
    assert requests_for(sandbox, RESULTS) == polls + 3
    written = {write.body["externalId"]: write.contact_id for write in sandbox.ledger.writes}
    assert list(report.ids) == [written[item.external_id or ""] for item in items]
    assert {row.state for row in journal.rows()} == {State.SUCCEEDED}


async def test_batch_without_an_answer_leaves_its_adds_uncertain(
    sandbox: Sandbox, client: ContactClient, journal: SqliteJournal
) -> None:
    items = contacts(11)
    sandbox.script(None, Fault(FaultKind.HANG_AFTER_WRITE), action=RUN)
    async with client_of(sandbox) as leaving:
        stream = leaving.stream(items, journal=journal, batch_size=10)
        async with asyncio.timeout(120), stream:
            while len(sandbox.ledger.writes) < 11:
                await asyncio.sleep(0.01)

    report = await client.add_or_update_many(items, journal=journal, batch_size=10)

    assert [outcome.uncertain for outcome in report.outcomes] == [False] + [True] * 10
    assert set(times_written(sandbox).values()) == {1}


async def test_each_result_of_an_earlier_batch_means_what_it_means_in_a_run(
    sandbox: Sandbox, journal: SqliteJournal
) -> None:
    items = contacts(11)
    sandbox.script_jobs(
        None, JobFault.REJECTED, JobFault.RACED, JobFault.ERROR_AFTER_WRITE, JobFault.NEVER_EXECUTED
    )
    await leave_unanswered(sandbox, items, journal)

    report = await run_again(sandbox, items, journal, batch_size=10)

    ends = [o.error and type(o.error).__name__ for o in report.outcomes]
    unknown = ["UncertainError"] * 2
    assert ends == [None, "RejectedError", None, *unknown, *[None] * 6]
    assert times_written(sandbox)["x-2"] == 1
    assert set(times_written(sandbox).values()) == {1}
    third = await run_again(sandbox, items, journal, batch_size=10)
    assert [o.error and type(o.error).__name__ for o in third.outcomes] == ends


async def test_updates_whose_results_are_forgotten_are_sent_again_and_adds_are_uncertain(
    journal: SqliteJournal,
) -> None:
    later_s = 0.0
    async with Sandbox(clock=lambda: time.time() + later_s) as sandbox:
        items = [*contacts(6), *contacts(11, update_if_exists=True)[6:]]
        await leave_unanswered(sandbox, items, journal)
        later_s = 3 * 86_400.0

        report = await run_again(sandbox, items, journal, batch_size=10)

        assert [o.uncertain for o in report.outcomes] == [False] + [True] * 5 + [False] * 5
        assert all(outcome.ok for outcome in report.outcomes[6:])
        states = [row.state for row in journal.rows()]
        assert states == [State.SUCCEEDED] + [State.UNCERTAIN] * 5 + [State.SUCCEEDED] * 5


async def test_adds_stay_on_record_with_their_batch_while_the_platform_does_not_tell(
    sandbox: Sandbox, journal: SqliteJournal
) -> None:
    items = contacts(11)
    await leave_unanswered(sandbox, items, journal)
    sandbox.batch_rate_per_s = 1.0
    sandbox.script(*[Fault(FaultKind.HTML)] * 3, action=RESULTS)
    second = await run_again(sandbox, items, journal, batch_size=10, give_up_s=0.3)
    third = await run_again(sandbox, items, journal, batch_size=10)

    assert [outcome.uncertain for outcome in second.outcomes] == [False] + [True] * 10
    assert all(outcome.ok for outcome in third.outcomes)
    assert set(times_written(sandbox).values()) == {1}


async def test_uncertain_batch_of_a_finished_run_is_asked_for_by_the_next(
    sandbox: Sandbox, journal: SqliteJournal
) -> None:
    items = contacts(11)
    sandbox.script(None, *[Fault(FaultKind.HTML)] * 3, action=RESULTS)
    first = await run_again(sandbox, items, journal, batch_size=10, give_up_s=0.3)
    second = await run_again(sandbox, items, journal, batch_size=10)

    assert [outcome.uncertain for outcome in first.outcomes] == [False] + [True] * 10
    assert "made no progress" in first.outcomes[1].message
    assert all(outcome.ok for outcome in second.outcomes)


async def leave_older_update(sandbox: Sandbox, journal: SqliteJournal) -> list[Contact]:
    """A run in which the results of an older update did not come, and a newer one succeeded."""
    once = RetryPolicy(attempts=1)
    credentials = Credentials(sandbox.key, sandbox.secret)
    async with ContactClient(sandbox.url, credentials, retry=once) as client:
        contact_id = await client.add_or_update(a_contact())
        items = [*contacts(1), *(Contact(id=contact_id, phone=phone) for phone in ("1", "2"))]
        sandbox.script(None, *[Fault(FaultKind.HTML)] * 2, action=RESULTS)
        report = await client.add_or_update_many(
            items, journal=journal, batch_size=10, give_up_s=0.3
        )
    assert [outcome.uncertain for outcome in report.outcomes] == [False, True, False]
    return items


def phones_written(sandbox: Sandbox) -> list[str]:
    return [write.body["phone"] for write in sandbox.ledger.writes if "phone" in write.body]


async def test_older_update_whose_results_are_forgotten_is_not_sent_after_a_newer_one(
    journal: SqliteJournal,
) -> None:
    later_s = 0.0
    async with Sandbox(clock=lambda: time.time() + later_s) as sandbox:
        items = await leave_older_update(sandbox, journal)
        later_s = 3 * 86_400.0

        report = await run_again(sandbox, items, journal, batch_size=10)

        assert [outcome.uncertain for outcome in report.outcomes] == [False, True, False]
        assert phones_written(sandbox)[-2:] == ["1", "2"]


async def test_older_update_stays_on_record_with_its_batch_until_the_platform_tells(
    sandbox: Sandbox, journal: SqliteJournal
) -> None:
    items = await leave_older_update(sandbox, journal)
    sandbox.script(*[Fault(FaultKind.HTML)] * 3, action=RESULTS)
    second = await run_again(sandbox, items, journal, batch_size=10, give_up_s=0.3)
    third = await run_again(sandbox, items, journal, batch_size=10)

    assert [outcome.uncertain for outcome in second.outcomes] == [False, True, False]
    assert all(outcome.ok for outcome in third.outcomes)
    assert phones_written(sandbox)[-2:] == ["1", "2"]


async def test_older_update_that_its_batch_throttled_is_not_sent_after_a_newer_one(
    sandbox: Sandbox, journal: SqliteJournal
) -> None:
    sandbox.script_jobs(None, JobFault.RACED)
    items = await leave_older_update(sandbox, journal)

    for _ in range(2):
        report = await run_again(sandbox, items, journal, batch_size=10)

        assert [outcome.ok for outcome in report.outcomes] == [True, False, True]
        assert not report.uncertain
        assert phones_written(sandbox)[-1] == "2"
        assert phones_written(sandbox).count("1") == 0


async def test_results_that_are_refused_stop_the_next_run_and_are_kept_for_another(
    journal: SqliteJournal,
) -> None:
    async with Sandbox() as sandbox:
        items = contacts(11)
        await leave_unanswered(sandbox, items, journal)
        key, sandbox.key = sandbox.key, "another"
        credentials = Credentials(key, sandbox.secret)
        async with ContactClient(sandbox.url, credentials, retry=QUICK) as client:
            second = await client.add_or_update_many(items, journal=journal, batch_size=10)
        sandbox.key = key
        third = await run_again(sandbox, items, journal, batch_size=10)

    assert isinstance(second.stopped_by, SetupError)
    assert not any(outcome.ok for outcome in second.outcomes[1:])
    assert all(outcome.ok for outcome in third.outcomes)


async def test_contact_with_an_earlier_doubt_is_not_settled_by_its_last_batch(
    sandbox: Sandbox, journal: SqliteJournal
) -> None:
    items = contacts(2, update_if_exists=True)
    sandbox.script(None, Fault(FaultKind.CLOSE_AFTER_WRITE), action=RUN)
    sandbox.script_jobs(None, None, JobFault.REJECTED)
    sandbox.script(None, HANG, action=RESULTS)
    async with client_of(sandbox) as client, asyncio.timeout(120):
        stream = client.stream(items, journal=journal, batch_size=10)
        async with stream:
            while all(r.answer is not Answer.HUNG for r in sandbox.ledger.requests):
                await asyncio.sleep(0.01)
    sandbox.script_jobs(JobFault.REJECTED)

    report = await run_again(sandbox, items, journal, batch_size=10)

    assert isinstance(report.outcomes[1].error, UncertainError)


@pytest.mark.parametrize("ended_by", ["stop", "leaving", "closing"])
async def test_run_that_ends_while_it_asks_for_earlier_results_loses_nothing(
    ended_by: str, sandbox: Sandbox, journal: SqliteJournal
) -> None:
    items = contacts(11)
    await leave_unanswered(sandbox, items, journal)
    sandbox.script(HANG, action=RESULTS)
    outcomes = []
    async with client_of(sandbox) as client, asyncio.timeout(120):
        stream = client.stream(items, journal=journal, batch_size=10)
        async with stream:
            while sum(r.answer is Answer.HUNG for r in sandbox.ledger.requests) < 2:
                await asyncio.sleep(0.01)
            if ended_by == "closing":
                await client.aclose()
            if ended_by == "stop":
                stream.stop()
            if ended_by != "leaving":
                while (outcome := await stream.next()) is not None:
                    outcomes.append(outcome)
    third = await run_again(sandbox, items, journal, batch_size=10)

    outcomes += stream.undelivered
    assert {outcome.index for outcome in outcomes} >= {0, 1}
    assert {type(outcome.error) for outcome in outcomes if outcome.index} == {UncertainError}
    assert all(outcome.ok for outcome in third.outcomes)


async def test_results_of_more_batches_than_are_kept_are_fetched_too(
    sandbox: Sandbox, journal: SqliteJournal
) -> None:
    items = contacts(101)
    await leave_unanswered(sandbox, items, journal, batches=10)

    report = await run_again(sandbox, items, journal)

    assert all(outcome.ok for outcome in report.outcomes)
    assert set(times_written(sandbox).values()) == {1}


async def test_session_that_is_closed_while_earlier_results_are_asked_for_loses_nothing(
    sandbox: Sandbox, journal: SqliteJournal, monkeypatch: pytest.MonkeyPatch
) -> None:
    items = contacts(11)
    await leave_unanswered(sandbox, items, journal)

    async def cancelled(*_: object) -> None:
        raise asyncio.CancelledError

    with monkeypatch.context() as patched:
        patched.setattr(RequestedBatchActions, "results", cancelled)
        second = await run_again(sandbox, items, journal)
    third = await run_again(sandbox, items, journal)

    assert isinstance(second.stopped_by, RuntimeError)
    assert all(outcome.uncertain for outcome in second.outcomes[1:])
    assert all(outcome.ok for outcome in third.outcomes)


@pytest.mark.parametrize("after_acceptance", [False, True])
async def test_journal_that_cannot_be_written_stops_the_run_and_sends_nothing_unrecorded(
    after_acceptance: bool,
    sandbox: Sandbox,
    journal: SqliteJournal,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    record_intent = JournalRun.record_intent

    async def fail(*args: Any, batch_id: str | None, **options: Any) -> None:
        if (batch_id is not None) is after_acceptance:
            raise JournalError("the disk is full")
        await record_intent(*args, batch_id=batch_id, **options)

    monkeypatch.setattr(JournalRun, "record_intent", fail)
    report = await run_again(sandbox, contacts(30), journal, batch_size=10)

    assert isinstance(report.stopped_by, JournalError)
    assert [outcome.ok for outcome in report.outcomes] == [after_acceptance]
    assert len(sandbox.ledger.writes) == after_acceptance


@in_held_time
async def test_only_one_earlier_batch_without_results_is_waited_for_as_long_as_give_up_s() -> None:
    clock = asyncio.get_running_loop().time
    platform = HeldBatches(takes_s=1e6, accepted=[Accepted([b"{}"], 0.0) for _ in range(20)])
    pacer = Pacer(base_s=0.5, max_wait_s=30.0, clock=clock)
    options = RunOptions(policy=RetryPolicy(), concurrency=4, give_up_s=300.0)
    run = Run([], platform.send, platform, pacer, options)
    earlier = EarlierBatches(run)
    waited_s = []

    for number, contact in enumerate(contacts(20)):
        batch = (f"batch-{number}", 0)
        job = Job(number, contact, None, Delivery(True, 0.0, None), earlier_batch=batch)
        began_at = now()
        assert not await earlier.conclude(job)
        waited_s.append(now() - began_at)

    assert 300 <= waited_s[0] < 310
    assert all(10 <= seconds < 20 for seconds in waited_s[1:])


async def test_update_is_sent_again_while_another_worker_waits_for_the_next_batch(
    sandbox: Sandbox, journal: SqliteJournal
) -> None:
    """The newer update behind it keeps the run open, and nothing else ends the wait."""
    async with client_of(sandbox) as client:
        contact_id = await client.add_or_update(a_contact())
    items = [*contacts(1), *(Contact(id=contact_id, phone=phone) for phone in ("1", "2"))]
    sandbox.script(None, *[Fault(FaultKind.HTML)] * 3, action=RESULTS)

    async with asyncio.timeout(120):
        report = await run_again(sandbox, items, journal, batch_size=10, give_up_s=0.3)

    assert [outcome.ok for outcome in report.outcomes] == [True] * 3
    assert sandbox.contacts[contact_id]["phone"] == "2"
