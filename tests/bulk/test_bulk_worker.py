"""What each contact goes through, in held time: places, attempts, deadlines, outages."""

import asyncio
import itertools
from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest

from contactsdk import (
    Contact,
    ContactError,
    InvalidContactError,
    RateLimitedError,
    RetryPolicy,
    UnavailableError,
    UncertainError,
)
from contactsdk.bulk import collect
from contactsdk.errors import StaleDateError
from tests.bulk.held import (
    Counted,
    HeldPlatform,
    endless,
    errors,
    in_held_time,
    indexes,
    many,
    now,
    number,
    read_all,
    stream_of,
    updates,
)

PATIENT = RetryPolicy(base_s=1000.0, max_wait_s=1000.0, deadline_s=None)
RACE = RateLimitedError("race", retry_after_s=0.0)


@in_held_time
async def test_contact_in_its_backoff_lets_another_be_sent() -> None:
    def judge(contact: Contact) -> int | Exception:
        return UnavailableError("away") if platform.sent.count(contact) == 1 and first else 1

    first = True
    platform = HeldPlatform(judge)
    done = []
    async with stream_of(many(10), platform, concurrency=1, policy=PATIENT) as stream:
        await asyncio.sleep(0.005)
        first = False
        async for outcome in stream:
            done.append(outcome.index)

    assert done == [*range(1, 10), 0]
    assert set(platform.abreast) == {1}


@in_held_time
async def test_never_more_contacts_are_in_flight_than_asked_for_whatever_waits() -> None:
    answers: Iterator[int | ContactError] = itertools.cycle(
        [UnavailableError("away"), 1, RACE, 1, 1]
    )
    platform = HeldPlatform(lambda _: next(answers))
    policy = RetryPolicy(attempts=50)

    report = await collect(stream_of(many(500), platform, concurrency=5, policy=policy))

    assert len(report.ids) == 500
    assert max(platform.abreast) == 5


@in_held_time
async def test_concurrency_is_used_in_full_again_once_no_contact_waits() -> None:
    def judge(contact: Contact) -> int | Exception:
        number = int(contact.external_id or 0)
        is_first = platform.sent.count(contact) == 1
        return UnavailableError("away") if number < 1000 and number % 100 < 6 and is_first else 1

    platform = HeldPlatform(judge, latency_s=0)

    report = await collect(stream_of(updates(range(1, 3001)), platform, concurrency=64))

    assert len(report.ids) == 3000
    assert max(platform.abreast[-1000:]) == 64


@in_held_time
async def test_async_input_that_waits_for_an_outcome_is_not_kept_waiting_by_a_backoff() -> None:
    fed: asyncio.Queue[Contact | None] = asyncio.Queue()

    async def contacts() -> AsyncIterator[Contact]:
        while (contact := await fed.get()) is not None:
            yield contact

    tries: Iterator[int | ContactError] = itertools.cycle(
        [UnavailableError("away"), UnavailableError("away"), 1]
    )
    left = iter(many(20))
    fed.put_nowait(next(left))
    done = []
    async with stream_of(contacts(), HeldPlatform(lambda _: next(tries)), concurrency=1) as stream:
        async for outcome in stream:
            done.append(outcome.index)
            fed.put_nowait(next(left, None))

    assert done == list(range(20))


@in_held_time
async def test_exhausted_retries_end_one_contact_and_stop_nothing() -> None:
    platform = HeldPlatform(lambda c: UnavailableError("busy") if number(c) == 3 else 1)

    report = await collect(stream_of(many(200), platform, policy=RetryPolicy(attempts=3)))

    assert [(o.index, o.attempts) for o in report.failures] == [(3, 3)]
    assert len(report.ids) == 199
    assert report.stopped_by is None


@in_held_time
async def test_uncertain_add_is_not_sent_again() -> None:
    platform = HeldPlatform(lambda c: UncertainError("no answer") if number(c) == 3 else 1)

    report = await collect(stream_of(many(20), platform))

    assert [outcome.index for outcome in report.uncertain] == [3]
    assert report.failures == ()
    assert len(platform.sent) == 20


class Outage:
    """Refuses connections between two times."""

    def __init__(self, begin: float, end: float, error: Exception | None = None) -> None:
        self.begin, self.end = begin, end
        self.error = error or UnavailableError("never sent: refused")

    def __call__(self, contact: Contact) -> int | Exception:
        return self.error if self.begin <= now() < self.end else 1


