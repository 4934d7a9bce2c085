"""Contacts with the same key are sent one after another, in input order; retries when due."""

import asyncio
import itertools
from collections import defaultdict
from collections.abc import Iterator
from typing import Any

import pytest
from attrs import evolve

from contactsdk import Contact, ContactError, RateLimitedError, UnavailableError
from contactsdk.bulk import collect
from contactsdk.bulk.schedule import Job, Schedule
from contactsdk.models import key_of
from contactsdk.retry import Delivery
from tests.bulk.held import (
    Counted,
    HeldPlatform,
    in_held_time,
    indexes,
    many,
    now,
    stream_of,
    updates,
)
from tests.examples import a_contact


def a_job(index: int, key: str = "a") -> Job:
    return Job(index, Contact(id=1), key, Delivery(True, 0.0, None))


def test_contacts_with_the_same_key_are_ready_one_after_another_in_the_order_of_claiming() -> None:
    schedule = Schedule(lambda: None)
    jobs = [a_job(index) for index in range(3)]

    assert [schedule.claim(job) for job in jobs] == [True, False, False]
    assert schedule.take(0.0) is None
    for job, following in itertools.pairwise(jobs):
        schedule.release(job)
        assert schedule.has_job(0.0)
        assert schedule.take(0.0) is following
    schedule.release(jobs[-1])
    assert not schedule.has_job(0.0)
    assert schedule.claim(a_job(3))
    assert len(schedule) == 0


def test_retry_is_taken_when_it_is_due_before_what_is_ready_and_keeps_its_key() -> None:
    schedule = Schedule(lambda: None)
    first, second, other = a_job(0), a_job(1), a_job(2, "b")
    schedule.claim(first)
    schedule.claim(second)
    schedule.retry_at(first, 10.0)
    schedule.make_ready(other)

    assert schedule.next_due == 10.0
    assert schedule.waiting == 2
    assert schedule.take(9.9) is other
    assert schedule.take(9.9) is None
    assert schedule.take(10.0) is first
    assert schedule.next_due is None
    schedule.release(first)
    assert schedule.take(10.0) is second


def test_retries_that_are_due_together_are_taken_in_the_order_in_which_they_came() -> None:
    schedule = Schedule(lambda: None)
    jobs = [a_job(index, str(index)) for index in range(5)]
    for job in jobs:
        schedule.retry_at(job, 1.0)

    assert [schedule.take(1.0) for _ in jobs] == jobs


def test_each_job_that_waits_for_a_time_is_heard_of() -> None:
    heard: list[int] = []
    schedule = Schedule(lambda: heard.append(len(heard)))

    schedule.retry_at(a_job(0), 10.0)
    schedule.retry_at(a_job(1, "b"), 11.0)
    schedule.make_ready(a_job(2, "c"))

    assert len(heard) == 2


def test_retry_that_is_due_is_a_job_to_take() -> None:
    schedule = Schedule(lambda: None)
    schedule.retry_at(a_job(0), 10.0)

    assert not schedule.has_job(9.9)
    assert schedule.has_job(10.0)


def test_clear_forgets_all_and_frees_their_keys() -> None:
    schedule = Schedule(lambda: None)
    jobs = [a_job(0), a_job(1), a_job(2, "b"), a_job(3, "c")]
    schedule.claim(jobs[0])
    schedule.claim(jobs[1])
    schedule.retry_at(jobs[3], 5.0)
    schedule.make_ready(jobs[2])

    schedule.clear()

    assert schedule.take(5.0) is None
    assert len(schedule) == 0
    schedule.release(jobs[0])
    assert not schedule.has_job(0.0)


class Watching(HeldPlatform):
    """Fails where two of one key are in flight together."""

    async def answer(self, contact: Contact, deadline: float | None) -> int:
        assert key_of(contact) not in map(key_of, self.in_flight)
        return await super().answer(contact, deadline)


