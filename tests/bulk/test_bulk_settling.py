"""Uncertain adds of a run are looked for, in held time."""

import asyncio
import datetime
import re
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from typing import Any

import attrs
import orjson
import pytest

from contactsdk import Contact, OutcomeStream, RetryPolicy
from contactsdk.bulk import Run, RunOptions, SettlingMeans, outcome_stream
from contactsdk.errors import (
    AuthenticationError,
    ContactError,
    RateLimitedError,
    StaleDateError,
    UnavailableError,
    UncertainError,
)
from contactsdk.journal import JournalRun, State
from contactsdk.pacing import Pacer
from contactsdk.settling import AnsweredIds, KeysInDoubt
from contactsdk.wire import ContactPage, ListedContact, contact_to_json
from tests.bulk.held import HeldPlatform, errors, in_held_time, many, now, number, read_all
from tests.bulk.held_batches import HeldBatches
from tests.examples import a_contact
from tests.journal.journals import ACCOUNT, MemoryStore

WROTE_AT = datetime.datetime(2026, 11, 5, 12, 0, tzinfo=datetime.UTC)
LOST = UncertainError("no answer")


@attrs.define
class Platform:
    """Writes what it is sent, answers as `judge` says, and lists what was written."""

    judge: Callable[[Contact], BaseException | None] = lambda contact: None
    """The error of an attempt; `None` answers the id."""
    writes: Callable[[Contact], bool] = lambda contact: True
    lag_s: float = 0.0
    refuse: Callable[[int], ContactError | RuntimeError | None] = lambda nth: None
    """The error of the nth look-up, from 0."""
    next_id: int = 100
    written: list[tuple[float, int, dict[str, Any]]] = attrs.field(factory=list)
    looks: list[tuple[float, dict[str, Any]]] = attrs.field(factory=list)
    """When it was asked for a list, and with which filter."""
    hidden: tuple[str, ...] = ()
    total_shown: bool = True
    sending: HeldPlatform = attrs.field(init=False)

    def __attrs_post_init__(self) -> None:
        self.sending = HeldPlatform(judge=self._answer)

    @property
    def sent(self) -> list[int]:
        return [number(contact) for contact in self.sending.sent]

    def write(self, contact: Contact, **changes: Any) -> int:
        self.next_id += 1
        shown = {"id": self.next_id, **contact_to_json(contact), **changes}
        self.written.append((now(), self.next_id, shown))
        return self.next_id

    def _answer(self, contact: Contact) -> int | BaseException:
        contact_id = self.write(contact) if self.writes(contact) else 1
        return self.judge(contact) or contact_id

    async def list_page(self, content: bytes, *, deadline: float | None) -> ContactPage:
        asked = orjson.loads(content)
        self.looks.append((now(), asked["filter"]))
        await asyncio.sleep(0.01)
        if (error := self.refuse(len(self.looks) - 1)) is not None:
            raise error
        names = asked["filter"].keys() - {"fromModifiedDate"}
        found = [
            ListedContact(
                id=contact_id,
                modified=None,
                shown={name: value for name, value in shown.items() if name not in self.hidden},
            )
            for time, contact_id, shown in self.written
            if time + self.lag_s <= now()
            and all(shown.get(name) == asked["filter"][name] for name in names)
        ]
        start, per_page = asked["start"], asked["perPage"]
        page = tuple(found[start : start + per_page])
        return ContactPage(contacts=page, total=len(found))


def stream_of(
    contacts: Any,
    platform: Platform,
    *,
    ids: AnsweredIds | None = None,
    batches: HeldBatches | None = None,
    open_journal: Callable[[], Awaitable[JournalRun]] | None = None,
    **options: Any,
) -> OutcomeStream:
    policy = RetryPolicy(**{"settle_s": 60.0, "deadline_s": None, **options.pop("policy", {})})
    clock = asyncio.get_running_loop().time
    pacer = Pacer(base_s=policy.base_s, max_wait_s=policy.max_wait_s, clock=clock)
    means = SettlingMeans(
        list_page=platform.list_page,
        keys=KeysInDoubt(),
        platform_now=lambda: WROTE_AT,
    )
    return outcome_stream(
        Run(
            contacts,
            platform.sending.send,
            batches or HeldBatches(),
            pacer,
            RunOptions(policy=policy, **{"concurrency": 4, **options}),
            is_proven=True,
            ids=ids,
            settling=means,
            open_journal=open_journal,
        )
    )


