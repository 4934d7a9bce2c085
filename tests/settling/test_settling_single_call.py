"""Uncertain adds of single calls are looked for, in held time."""

import asyncio
import datetime
from collections.abc import Sequence
from typing import Any, cast

import attrs
import pytest

from contactsdk import RetryPolicy
from contactsdk.errors import (
    AuthenticationError,
    RejectedError,
    UncertainError,
)
from contactsdk.lookups import Lookups
from contactsdk.models import Contact
from contactsdk.retry import Delivery, is_idempotent
from contactsdk.settling import AnsweredIds, CallSettler, KeysInDoubt
from contactsdk.wire import ContactFilter, ListedContact, contact_to_json
from tests.bulk.held import in_held_time, now
from tests.examples import a_contact

CONTACT = a_contact(external_id="x1")
LOST = UncertainError("no answer")


def listed(contact_id: int, contact: Contact = CONTACT) -> ListedContact:
    shown = {"id": contact_id, **contact_to_json(contact)}
    return ListedContact(id=contact_id, modified=None, shown=shown)


@attrs.define
class Platform:
    """Ends each attempt and each look-up as its script says; the last of a script is repeated."""

    sends: Sequence[int | BaseException] = (LOST,)
    lists: Sequence[Sequence[ListedContact] | BaseException] = ((),)
    sent_at: list[float] = attrs.field(factory=list)
    looked_at: list[float] = attrs.field(factory=list)
    filters: list[ContactFilter] = attrs.field(factory=list)

    async def send(self) -> int:
        self.sent_at.append(now())
        step = self.sends[min(len(self.sent_at), len(self.sends)) - 1]
        if isinstance(step, BaseException):
            raise step
        return step

    async def find(
        self, wanted: ContactFilter, deadline_s: float | None, *, most_pages: int | None
    ) -> Sequence[ListedContact]:
        self.looked_at.append(now())
        self.filters.append(wanted)
        step = self.lists[min(len(self.looked_at), len(self.lists)) - 1]
        if isinstance(step, BaseException):
            raise step
        return step


@attrs.define
class Client:
    """What single calls of a client share."""

    platform: Platform
    policy: RetryPolicy = attrs.field(factory=lambda: RetryPolicy(settle_s=60.0))
    ids: AnsweredIds = attrs.field(factory=lambda: AnsweredIds(keeps=True))
    keys: KeysInDoubt = attrs.field(factory=KeysInDoubt)

    async def add(self, contact: Contact = CONTACT, deadline_s: float | None = None) -> int:
        clock = asyncio.get_running_loop().time
        settler = CallSettler(
            cast("Lookups", self.platform),
            self.policy,
            self.ids,
            self.keys,
            platform_now=lambda: datetime.datetime(2026, 11, 5, 12, 0, tzinfo=datetime.UTC),
            clock=clock,
        )
        deadline = None if deadline_s is None else clock() + deadline_s
        delivery = Delivery(is_idempotent(contact, self.policy), clock(), deadline)

        async def send() -> int:
            delivery.attempts += 1
            try:
                return await self.platform.send()
            except UncertainError as error:
                delivery.record_failure(error)
                raise

        return await settler.call(contact, delivery, send)


@in_held_time
async def test_add_that_is_found_twice_succeeds_with_its_id() -> None:
    client = Client(Platform(lists=[(), (listed(7),)]))

    assert await client.add() == 7
    assert client.platform.looked_at == [2.0, 4.0, 7.0]
    assert client.platform.filters[0].external_id == "x1"


@in_held_time
async def test_call_that_succeeds_looks_for_nothing() -> None:
    client = Client(Platform(sends=[7]))

    assert await client.add() == 7
    assert client.platform.looked_at == []
    assert client.ids.highest == 7


@in_held_time
async def test_add_that_is_not_found_is_uncertain_and_not_sent_again() -> None:
    client = Client(Platform())

    with pytest.raises(UncertainError, match=r"no answer; .* for 60 s and not found"):
        await client.add()

    assert client.platform.sent_at == [0.0]
    assert client.platform.looked_at[-1] == 60.0


@pytest.mark.parametrize("error", [RejectedError("no"), AuthenticationError("no")])
@in_held_time
async def test_add_that_fails_for_certain_is_not_looked_for(error: Any) -> None:
    client = Client(Platform(sends=[error]))

    with pytest.raises(type(error)):
        await client.add()

    assert client.platform.looked_at == []


