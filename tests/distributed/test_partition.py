"""A slice of a partition: what it sends, what it leaves open, and what the next makes of it."""

import asyncio
from typing import Any

import pytest
from attrs import evolve

from contactsdk import (
    Contact,
    ContactClient,
    Credentials,
    InvalidContactError,
    Item,
    JournalError,
    RejectedError,
    SetupError,
    State,
    UncertainError,
)
from contactsdk.distributed import Partition, PartitionTakenError, RunSettings, SubmittedRun
from contactsdk.distributed.feeder import feed
from contactsdk.journal import Account, postgres_partition
from contactsdk.journal import run as journal_run
from contactsdk.journal.postgres import PostgresJournal
from contactsdk.journal.postgres_partition import PartitionStore
from contactsdk.sandbox import Fault, FaultKind, Sandbox
from tests.distributed.fixtures import Tables, many, numbers, send_part
from tests.examples import a_contact, a_full_contact, an_update
from tests.quick import QUICK

WRONG = InvalidContactError([(("email",), "must be a valid email address")])


async def states(run: SubmittedRun) -> list[State]:
    return [row.state async for row in run.rows()]


async def test_all_partitions_together_send_each_contact_once(
    sandbox: Sandbox, client: ContactClient, journal: PostgresJournal
) -> None:
    run = await client.submit(many(40), journal=journal, partitions=4)

    parts = [await send_part(client, run, part) for part in range(4)]

    assert sorted(number for part in parts for number in numbers(part)) == list(range(40))
    assert all(outcome.ok for part in parts for outcome in part)
    progress = await run.wait()
    assert (progress.succeeded, progress.open, progress.is_done) == (40, 0, True)
    assert len(sandbox.ledger.writes) == 40


async def test_contact_is_sent_exactly_as_it_was_submitted(
    sandbox: Sandbox, client: ContactClient, journal: PostgresJournal
) -> None:
    known = await client.add_or_update(a_contact())
    cleared = an_update(id=known, groups=[], external_urls=[], phone="")
    items = [evolve(a_full_contact(), id=known), cleared, a_contact(groups=[10])]
    run = await client.submit(items, journal=journal, partitions=1)
    sandbox.ledger.requests.clear()

    await send_part(client, run, concurrency=1)
    sent = sorted(request.body for request in sandbox.ledger.requests)
    sandbox.ledger.requests.clear()
    await client.add_or_update_many(items, concurrency=1)

    assert sent == sorted(request.body for request in sandbox.ledger.requests)
    assert len(sent) == 3


