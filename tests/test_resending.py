"""The table of what may be sent again, over real sockets, held against the sandbox's ledger."""

import asyncio
import itertools
from types import SimpleNamespace

import pytest
from attrs import evolve, frozen

from contactsdk import (
    Contact,
    ContactClient,
    ContactError,
    Credentials,
    RateLimitedError,
    RejectedError,
    RetryPolicy,
    SetupError,
    UnavailableError,
    UncertainError,
)
from contactsdk.sandbox import DEFAULT_MIX, Answer, Fault, FaultKind, Sandbox

ADD = Contact(first_name="Ada", last_name="Quist", email="ada@example.test", groups=[10])
UPSERT = evolve(ADD, update_if_exists=True)


@frozen
class Expected:
    """What a call ends with (an error, or `None` for an id), and what the ledger then holds."""

    error: type[ContactError] | None
    requests: int
    writes: int


SUCCESS_AT_ONCE = Expected(None, requests=1, writes=1)
NOT_APPLIED_THEN_SENT_AGAIN = Expected(None, requests=2, writes=1)

# What the platform did -> what follows for an add, and for what is safe to repeat.
TABLE = {
    FaultKind.THROTTLED: (NOT_APPLIED_THEN_SENT_AGAIN, NOT_APPLIED_THEN_SENT_AGAIN),
    FaultKind.RACED: (NOT_APPLIED_THEN_SENT_AGAIN, NOT_APPLIED_THEN_SENT_AGAIN),
    FaultKind.UNAVAILABLE: (NOT_APPLIED_THEN_SENT_AGAIN, NOT_APPLIED_THEN_SENT_AGAIN),
    FaultKind.ERROR_BEFORE_WRITE: (Expected(UncertainError, 1, 0), Expected(None, 2, 1)),
    FaultKind.ERROR_AFTER_WRITE: (Expected(UncertainError, 1, 1), Expected(None, 2, 2)),
    FaultKind.CLOSE_BEFORE_READ: (Expected(UncertainError, 1, 0), Expected(None, 2, 1)),
    FaultKind.CLOSE_AFTER_WRITE: (Expected(UncertainError, 1, 1), Expected(None, 2, 2)),
    FaultKind.RESET_AFTER_WRITE: (Expected(UncertainError, 1, 1), Expected(None, 2, 2)),
    FaultKind.CUT_SHORT: (Expected(UncertainError, 1, 1), Expected(None, 2, 2)),
    FaultKind.HANG_BEFORE_WRITE: (Expected(UncertainError, 1, 0), Expected(None, 2, 1)),
    FaultKind.HANG_AFTER_WRITE: (Expected(UncertainError, 1, 1), Expected(None, 2, 2)),
    FaultKind.WRITE_AFTER_GONE: (Expected(UncertainError, 1, 1), Expected(None, 2, 2)),
    FaultKind.HTML: (Expected(UncertainError, 1, 1), Expected(None, 2, 2)),
    FaultKind.SUCCESS_WITHOUT_ID: (Expected(UncertainError, 1, 1), Expected(None, 2, 2)),
    FaultKind.REDIRECT: (Expected(SetupError, 1, 0), Expected(SetupError, 1, 0)),
    FaultKind.CLOCK_OFF: (NOT_APPLIED_THEN_SENT_AGAIN, NOT_APPLIED_THEN_SENT_AGAIN),
}


def test_table_has_every_fault() -> None:
    assert set(TABLE) == {fault.kind for fault in DEFAULT_MIX}


@pytest.mark.parametrize("kind", ["add", "upsert", "update"])
@pytest.mark.parametrize("fault", TABLE, ids=lambda fault: fault.name.lower())
async def test_each_fault_ends_as_the_table_says(
    fault: FaultKind, kind: str, sandbox: Sandbox, client: ContactClient
) -> None:
    contact = {"add": ADD, "upsert": UPSERT}.get(kind)
    if contact is None:
        contact = Contact(id=await client.add_or_update(ADD), first_name="Eda", groups=[11])
        sandbox.ledger.clear()
    expected = TABLE[fault][kind != "add"]
    off_s = 3600.0 if fault is FaultKind.CLOCK_OFF else 0.0
    sandbox.script(Fault(fault, clock_off_s=off_s))
    if fault is FaultKind.CLOCK_OFF:
        # The answer to the second request is judged by the clock that the first one showed.
        sandbox.script(Fault(fault, clock_off_s=off_s))

    error: ContactError | None = None
    contact_id: int | None = None
    try:
        contact_id = await client.add_or_update(contact)
    except ContactError as raised:
        error = raised
    async with asyncio.timeout(5):  # what is written after the client has gone
        while any(request.answer is Answer.PENDING for request in sandbox.ledger.requests):
            await asyncio.sleep(0)

    assert type(error) is (expected.error or type(None))
    assert len(sandbox.ledger.requests) == expected.requests
    assert len(sandbox.ledger.writes) == expected.writes
    if expected.error is None:
        assert {write.contact_id for write in sandbox.ledger.writes} == {contact_id}
    elif error is not None:
        assert error.attempts == expected.requests


