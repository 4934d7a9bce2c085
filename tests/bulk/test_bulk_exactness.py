"""One outcome for each item read, whatever happens, held against the ledger over real sockets."""

import asyncio
import gc
import json
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterable, Iterator
from typing import Any

import pytest
from attrs import evolve

from contactsdk import (
    AuthenticationError,
    Contact,
    ContactClient,
    Credentials,
    InvalidContactError,
    Outcome,
    OutcomeStream,
    RejectedError,
    SetupError,
    UnavailableError,
    UncertainError,
)
from contactsdk.sandbox import Answer, Fault, FaultKind, Sandbox
from tests.bulk.held import Counted, errors, indexes, many, read_all
from tests.examples import a_contact
from tests.quick import QUICK

# a stream is entered and left around what raises

MISSING = InvalidContactError([(("email",), "is missing")])
HANG = Fault(FaultKind.HANG_AFTER_WRITE)


@pytest.fixture(autouse=True)
async def nothing_left_behind() -> AsyncIterator[None]:
    """No task of a run, a client or a sandbox, and nothing that was not closed."""
    yield
    for _ in range(3):
        await asyncio.sleep(0)
    assert asyncio.all_tasks() == {asyncio.current_task()}
    gc.collect()


@pytest.fixture
async def client(sandbox: Sandbox) -> AsyncIterator[ContactClient]:
    """Waits as long as it takes: no test here is about a timeout."""
    credentials = Credentials(sandbox.key, sandbox.secret)
    async with ContactClient(sandbox.url, credentials, retry=QUICK) as connected:
        yield connected


def check_against_ledger(
    sandbox: Sandbox, outcomes: Iterable[Outcome], read: int, *, requests_lost: bool = False
) -> None:
    """Each item read has one outcome, and each outcome explains what the platform wrote for it.

    `requests_lost`: some never arrived or were closed unread.
    """
    outcomes = list(outcomes)
    assert indexes(outcomes) == list(range(read))
    written: dict[str, list[int]] = {}
    for write in sandbox.ledger.writes:
        written.setdefault(write.body["email"], []).append(write.contact_id)
    bodies = [request.body for request in sandbox.ledger.requests if request.body]
    requests = Counter(json.loads(body)["email"] for body in bodies)
    for outcome in outcomes:
        if outcome.contact is None:
            assert (outcome.error, outcome.attempts) == (MISSING, 0)
            continue
        ids = written.pop(outcome.contact.email or "", [])
        arrived = requests[outcome.contact.email or ""]
        assert outcome.attempts == arrived or (requests_lost and outcome.attempts > arrived)
        if outcome.ok and outcome.contact.update_if_exists:
            assert set(ids) == {outcome.id}
        elif outcome.ok:
            assert ids == [outcome.id]
        elif outcome.uncertain:
            assert len(set(ids)) <= 1
        else:
            assert ids == []
    assert not written


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(120):
        while not condition():
            await asyncio.sleep(0)


async def hanging(sandbox: Sandbox, count: int) -> None:
    await until(lambda: sum(r.answer is Answer.HUNG for r in sandbox.ledger.requests) == count)


async def test_every_contact_of_a_run_is_written_once(
    sandbox: Sandbox, client: ContactClient
) -> None:
    report = await client.add_or_update_many(many(200), concurrency=16)

    check_against_ledger(sandbox, report.outcomes, read=200)
    assert len(report.ids) == 200
    assert report.stopped_by is None


async def test_refused_contacts_do_not_stop_a_run(sandbox: Sandbox, client: ContactClient) -> None:
    items: list[Any] = list(many(60))
    items[7] = items[8] = items[59] = MISSING
    items[20] = a_contact(email="elsewhere@example.test", groups=[99])

    report = await client.add_or_update_many(items, concurrency=8)

    check_against_ledger(sandbox, report.outcomes, read=60)
    assert [(o.index, type(o.error)) for o in report.failures] == [
        (7, InvalidContactError),
        (8, InvalidContactError),
        (20, RejectedError),
        (59, InvalidContactError),
    ]


