"""Runs that go on while requests of the journal's older owner may still be applied; held time."""

import asyncio
from collections.abc import Sequence
from typing import Any

import pytest

from contactsdk import Contact, OutcomeStream, RetryPolicy, UncertainError
from contactsdk.bulk import Run, RunOptions, outcome_stream
from contactsdk.journal import JournalRun, State
from contactsdk.pacing import Pacer
from tests.bulk.held import HeldPlatform, errors, in_held_time, now, read_all
from tests.bulk.held_batches import HeldBatches
from tests.examples import a_contact, an_update
from tests.journal.journals import ACCOUNT, MemoryStore, writing

OLD, NEW = (an_update(phone=phone, external_id="7") for phone in ("old", "new"))
OTHER = an_update(id=8, external_id="8")


async def left_in_flight(*contacts: Contact, left_s: float = 20.0) -> MemoryStore:
    """The journal of an owner that was lost while these were in flight."""
    earlier = MemoryStore()
    async with writing(await JournalRun.start(earlier, ACCOUNT)) as run:
        for number, contact in enumerate(contacts):
            await run.record_intent(number, contact)
    store = earlier.reopened()
    store.in_flight_left_s = dict.fromkeys(range(len(contacts)), left_s)
    return store


def stream_of(
    store: MemoryStore, platform: HeldPlatform, items: Sequence[Contact], **options: Any
) -> OutcomeStream:
    resend_uncertain = options.pop("resend_uncertain", False)
    run = Run(
        items,
        platform.send,
        HeldBatches(),
        Pacer(base_s=0.5, max_wait_s=30.0, clock=asyncio.get_running_loop().time),
        RunOptions(policy=RetryPolicy(), concurrency=8, **options),
        open_journal=lambda: JournalRun.start(store, ACCOUNT, resend_uncertain=resend_uncertain),
        is_proven=True,
    )
    return outcome_stream(run)


@in_held_time
async def test_key_that_may_be_in_flight_waits_and_no_other_does() -> None:
    store, platform = await left_in_flight(OLD), HeldPlatform()

    outcomes, _ = await read_all(stream_of(store, platform, [OLD, NEW, OTHER]))

    assert platform.sent == [OTHER, OLD, NEW]
    assert platform.sent_at == pytest.approx([0, 20, 20.01])
    assert errors(outcomes) == [None] * 3


@in_held_time
async def test_add_that_may_be_in_flight_is_uncertain_at_once_and_its_key_waits() -> None:
    add, safe = a_contact(), a_contact(phone="new", update_if_exists=True)
    store, platform = await left_in_flight(add), HeldPlatform()
    stream = stream_of(store, platform, [add, safe])

    async with stream as outcomes:
        first = await anext(outcomes)
        first_at = now()
        second = await anext(outcomes)

    assert isinstance(first.error, UncertainError)
    assert first_at < 1
    assert second.ok
    assert platform.sent_at == [20]


@in_held_time
async def test_uncertain_contact_is_sent_again_once_it_cannot_be_in_flight() -> None:
    add = a_contact()
    store, platform = await left_in_flight(add), HeldPlatform()

    outcomes, _ = await read_all(stream_of(store, platform, [add], resend_uncertain=True))

    assert platform.sent_at == [20]
    assert outcomes[0].ok


@in_held_time
async def test_contact_waits_for_what_is_in_flight_also_after_it_waited_for_its_key() -> None:
    first = a_contact()
    second = a_contact(phone="2", update_if_exists=True)
    store, platform = await left_in_flight(first, second), HeldPlatform()
    store.rows[0] = store.rows[0]._replace(state=State.NOT_APPLIED.value)
    store.in_flight_left_s = {1: 20.0}

    await read_all(stream_of(store, platform, [first, second]))

    assert [contact.phone for contact in platform.sent] == [None, "2"]
    assert platform.sent_at[1] >= 20


@in_held_time
async def test_contact_that_waits_when_the_run_is_stopped_stays_on_record_as_sent() -> None:
    store, platform = await left_in_flight(OLD), HeldPlatform()
    stream = stream_of(store, platform, [OLD, OTHER])

    async with stream as outcomes:
        assert (await anext(outcomes)).ok
        stream.stop()
        waiting = [outcome async for outcome in outcomes]

    assert [type(outcome.error) for outcome in waiting] == [UncertainError]
    assert store.rows[0].state == State.SENT
    assert now() < 20


@in_held_time
async def test_contact_that_may_be_in_flight_goes_into_a_later_batch() -> None:
    store = await left_in_flight(OLD)
    stream = stream_of(store, HeldPlatform(), [OLD, NEW, OTHER], batch_size=10)
    ended_at = {}

    async with stream as outcomes:
        async for outcome in outcomes:
            assert outcome.ok
            ended_at[outcome.index] = now()

    assert ended_at[2] < 5
    assert ended_at[1] > ended_at[0] > 20