def lost(*numbers: int) -> Callable[[Contact], BaseException | None]:
    return lambda contact: UncertainError("no answer") if number(contact) in numbers else None


@in_held_time
async def test_written_add_without_an_answer_becomes_a_settled_success() -> None:
    platform = Platform(judge=lost(1))

    outcomes, error = await read_all(stream_of(many(3), platform))

    settled = next(outcome for outcome in outcomes if outcome.index == 1)
    assert error is None
    assert settled.settled
    assert settled.id == next(
        id_ for _, id_, shown in platform.written if shown["externalId"] == "1"
    )
    assert [outcome.settled for outcome in outcomes if outcome.index != 1] == [False, False]
    assert settled.attempts == 1
    assert sorted(platform.sent) == [0, 1, 2]


@in_held_time
async def test_add_that_was_not_written_stays_uncertain_and_is_not_sent_again() -> None:
    platform = Platform(judge=lost(1), writes=lambda contact: number(contact) != 1)

    outcomes, _ = await read_all(stream_of(many(3), platform))

    assert errors(outcomes) == [None, UncertainError, None]
    assert sorted(platform.sent) == [0, 1, 2]
    text = "no answer; it was looked up on the platform for 6[01] s and not found"
    assert re.fullmatch(text, str(outcomes[-1].error))


@in_held_time
async def test_others_are_sent_while_one_is_looked_for() -> None:
    platform = Platform(judge=lost(0), writes=lambda contact: number(contact) != 0)

    outcomes, _ = await read_all(stream_of(many(50), platform, concurrency=1))

    assert outcomes[-1].index == 0
    assert platform.sending.sent_at[-1] < 2.0


@in_held_time
async def test_key_is_held_while_its_contact_is_looked_for() -> None:
    first, second = a_contact(external_id="0"), a_contact(external_id="1")
    platform = Platform(judge=lost(0), lag_s=5.0)

    outcomes, _ = await read_all(stream_of([first, second], platform))

    assert [outcome.settled for outcome in outcomes] == [True, False]
    assert platform.sending.sent_at[1] > 5.0


@in_held_time
async def test_older_namesake_that_was_just_modified_is_not_taken_for_it() -> None:
    platform = Platform(judge=lost(0), writes=lambda contact: False)
    ids = AnsweredIds(keeps=True)
    (contact,) = many(1)
    ids.record(platform.write(contact))

    outcomes, _ = await read_all(stream_of([contact], platform, ids=ids))

    assert errors(outcomes) == [UncertainError]


@in_held_time
async def test_id_of_another_outcome_is_not_given_again() -> None:
    platform = Platform(
        judge=lambda contact: LOST if contact.id is None else None,
        writes=lambda contact: contact.id is not None,
    )
    (contact,) = many(1)

    def update_that_looks_like_it() -> Any:
        yield contact
        yield attrs.evolve(contact, id=7)

    outcomes, _ = await read_all(stream_of(update_that_looks_like_it(), platform))

    assert errors(outcomes) == [UncertainError, None]


@in_held_time
async def test_later_contact_with_the_key_of_one_that_was_not_found_is_ambiguous() -> None:
    same = [a_contact(external_id="0"), a_contact(external_id="0")]
    platform = Platform(
        judge=lambda contact: UncertainError("no answer"),
        writes=lambda contact: len(platform.sending.sent) > 1,
    )

    outcomes, _ = await read_all(stream_of(same, platform))

    assert errors(outcomes) == [UncertainError, UncertainError]
    assert "another contact of the same first name" in str(outcomes[1].error)


@in_held_time
async def test_two_contacts_that_may_be_it_are_counted() -> None:
    platform = Platform(judge=lost(0))
    (contact,) = many(1)
    stream = stream_of([contact], platform)
    platform.writes = lambda sent: bool(platform.write(sent))

    outcomes, _ = await read_all(stream)

    assert "it may be any of 2 contacts (" in str(outcomes[0].error)


@in_held_time
async def test_few_are_asked_for_one_by_one() -> None:
    platform = Platform(judge=lost(0, 1))

    await read_all(stream_of(many(4), platform))

    asked = {wanted.get("externalId") for _, wanted in platform.looks}
    assert asked == {"0", "1"}
    assert len(platform.looks) == 4


