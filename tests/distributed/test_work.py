"""What workers find to do, and when a run that cannot be sent is stopped."""

from collections.abc import Sequence

from contactsdk import ContactClient
from contactsdk.distributed import Partition, SubmittedRun
from contactsdk.distributed.work import OpenPartition, open_partitions, record_setup_error
from contactsdk.journal.postgres import PostgresJournal
from tests.distributed.fixtures import Journals, Tables, many, send_part


def found(journal: PostgresJournal) -> Sequence[OpenPartition]:
    with journal.database.connect() as connection:
        return open_partitions(connection, journal.database)


async def test_partitions_that_are_open_and_not_sent_are_found(
    client: ContactClient, journal_of: Journals, tables: Tables
) -> None:
    first, second = journal_of("first"), journal_of("second")
    for journal in (first, second):
        await client.submit(many(20), journal=journal, partitions=2)
    await client.add_or_update_many(many(1), journal=journal_of("direct"))
    await send_part(client, SubmittedRun(first), 1)
    partition = Partition(second, 0)

    async with client.stream(partition, journal=partition, concurrency=1) as outcomes:
        await anext(outcomes)
        assert found(first) == [("first", 0), ("second", 1)]
        outcomes.stop()
    assert found(first) == [("first", 0), ("second", 0), ("second", 1)]
    assert tables.execute("SELECT count(*) FROM {run} WHERE finished") == [(0,)]


async def test_run_in_which_nothing_is_open_is_looked_at_no_more_until_it_is_resumed(
    client: ContactClient, journal: PostgresJournal, tables: Tables
) -> None:
    run = await client.submit(many(2), journal=journal, partitions=1)
    await send_part(client, run)

    assert found(journal) == []
    assert tables.execute("SELECT finished FROM {run}") == [(True,)]
    tables.execute("UPDATE {row} SET state = 'not applied'")
    await run.resume()
    assert tables.execute("SELECT finished FROM {run}") == [(False,)]


async def test_runs_that_are_stopped_or_not_whole_have_nothing_to_do(
    client: ContactClient, journal: PostgresJournal, tables: Tables
) -> None:
    run = await client.submit(many(2), journal=journal, partitions=1)
    tables.execute("UPDATE {run} SET sealed = false")
    assert found(journal) == []
    tables.execute("UPDATE {run} SET sealed = true")
    await run.stop()
    assert found(journal) == []

    await run.resume()
    assert found(journal) == [("run", 0)]


async def test_third_worker_that_cannot_send_a_run_stops_it(
    client: ContactClient, journal: PostgresJournal
) -> None:
    run = await client.submit(many(2), journal=journal)

    stopped = [
        record_setup_error(journal, worker, f"{worker}: the secret is wrong")
        for worker in ("a", "b", "a", "c", "d")
    ]

    assert stopped == [None, None, None, "c: the secret is wrong", "c: the secret is wrong"]
    assert (await run.progress()).stopped_for == "c: the secret is wrong"
    await run.resume()
    assert record_setup_error(journal, "e", "again") is None


async def test_worker_of_a_run_that_was_deleted_stops_nothing(
    client: ContactClient, journal: PostgresJournal, tables: Tables
) -> None:
    await client.submit([], journal=journal)
    tables.execute("DELETE FROM {run}")

    assert record_setup_error(journal, "a", "b") is None
