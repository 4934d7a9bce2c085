"""Batches through every fault: what the client says of each contact is what the ledger shows."""

import itertools
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from contactsdk import ContactClient, Credentials
from contactsdk.sandbox import JOB_MIX, Answer, Fault, FaultKind, Guesses, Sandbox
from tests.system.reconcile import (
    MIX_FOR_STREAMS,
    calls_of,
    counts,
    populate,
    reconcile,
    restarting,
    sandbox_for_calls,
    settled,
    stream_cancelled,
    streamed,
)
from tests.system.unhurried import unhurried

SEED = int(os.environ.get("CONTACTSDK_SEED", "1"))
RUN, RESULTS = "batch?action=run", "batch?action=results"
MIX = (*MIX_FOR_STREAMS, Fault(FaultKind.BATCH_NOT_SAVED))


@asynccontextmanager
async def connected(**options: Any) -> AsyncIterator[tuple[Sandbox, ContactClient]]:
    """A sandbox with contacts to update, and a client of it."""
    sandbox = sandbox_for_calls(**options)
    credentials = Credentials(sandbox.key, sandbox.secret)
    async with sandbox, ContactClient(sandbox.url, credentials) as client:
        populate(sandbox, 400)
        yield sandbox, client


def unread(sandbox: Sandbox, batch_size: int) -> int:
    """How many contacts were at most in requests whose body the sandbox did not read."""
    return batch_size * sum(not r.body for r in sandbox.ledger.requests if r.action == RUN)


def faults_of(sandbox: Sandbox, action: str) -> set[FaultKind]:
    requests = sandbox.ledger.requests
    return {
        request.fault.kind for request in requests if request.fault and request.action == action
    }


def sizes_of(sandbox: Sandbox) -> list[int]:
    return [len(batch.jobs) for batch in sandbox.batches.values()]


@pytest.mark.parametrize(
    ("batch_size", "count", "share"), [(1, 300, 0.3), (3, 600, 0.3), (200, 3000, 0.25)]
)
@unhurried
async def test_batches_through_every_fault_lose_nothing_and_double_nothing(
    batch_size: int, count: int, share: float
) -> None:
    guesses = Guesses(batch_order="shuffled", batch_echo="normalised")
    async with connected(guesses=guesses, batch_rate_per_s=500.0) as (sandbox, client):
        calls = calls_of(SEED, count, sandbox.contacts.values())
        sandbox.script(*MIX, action=RUN)
        sandbox.mix(SEED, share, MIX)

        ends = await streamed(client, calls, concurrency=8, batch_size=batch_size)

        await settled(sandbox)
        reconcile(sandbox, calls, ends, seed=SEED, unseen=unread(sandbox, batch_size))
        assert max(sizes_of(sandbox)) == batch_size
        assert counts(ends).keys() >= {"success", "RejectedError", "UncertainError"}
        assert faults_of(sandbox, RUN) == {fault.kind for fault in MIX}


@pytest.mark.parametrize(("batch_size", "count"), [(1, 200), (3, 400), (200, 800)])
@unhurried
async def test_faults_of_single_contacts_in_batches_are_reported_right(
    batch_size: int, count: int
) -> None:
    async with connected() as (sandbox, client):
        calls = calls_of(SEED, count, sandbox.contacts.values())
        sandbox.mix_jobs(SEED, 0.02 if batch_size == 200 else 0.3, JOB_MIX)

        ends = await streamed(client, calls, concurrency=4, batch_size=batch_size)

        await settled(sandbox)
        reconcile(sandbox, calls, ends, seed=SEED)
        drawn = {job.fault for batch in sandbox.batches.values() for job in batch.jobs} - {None}
        assert drawn == set(JOB_MIX)
        assert counts(ends).keys() == {"success", "RejectedError", "UncertainError"}


@pytest.mark.parametrize("action", [RUN, RESULTS])
@unhurried
async def test_faults_of_one_action_only_lose_nothing_and_double_nothing(action: str) -> None:
    async with connected() as (sandbox, client):
        calls = calls_of(SEED, 1000, sandbox.contacts.values())
        sandbox.mix(SEED, 0.5, MIX_FOR_STREAMS, actions=[action])

        ends = await streamed(client, calls, concurrency=4, batch_size=20)

        await settled(sandbox)
        reconcile(sandbox, calls, ends, seed=SEED, unseen=unread(sandbox, 20))
        if action == RESULTS:
            assert counts(ends).keys() == {"success", "RejectedError"}


@pytest.mark.parametrize("batch_size", [3, 200])
@unhurried
async def test_server_that_is_restarted_between_and_within_batches_loses_nothing(
    batch_size: int,
) -> None:
    async with connected(batch_rate_per_s=300.0) as (sandbox, client):
        calls = calls_of(SEED, 600, sandbox.contacts.values())
        sandbox.latency_s = 0.01
        every = 40 if batch_size == 3 else 5
        async with restarting(sandbox, every=every, away_s=0.5) as stops:
            ends = await streamed(client, calls, concurrency=4, batch_size=batch_size)

        await settled(sandbox)
        unseen = 4 * batch_size * len(stops) + unread(sandbox, batch_size)
        reconcile(sandbox, calls, ends, seed=SEED, unseen=unseen)
        assert len(stops) >= 2
        assert Answer.GONE in {request.answer for request in sandbox.ledger.requests}


@pytest.mark.parametrize("seed", range(SEED, SEED + 8))
@unhurried
async def test_stream_of_batches_that_is_cancelled_at_any_moment_reports_each_contact_right(
    seed: int,
) -> None:
    async with connected(batch_rate_per_s=300.0) as (sandbox, client):
        calls = calls_of(seed, 300, sandbox.contacts.values())
        sandbox.latency_s = 0.01

        ends = await stream_cancelled(client, calls, concurrency=4, seed=seed, batch_size=20)

        await settled(sandbox)
        done = list(itertools.islice(calls, len(ends)))
        reconcile(sandbox, done, ends, seed=seed, unseen=80, hasty=True)