def numbers_by_key(sent: list[Contact]) -> dict[Any, list[int]]:
    numbers = defaultdict(list)
    for contact in sent:
        numbers[key_of(contact)].append(int(contact.external_id or ""))
    return numbers


@in_held_time
async def test_one_key_goes_one_at_a_time_in_input_order() -> None:
    platform = Watching()
    contacts = updates(1 + n * n % 7 for n in range(300))

    report = await collect(stream_of(contacts, platform, concurrency=16))

    assert report.stopped_by is None
    assert len(report.ids) == 300
    assert all(numbers == sorted(numbers) for numbers in numbers_by_key(platform.sent).values())


@in_held_time
async def test_failing_attempts_do_not_let_the_next_of_the_key_past() -> None:
    race = RateLimitedError("race", retry_after_s=0.0)
    answers: Iterator[int | ContactError] = itertools.cycle(
        [UnavailableError("away"), race, 1, race, 1]
    )
    platform = Watching(lambda contact: next(answers))
    contacts = updates(n % 3 + 1 for n in range(30))

    report = await collect(stream_of(contacts, platform, concurrency=8))

    assert report.stopped_by is None
    for numbers in numbers_by_key(platform.sent).values():
        assert numbers == sorted(numbers)


@in_held_time
async def test_different_keys_run_side_by_side() -> None:
    platform = HeldPlatform(latency_s=1.0)

    report = await collect(stream_of(many(32), platform, concurrency=8))

    assert max(platform.abreast) == 8
    assert report.elapsed_s == pytest.approx(4.0)


@in_held_time
async def test_ids_and_names_are_kept_apart() -> None:
    platform = HeldPlatform(latency_s=1.0)
    contacts = [a_contact(), a_contact(id=7), Contact(id=8)]

    report = await collect(stream_of(contacts, platform))

    assert report.elapsed_s == pytest.approx(1.0)


@in_held_time
async def test_others_behind_many_equal_keys_are_sent_as_soon_as_they_can_be_read() -> None:
    platform = HeldPlatform(latency_s=1.0)
    contacts = [*updates([7] * 20), *many(9)]

    async with stream_of(contacts, platform, concurrency=4) as stream:
        done_at = {(await anext(stream)).index: now() for _ in contacts}

    # Seventeen of the equal ones are read at first. After three more, three places are free.
    assert max(at for index, at in done_at.items() if index >= 20) <= done_at[0] + 6.0
    assert done_at[19] == done_at[0] + 19.0


@in_held_time
async def test_many_equal_keys_do_not_stop_others_within_the_read_ahead() -> None:
    platform = HeldPlatform(latency_s=1.0)
    contacts = [*updates([7] * 12), *many(9)]

    async with stream_of(contacts, platform, concurrency=4) as stream:
        done_at = {(await anext(stream)).index: now() for _ in contacts}

    assert max(done_at[index] for index in range(12, 21)) < 4.5
    assert max(done_at.values()) == pytest.approx(12.0)


@in_held_time
async def test_many_equal_keys_are_read_ahead_within_bounds() -> None:
    source = Counted(updates([7] * 5000))

    async with stream_of(source, HeldPlatform(latency_s=100), concurrency=4) as stream:
        await asyncio.sleep(50)
        read = source.taken

    assert 8 < read <= 6 * 4
    assert indexes(stream.undelivered) == list(range(read))


@in_held_time
async def test_concurrency_of_one_and_equal_keys_in_backoff_do_not_deadlock() -> None:
    failed: set[str | None] = set()

    def judge(contact: Contact) -> int | Exception:
        if contact.external_id in failed:
            return 1
        failed.add(contact.external_id)
        return UnavailableError("away")

    contacts = [evolve(contact, id=7) for contact in many(40)]

    report = await collect(stream_of(contacts, Watching(judge), concurrency=1))

    assert len(report.ids) == 40
    assert [outcome.attempts for outcome in report.outcomes] == [2] * 40