@in_held_time
async def test_one_list_serves_many() -> None:
    platform = Platform(judge=lost(*range(20)))

    outcomes, _ = await read_all(stream_of(many(40), platform, concurrency=20))

    assert sum(outcome.settled for outcome in outcomes) == 20
    assert all(wanted.keys() == {"fromModifiedDate"} for _, wanted in platform.looks)
    assert len(platform.looks) < 8


@in_held_time
async def test_list_with_more_pages_than_contacts_is_not_read_on() -> None:
    platform = Platform(judge=lost(*range(4)))
    for contact in many(1000):
        platform.write(contact, email="other@example.test")

    outcomes, _ = await read_all(stream_of(many(4), platform))

    assert sum(outcome.settled for outcome in outcomes) == 4
    lists = [wanted for _, wanted in platform.looks if wanted.keys() == {"fromModifiedDate"}]
    assert len(lists) == 1


@in_held_time
async def test_contacts_that_a_list_cannot_tell_apart_are_asked_for_one_by_one() -> None:
    platform = Platform(judge=lost(*range(6)), hidden=("externalId",))

    outcomes, _ = await read_all(stream_of(many(6), platform, concurrency=6))

    assert sum(outcome.settled for outcome in outcomes) == 6
    assert {wanted.get("externalId") for _, wanted in platform.looks} >= set("012345")


@pytest.mark.parametrize(
    "failure",
    [
        UncertainError("cut short"),
        UnavailableError("away"),
        RateLimitedError("too many"),
        StaleDateError("old", specific_code=23005),
    ],
)
@in_held_time
async def test_failed_look_changes_nothing_but_when_it_is_found(failure: ContactError) -> None:
    platform = Platform(judge=lost(0), refuse=lambda nth: failure if nth < 2 else None)

    outcomes, error = await read_all(stream_of(many(2), platform))

    assert error is None
    assert errors(outcomes) == [None, None]


@in_held_time
async def test_looks_that_all_fail_are_said_in_the_message() -> None:
    platform = Platform(judge=lost(0), refuse=lambda nth: UncertainError("cut short"))

    outcomes, error = await read_all(stream_of(many(1), platform))

    assert error is None
    assert errors(outcomes) == [UncertainError]
    assert "it could not be looked up on the platform: cut short" in str(outcomes[0].error)


@pytest.mark.parametrize(
    "refusal",
    [AuthenticationError("not allowed", http_status=403), RuntimeError("this client is closed")],
)
@in_held_time
async def test_key_that_may_not_look_contacts_up_settles_no_more(refusal: Any) -> None:
    platform = Platform(judge=lost(*range(0, 40, 4)), refuse=lambda nth: refusal)

    outcomes, error = await read_all(stream_of(many(400), platform, concurrency=2))

    assert error is None
    uncertain = [outcome for outcome in outcomes if outcome.uncertain]
    assert len(uncertain) == 10
    assert len(platform.looks) == 1
    assert all(str(refusal) in str(outcome.error) for outcome in uncertain)


@in_held_time
async def test_add_that_becomes_uncertain_after_a_refusal_is_not_looked_for() -> None:
    refusal = AuthenticationError("not allowed", http_status=403)
    platform = Platform(
        judge=lambda contact: None if number(contact) % 100 else UncertainError("no answer"),
        refuse=lambda nth: refusal,
    )
    platform.sending.latency_s = 0.5

    outcomes, _ = await read_all(stream_of(many(101), platform, concurrency=2))

    assert sum(outcome.uncertain for outcome in outcomes) == 2
    assert len(platform.looks) == 1
    assert outcomes[-1].elapsed_s < 1.0


@in_held_time
async def test_unfound_add_is_sent_again_only_where_that_is_asked_for() -> None:
    platform = Platform(writes=lambda contact: len(platform.sending.sent) > 1)
    platform.judge = lambda contact: LOST if len(platform.sending.sent) == 1 else None

    outcomes, _ = await read_all(
        stream_of(many(1), platform, policy={"resend_unfound": True, "settle_s": 10.0})
    )

    assert errors(outcomes) == [None]
    assert not outcomes[0].settled
    assert outcomes[0].attempts == 2
    assert platform.sending.sent_at[1] >= 10.0


@in_held_time
async def test_resending_ends_with_the_attempts() -> None:
    platform = Platform(judge=lambda contact: UncertainError("no"), writes=lambda contact: False)

    outcomes, _ = await read_all(
        stream_of(
            many(1), platform, policy={"resend_unfound": True, "settle_s": 10.0, "attempts": 3}
        )
    )

    assert errors(outcomes) == [UncertainError]
    assert len(platform.sent) == 3


