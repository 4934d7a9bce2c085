"""Slices of a submitted run go on with what an older owner had in flight; in held time."""

import asyncio
import datetime
from collections.abc import Sequence
from typing import Any

from contactsdk import Contact, OutcomeStream, RetryPolicy
from contactsdk.bulk import Run, RunOptions, SettlingMeans, outcome_stream
from contactsdk.errors import AuthenticationError
from contactsdk.journal import JournalRun, State
from contactsdk.pacing import Pacer
from contactsdk.settling import KeysInDoubt
from contactsdk.wire import encode
from tests.bulk.held import in_held_time, many, now, read_all
from tests.bulk.held_batches import Accepted, HeldBatches
from tests.bulk.test_bulk_settling import Platform
from tests.examples import a_contact
from tests.journal.journals import ACCOUNT, MemoryStore, writing


async def left_in_flight(*contacts: Contact, **options: Any) -> MemoryStore:
    """The rows of a slice whose worker was lost while these were in flight."""
    earlier = MemoryStore()
    async with writing(await JournalRun.start(earlier, ACCOUNT, is_slice=True)) as run:
        for number, contact in enumerate(contacts):
            await run.record_intent(number, contact, **options)
    return earlier.reopened()


def slice_of(
    store: MemoryStore,
    platform: Platform,
    items: Sequence[Contact],
    *,
    batches: HeldBatches | None = None,
    settle_s: float | None = 60.0,
    **options: Any,
) -> OutcomeStream:
    clock = asyncio.get_running_loop().time
    means = SettlingMeans(
        list_page=platform.list_page,
        keys=KeysInDoubt(),
        platform_now=lambda: datetime.datetime(2026, 11, 5, tzinfo=datetime.UTC),
    )
    policy = RetryPolicy(settle_s=settle_s, deadline_s=None)
    run = Run(
        items,
        platform.sending.send,
        batches or HeldBatches(),
        Pacer(base_s=0.5, max_wait_s=30.0, clock=clock),
        RunOptions(policy=policy, concurrency=4, **options),
        open_journal=lambda: JournalRun.start(store, ACCOUNT, is_slice=True),
        is_proven=True,
        settling=means,
    )
    return outcome_stream(run)


@in_held_time
async def test_add_that_was_in_flight_is_looked_for_once_it_cannot_be_any_longer() -> None:
    contact, other = many(2)
    store, platform = await left_in_flight(contact), Platform()
    store.in_flight_left_s = {0: 100.0}
    asyncio.get_running_loop().call_later(90.0, platform.write, contact)

    outcomes, _ = await read_all(slice_of(store, platform, [contact, other]))

    assert {outcome.index: outcome.settled for outcome in outcomes} == {0: True, 1: False}
    assert platform.sent == [1]
    assert store.rows[0].state == State.SUCCEEDED


@in_held_time
async def test_add_that_was_in_flight_and_is_not_found_is_uncertain() -> None:
    (contact,) = many(1)
    store, platform = await left_in_flight(contact), Platform()
    store.in_flight_left_s = {0: 100.0}

    outcomes, _ = await read_all(slice_of(store, platform, [contact]))

    assert outcomes[0].uncertain
    assert 160 <= now() < 162
    assert platform.sent == []
    assert store.rows[0].state == State.UNCERTAIN


@in_held_time
async def test_contact_with_the_same_key_waits_until_the_search_has_ended() -> None:
    contact, later = a_contact(external_id="0"), a_contact(external_id="1", update_if_exists=True)
    store, platform = await left_in_flight(contact), Platform()

    outcomes, _ = await read_all(slice_of(store, platform, [contact, later]))

    assert [outcome.uncertain for outcome in outcomes] == [True, False]
    assert platform.sending.sent_at[0] >= 60


@in_held_time
async def test_add_behind_its_key_is_uncertain_once_the_key_is_free() -> None:
    first, second = a_contact(external_id="0"), a_contact(external_id="1")
    store, platform = await left_in_flight(first, second), Platform()
    store.rows[0] = store.rows[0]._replace(state=State.WAITING.value)

    outcomes, _ = await read_all(slice_of(store, platform, [first, second]))

    assert [outcome.uncertain for outcome in outcomes] == [False, True]
    assert platform.sent == [0]
    assert store.rows[1].state == State.UNCERTAIN


@in_held_time
async def test_look_ups_that_are_not_allowed_leave_the_add_uncertain_at_once() -> None:
    first, second = many(2)
    store = await left_in_flight(first, second)
    refused = AuthenticationError("no", http_status=403, error_code=403)
    platform = Platform(refuse=lambda nth: refused)

    async def one_after_another() -> Any:
        yield first
        await asyncio.sleep(30)
        yield second

    outcomes, _ = await read_all(slice_of(store, platform, one_after_another()))

    assert [outcome.uncertain for outcome in outcomes] == [True, True]
    assert len(platform.looks) == 1
    assert now() < 31


@in_held_time
async def test_contact_of_a_key_that_is_uncertain_elsewhere_is_not_distinguished_from_that() -> (
    None
):
    contact = a_contact(external_id="0")
    store, platform = await left_in_flight(contact), Platform()
    store.uncertain_keys = {store.rows[0].key or b""}
    platform.write(contact)

    outcomes, _ = await read_all(slice_of(store, platform, [contact]))

    assert outcomes[0].uncertain


@in_held_time
async def test_earlier_batch_without_results_is_uncertain_and_asked_for_by_one_slice_only() -> None:
    (contact,) = many(1)
    store = await left_in_flight(contact, batch_id="batch-0", batch_position=0)
    batches = HeldBatches(accepted=[Accepted([encode(contact)], at=1e6)])
    stream = slice_of(
        store, Platform(), [contact], batches=batches, batch_size=5, settle_s=None, give_up_s=20.0
    )

    outcomes, _ = await read_all(stream)

    assert outcomes[0].uncertain
    assert store.rows[0].state == State.UNCERTAIN
    assert store.rows[0].batch_id == "batch-0"
