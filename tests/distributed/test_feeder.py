"""The input of a run goes into the database: whole, once, and only as one input."""

import asyncio
from collections.abc import AsyncIterator, Iterator

import pytest

from contactsdk import (
    Contact,
    ContactClient,
    Credentials,
    InvalidContactError,
    Item,
    JournalError,
    RetryPolicy,
    State,
)
from contactsdk.distributed import RunSettings, SubmittedRun, feeder
from contactsdk.distributed.feeder import feed
from contactsdk.journal import Account
from contactsdk.journal.postgres import PostgresJournal
from contactsdk.journal.postgres_connection import Connection
from contactsdk.sandbox import Sandbox
from tests.distributed.fixtures import Journals, Tables, many
from tests.examples import a_contact

ACCOUNT = Account(url="https://api.example.com", key="key", secret="secret")
OTHER = Account(url="https://api.example.com", key="key", secret="another")
WRONG = InvalidContactError([(("email",), "must be a valid email address")])
SETTINGS = RunSettings()


@pytest.fixture(autouse=True)
def few_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(feeder, "ITEMS_AT_A_TIME", 10)


async def test_whole_input_is_there_and_waits_to_be_sent(journal: PostgresJournal) -> None:
    run = await feed(many(25), journal, ACCOUNT, SETTINGS)

    progress = await run.progress()
    rows = [row async for row in run.rows()]

    assert (progress.read, progress.open, progress.is_sealed) == (25, 25, True)
    assert not progress.is_done
    assert [row.number for row in rows] == list(range(25))
    assert {row.state for row in rows} == {State.WAITING}


async def test_async_input_is_taken_as_well(journal: PostgresJournal) -> None:
    async def contacts() -> AsyncIterator[Contact]:
        for contact in many(12):
            yield contact

    run = await feed(contacts(), journal, ACCOUNT, SETTINGS)

    assert (await run.progress()).read == 12


async def test_invalid_item_has_its_final_row_at_once(journal: PostgresJournal) -> None:
    run = await feed([a_contact(), WRONG], journal, ACCOUNT, SETTINGS)

    progress = await run.progress()
    (row,) = [row async for row in run.rows(State.INVALID)]

    assert (progress.failed, progress.open) == (1, 1)
    assert row.number == 1
    assert str(row.error) == str(WRONG)


async def test_empty_input_is_done_at_once(journal: PostgresJournal) -> None:
    run = await feed([], journal, ACCOUNT, SETTINGS)

    assert (await run.wait()).is_done


async def test_contacts_with_the_same_key_are_in_one_partition(
    journal: PostgresJournal, tables: Tables
) -> None:
    await feed(many(20) + many(20, phone="2"), journal, ACCOUNT, SETTINGS, partitions=4)

    found = tables.execute("SELECT count(DISTINCT part) FROM {row} GROUP BY key")
    parts = tables.execute("SELECT DISTINCT part FROM {row}")

    assert set(found) == {(1,)}
    assert {part for (part,) in parts} <= set(range(4))
    assert len(parts) > 1


async def test_items_without_a_key_are_spread_over_the_partitions(
    journal: PostgresJournal, tables: Tables
) -> None:
    await feed([WRONG] * 8, journal, ACCOUNT, SETTINGS, partitions=4)

    assert tables.execute("SELECT part, failed FROM {lease} ORDER BY part") == [
        (0, 2), (1, 2), (2, 2), (3, 2),
    ]  # fmt: skip


async def test_lines_of_a_file_are_recorded(journal_of: Journals) -> None:
    journal = journal_of(line_of=lambda number: number + 2)

    run = await feed(many(2), journal, ACCOUNT, SETTINGS)

    assert [row.line async for row in run.rows()] == [2, 3]


async def test_same_input_that_is_submitted_again_changes_nothing(journal: PostgresJournal) -> None:
    for _ in range(2):
        run = await feed(many(25), journal, ACCOUNT, SETTINGS)

    assert (await run.progress()).read == 25


async def test_settings_are_those_of_the_last_time(journal: PostgresJournal) -> None:
    settings = RunSettings(
        retry=RetryPolicy(settle_s=60), batch_size=200, rate_per_s=50, attempt_timeout_s=10
    )
    await feed(many(2), journal, ACCOUNT, SETTINGS)

    run = await feed(many(2), journal, ACCOUNT, settings)

    assert await run.settings() == settings


async def test_feeder_that_stopped_goes_on_behind_what_is_there(
    journal: PostgresJournal, tables: Tables
) -> None:
    def interrupted() -> Iterator[Contact]:
        yield from many(30)[:25]
        raise OSError("the file system is gone")

    with pytest.raises(OSError, match="file system"):
        await feed(interrupted(), journal, ACCOUNT, SETTINGS)
    between = await SubmittedRun(journal).progress()

    run = await feed(many(30), journal, ACCOUNT, SETTINGS)

    assert (between.read, between.is_sealed) == (25, False)
    assert [row.number async for row in run.rows()] == list(range(30))
    assert tables.execute("SELECT sum(recorded)::int FROM {lease}") == [(30,)]


@pytest.mark.parametrize(
    ("input", "number"),
    [
        ([*many(5), a_contact(), *many(25)[6:]], 5),
        ([*many(13), a_contact(), *many(25)[14:]], 13),
        (many(24), 24),
        (many(26), 25),
    ],
    ids=["changed", "changed behind the first ten", "shorter", "longer"],
)
async def test_another_input_is_refused(
    input: list[Item], number: int, journal: PostgresJournal
) -> None:
    await feed(many(25), journal, ACCOUNT, SETTINGS)

    with pytest.raises(JournalError, match=f"(item|with) {number} ") as raised:
        await feed(input, journal, ACCOUNT, SETTINGS)

    assert raised.value.number == number


