import asyncio
from collections.abc import Sequence
from functools import partial

import attrs
import pytest

from contactsdk import Contact, ContactClient, Credentials, JournalError, SetupError
from contactsdk.distributed import PartitionTakenError, SubmittedRun
from contactsdk.journal import State
from contactsdk.journal.postgres import PostgresJournal
from contactsdk.journal.postgres_connection import Connection, Database
from contactsdk.sandbox import Fault, FaultKind, Sandbox
from contactsdk.workers.slices import Slice
from tests.distributed.samples import contact, contacts, take_lease, versions

AT_ONCE = 1e-9


class Jobs:
    """The next jobs that a partition was given."""

    def __init__(self) -> None:
        self.count = 0

    def add(self, connection: Connection) -> None:
        self.count += 1


@pytest.fixture
def jobs() -> Jobs:
    return Jobs()


async def submitted(
    client: ContactClient, journal: PostgresJournal, items: Sequence[Contact]
) -> SubmittedRun:
    return await client.submit(items, journal=journal, partitions=1)


async def slice_of(
    client: ContactClient, run: SubmittedRun, jobs: Jobs, slice_s: float = 60.0
) -> Slice:
    settings = await run.settings()
    return Slice(client, run.journal, 0, settings, slice_s=slice_s, continue_=jobs.add)


async def test_slice_sends_all_that_is_open(
    client: ContactClient, journal: PostgresJournal, jobs: Jobs, sandbox: Sandbox
) -> None:
    run = await submitted(client, journal, contacts(50))
    end = await (await slice_of(client, run, jobs)).send()
    assert end.counts == {State.SUCCEEDED: 50}
    assert (end.open, end.stopped_by, jobs.count) == (0, None, 0)
    assert (await run.progress()).is_done
    assert len(sandbox.ledger.writes) == 50


async def test_slice_whose_time_is_over_leaves_the_rest_to_the_next(
    client: ContactClient, journal: PostgresJournal, jobs: Jobs, sandbox: Sandbox
) -> None:
    run = await submitted(client, journal, versions(3))
    for left in (2, 1, 0):
        end = await (await slice_of(client, run, jobs, AT_ONCE)).send()
        assert end.counts == {State.SUCCEEDED: 1}
        assert end.open == left
    assert jobs.count == 2
    assert [write.body["phone"] for write in sandbox.ledger.writes] == ["0", "1", "2"]


async def test_contact_that_was_read_is_finished_after_the_time_is_over(
    client: ContactClient, journal: PostgresJournal, jobs: Jobs, sandbox: Sandbox
) -> None:
    run = await submitted(client, journal, contacts(1))
    sandbox.script(Fault(FaultKind.UNAVAILABLE))
    end = await (await slice_of(client, run, jobs, AT_ONCE)).send()
    assert end.counts == {State.SUCCEEDED: 1}


async def test_slice_that_is_stopped_leaves_the_rest_to_the_next(
    client: ContactClient, journal: PostgresJournal, jobs: Jobs, sandbox: Sandbox
) -> None:
    run = await submitted(client, journal, contacts(200))
    sandbox.latency_s = 0.01
    slice_ = await slice_of(client, run, jobs)
    sending = asyncio.create_task(slice_.send())
    while not sandbox.ledger.writes:
        await asyncio.sleep(0.001)
    slice_.stop()
    end = await sending
    progress = await run.progress()
    assert progress.succeeded == len(sandbox.ledger.writes) < 200
    assert (progress.uncertain, progress.not_applied) == (0, 0)
    assert end.open == progress.open == 200 - progress.succeeded
    assert jobs.count == 1


async def test_slice_that_is_stopped_before_it_begins_sends_nothing(
    client: ContactClient, journal: PostgresJournal, jobs: Jobs, sandbox: Sandbox
) -> None:
    run = await submitted(client, journal, contacts(1))
    slice_ = await slice_of(client, run, jobs)
    slice_.stop()
    end = await slice_.send()
    assert (end.open, jobs.count) == (1, 1)
    assert sandbox.ledger.writes == []