@pytest.mark.parametrize("concurrency", [1, 8, 64])
@in_held_time
async def test_outage_fails_no_contact_and_hammers_nothing(concurrency: int) -> None:
    platform = HeldPlatform(Outage(5.0, 65.0))
    platform.latency_s = 0.01 * concurrency
    policy = RetryPolicy(deadline_s=20.0)

    report = await collect(stream_of(many(1000), platform, concurrency=concurrency, policy=policy))

    assert report.stopped_by is None
    assert len(report.ids) == 1000
    noticed = 5.0 + (5 if concurrency == 1 else 2) * platform.latency_s + (concurrency < 5) * 6
    meanwhile = [
        abreast
        for at, abreast in zip(platform.sent_at, platform.abreast, strict=True)
        if noticed < at < 65.0
    ]
    assert set(meanwhile) == {1}
    assert len(meanwhile) < 60


@in_held_time
async def test_outage_that_ends_soon_is_over_soon() -> None:
    platform = HeldPlatform(Outage(5.0, 7.0), latency_s=0.1)

    report = await collect(stream_of(many(3200), platform, concurrency=32))

    assert len(report.ids) == 3200
    assert report.elapsed_s < 3200 / 320 + 2 + 8


@in_held_time
async def test_outage_in_which_requests_hang_past_the_deadline_fails_no_update() -> None:
    platform = HeldPlatform(Outage(2.0, 200.0, UncertainError("no answer: timed out")))

    def judge(contact: Contact) -> int | Exception:
        verdict = Outage(2.0, 200.0, UncertainError("no answer: timed out"))(contact)
        platform.latency_s = 0.1 if verdict == 1 else 15.0
        return verdict

    platform.judge = judge
    report = await collect(
        stream_of(updates(range(1, 100)), platform, policy=RetryPolicy(deadline_s=70.0))
    )

    assert errors(report.outcomes) == [None] * 99


@pytest.mark.parametrize("concurrency", [1, 8])
@in_held_time
async def test_outage_longer_than_give_up_s_stops_the_run(concurrency: int) -> None:
    away = UnavailableError("never sent: refused")
    source = Counted(endless())
    platform = HeldPlatform(Outage(5.0, 1e9, away))

    outcomes, raised = await read_all(stream_of(source, platform, concurrency=concurrency))

    assert raised is away
    assert 305 <= now() < 345
    assert indexes(outcomes) == list(range(source.taken))
    failed = [outcome for outcome in outcomes if not outcome.ok]
    assert 1 <= len(failed) <= max(5, 2 * concurrency)  # five in a row are an outage
    assert {type(outcome.error) for outcome in failed} == {UnavailableError}
    sent_well = sum(at < 5.0 for at in platform.sent_at)
    assert sum(outcome.ok for outcome in outcomes) == sent_well


@in_held_time
async def test_giving_up_is_reported_where_the_last_error_ended_its_contact() -> None:
    lost = UncertainError("no answer: timed out")
    platform = HeldPlatform(lambda _: lost)
    source = Counted(endless())

    report = await collect(stream_of(source, platform, concurrency=1, give_up_s=60.0))

    assert report.stopped_by is lost
    assert errors(report.outcomes[: len(platform.sent)]) == [UncertainError] * len(platform.sent)
    assert set(errors(report.outcomes[len(platform.sent) :])) <= {UnavailableError}
    assert source.taken == len(report.outcomes) <= len(platform.sent) + 1


@in_held_time
async def test_longer_wait_than_give_up_s_stops_the_run_at_once() -> None:
    maintenance = UnavailableError("maintenance", retry_after_s=301.0)
    platform = HeldPlatform(lambda c: maintenance if number(c) == 3 else 1)

    report = await collect(stream_of(many(100), platform))

    assert report.stopped_by is maintenance
    assert report.elapsed_s < 1.0
    assert [o.index for o in report.failures] == [3]


@in_held_time
async def test_pauses_do_not_count_against_deadline_or_attempts() -> None:
    verdicts = iter([RateLimitedError("slow down", retry_after_s=100.0)] * 8)
    platform = HeldPlatform(lambda _: next(verdicts, 1))
    policy = RetryPolicy(attempts=2, deadline_s=5.0)

    report = await collect(
        stream_of(many(10), platform, concurrency=1, policy=policy, give_up_s=1000.0)
    )

    assert len(report.ids) == 10
    assert sum(outcome.attempts for outcome in report.outcomes) == 18
    assert max(outcome.attempts for outcome in report.outcomes) > 2


@in_held_time
async def test_wait_for_a_turn_does_not_count_against_the_deadline() -> None:
    def judge(contact: Contact) -> int | Exception:
        again = platform.sent.count(contact) > 1
        return 1 if again else verdicts[number(contact)]

    verdicts: Any = {
        0: UnavailableError("busy"),
        1: RateLimitedError("slow down", retry_after_s=100.0),
        2: 1,
    }
    platform = HeldPlatform(judge)
    policy = RetryPolicy(base_s=5.0, deadline_s=20.0)

    report = await collect(stream_of(many(3), platform, concurrency=1, policy=policy))

    assert errors(report.outcomes) == [None] * 3


