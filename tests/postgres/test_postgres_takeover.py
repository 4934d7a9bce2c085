"""Runs whose owner dies, stops, or is cut off in the middle, held against the platform's ledger."""

import asyncio
import os
import signal
import subprocess
from collections import Counter

import pytest
from attrs import evolve

from contactsdk import ContactClient
from contactsdk.journal.postgres import PostgresJournal
from contactsdk.sandbox import Sandbox
from tests.background import sandbox_in_thread
from tests.postgres.sender import TAKEN_OVER, Options, contacts
from tests.postgres.servers import Server
from tests.postgres.takeovers import disturbed


@pytest.mark.parametrize("has_gate", [True, False])
def test_process_that_wakes_up_after_the_takeover_sends_nothing(
    has_gate: bool, database_url: str, schema: str
) -> None:
    with sandbox_in_thread() as sandbox:
        standby = Options(
            platform_url=sandbox.url,
            key=sandbox.key,
            secret=sandbox.secret,
            database_url=database_url,
            schema=schema,
            count=40,
            concurrency=4,
            lease_s=0.5,
        )
        sleeper = evolve(standby, stop_after_intent=20, has_gate=has_gate)
        paused = subprocess.Popen(
            sleeper.command(), stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True
        )
        try:
            _, status = os.waitpid(paused.pid, os.WUNTRACED)
            assert os.WIFSTOPPED(status)
            subprocess.run(standby.command(), stdout=subprocess.DEVNULL, check=True)
            before = len(sandbox.ledger.requests)

            paused.send_signal(signal.SIGCONT)
            _, why = paused.communicate(timeout=60)
        finally:
            paused.kill()
            paused.wait()
        after = len(sandbox.ledger.requests)

    assert paused.returncode == TAKEN_OVER
    assert "taken the run over" in why
    if has_gate:
        assert after == before
    else:
        assert after > before, "it is the gate that keeps what was intended from being sent"


def test_owners_that_die_and_stop_at_random_lose_nothing_and_double_nothing(
    database_url: str, schema: str
) -> None:
    problems = disturbed(database_url, schema, seed=1, kills=2, pauses=2)

    assert not problems


async def test_database_that_crashes_and_comes_back_stops_no_run_and_doubles_nothing(
    sandbox: Sandbox, client: ContactClient, server: Server, schema: str
) -> None:
    def crash() -> None:
        with server.away():
            pass

    journal = PostgresJournal(server.url, run="run", schema=schema)
    done = 0
    async with (
        asyncio.TaskGroup() as beside,
        client.stream(contacts(60), journal=journal, concurrency=4) as outcomes,
    ):
        async for outcome in outcomes:
            assert outcome.ok
            done += 1
            if done == 20:
                beside.create_task(asyncio.to_thread(crash))
    status = journal.status()

    assert done == 60
    assert (status.succeeded, status.open, status.owner) == (60, 0, None)
    assert set(Counter(write.body["externalId"] for write in sandbox.ledger.writes).values()) == {1}