async def test_uncertain_adds_are_reported_as_such_and_not_sent_again(
    sandbox: Sandbox, client: ContactClient
) -> None:
    lost = [
        FaultKind.CLOSE_AFTER_WRITE,
        FaultKind.RESET_AFTER_WRITE,
        FaultKind.CUT_SHORT,
        FaultKind.ERROR_AFTER_WRITE,
        FaultKind.HTML,
        FaultKind.SUCCESS_WITHOUT_ID,
    ]
    for kind in lost:
        sandbox.script(None, None, Fault(kind))

    report = await client.add_or_update_many(many(60), concurrency=4)

    check_against_ledger(sandbox, report.outcomes, read=60)
    assert len(report.uncertain) == len(lost)
    assert len(report.ids) == 60 - len(lost)
    assert len(sandbox.ledger.requests) == len(sandbox.ledger.writes) == 60


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("update_if_exists", [False, True])
async def test_faults_of_every_kind_lose_nothing_and_double_nothing(
    update_if_exists: bool, seed: int, sandbox: Sandbox
) -> None:
    quick = [
        FaultKind.THROTTLED,
        FaultKind.UNAVAILABLE,
        FaultKind.ERROR_BEFORE_WRITE,
        FaultKind.ERROR_AFTER_WRITE,
        FaultKind.CLOSE_BEFORE_READ,
        FaultKind.CLOSE_AFTER_WRITE,
        FaultKind.RESET_AFTER_WRITE,
        FaultKind.CUT_SHORT,
        FaultKind.HTML,
        FaultKind.SUCCESS_WITHOUT_ID,
    ]
    faults = [Fault(kind, retry_after_s=0.0) for kind in quick]
    sandbox.mix(seed, 0.2, faults)
    contacts = many(150, update_if_exists=update_if_exists or None)

    credentials = Credentials(sandbox.key, sandbox.secret)
    policy = evolve(QUICK, attempts=50)

    async with ContactClient(sandbox.url, credentials, retry=policy) as client:
        report = await client.add_or_update_many(contacts, concurrency=16)

    check_against_ledger(sandbox, report.outcomes, read=150, requests_lost=True)
    assert report.stopped_by is None
    assert report.failures == ()
    assert bool(report.uncertain) is not update_if_exists


async def test_exhausted_retries_are_failures_and_others_succeed(
    sandbox: Sandbox, client: ContactClient
) -> None:
    first = many(1, groups=[10])[0]
    sandbox.script(*[Fault(FaultKind.THROTTLED, retry_after_s=0.0)] * 2)
    sandbox.script(*[Fault(FaultKind.UNAVAILABLE)] * 3)

    report = await client.add_or_update_many([first, *many(20)[1:]], concurrency=1)

    check_against_ledger(sandbox, report.outcomes, read=20)
    assert sum(outcome.attempts for outcome in report.outcomes) == 25


async def test_one_contact_alone_exhausts_its_attempts(sandbox: Sandbox) -> None:
    sandbox.script(*[Fault(FaultKind.UNAVAILABLE)] * 3)
    credentials = Credentials(sandbox.key, sandbox.secret)

    async with ContactClient(sandbox.url, credentials, retry=evolve(QUICK, attempts=3)) as client:
        report = await client.add_or_update_many(many(1), concurrency=1)

    check_against_ledger(sandbox, report.outcomes, read=1)
    assert errors(report.outcomes) == [UnavailableError]
    assert report.outcomes[0].attempts == 3


async def test_wrong_secret_stops_the_run(sandbox: Sandbox) -> None:
    source = Counted(many(500))
    credentials = Credentials(sandbox.key, "another secret")

    async with ContactClient(sandbox.url, credentials, retry=QUICK) as client:
        outcomes, raised = await read_all(client.stream(source, concurrency=8))

    assert isinstance(raised, AuthenticationError)
    check_against_ledger(sandbox, outcomes, read=source.taken)
    assert source.taken <= 16
    assert not sandbox.ledger.writes
    assert {type(o.error) for o in outcomes} <= {AuthenticationError, UnavailableError}


