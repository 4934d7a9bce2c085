"""The first contact of a run goes alone, until the platform has given a good answer."""

from collections.abc import AsyncIterator, Iterator

import pytest

from contactsdk import (
    AuthenticationError,
    Contact,
    ContactClient,
    RejectedError,
    RetryPolicy,
    UncertainError,
)
from contactsdk.bulk import collect
from contactsdk.sandbox import Sandbox
from tests.bulk.held import (
    Counted,
    HeldPlatform,
    errors,
    in_held_time,
    many,
    now,
    number,
    read_all,
    stream_of,
)


@in_held_time
async def test_first_contact_goes_alone_and_the_others_follow_its_answer() -> None:
    platform = HeldPlatform(latency_s=1.0)

    report = await collect(stream_of(many(9), platform, is_proven=False))

    assert platform.abreast[0] == 1
    assert platform.sent_at[0] == 0.0
    assert platform.sent_at[1:5] == [1.0] * 4
    assert len(report.ids) == 9


@in_held_time
async def test_wrong_secret_is_found_with_one_contact() -> None:
    wrong = AuthenticationError("wrong secret", error_code=401)
    source = Counted(many(100))
    platform = HeldPlatform(lambda _: wrong)

    outcomes, raised = await read_all(stream_of(source, platform, is_proven=False))

    assert raised is wrong
    assert errors(outcomes) == [AuthenticationError]
    assert source.taken == len(platform.sent) == 1


@in_held_time
async def test_refusal_by_the_platform_itself_is_a_good_answer() -> None:
    no = RejectedError("no", error_code=400)
    platform = HeldPlatform(lambda c: no if number(c) == 0 else 1, latency_s=1.0)

    await collect(stream_of(many(9), platform, is_proven=False))

    assert platform.abreast[:2] == [1, 1]
    assert max(platform.abreast) == 4


@in_held_time
async def test_contacts_go_alone_while_no_answer_can_be_trusted() -> None:
    lost = UncertainError("no answer")
    platform = HeldPlatform(lambda c: lost if number(c) < 3 else 1, latency_s=1.0)

    await collect(stream_of(many(12), platform, is_proven=False))

    assert platform.abreast[:4] == [1] * 4
    assert max(platform.abreast) == 4


@pytest.mark.parametrize("is_async", [False, True])
@in_held_time
async def test_run_over_less_than_it_takes_to_prove_anything_ends(is_async: bool) -> None:
    async def nothing() -> AsyncIterator[Contact]:
        for contact in many(0):
            yield contact

    report = await collect(
        stream_of(nothing() if is_async else [], HeldPlatform(), is_proven=False)
    )

    assert report.outcomes == ()


@in_held_time
async def test_first_contact_in_its_backoff_gives_way_to_the_next() -> None:
    platform = HeldPlatform(lambda c: UncertainError("lost") if number(c) == 0 else 1)
    first, *others = many(9, update_if_exists=True)

    async with stream_of(
        [first, *others], platform, is_proven=False, policy=RetryPolicy(base_s=100.0)
    ) as stream:
        outcome = await anext(stream)

    assert outcome.index == 1
    assert now() < 1.0


async def test_client_that_had_a_good_answer_starts_at_once(
    sandbox: Sandbox, client: ContactClient
) -> None:
    await client.ping()
    sandbox.latency_s = 0.02
    in_flight = []

    def contacts() -> Iterator[Contact]:
        for contact in many(8):
            in_flight.append(len(sandbox.ledger.requests))
            yield contact

    await client.add_or_update_many(contacts(), concurrency=4)

    assert in_flight[:4] == [1] * 4  # four were read before the platform was asked again
