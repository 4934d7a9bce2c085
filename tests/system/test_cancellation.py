"""Calls and streams that are cancelled at random moments: nothing is left, nothing is hidden."""

import asyncio
import os
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from contactsdk import ContactClient, Credentials, UnavailableError
from contactsdk.sandbox import DEFAULT_MIX, Sandbox
from tests.system.reconcile import (
    MIX_FOR_STREAMS,
    calls_of,
    counts,
    populate,
    reconcile,
    sandbox_for_calls,
    settled,
    singly_cancelling,
    stream_cancelled,
)
from tests.system.test_faults import SEED
from tests.system.unhurried import unhurried


@asynccontextmanager
async def leaving_nothing() -> AsyncIterator[tuple[Sandbox, ContactClient]]:
    """A sandbox and a client; once they are closed, no task and no descriptor is left."""
    descriptors = len(os.listdir("/proc/self/fd"))
    async with sandbox_for_calls() as sandbox:
        credentials = Credentials(sandbox.key, sandbox.secret)
        async with ContactClient(sandbox.url, credentials) as client:
            populate(sandbox, 100)
            yield sandbox, client
    await asyncio.sleep(1)  # a transport closes its socket a little after it was told to
    assert asyncio.all_tasks() == {asyncio.current_task()}
    assert len(os.listdir("/proc/self/fd")) == descriptors


@unhurried
async def test_single_call_that_is_cancelled_at_any_moment_is_reported_right() -> None:
    async with leaving_nothing() as (sandbox, client):
        calls = calls_of(SEED, 500, sandbox.contacts.values())
        sandbox.mix(SEED, 0.3, DEFAULT_MIX)

        ends = await singly_cancelling(client, calls, concurrency=16, seed=SEED)

        await settled(sandbox)
        reconcile(sandbox, calls, ends, seed=SEED)
        assert counts(ends)["CancelledError"] > 50


@unhurried
async def test_stream_that_is_cancelled_at_any_moment_reports_each_contact_right() -> None:
    concurrency = 8
    told: Counter[str] = Counter()
    for seed in range(SEED, SEED + 14):
        async with leaving_nothing() as (sandbox, client):
            calls = calls_of(seed, 200, sandbox.contacts.values())
            sandbox.mix(seed, 0.3, MIX_FOR_STREAMS)

            ends = await stream_cancelled(client, calls, concurrency=concurrency, seed=seed)

            await settled(sandbox)
            # What was sent, and answered or lost while nobody listened any more, is uncertain.
            read = calls[: len(ends)]
            reconcile(sandbox, read, ends, seed=seed, unseen=concurrency, hasty=True)
        told += counts(ends) + Counter(map(str, ends.values()))

    assert told["success"] > 100
    assert told["sent, but the run was stopped before an answer came"] > 5
    # Not all that was in flight had been sent, and what had not is known not to be applied.
    assert told["not applied: the run was stopped before another attempt"] > 5


@unhurried
async def test_stream_that_is_still_connecting_has_sent_nothing() -> None:
    async def say_nothing(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()
        writer.close()

    server = await asyncio.start_server(say_nothing, "127.0.0.1", 0)
    url = f"https://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    async with server, ContactClient(url) as client:
        calls = calls_of(SEED, 20, ())
        stream = client.stream([call.contact for call in calls], concurrency=4)
        async with stream:
            await asyncio.sleep(1)  # less than making a connection may take

    assert [type(outcome.error) for outcome in stream.undelivered] == [UnavailableError]