async def test_wrong_secret_stops_the_report(sandbox: Sandbox) -> None:
    credentials = Credentials(sandbox.key, "another secret")

    async with ContactClient(sandbox.url, credentials, retry=QUICK) as client:
        report = await client.add_or_update_many(many(500), concurrency=8)

    assert isinstance(report.stopped_by, AuthenticationError)
    check_against_ledger(sandbox, report.outcomes, read=len(report.outcomes))


async def test_progress_that_raises_changes_nothing(
    sandbox: Sandbox, client: ContactClient, caplog: pytest.LogCaptureFixture
) -> None:
    def on_progress(_: Any) -> None:
        raise ZeroDivisionError

    report = await client.add_or_update_many(many(50), concurrency=8, on_progress=on_progress)

    check_against_ledger(sandbox, report.outcomes, read=50)
    assert len(report.ids) == 50
    assert [record.exc_info is not None for record in caplog.records] == [True]


class InputError(Exception):
    """Raised by an input that fails."""


def failing() -> Iterator[Contact]:
    yield from many(30)
    raise InputError


async def failing_async() -> AsyncIterator[Contact]:
    for contact in many(30):
        await asyncio.sleep(0)
        yield contact
    raise InputError


@pytest.mark.parametrize("source", [failing, failing_async])
async def test_input_that_raises_half_way_loses_nothing(
    source: Any, sandbox: Sandbox, client: ContactClient
) -> None:
    outcomes, raised = await read_all(client.stream(source(), concurrency=8))

    check_against_ledger(sandbox, outcomes, read=30)
    assert isinstance(raised, InputError)
    assert len(sandbox.ledger.writes) == 30


async def test_consumer_that_raises_loses_nothing(sandbox: Sandbox, client: ContactClient) -> None:
    source = Counted(many(500))
    delivered = []

    with pytest.raises(ZeroDivisionError):
        async with client.stream(source, concurrency=8) as stream:
            async for outcome in stream:
                delivered.append(outcome)
                if len(delivered) == 20:
                    raise ZeroDivisionError

    await until(lambda: all(r.answer is not Answer.PENDING for r in sandbox.ledger.requests))
    check_whole(sandbox, delivered, stream, source)


def check_whole(
    sandbox: Sandbox, delivered: list[Outcome], stream: OutcomeStream, source: Counted
) -> None:
    """What was handed out and what was not are together what was read; memory was bounded.

    A request that was just on its way may or may not have arrived.
    """
    everything = [*delivered, *stream.undelivered]
    assert indexes(everything) == list(range(source.taken))
    assert len(stream.undelivered) <= 3 * 8
    written = Counter(write.body["email"] for write in sandbox.ledger.writes)
    for outcome in everything:
        assert outcome.contact is not None
        writes = written.pop(outcome.contact.email or "", 0)
        assert writes == 1 if outcome.ok else writes <= outcome.uncertain
    assert not written


async def test_leaving_early_separates_sent_from_unsent_contacts(
    sandbox: Sandbox, client: ContactClient
) -> None:
    source = Counted(many(500))
    sandbox.script(*[None] * 5, *[HANG] * 8)

    async with client.stream(source, concurrency=8) as stream:
        delivered = [await anext(stream) for _ in range(5)]
        await hanging(sandbox, 8)

    check_against_ledger(sandbox, [*delivered, *stream.undelivered], read=source.taken)
    assert errors(stream.undelivered) == [UncertainError] * 8
    assert len(sandbox.ledger.writes) == source.taken == 13


async def test_leaving_early_under_a_cap_leaves_the_others_unsent(
    sandbox: Sandbox, client: ContactClient
) -> None:
    await client.ping()  # then the first contact does not go alone
    source = Counted(many(500))
    sandbox.script(HANG)

    async with client.stream(source, concurrency=8, rate_per_s=0.01) as stream:
        await hanging(sandbox, 1)

    check_against_ledger(sandbox, stream.undelivered, read=source.taken)
    assert errors(stream.undelivered) == [UncertainError] + [UnavailableError] * 7


