"""The services that the README of the integrations shows do what it says of them."""

import asyncio
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from importlib import import_module
from typing import Any

import aiohttp
import pytest
from aiohttp import web

from contactsdk import ContactClient, PostgresJournal
from contactsdk.distributed import SubmittedRun
from contactsdk.sandbox import Fault, FaultKind, Sandbox
from contactsdk.workers.run_worker import RunWorker
from tests.background import environment_of
from tests.integrations.bodies import ADA
from tests.integrations.serving import serve
from tests.readmes import INTEGRATIONS

module = INTEGRATIONS.module


@pytest.fixture
def environment(sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in environment_of(sandbox).items():
        monkeypatch.setenv(name, value)
    for account in ("SYDNEY", "LONDON"):
        monkeypatch.setenv(f"{account}_KEY", sandbox.key)
        monkeypatch.setenv(f"{account}_SECRET", sandbox.secret)


@pytest.fixture
async def http() -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession() as session:
        yield session


@asynccontextmanager
async def serve_aiohttp(app: web.Application) -> AsyncIterator[str]:
    runner = web.AppRunner(app)
    await runner.setup()
    try:
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        host, port = runner.addresses[0]
        yield f"http://{host}:{port}"
    finally:
        await runner.cleanup()


def test_modules_of_the_table_have_the_names_that_it_gives_them() -> None:
    rows = re.findall(r"^\| `(contactsdk\.[\w.]+)` \|.*?\|(.*)\|$", INTEGRATIONS.text, re.MULTILINE)
    assert len(rows) == 5

    for name, names in rows:
        found = import_module(name)
        for public in re.findall(r"`(\w+)`", names):
            assert hasattr(found, public), f"{name}.{public}"


async def answers(http: aiohttp.ClientSession, url: str) -> list[tuple[int, str]]:
    """What is answered to a contact, and to one that is none: status and media type."""
    found = []
    for body in (ADA, {"id": 0}):
        async with http.post(url, json=body) as response:
            found.append((response.status, response.content_type))
    return found


async def test_fastapi_service_takes_contacts(
    environment: None, sandbox: Sandbox, http: aiohttp.ClientSession
) -> None:
    async with (
        serve(module("service").app) as served,
        http.post(f"{served.url}/contacts", json=ADA) as one,
        http.post(f"{served.url}/contacts/bulk", json=[ADA, ADA]) as many,
    ):
        assert await one.json() in sandbox.contacts
        assert len((await many.text()).splitlines()) == 2


async def test_starlette_service_accepts_a_contact_and_refuses_anything_else(
    environment: None, sandbox: Sandbox, http: aiohttp.ClientSession
) -> None:
    async with serve(module("starlette_service").app) as served:
        found = await answers(http, f"{served.url}/contacts")

    assert found == [(200, "application/json"), (422, "application/problem+json")]
    assert len(sandbox.ledger.writes) == 1


async def test_aiohttp_service_accepts_a_contact_and_refuses_anything_else(
    environment: None, sandbox: Sandbox, http: aiohttp.ClientSession
) -> None:
    async with serve_aiohttp(module("aiohttp_service").app) as url:
        found = await answers(http, f"{url}/contacts")

    assert found == [(200, "application/json"), (422, "application/problem+json")]
    assert len(sandbox.ledger.writes) == 1


async def test_aiohttp_service_logs_what_is_not_a_fault_of_its_caller(
    environment: None,
    sandbox: Sandbox,
    http: aiohttp.ClientSession,
    caplog: pytest.LogCaptureFixture,
) -> None:
    sandbox.script(Fault(FaultKind.CLOSE_AFTER_WRITE))
    async with (
        serve_aiohttp(module("aiohttp_service").app) as url,
        http.post(f"{url}/contacts", json=ADA) as response,
    ):
        assert response.status == 500

    assert "answered with HTTP 500: UncertainError" in caplog.text


async def test_each_account_is_served_by_its_own_client(
    environment: None,
    sandbox: Sandbox,
    http: aiohttp.ClientSession,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("LONDON_SECRET", "another")
    async with serve(module("accounts").app) as served:
        statuses = {}
        for account in ("sydney", "london", "paris"):
            async with http.post(f"{served.url}/{account}/contacts", json=ADA) as response:
                statuses[account] = response.status

    assert statuses == {"sydney": 200, "london": 502, "paris": 422}


# The Idempotency-Key


@pytest.fixture
def once() -> Any:
    return module("once")


async def post(http: aiohttp.ClientSession, url: str, key: str, body: Any = ADA) -> tuple[int, Any]:
    headers = {"Idempotency-Key": key}
    async with http.post(f"{url}/contacts", json=body, headers=headers) as response:
        return response.status, await response.json(content_type=None)


async def test_posts_of_one_key_at_the_same_time_send_one_contact(
    environment: None, sandbox: Sandbox, http: aiohttp.ClientSession, once: Any
) -> None:
    sandbox.latency_s = 0.02
    async with serve(once.app) as served:
        both = await asyncio.gather(*(post(http, served.url, "1") for _ in range(2)))

    assert both == [(200, sandbox.ledger.writes[0].contact_id)] * 2
    assert len(sandbox.ledger.writes) == 1


async def test_each_key_sends_a_contact_of_its_own(
    environment: None, sandbox: Sandbox, http: aiohttp.ClientSession, once: Any
) -> None:
    async with serve(once.app) as served:
        assert (await post(http, served.url, "1")) != (await post(http, served.url, "2"))

    assert len(sandbox.ledger.writes) == 2


async def test_uncertain_contact_is_not_sent_again_for_its_key(
    environment: None, sandbox: Sandbox, http: aiohttp.ClientSession, once: Any
) -> None:
    sandbox.script(Fault(FaultKind.CLOSE_AFTER_WRITE))
    async with serve(once.app) as served:
        statuses = [(await post(http, served.url, "1"))[0] for _ in range(2)]

    assert statuses == [500, 500]
    assert len(sandbox.ledger.requests) == 1


async def test_contact_that_was_not_applied_may_be_posted_again_under_its_key(
    environment: None, sandbox: Sandbox, http: aiohttp.ClientSession, once: Any
) -> None:
    secret, sandbox.secret = sandbox.secret, "another"
    async with serve(once.app) as served:
        refused, _ = await post(http, served.url, "1")
        sandbox.secret = secret
        taken, _ = await post(http, served.url, "1")

    assert (refused, taken) == (502, 200)
    assert len(sandbox.ledger.writes) == 1


async def test_key_that_came_with_another_contact_is_refused(
    environment: None, sandbox: Sandbox, http: aiohttp.ClientSession, once: Any
) -> None:
    async with serve(once.app) as served:
        await post(http, served.url, "1")
        status, _ = await post(http, served.url, "1", {**ADA, "lastName": "Brewer"})

    assert status == 422
    assert len(sandbox.ledger.writes) == 1


async def test_key_is_forgotten_after_its_time(
    environment: None,
    sandbox: Sandbox,
    http: aiohttp.ClientSession,
    once: Any,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(once, "KEPT_S", 0.0)
    async with serve(once.app) as served:
        await post(http, served.url, "1")
        while once.calls:
            await asyncio.sleep(0)


# Runs that workers send


async def test_contacts_that_were_put_are_sent_by_a_worker(
    environment: None,
    sandbox: Sandbox,
    client: ContactClient,
    http: aiohttp.ClientSession,
    own_database_url: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("DATABASE_URL", own_database_url)
    async with serve(module("runs").app) as served:
        statuses = []
        for rows in ([ADA], [ADA], [ADA, ADA]):
            async with http.put(f"{served.url}/runs/spring", json=rows) as response:
                statuses.append(response.status)
        run = SubmittedRun(PostgresJournal(own_database_url, run="spring"))
        await RunWorker(client, run).work()
        async with http.get(f"{served.url}/runs/spring") as response:
            found = await response.json()
        async with http.get(f"{served.url}/runs/summer") as response:
            statuses.append(response.status)

    assert statuses == [202, 202, 409, 404]
    assert (found["succeeded"], found["open"], found["is_done"]) == (1, 0, True)
    assert len(sandbox.ledger.writes) == 1
