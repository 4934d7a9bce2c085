import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Callable

import pytest
from psycopg import sql

from contactsdk import ContactClient, JournalError, SetupError
from contactsdk.distributed import SubmittedRun
from contactsdk.distributed.postgres_rate import TurnTable
from contactsdk.journal.postgres import PostgresJournal
from contactsdk.journal.postgres_connection import Connection, Database
from contactsdk.sandbox import Fault, FaultKind, Sandbox
from contactsdk.workers import sender as sender_module
from contactsdk.workers.sender import Sender
from contactsdk.workers.slices import Slice, SliceEnd
from tests.distributed.samples import contacts, take_lease

JournalOf = Callable[..., PostgresJournal]
AWAY = Fault(FaultKind.UNAVAILABLE)


@pytest.fixture
def said() -> list[str]:
    return []


@pytest.fixture
async def run(client: ContactClient, journal: PostgresJournal) -> SubmittedRun:
    return await client.submit(contacts(3), journal=journal, partitions=1, give_up_s=0.05)


@pytest.fixture
async def turns(database: Database) -> AsyncIterator[TurnTable]:
    async with TurnTable(database) as table:
        yield table


def sender_of(
    client: ContactClient, journal_of: JournalOf, turns: TurnTable, said: list[str]
) -> Sender:
    return Sender(client, journal_of, turns=turns, concurrency=None, say=said.append)


def ends_by(error: Exception, monkeypatch: pytest.MonkeyPatch) -> None:
    """Have each slice end by this error."""

    class Failing(Slice):
        async def send(self) -> SliceEnd:
            return SliceEnd(counts=Counter(), open=3, stopped_by=error)

    monkeypatch.setattr(sender_module, "Slice", Failing)


@pytest.mark.usefixtures("run")
async def test_what_was_sent_is_reported(
    client: ContactClient,
    journal_of: JournalOf,
    said: list[str],
    sandbox: Sandbox,
    turns: TurnTable,
) -> None:
    sandbox.script(Fault(FaultKind.CLOSE_AFTER_WRITE))
    sender = sender_of(client, journal_of, turns, said)
    await sender.send("run", 0)
    await sender.send("run", 0)
    assert said == ["run run, part 0: 2 succeeded, 1 uncertain"]


@pytest.mark.usefixtures("run")
async def test_partition_of_another_worker_is_ignored(
    client: ContactClient,
    journal_of: JournalOf,
    said: list[str],
    connection: Connection,
    database: Database,
    turns: TurnTable,
) -> None:
    take_lease(connection, database, 0, 60)
    await sender_of(client, journal_of, turns, said).send("run", 0)
    assert said == []


@pytest.mark.usefixtures("database")
async def test_run_that_is_not_there_is_reported(
    client: ContactClient, journal_of: JournalOf, said: list[str], turns: TurnTable
) -> None:
    await sender_of(client, journal_of, turns, said).send("other", 0)
    assert said == [f"run other, part 0: {journal_of('other').name}: no such run was submitted"]


async def test_run_of_another_account_is_not_sent(
    run: SubmittedRun,
    client: ContactClient,
    journal_of: JournalOf,
    said: list[str],
    connection: Connection,
    database: Database,
    sandbox: Sandbox,
    turns: TurnTable,
) -> None:
    query = sql.SQL("UPDATE {} SET account = '\\x00'").format(database.table("run"))
    connection.execute(query)
    await sender_of(client, journal_of, turns, said).send("run", 0)
    assert said == [
        f"run run, part 0: {run.journal.name}: it was made for another account (address, key "
        "or secret): use that account, or another journal"
    ]
    assert sandbox.ledger.writes == []


async def test_wrong_setup_of_three_workers_stops_the_run_for_all(
    run: SubmittedRun,
    client: ContactClient,
    journal_of: JournalOf,
    said: list[str],
    sandbox: Sandbox,
    turns: TurnTable,
) -> None:
    for count in range(3):
        assert (await run.progress()).stopped_for is None
        sandbox.script(Fault(FaultKind.REDIRECT))
        sender = sender_of(client, journal_of, turns, said)
        await sender.send("run", 0)
        assert isinstance(sender.stopped_by, SetupError)
        assert len(said) == count + (2 if count == 2 else 1)
    progress = await run.progress()
    assert progress.stopped_for is not None
    assert "302" in progress.stopped_for
    assert said[-1].startswith("run run: stopped for all workers: ")


async def test_worker_with_a_wrong_setup_sends_no_more(
    run: SubmittedRun,
    client: ContactClient,
    journal_of: JournalOf,
    said: list[str],
    sandbox: Sandbox,
    turns: TurnTable,
) -> None:
    sandbox.script(Fault(FaultKind.REDIRECT))
    sender = sender_of(client, journal_of, turns, said)
    await sender.send("run", 0)
    await sender.send("run", 0)
    assert len(said) == 1
    assert (await run.progress()).open == 3