@in_held_time
async def test_search_ends_with_the_deadline_of_the_contact() -> None:
    platform = Platform(judge=lost(0), writes=lambda contact: False)

    outcomes, _ = await read_all(stream_of(many(1), platform, policy={"deadline_s": 20.0}))

    assert "for 20 s and not found" in str(outcomes[0].error)


@in_held_time
async def test_there_is_no_search_without_time_for_it() -> None:
    platform = Platform(judge=lost(0))
    platform.sending.latency_s = 30.0

    outcomes, _ = await read_all(stream_of(many(1), platform, policy={"deadline_s": 20.0}))

    assert errors(outcomes) == [UncertainError]
    assert "there was no time to look it up" in str(outcomes[0].error)
    assert platform.looks == []


@in_held_time
async def test_run_that_is_stopped_ends_its_searches_as_uncertain() -> None:
    platform = Platform(judge=lost(0), lag_s=50.0)
    stream = stream_of(many(2), platform)

    async with stream:
        await asyncio.sleep(10.0)
        stream.stop()
        outcomes = [outcome async for outcome in stream]

    assert errors(outcomes) == [UncertainError, None]
    assert "it was looked up on the platform for 10 s and not found" in str(outcomes[-1].error)


@in_held_time
async def test_uncertain_adds_with_update_if_exists_are_sent_again_and_not_looked_for() -> None:
    (contact,) = many(1, update_if_exists=True)
    platform = Platform()
    platform.judge = lambda contact: LOST if len(platform.sending.sent) == 1 else None

    outcomes, _ = await read_all(stream_of([contact], platform))

    assert errors(outcomes) == [None]
    assert platform.looks == []


@in_held_time
async def test_cap_of_the_run_holds_for_look_ups_too() -> None:
    platform = Platform(judge=lost(*range(10)))

    await read_all(stream_of(many(10), platform, rate_per_s=2.0))

    times = sorted([*platform.sending.sent_at, *(time for time, _ in platform.looks)])
    assert all(third - first > 0.95 for first, third in zip(times, times[2:], strict=False))


@in_held_time
async def test_waiting_searches_are_bounded_and_reading_stops_at_the_bound() -> None:
    platform = Platform(judge=lambda contact: UncertainError("no"), writes=lambda contact: False)
    stream = stream_of(many(100), platform, concurrency=2, policy={"settle_s": 60.0})

    async with stream:
        await asyncio.sleep(50.0)
        assert len(platform.sent) <= 2 * 4 + 2 * 2
        stream.stop()
        outcomes = [outcome async for outcome in stream]

    assert len(outcomes) <= 2 * 4 + 2 * 2 + 1


@in_held_time
async def test_searches_that_are_under_way_end_after_a_refusal_without_another_look_up() -> None:
    refusal = AuthenticationError("not allowed", http_status=403)
    platform = Platform(judge=lost(0, 5), refuse=lambda nth: refusal)
    platform.sending.latency_s = 0.4

    outcomes, _ = await read_all(stream_of(many(20), platform, concurrency=1))

    assert sum(outcome.uncertain for outcome in outcomes) == 2
    assert len(platform.looks) == 1


@in_held_time
async def test_run_that_is_left_during_a_look_reports_its_contact_as_uncertain() -> None:
    platform = Platform(judge=lost(0))
    stream = stream_of(many(1), platform)

    async with stream:
        while not platform.looks:
            await asyncio.sleep(0.001)

    (outcome,) = stream.undelivered
    assert outcome.uncertain


@in_held_time
async def test_contacts_of_a_batch_without_results_are_looked_for() -> None:
    platform = Platform()

    def write(batch: Sequence[Contact]) -> None:
        for contact in batch:
            platform.write(contact)

    batches = HeldBatches(takes_s=1e6, refuse=write)

    stream = stream_of(many(1), platform, batches=batches, batch_size=10, give_up_s=60.0)
    outcomes, error = await read_all(stream)

    assert error is None
    assert [(outcome.id, outcome.settled) for outcome in outcomes] == [(101, True)]