@in_held_time
async def test_wait_for_the_first_turn_does_not_count_against_the_deadline() -> None:
    async def contacts() -> AsyncIterator[Contact]:
        first, second = many(2)
        yield first
        while len(platform.sent) < 2:
            await asyncio.sleep(0.1)
        yield second

    verdicts = iter([UnavailableError("busy"), RateLimitedError("slow down", retry_after_s=100.0)])
    platform = HeldPlatform(lambda _: next(verdicts, 1), latency_s=1.0)
    policy = RetryPolicy(base_s=5.0, deadline_s=20.0)

    report = await collect(stream_of(contacts(), platform, concurrency=1, policy=policy))

    assert errors(report.outcomes) == [None, None]
    assert [outcome.attempts for outcome in report.outcomes] == [3, 1]


@in_held_time
async def test_own_backoff_and_attempts_count_against_the_deadline() -> None:
    platform = HeldPlatform(
        lambda c: UnavailableError("busy") if number(c) == 0 else 1, latency_s=1.0
    )
    policy = RetryPolicy(attempts=1000, base_s=1.0, max_wait_s=1.0, deadline_s=20.0)

    report = await collect(stream_of(many(300), platform, policy=policy))

    (failure,) = report.failures
    assert failure.index == 0
    assert 15 < failure.elapsed_s < 35


@in_held_time
async def test_wait_for_a_turn_needs_no_deadline() -> None:
    platform = HeldPlatform()
    policy = RetryPolicy(deadline_s=None)

    report = await collect(stream_of(many(200), platform, policy=policy, rate_per_s=1.0))

    assert errors(report.outcomes) == [None] * 200
    assert report.elapsed_s >= 199


@in_held_time
async def test_throttling_uses_up_no_attempts() -> None:
    platform = HeldPlatform(Outage(1.0, 200.0, RateLimitedError("slow down")))

    report = await collect(stream_of(many(1000), platform, policy=RetryPolicy(attempts=2)))

    assert report.stopped_by is None
    assert len(report.ids) == 1000


@pytest.mark.parametrize("bad", [{3}, {0, 1, 2, 3}])
@pytest.mark.parametrize(
    "declined",
    [
        RateLimitedError("too many for this one"),
        RateLimitedError("too many for this one", retry_after_s=1.0),
        UnavailableError("not this one", retry_after_s=1.0),
    ],
)
@in_held_time
async def test_contact_that_is_to_wait_for_ever_ends_and_others_get_through(
    declined: ContactError, bad: set[int]
) -> None:
    platform = HeldPlatform(lambda c: declined if number(c) in bad else 1, latency_s=0.5)
    contacts = itertools.takewhile(lambda _: now() < 500, endless())

    report = await collect(stream_of(contacts, platform))

    assert report.stopped_by is None
    assert {failure.index for failure in report.failures} == bad
    for failure in report.failures:
        assert failure.error is declined
        assert 299 <= failure.elapsed_s < 400  # a wait that would pass 300 s is not begun
        assert failure.attempts < 50
    assert len(report.ids) > 0.9 * 500 * 4 / 0.5


@in_held_time
async def test_run_finds_the_rate_of_a_platform_that_throttles() -> None:
    tokens, filled_at = 10.0, 0.0

    def judge(_: Contact) -> int | Exception:
        nonlocal tokens, filled_at
        tokens, filled_at = min(10.0, tokens + (now() - filled_at) * 50), now()
        if tokens < 1:
            return RateLimitedError("slow down")
        tokens -= 1
        return 1

    platform = HeldPlatform(judge, latency_s=0.001)

    report = await collect(stream_of(many(1500), platform, concurrency=32))

    assert len(report.ids) == 1500
    assert report.elapsed_s < 1500 / 45
    # Most of the throttled ones are of the first second, in which the rate is measured.
    assert len(platform.sent) < 1.4 * 1500


@in_held_time
async def test_rate_cap_holds_for_a_whole_run() -> None:
    platform = HeldPlatform()

    await collect(stream_of(many(40), platform, rate_per_s=10.0))

    for first, eleventh in zip(platform.sent_at, platform.sent_at[10:], strict=False):
        assert eleventh - first >= 1.0 - 1e-9
    assert now() < 4.5


