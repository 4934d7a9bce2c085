"""Runs whose owner dies, stops, or is cut off in the middle, held against the platform's ledger."""

import asyncio
import os
import signal
import subprocess
from collections import Counter

import psycopg
import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer
from attrs import define, evolve, field
from psycopg import sql

from contactsdk import Contact, ContactClient
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


@define(eq=False)
class SlowPlatform:
    """Applies the first contact that it gets after a newer one, or a second after one with id 8."""

    applied: list[tuple[int, str]] = field(factory=list)
    first_has_come: asyncio.Event = field(factory=asyncio.Event)
    newer_is_applied: asyncio.Event = field(factory=asyncio.Event)

    async def handle(self, request: web.Request) -> web.Response:
        contact = await request.json()
        if not self.first_has_come.is_set():
            self.first_has_come.set()
            await self.newer_is_applied.wait()
        self.applied.append((contact["id"], contact["phone"]))
        if contact["phone"] == "new":
            self.newer_is_applied.set()
        elif contact["id"] == 8:
            asyncio.get_running_loop().call_later(1.0, self.newer_is_applied.set)
        return web.json_response({"id": contact["id"]})

    def server(self) -> TestServer:
        app = web.Application()
        app.router.add_route("*", "/{path:.*}", self.handle)
        return TestServer(app)


async def test_value_that_a_slow_platform_applies_after_the_takeover_is_older_than_all_others(
    database_url: str, schema: str
) -> None:
    platform = SlowPlatform()
    journal = PostgresJournal(database_url, run="run", schema=schema)
    old, new = (Contact(id=7, phone=phone) for phone in ("old", "new"))
    async with platform.server() as server:
        url = str(server.make_url("/"))
        async with (
            ContactClient(url, timeout_s=2.5) as lost,
            ContactClient(url, timeout_s=2.5) as successor,
            asyncio.TaskGroup() as beside,
        ):
            beside.create_task(lost.add_or_update_many([old], journal=journal))
            await platform.first_has_come.wait()
            let_the_lease_end(database_url, schema)

            items = [old, new, Contact(id=8, phone="another")]
            report = await successor.add_or_update_many(items, journal=journal)

    assert all(outcome.ok for outcome in report.outcomes)
    assert [phone for id_, phone in platform.applied if id_ == 7] == ["old", "old", "new"]
    assert platform.applied.index((8, "another")) < platform.applied.index((7, "old"))


def let_the_lease_end(url: str, schema: str) -> None:
    """As if its owner had not been heard of for as long as it lasts."""
    query = sql.SQL("UPDATE {} SET until = clock_timestamp() - interval '1 ms'")
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(query.format(sql.Identifier(schema, "lease")))


def test_owners_that_die_and_stop_at_random_lose_nothing_and_double_nothing(
    database_url: str, schema: str
) -> None:
    problems = disturbed(database_url, schema, seed=1, kills=1, pauses=2)

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