async def test_trouble_of_one_machine_is_not_the_runs(
    run: SubmittedRun,
    client: ContactClient,
    journal_of: JournalOf,
    said: list[str],
    monkeypatch: pytest.MonkeyPatch,
    turns: TurnTable,
) -> None:
    ends_by(SetupError("the proxy refused to connect: HTTP 407"), monkeypatch)
    for _ in range(3):
        sender = sender_of(client, journal_of, turns, said)
        await sender.send("run", 0)
        assert isinstance(sender.stopped_by, SetupError)
    assert (await run.progress()).stopped_for is None


async def test_platform_that_is_away_for_too_long_stops_the_run(
    run: SubmittedRun,
    client: ContactClient,
    journal_of: JournalOf,
    said: list[str],
    sandbox: Sandbox,
    turns: TurnTable,
) -> None:
    sandbox.mix(1, 1.0, [AWAY])
    sender = sender_of(client, journal_of, turns, said)
    await sender.send("run", 0)
    progress = await run.progress()
    assert progress.stopped_for is not None
    assert (progress.open + progress.not_applied, progress.uncertain) == (3, 0)
    assert sender.stopped_by is None
    assert said[-1] == "run run: stopped for all workers: UnavailableError, HTTP 503"


async def test_run_that_is_resumed_is_sent_to_its_end(
    run: SubmittedRun,
    client: ContactClient,
    journal_of: JournalOf,
    said: list[str],
    sandbox: Sandbox,
    turns: TurnTable,
) -> None:
    sandbox.mix(1, 1.0, [AWAY])
    await sender_of(client, journal_of, turns, said).send("run", 0)
    sandbox.mix(1, 0.0, [AWAY])
    await run.resume()
    await sender_of(client, journal_of, turns, said).send("run", 0)
    assert (await run.progress()).succeeded == 3


@pytest.mark.parametrize("error", [JournalError("taken over"), ZeroDivisionError("a mistake")])
async def test_other_errors_stop_nothing(
    error: Exception,
    run: SubmittedRun,
    client: ContactClient,
    journal_of: JournalOf,
    said: list[str],
    monkeypatch: pytest.MonkeyPatch,
    turns: TurnTable,
) -> None:
    ends_by(error, monkeypatch)
    sender = sender_of(client, journal_of, turns, said)
    await sender.send("run", 0)
    assert said == [f"run run, part 0: nothing sent; 3 left; {error}"]
    assert sender.stopped_by is None
    assert (await run.progress()).stopped_for is None


@pytest.mark.usefixtures("run")
async def test_sender_that_was_stopped_begins_nothing(
    client: ContactClient,
    journal_of: JournalOf,
    said: list[str],
    sandbox: Sandbox,
    turns: TurnTable,
) -> None:
    sender = sender_of(client, journal_of, turns, said)
    sender.stop()
    await sender.send("run", 0)
    assert sandbox.ledger.writes == []


@pytest.mark.usefixtures("run")
async def test_sender_that_is_stopped_while_it_looks_at_the_run_sends_nothing(
    client: ContactClient,
    journal_of: JournalOf,
    said: list[str],
    sandbox: Sandbox,
    turns: TurnTable,
) -> None:
    sender = sender_of(client, journal_of, turns, said)
    sending = asyncio.create_task(sender.send("run", 0))
    await asyncio.sleep(0)
    sender.stop()
    await sending
    assert sandbox.ledger.writes == []


async def test_sender_that_is_stopped_finishes_what_is_in_flight(
    run: SubmittedRun,
    client: ContactClient,
    journal_of: JournalOf,
    said: list[str],
    sandbox: Sandbox,
    turns: TurnTable,
) -> None:
    sandbox.latency_s = 0.05
    sender = Sender(client, journal_of, turns=turns, concurrency=1, say=said.append)
    sending = asyncio.create_task(sender.send("run", 0))
    while not sandbox.ledger.requests:
        await asyncio.sleep(0.001)
    sender.stop()
    await sending
    progress = await run.progress()
    assert (progress.succeeded, progress.open) == (len(sandbox.ledger.writes), 2)


@pytest.mark.parametrize("slice_s", [0.0, -1.0])
def test_slice_takes_some_time(
    slice_s: float, journal_of: JournalOf, client: ContactClient, turns: TurnTable
) -> None:
    with pytest.raises(ValueError, match="slice_s"):
        Sender(client, journal_of, turns=turns, concurrency=None, slice_s=slice_s)