async def test_results_of_a_batch_that_are_late_are_left_to_the_next_slice(
    journal: PostgresJournal, jobs: Jobs, sandbox: Sandbox
) -> None:
    sandbox.batch_rate_per_s = 0.001
    credentials = Credentials(sandbox.key, sandbox.secret)
    async with ContactClient(sandbox.url, credentials, timeout_s=2.0) as client:
        run = await client.submit(contacts(1), journal=journal, partitions=1, batch_size=5)
        impatient = attrs.evolve(await run.settings(), attempt_timeout_s=0.01)
        slice_ = Slice(client, journal, 0, impatient, continue_=jobs.add)
        sending = asyncio.create_task(slice_.send())
        while not any("results" in request.action for request in sandbox.ledger.requests):
            await asyncio.sleep(0.001)
        slice_.stop()
        end = await sending
        assert (end.open, jobs.count) == (1, 1)

        now = sandbox.clock
        sandbox.clock = lambda: now() + 2000  # the batch is executed by then
        end = await (await slice_of(client, run, jobs)).send()
    assert end.counts == {State.SUCCEEDED: 1}
    assert len(sandbox.batches) == len(sandbox.ledger.writes) == 1


async def test_slice_in_batches_may_be_stopped_after_its_end(
    client: ContactClient, journal: PostgresJournal, jobs: Jobs, sandbox: Sandbox
) -> None:
    run = await client.submit(contacts(3), journal=journal, partitions=1, batch_size=5)
    slice_ = await slice_of(client, run, jobs)
    end = await slice_.send()
    slice_.stop()
    assert end.counts == {State.SUCCEEDED: 3}


async def test_slice_ends_when_its_run_is_stopped(
    client: ContactClient, journal: PostgresJournal, jobs: Jobs, sandbox: Sandbox
) -> None:
    run = await submitted(client, journal, contacts(2000))
    sandbox.latency_s = 0.01
    sending = asyncio.create_task((await slice_of(client, run, jobs)).send())
    while not sandbox.ledger.writes:
        await asyncio.sleep(0.001)
    await run.stop("enough")
    end = await sending
    assert end.open
    assert jobs.count == 0


async def test_partition_that_another_worker_sends_is_left_alone(
    client: ContactClient,
    journal: PostgresJournal,
    jobs: Jobs,
    connection: Connection,
    database: Database,
    sandbox: Sandbox,
) -> None:
    run = await submitted(client, journal, contacts(1))
    take_lease(connection, database, 0, 60)
    with pytest.raises(PartitionTakenError):
        await (await slice_of(client, run, jobs)).send()
    assert sandbox.ledger.writes == []


async def test_partition_that_is_taken_over_is_its_new_owners(
    client: ContactClient,
    journal: PostgresJournal,
    jobs: Jobs,
    connection: Connection,
    database: Database,
    sandbox: Sandbox,
) -> None:
    run = await submitted(client, journal, contacts(200))
    sandbox.latency_s = 0.01
    sending = asyncio.create_task((await slice_of(client, run, jobs)).send())
    while not sandbox.ledger.writes:
        await asyncio.sleep(0.001)
    take_lease(connection, database, 0, 60)
    end = await sending
    assert isinstance(end.stopped_by, JournalError)
    assert (end.open, jobs.count) == (None, 0)


async def test_next_slice_after_a_failure_waits_for_the_sweep(
    client: ContactClient, journal: PostgresJournal, jobs: Jobs, sandbox: Sandbox
) -> None:
    run = await submitted(client, journal, [contact(1)])
    sandbox.script(Fault(FaultKind.REDIRECT))
    end = await (await slice_of(client, run, jobs)).send()
    assert isinstance(end.stopped_by, SetupError)
    assert jobs.count == 0


async def test_rest_is_nobodys_where_no_job_is_wanted(
    client: ContactClient, journal: PostgresJournal
) -> None:
    run = await submitted(client, journal, contacts(2))
    settings = await run.settings()
    make = partial(Slice, client, journal, 0, settings, slice_s=AT_ONCE)
    assert (await make().send()).open == 1
    assert (await make().send()).open == 0