async def test_another_account_is_refused(journal: PostgresJournal) -> None:
    await feed(many(2), journal, ACCOUNT, SETTINGS)

    with pytest.raises(JournalError, match="another account"):
        await feed(many(2), journal, OTHER, SETTINGS)


async def test_another_number_of_partitions_is_refused(journal: PostgresJournal) -> None:
    await feed(many(2), journal, ACCOUNT, SETTINGS)

    with pytest.raises(JournalError, match="the run has 64 partitions, not 8"):
        await feed(many(2), journal, ACCOUNT, SETTINGS, partitions=8)


async def test_name_of_a_run_that_was_not_submitted_is_refused(
    client: ContactClient, journal: PostgresJournal
) -> None:
    await client.add_or_update_many(many(1), journal=journal)

    with pytest.raises(JournalError, match="a run that was not submitted has this name"):
        await client.submit(many(1), journal=journal)


@pytest.mark.parametrize("partitions", [0, 1025])
async def test_number_of_partitions_that_is_out_of_range_is_refused(
    partitions: int, journal: PostgresJournal
) -> None:
    with pytest.raises(ValueError, match="partitions"):
        await feed([], journal, ACCOUNT, SETTINGS, partitions=partitions)


async def test_database_that_is_away_is_an_error_at_once() -> None:
    journal = PostgresJournal("postgresql://user:hidden@127.0.0.1:1/none", run="run")

    with pytest.raises(JournalError, match="refused"):
        await feed(many(1), journal, ACCOUNT, SETTINGS)


async def test_what_is_not_a_contact_is_refused_and_nothing_is_sealed(
    journal: PostgresJournal,
) -> None:
    with pytest.raises(TypeError, match="item 1 must be a Contact"):
        await feed([a_contact(), "Ada"], journal, ACCOUNT, SETTINGS)  # type: ignore[list-item]

    assert not (await SubmittedRun(journal).progress()).is_sealed


async def test_double_of_a_feeder_stops_and_says_so(
    journal: PostgresJournal, tables: Tables
) -> None:
    both_read = asyncio.Barrier(2)

    async def contacts() -> AsyncIterator[Contact]:
        for number, contact in enumerate(many(40)):
            if number % 10 == 0:
                async with asyncio.timeout(60):
                    await both_read.wait()
            yield contact

    feeding = [feed(contacts(), journal, ACCOUNT, SETTINGS) for _ in range(2)]

    async def first_to_end() -> list[object]:
        tasks = [asyncio.create_task(each) for each in feeding]
        done, rest = await asyncio.wait(tasks, return_when=asyncio.FIRST_EXCEPTION)
        await both_read.abort()
        return [task.exception() for task in done] + list(
            await asyncio.gather(*rest, return_exceptions=True)
        )

    errors = await first_to_end()

    assert any("another process has added items to the run" in str(error) for error in errors)
    run = await feed(many(40), journal, ACCOUNT, SETTINGS)
    assert [row.number async for row in run.rows()] == list(range(40))
    assert tables.execute("SELECT sum(recorded)::int FROM {lease}") == [(40,)]


async def test_feeder_that_was_paused_while_another_sealed_the_run_stops_and_says_so(
    journal: PostgresJournal,
) -> None:
    async def contacts() -> AsyncIterator[Contact]:
        for number, contact in enumerate(many(20)):
            if number == 15:
                await feed(many(20), journal, ACCOUNT, SETTINGS)
            yield contact

    with pytest.raises(JournalError, match="submit the same input again"):
        await feed(contacts(), journal, ACCOUNT, SETTINGS)


async def test_jobs_are_enqueued_with_the_sealing_and_only_then(
    journal: PostgresJournal, tables: Tables
) -> None:
    seen: list[tuple[str, int, bool]] = []

    def enqueue(connection: Connection, run: str, partitions: int) -> None:
        (is_sealed,) = tables.execute("SELECT sealed FROM {run}")
        seen.append((run, partitions, is_sealed[0]))

    for _ in range(2):
        await feed(many(12), journal, ACCOUNT, SETTINGS, partitions=3, enqueue=enqueue)

    assert seen == [("run", 3, False)], "it is not committed yet, and there is no second time"


async def test_run_is_not_sealed_where_its_jobs_cannot_be_enqueued(
    journal: PostgresJournal,
) -> None:
    def enqueue(*_: object) -> None:
        raise LookupError("no engine")

    with pytest.raises(LookupError, match="no engine"):
        await feed(many(2), journal, ACCOUNT, SETTINGS, enqueue=enqueue)

    assert not (await SubmittedRun(journal).progress()).is_sealed


async def test_client_submits_with_its_account_policy_and_timeout(
    sandbox: Sandbox, journal: PostgresJournal
) -> None:
    policy = RetryPolicy(attempts=2)
    credentials = Credentials(sandbox.key, sandbox.secret)
    async with ContactClient(sandbox.url, credentials, retry=policy, timeout_s=7) as client:
        run = await client.submit(many(2), journal=journal, rate_per_s=10, batch_size=5)
        client.check_journal(journal, many(2))

    assert await run.settings() == RunSettings(
        retry=policy, rate_per_s=10, batch_size=5, attempt_timeout_s=7
    )
    assert not sandbox.ledger.requests