@in_held_time
async def test_rate_cap_is_used_up_where_the_input_is_read_in_a_task_of_its_own() -> None:
    async def contacts() -> AsyncIterator[Contact]:
        for contact in many(200):
            yield contact

    platform = HeldPlatform(latency_s=0.02)

    report = await collect(stream_of(contacts(), platform, concurrency=32, rate_per_s=10.0))

    assert len(report.ids) == 200
    assert now() < 200 / 10 + 1


@in_held_time
async def test_retry_that_is_due_goes_before_contacts_that_wait_for_their_turn() -> None:
    def judge(contact: Contact) -> int | Exception:
        is_first = number(contact) == 0 and platform.sent.count(contact) == 1
        return UnavailableError("never sent: refused") if is_first else 1

    platform = HeldPlatform(judge)
    policy = RetryPolicy(base_s=0.5, max_wait_s=0.5)

    await collect(stream_of(many(40), platform, concurrency=32, policy=policy, rate_per_s=2.0))

    assert [number(contact) for contact in platform.sent].index(0, 1) < 5


@pytest.mark.parametrize("more", [many(90), [InvalidContactError([((), "no")])] * 90])
@in_held_time
async def test_no_more_is_read_once_the_platform_is_given_up(more: list[Any]) -> None:
    # While all wait, one that left before tells that the platform asks for too long a wait.
    class Asking(HeldPlatform):
        async def answer(self, contact: Contact, deadline: float | None) -> int:
            await asyncio.sleep({0: 0.3, 1: 0.1}.get(number(contact), 0.305))
            asked_s = {0: 1000.0, 1: 5.0}.get(number(contact))
            if asked_s is not None:
                raise RateLimitedError("wait", retry_after_s=asked_s)
            return 1

    read_at = []

    def contacts() -> Iterator[Any]:
        for item in [*many(4), *more]:
            read_at.append(now())
            yield item

    _, raised = await read_all(stream_of(contacts(), Asking(), concurrency=4))

    assert getattr(raised, "retry_after_s", None) == 1000.0
    assert max(read_at) < 0.3  # when the platform asked for so long a wait


@in_held_time
async def test_wait_for_the_first_turn_counts_neither_as_patience_nor_as_time() -> None:
    class Slow(HeldPlatform):
        """Declines each of four once, and then keeps them; throttles the last one once."""

        async def answer(self, contact: Contact, deadline: float | None) -> int:
            self.sent.append(contact)
            is_first = self.sent.count(contact) == 1
            if number(contact) < 4 and is_first:
                raise UnavailableError("never sent")
            await asyncio.sleep({4: 2.0, 5: 0.01}.get(number(contact), 8.0))
            if number(contact) == 5 and is_first:
                raise RateLimitedError("wait", retry_after_s=1.0)
            return 1

    same = [Contact(id=7, external_id="4"), Contact(id=7, external_id="5")]
    policy = RetryPolicy(attempts=2, base_s=1.0, max_wait_s=0.9, deadline_s=None)
    stream = stream_of(many(4) + same, Slow(), concurrency=2, give_up_s=5.0, policy=policy)

    report = await collect(stream)

    assert len(report.ids) == 6
    assert report.elapsed_s > 15
    assert report.outcomes[5].elapsed_s == pytest.approx(1.02)


@pytest.mark.parametrize("is_given_up", [False, True])
@in_held_time
async def test_stale_date_in_an_outage_is_sent_again_at_once(is_given_up: bool) -> None:
    class Stale(HeldPlatform):
        """Is away, and when it is back, refuses the first request for its date."""

        async def answer(self, contact: Contact, deadline: float | None) -> int:
            self.sent.append(contact)
            self.sent_at.append(now())
            if len(self.sent) <= 6:
                raise UnavailableError("away")
            if len(self.sent) == 7:
                raise StaleDateError("old")
            if is_given_up:
                raise UnavailableError("away", retry_after_s=1000.0)
            return 1

    platform = Stale()
    report = await collect(stream_of(many(20), platform, concurrency=4))

    assert len(report.ids) == (0 if is_given_up else 20)
    assert (report.stopped_by is None) is not is_given_up
    assert platform.sent_at[7] == platform.sent_at[6]


@in_held_time
async def test_random_throttles_and_declines_together_do_not_stop_a_run() -> None:
    declined = UnavailableError("busy", http_status=503)
    answers: Iterator[int | ContactError] = itertools.cycle(
        [RateLimitedError("slow down"), declined, 1]
    )
    platform = HeldPlatform(lambda _: next(answers))

    async with stream_of(endless(), platform, policy=RetryPolicy(deadline_s=None)) as stream:
        done = 0
        async for _ in stream:
            done += 1
            if now() > 120.0:
                break

    assert done > 60 * 10  # ten a second in half of the time