@pytest.mark.parametrize("contact", [ADD, UPSERT, Contact(id=7, groups=[10])])
@pytest.mark.parametrize(
    ("fault", "error"),
    [(FaultKind.THROTTLED, RateLimitedError), (FaultKind.UNAVAILABLE, UnavailableError)],
)
async def test_declined_again_and_again_is_not_applied(
    fault: FaultKind,
    error: type[ContactError],
    contact: Contact,
    sandbox: Sandbox,
    client: ContactClient,
) -> None:
    sandbox.script(*[Fault(fault)] * 5)

    with pytest.raises(error) as raised:
        await client.add_or_update(contact)

    assert raised.value.attempts == 5
    assert len(sandbox.ledger.requests) == 5
    assert not sandbox.ledger.writes


@pytest.mark.parametrize("contact", [evolve(ADD, groups=[99]), Contact(id=7)])
async def test_rejected_contact_is_not_sent_again(
    contact: Contact, sandbox: Sandbox, client: ContactClient
) -> None:
    with pytest.raises(RejectedError) as raised:
        await client.add_or_update(contact)

    assert raised.value.attempts == 1
    assert len(sandbox.ledger.requests) == 1


@pytest.mark.parametrize("contact", [ADD, UPSERT, Contact(id=7, groups=[10])])
async def test_nothing_is_in_doubt_where_no_connection_could_be_made(
    contact: Contact, sandbox: Sandbox, client: ContactClient
) -> None:
    await sandbox.stop()

    with pytest.raises(UnavailableError) as raised:
        await client.add_or_update(contact)

    assert raised.value.attempts == 5


async def test_rejection_after_an_uncertain_attempt_leaves_the_call_uncertain(
    sandbox: Sandbox, client: ContactClient
) -> None:
    sandbox.script(Fault(FaultKind.ERROR_BEFORE_WRITE))

    with pytest.raises(UncertainError) as raised:
        await client.add_or_update(evolve(UPSERT, groups=[99]))

    assert isinstance(raised.value.__cause__, RejectedError)
    assert raised.value.attempts == 2


async def test_success_after_an_uncertain_attempt_settles_the_call(
    sandbox: Sandbox, client: ContactClient
) -> None:
    sandbox.script(Fault(FaultKind.RESET_AFTER_WRITE), Fault(FaultKind.UNAVAILABLE))

    contact_id = await client.add_or_update(UPSERT)

    assert {write.contact_id for write in sandbox.ledger.writes} == {contact_id}


async def test_replay_adds_sends_an_uncertain_add_again_and_may_double_it(
    sandbox: Sandbox,
) -> None:
    policy = RetryPolicy(base_s=0.001, replay_adds=True)
    credentials = Credentials(sandbox.key, sandbox.secret)
    sandbox.script(Fault(FaultKind.ERROR_AFTER_WRITE))

    async with ContactClient(sandbox.url, credentials, retry=policy) as client:
        contact_id = await client.add_or_update(ADD)

    assert [write.added for write in sandbox.ledger.writes] == [True, True]
    assert contact_id == sandbox.ledger.writes[1].contact_id


async def test_stale_date_costs_no_attempt_and_the_offset_is_kept(
    sandbox: Sandbox, client: ContactClient
) -> None:
    real = sandbox.clock
    sandbox.clock = lambda: real() - 7200.0

    await client.add_or_update(ADD)
    await client.add_or_update(ADD)

    assert [request.error_code for request in sandbox.ledger.requests] == [401, None, None]


async def test_stale_date_twice_in_a_call_is_an_authentication_error(
    sandbox: Sandbox, client: ContactClient
) -> None:
    sandbox.script(
        Fault(FaultKind.CLOCK_OFF, clock_off_s=3600.0),
        Fault(FaultKind.CLOCK_OFF, clock_off_s=-3600.0),
    )

    with pytest.raises(SetupError) as raised:
        await client.add_or_update(ADD)

    assert raised.value.specific_code == 23005
    assert len(sandbox.ledger.requests) == 2


async def test_each_attempt_is_signed_anew(
    sandbox: Sandbox, client: ContactClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    moments = itertools.count(1_700_000_000, 60)
    monkeypatch.setattr("contactsdk.attempt.time", SimpleNamespace(time=lambda: next(moments)))
    sandbox.clock = lambda: 1_700_000_060.0
    sandbox.script(Fault(FaultKind.UNAVAILABLE))

    await client.add_or_update(ADD)

    dates = [request.headers["IVVY-Date"] for request in sandbox.ledger.requests]
    assert dates == ["2023-11-14 22:13:20", "2023-11-14 22:14:20"]


async def test_retry_after_longer_than_the_policy_waits_ends_the_call(
    sandbox: Sandbox, client: ContactClient
) -> None:
    sandbox.script(Fault(FaultKind.THROTTLED, retry_after_s=90))

    with pytest.raises(RateLimitedError) as raised:
        await client.add_or_update(ADD)

    assert raised.value.retry_after_s == 90
    assert len(sandbox.ledger.requests) == 1