async def test_many_pages_are_sent_in_input_order(
    sandbox: Sandbox,
    client: ContactClient,
    journal: PostgresJournal,
    tables: Tables,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for module in (journal_run, postgres_partition):
        monkeypatch.setattr(module, "PAGE_NUMBERS", 10)
    items: list[Item] = [*many(35), WRONG]
    run = await client.submit(items, journal=journal, partitions=1)

    outcomes = await send_part(client, run, concurrency=1)

    assert [outcome.index for outcome in outcomes] == list(range(35))
    order = [int(write.body["externalId"]) for write in sandbox.ledger.writes]
    assert order == list(range(35))
    assert (await run.progress()).is_done
    assert tables.execute("SELECT count(*) FROM {row} WHERE item IS NOT NULL") == [(0,)]


async def test_what_a_slice_does_not_come_to_is_left_to_the_next(
    sandbox: Sandbox, client: ContactClient, journal: PostgresJournal, tables: Tables
) -> None:
    run = await client.submit(many(50), journal=journal, partitions=1)
    partition = Partition(journal, 0)
    async with client.stream(partition, journal=partition, concurrency=2) as outcomes:
        await anext(outcomes)
        outcomes.stop()
        first = [outcome async for outcome in outcomes]
    between = await run.progress()

    await send_part(client, run)

    assert len(first) < 49
    assert between.failed == between.uncertain == between.not_applied == 0
    assert 0 < between.succeeded < 50
    assert (await run.progress()).succeeded == 50
    assert len(sandbox.ledger.writes) == 50
    assert tables.execute("SELECT first_open FROM {lease}") > [(0,)]


async def test_lease_that_is_live_is_refused(
    client: ContactClient, journal: PostgresJournal
) -> None:
    run = await client.submit(many(3), journal=journal, partitions=1)
    first, second = Partition(journal, 0), Partition(journal, 0)
    async with client.stream(first, journal=first) as outcomes:
        with pytest.raises(PartitionTakenError, match="another worker sends it"):
            async with client.stream(second, journal=second):
                pass
        assert (await run.progress()).workers == 1
        assert len([outcome async for outcome in outcomes]) == 3
    assert (await run.progress()).workers == 0


async def test_run_that_is_not_whole_is_not_sent(
    client: ContactClient, journal: PostgresJournal, tables: Tables
) -> None:
    run = await client.submit(many(3), journal=journal, partitions=1)
    tables.execute("UPDATE {run} SET sealed = false")

    with pytest.raises(PartitionTakenError):
        await send_part(client, run)


async def test_another_account_is_refused_before_anything_is_sent(
    sandbox: Sandbox, client: ContactClient, journal: PostgresJournal
) -> None:
    run = await client.submit(many(3), journal=journal, partitions=1)
    async with ContactClient(sandbox.url, Credentials("another", "account")) as other:
        with pytest.raises(JournalError, match="another account"):
            await send_part(other, run)

    assert not sandbox.ledger.requests
    assert (await run.progress()).workers == 0


async def test_run_that_was_not_submitted_has_no_partitions(
    client: ContactClient, journal: PostgresJournal
) -> None:
    await client.add_or_update_many(many(1), journal=journal)
    partition = Partition(journal, 0)

    with pytest.raises(JournalError, match="no such run was submitted"):
        await client.add_or_update_many(partition, journal=partition)


async def test_run_that_was_submitted_is_not_sent_as_a_whole(
    sandbox: Sandbox, client: ContactClient, journal: PostgresJournal
) -> None:
    await client.submit(many(3), journal=journal)

    with pytest.raises(JournalError, match="this run was submitted for workers"):
        await client.add_or_update_many(many(3), journal=journal)
    assert not sandbox.ledger.requests


async def test_refusals_and_uncertain_contacts_are_final(
    sandbox: Sandbox, client: ContactClient, journal: PostgresJournal, tables: Tables
) -> None:
    items: list[Item] = [*many(2), a_contact(groups=[99]), WRONG]
    run = await client.submit(items, journal=journal, partitions=1)
    sandbox.script(None, Fault(FaultKind.CLOSE_AFTER_WRITE))

    first = await send_part(client, run, concurrency=1)
    second = await send_part(client, run)

    assert [type(outcome.error) for outcome in first] == [
        type(None), UncertainError, RejectedError,
    ]  # fmt: skip
    assert second == []
    progress = await run.progress()
    assert (progress.failed, progress.uncertain, progress.is_done) == (2, 1, True)
    assert tables.execute("SELECT number FROM {row} WHERE item IS NOT NULL") == [(1,)]


async def test_contact_that_is_not_applied_after_all_its_attempts_is_tried_again_by_resume(
    sandbox: Sandbox, journal: PostgresJournal
) -> None:
    credentials = Credentials(sandbox.key, sandbox.secret)
    async with ContactClient(sandbox.url, credentials, retry=evolve(QUICK, attempts=1)) as client:
        run = await client.submit(many(3), journal=journal, partitions=1)
        sandbox.script(None, Fault(FaultKind.UNAVAILABLE))
        await send_part(client, run, concurrency=1)
        between = await run.progress()
        nothing = await send_part(client, run)

        await run.resume()
        reopened = await run.progress()
        again = await send_part(client, run)

    assert (between.succeeded, between.not_applied, between.is_done) == (2, 1, True)
    assert nothing == []
    assert (reopened.open, reopened.is_done) == (1, False)
    assert numbers(again) == [1]
    assert (await run.progress()).succeeded == 3


async def test_older_update_is_not_sent_after_a_newer_one_when_a_run_is_resumed(
    sandbox: Sandbox, journal: PostgresJournal
) -> None:
    credentials = Credentials(sandbox.key, sandbox.secret)
    async with ContactClient(sandbox.url, credentials, retry=evolve(QUICK, attempts=1)) as client:
        known = await client.add_or_update(a_contact())
        items = [an_update(id=known, phone=phone) for phone in ("old", "new")]
        run = await client.submit(items, journal=journal, partitions=1)
        sandbox.script(Fault(FaultKind.UNAVAILABLE))
        await send_part(client, run, concurrency=1)
        await run.resume()

        (outcome,) = await send_part(client, run)

    assert "a later item with the same contact was sent" in str(outcome.error)
    assert sandbox.contacts[known]["phone"] == "new"
    assert (await run.progress()).is_done, "it does not stay open for ever"


async def test_set_up_that_is_wrong_leaves_its_contacts_open(
    sandbox: Sandbox, client: ContactClient, journal: PostgresJournal
) -> None:
    run = await client.submit(many(3), journal=journal, partitions=1)
    sandbox.script(Fault(FaultKind.REDIRECT))

    with pytest.raises(SetupError):
        await send_part(client, run, concurrency=1)

    assert await states(run) == [State.WAITING] * 3
    assert (await run.progress()).open == 3


@pytest.mark.parametrize("is_safe", [True, False])
async def test_contact_that_a_killed_worker_had_in_flight_is_sent_again_only_where_that_is_safe(
    is_safe: bool,
    sandbox: Sandbox,
    client: ContactClient,
    journal: PostgresJournal,
    tables: Tables,
) -> None:
    items = many(3, update_if_exists=True if is_safe else None)
    run = await client.submit(items, journal=journal, partitions=1)
    await die_with_one_in_flight(sandbox, client, journal, tables)

    outcomes = await send_part(client, run)

    assert len(outcomes) == 3
    progress = await run.progress()
    assert (progress.succeeded, progress.uncertain) == ((3, 0) if is_safe else (2, 1))
    assert progress.is_done
    added = [write for write in sandbox.ledger.writes if write.added]
    assert len(added) == 3


async def die_with_one_in_flight(
    sandbox: Sandbox, client: ContactClient, journal: PostgresJournal, tables: Tables
) -> None:
    """Take the lease, send one contact without hearing of it, and never be heard of again."""
    sandbox.script(Fault(FaultKind.HANG_AFTER_WRITE))
    partition = Partition(journal, 0)
    async with client.stream(partition, journal=partition, concurrency=1):
        async with asyncio.timeout(60):
            while not sandbox.ledger.writes:
                await asyncio.sleep(0.001)
        tables.let_the_leases_end()
        tables.execute("UPDATE {lease} SET epoch = epoch + 1")
        # Its end counts as recorded by whoever would have taken over.
        tables.execute("INSERT INTO {lease_end} SELECT run, part, epoch - 1, until FROM {lease}")


@pytest.mark.parametrize("is_written", [True, False])
async def test_add_that_a_killed_worker_had_in_flight_is_looked_for_where_the_run_settles(
    is_written: bool, sandbox: Sandbox, journal: PostgresJournal, tables: Tables
) -> None:
    policy = evolve(QUICK, settle_s=0.4)
    credentials = Credentials(sandbox.key, sandbox.secret)
    async with ContactClient(sandbox.url, credentials, timeout_s=1.0) as client:
        run = await client.submit(many(3), journal=journal, partitions=1, retry=policy)
        if is_written:
            await die_with_one_in_flight(sandbox, client, journal, tables)
        else:
            tables.execute("UPDATE {row} SET state = 'sent' WHERE number = 0")

        outcomes = await send_part(client, run)

    (looked_for,) = [outcome for outcome in outcomes if outcome.index == 0]
    assert looked_for.settled is is_written
    assert looked_for.uncertain is not is_written
    progress = await run.progress()
    assert (progress.succeeded, progress.is_done) == (3 if is_written else 2, True)


async def test_update_that_a_killed_worker_had_in_flight_is_sent_again_where_the_run_settles(
    sandbox: Sandbox, client: ContactClient, journal: PostgresJournal, tables: Tables
) -> None:
    items = many(2, update_if_exists=True)
    policy = evolve(QUICK, settle_s=60)
    run = await client.submit(items, journal=journal, partitions=1, retry=policy)
    tables.execute("UPDATE {row} SET state = 'sent' WHERE number = 0")

    outcomes = await send_part(client, run)

    assert all(outcome.ok and not outcome.settled for outcome in outcomes)
    assert len(sandbox.ledger.writes) == 2


async def test_add_that_is_looked_for_when_a_slice_ends_is_looked_for_by_one_more(
    sandbox: Sandbox, journal: PostgresJournal
) -> None:
    policy = evolve(QUICK, settle_s=600)
    credentials = Credentials(sandbox.key, sandbox.secret)
    recorded = []
    async with ContactClient(sandbox.url, credentials, timeout_s=5.0) as client:
        run = await client.submit(many(1), journal=journal, partitions=1, retry=policy)
        sandbox.script(Fault(FaultKind.ERROR_BEFORE_WRITE))
        for _ in range(2):
            partition, settings = Partition(journal, 0), await run.settings()
            options: Any = settings.bulk_options
            async with client.stream(partition, journal=partition, **options) as outcomes:
                ending = asyncio.create_task(anext(outcomes))
                await asyncio.wait([ending], timeout=0.3)
                outcomes.stop()
                assert (await ending).uncertain
            recorded += await states(run)

    assert recorded == [State.SENT, State.UNCERTAIN]


async def test_id_that_another_slice_was_answered_is_not_given_to_an_uncertain_add(
    sandbox: Sandbox, journal: PostgresJournal
) -> None:
    twins = [a_contact(phone=None), a_contact(phone=None)]
    policy = evolve(QUICK, settle_s=0.4)
    credentials = Credentials(sandbox.key, sandbox.secret)

    async def slice_of_one(run: SubmittedRun) -> bool:
        async with ContactClient(sandbox.url, credentials, timeout_s=5.0) as worker:
            partition, settings = Partition(journal, 0), await run.settings()
            options: Any = {**settings.bulk_options, "concurrency": 1}
            async with worker.stream(partition, journal=partition, **options) as outcomes:
                outcome = await anext(outcomes)
                outcomes.stop()
                async for _ in outcomes:
                    pass
                return outcome.ok

    async with ContactClient(sandbox.url, credentials) as client:
        run = await client.submit(twins, journal=journal, partitions=1, retry=policy)
    assert await slice_of_one(run)
    sandbox.touch_as_rival(sandbox.ledger.writes[0].contact_id)
    sandbox.script(
        *[Fault(FaultKind.ERROR_BEFORE_WRITE)], action="contact?action=addOrUpdateContact"
    )

    assert not await slice_of_one(run)

    assert await states(run) == [State.SUCCEEDED, State.UNCERTAIN]


async def test_batches_of_a_partition_are_recorded_and_those_of_a_killed_worker_fetched(
    sandbox: Sandbox, client: ContactClient, journal: PostgresJournal, tables: Tables
) -> None:
    run = await client.submit(many(12), journal=journal, partitions=1, batch_size=5)
    settings: Any = (await run.settings()).bulk_options
    partition = Partition(journal, 0)
    async with client.stream(partition, journal=partition, **settings) as outcomes:
        async with asyncio.timeout(60):
            while not tables.execute("SELECT 1 FROM {row} WHERE batch_id IS NOT NULL"):
                await asyncio.sleep(0.001)
        del outcomes

    await send_part(client, run)

    progress = await run.progress()
    assert (progress.succeeded, progress.is_done) == (12, True)
    assert len(sandbox.ledger.writes) == 12
    assert all([row.batch_id is not None async for row in run.rows()][1:])


async def test_hook_is_called_with_what_is_open_when_the_lease_is_released(
    client: ContactClient, journal: PostgresJournal, tables: Tables
) -> None:
    seen: list[tuple[int, bool]] = []

    def on_release(_: object, count: int) -> None:
        (is_live,) = tables.execute("SELECT until > clock_timestamp() FROM {lease}")
        seen.append((count, is_live[0]))

    await client.submit(many(30), journal=journal, partitions=1)
    for is_stopped in (True, False):
        partition = Partition(journal, 0, on_release=on_release)
        async with client.stream(partition, journal=partition, concurrency=1) as outcomes:
            await anext(outcomes)
            if is_stopped:
                outcomes.stop()
            async for _ in outcomes:
                pass

    (first, second) = seen
    assert 0 < first[0] < 30
    assert second[0] == 0
    assert first[1], "the lease is let go in that transaction, which is not committed yet"


async def test_hook_is_not_called_where_another_worker_has_taken_over(
    client: ContactClient, journal: PostgresJournal, tables: Tables
) -> None:
    called: list[int] = []
    await client.submit(many(30), journal=journal, partitions=1)
    partition = Partition(journal, 0, on_release=lambda _, count: called.append(count))

    with pytest.raises(JournalError, match="taken the run over"):
        async with client.stream(partition, journal=partition, concurrency=1) as outcomes:
            await anext(outcomes)
            tables.execute("UPDATE {lease} SET epoch = epoch + 1, owner = 'another'")
            async for _ in outcomes:
                pass

    assert called == []


async def test_worker_finds_out_that_the_run_was_stopped(
    sandbox: Sandbox, client: ContactClient, journal: PostgresJournal
) -> None:
    run = await client.submit(many(200), journal=journal, partitions=1)
    partition = Partition(journal, 0)
    assert partition.stopped_for is None
    async with client.stream(partition, journal=partition, concurrency=1) as outcomes:
        await anext(outcomes)
        assert partition.stopped_for is None
        await run.stop("enough")
        async for _ in outcomes:
            if partition.stopped_for is not None:
                outcomes.stop()

    assert partition.stopped_for == "enough"
    assert len(sandbox.ledger.writes) < 200
    with pytest.raises(PartitionTakenError):
        await send_part(client, run)
    assert (await run.wait()).stopped_for == "enough"

    await run.resume()
    await send_part(client, run)
    assert (await run.progress()).succeeded == 200


async def test_outcome_whose_writing_was_cut_off_is_written_again_at_the_end(
    journal: PostgresJournal,
) -> None:
    account = Account(url="https://api.example.com", key="key", secret="secret")
    run = await feed(many(3), journal, account, RunSettings(), partitions=1)
    store = await PartitionStore(journal.database, journal.run).open(account)
    page = await store.next_page()
    done = page[1]._replace(state=State.SUCCEEDED.value, id=7)

    await store.write([done])
    await store.close([done])

    progress = await run.progress()
    assert (progress.succeeded, progress.open, progress.workers) == (1, 2, 0)


async def test_partition_without_open_rows_is_an_empty_input(
    client: ContactClient, journal: PostgresJournal
) -> None:
    run = await client.submit([], journal=journal, partitions=1)

    assert await send_part(client, run) == []


def test_partition_is_named_without_a_password() -> None:
    journal = PostgresJournal("postgresql://user:hidden@host/name", run="spring")

    assert Partition(journal, 3).name == "postgresql://host/name, run spring, part 3"


async def test_partition_takes_a_worker_that_uses_another_policy(
    sandbox: Sandbox, client: ContactClient, journal: PostgresJournal
) -> None:
    policy = evolve(QUICK, attempts=2)
    run = await client.submit(
        [Contact(id=1, phone="1")], journal=journal, partitions=1, retry=policy
    )
    sandbox.script(*[Fault(FaultKind.ERROR_BEFORE_WRITE)] * 5)

    (outcome,) = await send_part(client, run)

    assert outcome.attempts == 2