async def test_cancelled_consumer_loses_nothing(sandbox: Sandbox, client: ContactClient) -> None:
    source = Counted(many(500))
    sandbox.script(*[None] * 5, *[HANG] * 8)
    delivered = []
    stream = client.stream(source, concurrency=8)

    async def consume() -> None:
        async with stream:
            async for outcome in stream:
                delivered.append(outcome)

    consumer = asyncio.create_task(consume())
    await hanging(sandbox, 8)
    consumer.cancel()
    with pytest.raises(asyncio.CancelledError):
        await consumer

    check_against_ledger(sandbox, [*delivered, *stream.undelivered], read=source.taken)
    assert len(delivered) == 5


async def test_timeout_of_the_caller_loses_nothing(sandbox: Sandbox, client: ContactClient) -> None:
    await client.ping()  # then the first contact does not go alone
    source = Counted(many(500))
    sandbox.script(*[HANG] * 8)
    stream = client.stream(source, concurrency=8)

    with pytest.raises(TimeoutError):
        async with asyncio.timeout(None) as scope, stream:
            await hanging(sandbox, 8)
            scope.reschedule(0)
            await anext(stream)

    check_against_ledger(sandbox, stream.undelivered, read=8)
    assert errors(stream.undelivered) == [UncertainError] * 8


@pytest.mark.parametrize("update_if_exists", [None, True])
async def test_client_that_is_closed_during_a_run_loses_nothing(
    update_if_exists: bool | None, sandbox: Sandbox, client: ContactClient
) -> None:
    source = Counted(many(500, update_if_exists=update_if_exists))
    sandbox.script(*[None] * 5, *[HANG] * 8)
    delivered = []

    with pytest.raises((RuntimeError, SetupError), match=r"client (is|was) closed"):
        async with client.stream(source, concurrency=8) as stream:
            await hanging(sandbox, 8)
            await client.aclose()
            async for outcome in stream:
                delivered.append(outcome)

    assert stream.undelivered == ()
    assert indexes(delivered) == list(range(source.taken))
    assert sum(outcome.ok for outcome in delivered) == 5
    assert sum(outcome.uncertain for outcome in delivered) == 8
    assert {type(o.error) for o in delivered if not o.ok and not o.uncertain} <= {UnavailableError}
    assert len(sandbox.ledger.writes) == 13


async def test_sandbox_stopped_during_a_run_and_back_loses_nothing(
    sandbox: Sandbox, client: ContactClient
) -> None:
    source = Counted(many(300, update_if_exists=True))
    sandbox.script(*[None] * 100, *[HANG] * 8)
    outcomes = []

    async with client.stream(source, concurrency=8) as stream:
        async for outcome in stream:
            outcomes.append(outcome)
            if len(outcomes) == 100:
                await hanging(sandbox, 8)
                await sandbox.stop()
                await sandbox.start()

    check_against_ledger(sandbox, outcomes, read=300, requests_lost=True)
    assert all(outcome.ok for outcome in outcomes)
    assert len(sandbox.ledger.writes) == 308


async def test_last_of_many_updates_wins_for_each_contact(
    sandbox: Sandbox, client: ContactClient
) -> None:
    added = await client.add_or_update_many(many(50), concurrency=8)
    updates = (
        Contact(id=added.ids[n * n * 31 % 50 if n % 3 else n % 50], phone=str(n))
        for n in range(3000)
    )
    expected: dict[int, str] = {}

    def remembered() -> Iterator[Contact]:
        for contact in updates:
            expected[contact.id or 0] = contact.phone or ""
            yield contact

    report = await client.add_or_update_many(remembered(), concurrency=64)

    assert len(report.ids) == 3000
    assert {i: sandbox.contacts[i]["phone"] for i in expected} == expected


async def test_concurrency_above_the_pool_is_refused(client: ContactClient) -> None:
    with pytest.raises(ValueError, match=r"101.*100"):
        client.stream(many(1), concurrency=101)
