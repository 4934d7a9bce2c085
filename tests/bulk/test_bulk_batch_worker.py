"""What the contacts of a batch go through, in held time."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from typing import Any

import pytest

from contactsdk import (
    AuthenticationError,
    Contact,
    InvalidContactError,
    Progress,
    RateLimitedError,
    RejectedError,
    RetryPolicy,
    SetupError,
    UnavailableError,
    UncertainError,
)
from contactsdk.bulk import Run, RunOptions, collect
from contactsdk.bulk.batch_worker import BatchWorker
from contactsdk.bulk.gathering import Gathering
from contactsdk.bulk.schedule import Job
from contactsdk.errors import StaleDateError, converted
from contactsdk.journal import JournalRun
from contactsdk.pacing import BreakerState, Pacer
from contactsdk.retry import Delivery
from contactsdk.wire import JobResult
from tests.bulk.held import (
    Counted,
    endless,
    errors,
    in_held_time,
    indexes,
    many,
    now,
    read_all,
    updates,
)
from tests.bulk.held_batches import BROKEN, RACED, REFUSED, HeldBatches, batch_stream, done
from tests.journal.journals import ACCOUNT, MemoryStore

LOST = UncertainError("sent, but no answer came")
QUICK = RetryPolicy(base_s=0.001, max_wait_s=0.002)


def numbers_of(contacts: Sequence[Contact]) -> list[int]:
    return [int(contact.external_id or "") for contact in contacts]


def times_sent(platform: HeldBatches) -> Counter[int]:
    """How often each contact was in a batch that was accepted."""
    return Counter(number for batch in platform.accepted for number in batch.numbers)


def too_large(limit: int) -> Any:
    """Refuses batches of more contacts than this, as the client reads that refusal."""

    def refuse(contacts: Sequence[Contact]) -> UnavailableError | None:
        if len(contacts) <= limit:
            return None
        cause = RejectedError("too many", error_code=400, specific_code=24448)
        return converted(cause, UnavailableError, "the batch is too large: too many")

    return refuse


@in_held_time
async def test_each_contact_has_the_id_of_its_own_result() -> None:
    report = await collect(batch_stream(many(95), HeldBatches()))

    assert report.ids == tuple(range(1000, 1095))
    assert {outcome.attempts for outcome in report.outcomes} == {1}


@in_held_time
async def test_first_contact_goes_alone_until_it_has_its_result() -> None:
    platform = HeldBatches(takes_s=3.0)

    await collect(batch_stream(many(31), platform))

    assert platform.sizes == [1, 10, 10, 10]
    assert platform.accepted[1].at > 3.0


@in_held_time
async def test_concurrency_counts_batches_and_progress_counts_requests() -> None:
    seen: list[Progress] = []
    platform = HeldBatches(takes_s=2.0, latency_s=0.3)

    stream = batch_stream(many(81), platform, concurrency=2, on_progress=seen.append)
    await collect(stream)

    starts = [batch.at for batch in platform.accepted[1:]]
    assert all(later - start >= 2.0 for start, later in zip(starts, starts[2:], strict=False))
    assert max(progress.in_flight for progress in seen) == 2
    assert min(progress.in_flight for progress in seen) == 0


@in_held_time
async def test_contacts_with_one_key_are_never_in_flight_together() -> None:
    contacts = updates([7, 7, 8, 7, 9, *range(100, 130)])
    platform = HeldBatches(takes_s=1.0)

    report = await collect(batch_stream(contacts, platform))

    assert len(report.ids) == len(contacts)
    sent = [n for batch in platform.accepted for n in batch.numbers if n in (0, 1, 3)]
    assert sent == [0, 1, 3]
    times = [b.at for b in platform.accepted if {0, 1, 3} & set(b.numbers)]
    assert times[1] - times[0] > 1.0
    assert times[2] - times[1] > 1.0


@in_held_time
async def test_batch_of_a_slow_input_leaves_a_tenth_of_a_second_after_its_first_contact() -> None:
    async def slow() -> AsyncIterator[Contact]:
        for contact in many(21):
            yield contact
            await asyncio.sleep(0.03)

    platform = HeldBatches()
    await collect(batch_stream(slow(), platform, concurrency=4))

    assert platform.sizes[0] == 1
    assert set(platform.sizes[2:-1]) == {4}


@in_held_time
async def test_input_that_waits_for_each_outcome_is_served() -> None:
    fed: asyncio.Queue[Contact | None] = asyncio.Queue()

    async def contacts() -> AsyncIterator[Contact]:
        while (contact := await fed.get()) is not None:
            yield contact

    left = iter(many(5))
    fed.put_nowait(next(left))
    platform = HeldBatches()
    finished = []
    async with batch_stream(contacts(), platform) as stream:
        async for outcome in stream:
            finished.append(outcome.index)
            fed.put_nowait(next(left, None))

    assert finished == [0, 1, 2, 3, 4]
    assert platform.sizes == [1] * 5


@in_held_time
async def test_invalid_items_have_their_own_outcome_and_are_not_sent() -> None:
    wrong = InvalidContactError([((), "no")])
    items: list[Any] = [wrong, *many(30), wrong]
    items[11:11] = [wrong] * 25
    platform = HeldBatches()

    report = await collect(batch_stream(items, platform))

    assert len(report.ids) == 30
    assert len(report.failures) == 27
    assert sum(platform.sizes) == 30


@in_held_time
async def test_lost_answer_leaves_adds_uncertain_and_sends_updates_again() -> None:
    contacts: list[Contact] = [*many(21), *updates(range(1, 11))]
    lost = iter([None, LOST, LOST, LOST])
    platform = HeldBatches(lose=lambda _: next(lost, None))

    report = await collect(batch_stream(contacts, platform, policy=QUICK))

    assert [outcome.index for outcome in report.uncertain] == list(range(1, 21))
    assert [outcome.attempts for outcome in report.outcomes] == [1] * 21 + [2] * 10
    assert sum(platform.sizes) == 41
    assert all(outcome.ok for outcome in report.outcomes[21:])


@in_held_time
async def test_update_that_is_refused_after_a_lost_answer_is_uncertain() -> None:
    lost = iter([None, LOST])
    platform = HeldBatches(lambda c: REFUSED if c.id == 2 else done(c))
    platform.lose = lambda _: next(lost, None)

    report = await collect(batch_stream(updates([1, 2, 3]), platform, policy=QUICK))

    assert errors(report.outcomes) == [None, UncertainError, None]


@in_held_time
async def test_batch_refused_for_one_contact_rejects_only_that_contact() -> None:
    def refuse(contacts: Sequence[Contact]) -> RejectedError | None:
        return RejectedError("bad", error_code=400) if 17 in numbers_of(contacts) else None

    platform = HeldBatches(refuse=refuse)
    policy = RetryPolicy(attempts=1)

    report = await collect(batch_stream(many(41), platform, policy=policy))

    assert [(o.index, type(o.error)) for o in report.failures] == [(17, RejectedError)]
    assert len(report.ids) == 40
    assert times_sent(platform) == Counter(set(range(41)) - {17})


@in_held_time
async def test_batches_stay_smaller_once_one_was_too_large() -> None:
    platform = HeldBatches(refuse=too_large(5))

    report = await collect(batch_stream(many(101), platform, concurrency=1, batch_size=20))

    assert len(report.ids) == 101
    assert [len(tried) for tried in platform.tried[:6]] == [1, 20, 10, 5, 5, 10]
    assert len([tried for tried in platform.tried if len(tried) > 5]) == 3
    assert set(times_sent(platform).values()) == {1}


@in_held_time
async def test_contact_that_is_too_large_alone_is_rejected() -> None:
    def refuse(contacts: Sequence[Contact]) -> UnavailableError | None:
        if 3 not in numbers_of(contacts):
            return None
        cause = RejectedError("too long", http_status=413)
        return converted(cause, UnavailableError, "the batch is too large: too long")

    report = await collect(batch_stream(many(11), HeldBatches(refuse=refuse)))

    assert [(o.index, type(o.error)) for o in report.failures] == [(3, RejectedError)]
    assert len(report.ids) == 10


@in_held_time
async def test_batch_that_was_not_saved_is_sent_again_together() -> None:
    tries = iter([None, UnavailableError("the batch was not saved", error_code=400)])
    platform = HeldBatches(refuse=lambda _: next(tries, None))

    report = await collect(batch_stream(many(11), platform))

    assert len(report.ids) == 11
    assert [len(tried) for tried in platform.tried] == [1, 10, 10]
    assert [outcome.attempts for outcome in report.outcomes] == [1] + [2] * 10


@in_held_time
async def test_throttled_batch_costs_no_attempt_and_stays_together() -> None:
    tries = iter([None] + [RateLimitedError("slow down", retry_after_s=1.0)] * 8)
    platform = HeldBatches(refuse=lambda _: next(tries, None))
    seen: list[Progress] = []
    policy = RetryPolicy(attempts=1)

    stream = batch_stream(many(11), platform, policy=policy, on_progress=seen.append)
    report = await collect(stream)

    assert len(report.ids) == 11
    assert [len(tried) for tried in platform.tried] == [1] + [10] * 9
    assert seen[-1].throttled == 8


@pytest.mark.parametrize(
    "refusal",
    [
        SetupError("no right", http_status=403, error_code=403),
        AuthenticationError("key", error_code=401),
    ],
)
@in_held_time
async def test_refusal_of_all_batches_stops_the_run_after_one_contact(refusal: SetupError) -> None:
    platform = HeldBatches(refuse=lambda _: refusal)

    outcomes, raised = await read_all(batch_stream(endless(), platform))

    assert raised is not None
    assert type(raised) is type(refusal)
    assert platform.tried == [[0]]
    assert errors(outcomes)[0] is type(refusal)


@in_held_time
async def test_firewall_that_refuses_one_contact_costs_only_that_contact() -> None:
    def refuse(contacts: Sequence[Contact]) -> SetupError | None:
        return SetupError("blocked", http_status=403) if 17 in numbers_of(contacts) else None

    platform = HeldBatches(refuse=refuse)

    report = await collect(batch_stream(many(51), platform, policy=QUICK))

    assert report.stopped_by is None
    assert [(o.index, type(o.error)) for o in report.failures] == [(17, UnavailableError)]
    assert len(report.ids) == 50


@in_held_time
async def test_firewall_that_refuses_every_batch_stops_the_run() -> None:
    platform = HeldBatches(refuse=lambda _: SetupError("blocked", http_status=403))

    _, raised = await read_all(batch_stream(endless(), platform))

    assert isinstance(raised, SetupError)
    assert platform.accepted == []
    assert len({tuple(tried) for tried in platform.tried}) == 3


@in_held_time
async def test_raced_contacts_go_together_into_a_later_batch() -> None:
    raced: Counter[int] = Counter()

    def judge(contact: Contact) -> Any:
        number = int(contact.external_id or "")
        raced[number] += 1
        return RACED if number % 2 and raced[number] <= 3 else done(contact)

    platform = HeldBatches(judge)

    report = await collect(batch_stream(many(21), platform, policy=RetryPolicy(attempts=1)))

    assert len(report.ids) == 21
    assert [outcome.attempts for outcome in report.outcomes] == [1, 4] * 10 + [1]
    assert platform.sizes[:3] == [1, 10, 10]
    assert all(size >= 5 for size in platform.sizes[3:])


@in_held_time
async def test_each_error_in_a_batch_is_that_of_its_contact() -> None:
    responses: dict[int, Any] = {
        3: REFUSED,
        4: BROKEN,
        5: {"success": False, "message": "no"},
        6: None,
        7: [],
    }

    def judge(contact: Contact) -> Any:
        return responses.get(int(contact.external_id or ""), done(contact))

    report = await collect(batch_stream(many(9), HeldBatches(judge)))

    assert errors(report.outcomes) == [
        None,
        None,
        None,
        RejectedError,
        UncertainError,
        RejectedError,
        UncertainError,
        UncertainError,
        None,
    ]
    assert len({id(outcome.error) for outcome in report.outcomes}) == 6


@in_held_time
async def test_wrong_key_in_a_result_stops_the_run() -> None:
    denied = {"errorCode": 401, "message": "key revoked"}
    platform = HeldBatches(lambda c: denied if c.external_id == "5" else done(c))

    outcomes, raised = await read_all(batch_stream(endless(), platform))

    assert isinstance(raised, AuthenticationError)
    assert errors(outcomes)[5] is AuthenticationError


@pytest.mark.parametrize(
    ("change", "uncertain"),
    [
        (lambda results: results[:7], [8, 9, 10]),
        (lambda results: [*results[1:], results[0]], list(range(1, 11))),
        (lambda results: [*results[:3], JobResult(request=None, response={"id": 5})], range(4, 11)),
    ],
)
@in_held_time
async def test_result_that_is_missing_or_of_another_contact_leaves_it_uncertain(
    change: Any, uncertain: Any
) -> None:
    platform = HeldBatches(change=lambda results: change(results) if len(results) > 1 else results)

    report = await collect(batch_stream(many(11), platform))

    assert [outcome.index for outcome in report.uncertain] == list(uncertain)
    assert report.failures == ()


@in_held_time
async def test_contact_whose_time_is_over_is_not_sent_again() -> None:
    tries = iter([None, UnavailableError("busy")])
    platform = HeldBatches(refuse=lambda _: next(tries, None))
    policy = RetryPolicy(deadline_s=10.0, base_s=8.0)

    report = await collect(batch_stream(many(3), platform, policy=policy, rate_per_s=0.05))

    assert errors(report.outcomes) == [None, UnavailableError, UnavailableError]
    assert "timed out" in report.outcomes[1].message
    assert [len(tried) for tried in platform.tried] == [1, 2]


@in_held_time
async def test_stale_date_is_sent_again_at_once_and_costs_no_attempt() -> None:
    tries = iter([StaleDateError("old"), None, StaleDateError("old")])
    platform = HeldBatches(refuse=lambda _: next(tries, None))

    report = await collect(batch_stream(many(11), platform, policy=RetryPolicy(attempts=1)))

    assert len(report.ids) == 11
    assert [len(tried) for tried in platform.tried] == [1, 1, 10, 10]


@in_held_time
async def test_requests_for_results_count_towards_the_rate() -> None:
    platform = HeldBatches(takes_s=3.0)

    await collect(batch_stream(many(101), platform, rate_per_s=2.0))

    times = platform.requested_at
    assert all(third - first >= 1.0 - 1e-9 for first, third in zip(times, times[2:], strict=False))


@in_held_time
async def test_stop_finishes_the_batches_in_flight_and_sends_no_other() -> None:
    source = Counted(endless())
    platform = HeldBatches(takes_s=30.0)
    outcomes = []

    async with batch_stream(source, platform) as stream:
        outcomes.append(await anext(stream))
        await asyncio.sleep(1.0)
        stream.stop()
        outcomes += [outcome async for outcome in stream]

    assert platform.sizes == [1, 10, 10, 10, 10]
    assert stream.stopped_by is None
    assert indexes(outcomes) == list(range(source.taken))
    assert errors(outcomes) == [None] * 41


@in_held_time
async def test_stop_ends_a_batch_that_waits_for_its_turn_as_never_sent() -> None:
    async with batch_stream(many(30), HeldBatches(), rate_per_s=0.5) as stream:
        await anext(stream)
        await asyncio.sleep(0.1)
        stream.stop()
        others = [outcome async for outcome in stream]

    assert set(errors(others)) == {UnavailableError}
    assert all("never sent" in outcome.message for outcome in others)


@in_held_time
async def test_stop_between_the_halves_of_a_batch_leaves_no_contact_without_an_outcome() -> None:
    def refuse(contacts: Sequence[Contact]) -> RejectedError | None:
        if len(contacts) < 10:
            return None
        stream.stop()
        return RejectedError("bad", error_code=400)

    source = Counted(endless())
    stream = batch_stream(source, HeldBatches(refuse=refuse), concurrency=1)
    outcomes, raised = await read_all(stream)

    assert raised is None
    assert indexes(outcomes) == list(range(source.taken))
    assert errors(outcomes) == [None] + [UnavailableError] * (source.taken - 1)


@in_held_time
async def test_stop_while_a_batch_fills_sends_it_no_more() -> None:
    async def slow() -> AsyncIterator[Contact]:
        for contact in many(5):
            yield contact
            await asyncio.sleep(0.001 if contact.external_id else 0)
        await asyncio.sleep(100)

    platform = HeldBatches()
    async with batch_stream(slow(), platform) as stream:
        await anext(stream)
        await asyncio.sleep(0.01)
        stream.stop()
        others = [outcome async for outcome in stream]

    assert platform.sizes == [1]
    assert {type(outcome.error) for outcome in others} == {UnavailableError}


@in_held_time
async def test_leaving_early_makes_what_was_accepted_uncertain() -> None:
    platform = HeldBatches(takes_s=30.0)

    async with batch_stream(many(100), platform, concurrency=2) as stream:
        first = await anext(stream)
        await asyncio.sleep(1.0)

    assert first.ok
    assert errors(stream.undelivered)[:20] == [UncertainError] * 20
    assert set(errors(stream.undelivered)[20:]) <= {UnavailableError}
    assert now() < 35


@pytest.mark.parametrize("where", ["refuse", "hide"])
@pytest.mark.parametrize("accident", [RuntimeError("closed"), asyncio.CancelledError()])
@in_held_time
async def test_accident_stops_the_run_and_loses_no_contact(
    where: str, accident: BaseException
) -> None:
    platform = HeldBatches()
    count = 0

    def strike(_: object) -> BaseException | None:
        nonlocal count
        count += 1
        return accident if count == 2 else None

    setattr(platform, where, strike)
    source = Counted(endless())

    outcomes, raised = await read_all(batch_stream(source, platform, concurrency=1))

    assert isinstance(raised, RuntimeError)
    assert indexes(outcomes) == list(range(source.taken))
    assert errors(outcomes) == [None] + [UncertainError] * 10


class SlowJournal:
    """Never has an intent on record."""

    def record_intent(self, *_: object, **__: object) -> asyncio.Future[None]:
        return asyncio.get_running_loop().create_future()


@in_held_time
async def test_batch_that_is_cancelled_before_it_is_sent_gives_a_probe_back() -> None:
    clock = asyncio.get_running_loop().time
    pacer = Pacer(base_s=1.0, max_wait_s=1.0, clock=clock)
    platform = HeldBatches()
    options = RunOptions(policy=RetryPolicy(), concurrency=1, batch_size=10)
    run = Run([], platform.send, platform, pacer, options)
    run.journal = SlowJournal()  # type: ignore[assignment]
    job = Job(0, many(1)[0], None, Delivery(False, 0.0, None))
    run.jobs.add(job)
    run.schedule.make_ready(job)
    for _ in range(5):
        pacer.record_result(clock(), UnavailableError("never sent: refused"))

    working = asyncio.create_task(BatchWorker(run, Gathering(run)).work())
    await asyncio.sleep(10)
    is_probing = pacer.breaker_state is BreakerState.HALF_OPEN
    working.cancel()
    await asyncio.wait([working])

    assert is_probing
    assert pacer.breaker_state is BreakerState.OPEN


@in_held_time
async def test_contacts_that_are_left_on_record_are_not_kept_in_memory() -> None:
    journal = await JournalRun.start(MemoryStore(), ACCOUNT)
    platform = HeldBatches()

    def never_execute_the_second(_: object) -> None:
        if len(platform.accepted) == 2:
            platform.accepted[-1].at = 1e6

    async def open_journal() -> JournalRun:
        return journal

    platform.lose = never_execute_the_second
    stream = batch_stream(many(11), platform, give_up_s=60.0, open_journal=open_journal)
    outcomes, _ = await read_all(stream)

    assert errors(outcomes) == [None] + [UncertainError] * 10
    assert [journal.batch_of(number) for number in range(11)] == [None] * 11


@in_held_time
async def test_slow_consumer_bounds_what_is_read() -> None:
    source = Counted(endless())

    async with batch_stream(source, HeldBatches(), concurrency=2, batch_size=10) as stream:
        await anext(stream)
        await asyncio.sleep(500)
        taken = source.taken

    assert taken <= 1 + 20 + 2 * 20


@pytest.mark.parametrize("size", [0, 201, True, 1.5, -1])
def test_batch_size_is_checked(size: Any) -> None:
    with pytest.raises(ValueError, match="batch_size must be a whole number from 1 to 200"):
        RunOptions(policy=RetryPolicy(), concurrency=1, batch_size=size)