@in_held_time
async def test_uncertain_update_is_not_looked_for() -> None:
    client = Client(Platform())

    with pytest.raises(UncertainError):
        await client.add(Contact(id=5))

    assert client.platform.looked_at == []


@in_held_time
async def test_id_that_was_answered_before_is_not_taken() -> None:
    client = Client(Platform(lists=[(listed(7),)]))
    client.ids.record(7)

    with pytest.raises(UncertainError, match="not found"):
        await client.add()


@in_held_time
async def test_id_that_another_call_got_meanwhile_is_not_taken() -> None:
    platform = Platform(sends=[LOST, 7], lists=[(listed(7),)])
    client = Client(platform)

    first = asyncio.create_task(client.add())
    await asyncio.sleep(1.0)
    assert await client.add() == 7

    with pytest.raises(UncertainError, match="not found"):
        await first


@in_held_time
async def test_two_uncertain_calls_for_the_same_contact_are_not_told_apart() -> None:
    client = Client(Platform(lists=[(listed(7),)]))

    results = await asyncio.gather(client.add(), client.add(), return_exceptions=True)

    assert all(isinstance(result, UncertainError) for result in results)
    assert "uncertain too" in str(results[0])


@in_held_time
async def test_contact_that_was_found_is_no_longer_uncertain() -> None:
    client = Client(Platform(lists=[(listed(7),), (listed(7),), (listed(7), listed(8))]))
    assert await client.add() == 7

    assert await client.add() == 8


@in_held_time
async def test_search_ends_in_time_for_the_deadline_of_the_call() -> None:
    client = Client(Platform())

    with pytest.raises(UncertainError, match="for 9 s and not found"):
        await client.add(deadline_s=10.0)

    assert now() <= 10.0


@in_held_time
async def test_call_whose_deadline_is_near_is_not_looked_for() -> None:
    client = Client(Platform())

    with pytest.raises(UncertainError, match="there was no time to look it up"):
        await client.add(deadline_s=0.5)


@in_held_time
async def test_look_that_fails_is_followed_by_others() -> None:
    client = Client(Platform(lists=[UncertainError("cut short"), (listed(7),)]))

    assert await client.add() == 7


@pytest.mark.parametrize(
    "refusal",
    [AuthenticationError("not allowed", http_status=403), RuntimeError("this client is closed")],
)
@in_held_time
async def test_search_ends_when_contacts_cannot_be_looked_up(refusal: Any) -> None:
    client = Client(Platform(lists=[refusal]))

    with pytest.raises(UncertainError, match=f"could not be looked up .*{refusal}"):
        await client.add()

    assert client.platform.looked_at == [2.0]


@in_held_time
async def test_unfound_add_is_sent_again_only_where_that_is_asked_for() -> None:
    policy = RetryPolicy(settle_s=10.0, resend_unfound=True)
    client = Client(Platform(sends=[LOST, 9]), policy)

    assert await client.add() == 9
    assert client.platform.sent_at == [0.0, 10.0]


@in_held_time
async def test_add_is_resent_as_often_as_there_are_attempts() -> None:
    policy = RetryPolicy(settle_s=10.0, resend_unfound=True, attempts=3)
    client = Client(Platform(), policy)

    with pytest.raises(UncertainError, match="not found") as raised:
        await client.add()

    assert client.platform.sent_at == [0.0, 10.0, 20.0]
    assert raised.value.attempts == 3


@in_held_time
async def test_add_is_not_resent_because_a_look_failed() -> None:
    policy = RetryPolicy(settle_s=10.0, resend_unfound=True)
    client = Client(Platform(lists=[(), UncertainError("cut short")]), policy)

    with pytest.raises(UncertainError, match="the last look-up failed: cut short"):
        await client.add()

    assert client.platform.sent_at == [0.0]


@in_held_time
async def test_call_that_is_cancelled_while_it_looks_leaves_its_key_in_doubt() -> None:
    client = Client(Platform(lists=[(listed(7),)]))
    call = asyncio.create_task(client.add())
    await asyncio.sleep(1.0)
    call.cancel()
    await asyncio.wait([call])

    with pytest.raises(UncertainError, match="uncertain too"):
        await client.add()