@in_held_time
async def test_run_is_stopped_when_no_batch_has_results_and_no_contact_is_found() -> None:
    batches = HeldBatches(takes_s=1e6)

    stream = stream_of(many(50), Platform(), batches=batches, batch_size=10, give_up_s=60.0)
    outcomes, error = await read_all(stream)

    assert isinstance(error, UncertainError)
    assert batches.sizes == [1, 1]
    assert errors(outcomes)[:2] == [UncertainError, UncertainError]
    assert now() < 200


@in_held_time
async def test_contact_that_waits_for_its_key_when_the_run_stops_is_not_uncertain() -> None:
    platform = Platform()
    contact = a_contact()

    async with stream_of([contact, contact], platform) as stream:
        await asyncio.sleep(0.005)  # the first one is in flight
        stream.stop()
        outcomes = [outcome async for outcome in stream]

    assert errors(outcomes) == [None, UnavailableError]


@pytest.mark.parametrize("batch_size", [None, 10])
@in_held_time
async def test_stop_between_two_pages_of_a_list_ends_the_search(batch_size: int | None) -> None:
    platform = Platform(judge=lost(0))
    (contact,) = many(1)
    for _ in range(150):
        platform.write(contact)

    def stop(nth: int) -> None:
        stream.stop()

    platform.refuse = stop
    batches = HeldBatches(refuse=lambda batch: LOST)
    stream = stream_of([contact], platform, batches=batches, batch_size=batch_size)
    async with stream:
        (outcome,) = [outcome async for outcome in stream]

    assert outcome.uncertain
    assert len(platform.looks) == 1


@in_held_time
async def test_stop_during_a_look_ends_the_other_searches_of_a_run_of_batches() -> None:
    platform = Platform(refuse=lambda nth: stream.stop())
    batches = HeldBatches(refuse=lambda batch: LOST if len(batch) == 2 else None)

    stream = stream_of(many(3), platform, batches=batches, batch_size=10)
    outcomes, _ = await read_all(stream)

    assert errors(outcomes) == [None, UncertainError, UncertainError]
    assert len(platform.looks) == 1


@in_held_time
async def test_contact_that_was_found_is_recorded_as_settled() -> None:
    store = MemoryStore()

    async def open_journal() -> JournalRun:
        return await JournalRun.start(store, ACCOUNT)

    await read_all(stream_of(many(1), Platform(judge=lost(0)), open_journal=open_journal))

    (row,) = store.rows.values()
    assert (row.state, row.settled) == (State.SUCCEEDED, True)


@in_held_time
async def test_all_workers_send_again_after_one_list_has_settled_all_that_waited() -> None:
    platform = Platform(judge=lost(*range(19)))

    await read_all(stream_of(many(400), platform, concurrency=4))

    assert max(platform.sending.abreast[100:]) == 4


@in_held_time
async def test_contacts_that_one_list_does_not_find_are_sent_again_by_all_workers() -> None:
    tried = set[int]()

    def lose_first(contact: Contact) -> BaseException | None:
        is_first = number(contact) not in tried
        tried.add(number(contact))
        return UncertainError("no answer") if is_first else None

    platform = Platform(judge=lose_first, writes=lambda contact: number(contact) in tried)
    policy = {"settle_s": 8.0, "resend_unfound": True}

    await read_all(stream_of(many(24), platform, concurrency=8, policy=policy))

    assert len(platform.sent) == 48
    assert max(platform.sending.abreast[24:]) == 8


class SlowLists(Platform):
    async def list_page(self, content: bytes, *, deadline: float | None) -> ContactPage:
        await asyncio.sleep(4.0)
        return await super().list_page(content, deadline=deadline)


@in_held_time
async def test_look_up_in_a_batch_does_not_hold_up_what_waited_behind_its_contacts() -> None:
    platform = SlowLists()
    batches = HeldBatches(lose=lambda batch: LOST if [number(it) for it in batch] == [1] else None)
    same = [a_contact(email="same@example.com", external_id=str(index)) for index in (2, 3)]

    async def contacts() -> AsyncIterator[Contact]:
        yield a_contact(email="first@example.com", external_id="0")
        await asyncio.sleep(1)
        yield a_contact(email="lost@example.com", external_id="1")
        # Then a look-up is due, and the batch that has it takes a contact too.
        await asyncio.sleep(4.05 - now())
        for contact in same:
            yield contact

    await read_all(stream_of(contacts(), platform, batches=batches, batch_size=10))

    accepted_at = {index: batch.at for batch in batches.accepted for index in batch.numbers}
    assert accepted_at[3] - accepted_at[2] < 1.0
