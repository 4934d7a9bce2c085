"""All that the README of the integrations shows runs as it stands."""

import asyncio
import os
import re
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import aiohttp
import pytest
from aiohttp import web
from background import environment_of
from integrations.bodies import ADA
from integrations.serving import serve

import contactsdk.integrations
from contactsdk.sandbox import Fault, FaultKind, Sandbox

(FOLDER,) = contactsdk.integrations.__path__
TEXT = (Path(FOLDER) / "README.md").read_text("utf-8")
BLOCKS = re.findall(r"^```(\w*)\n(.*?)^```$", TEXT, re.DOTALL | re.MULTILINE)
FILES = {re.match(r"# (\w+\.py)\n", block)[1]: block for _, block in BLOCKS}  # type: ignore[index]


def module(name: str) -> Any:
    """The example of this name, as its file would be imported."""
    values: dict[str, Any] = {"__name__": name}
    exec(compile(FILES[f"{name}.py"], f"{name}.py", "exec"), values)
    return SimpleNamespace(**values)


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


def test_each_block_is_a_file_that_is_tried() -> None:
    assert {language for language, _ in BLOCKS} == {"python"}
    assert FILES.keys() == {
        "accounts.py",
        "aiohttp_service.py",
        "once.py",
        "starlette_service.py",
        "test_once.py",
    }


def test_modules_of_the_table_have_the_names_that_it_gives_them() -> None:
    rows = re.findall(r"^\| `(contactsdk\.[\w.]+)` \|.*?\|(.*)\|$", TEXT, re.MULTILINE)
    assert len(rows) == 5

    for name, names in rows:
        found = __import__(name, fromlist=["_"])
        for public in re.findall(r"`(\w+)`", names):
            assert hasattr(found, public), f"{name}.{public}"


async def answers(http: aiohttp.ClientSession, url: str) -> list[tuple[int, str]]:
    """What is answered to a contact, and to one that is none: status and media type."""
    found = []
    for body in (ADA, {"id": 0}):
        async with http.post(url, json=body) as response:
            found.append((response.status, response.content_type))
    return found


async def test_starlette_service_takes_a_contact_and_refuses_what_is_none(
    environment: None, sandbox: Sandbox, http: aiohttp.ClientSession
) -> None:
    async with serve(module("starlette_service").app) as served:
        found = await answers(http, f"{served.url}/contacts")

    assert found == [(200, "application/json"), (422, "application/problem+json")]
    assert len(sandbox.ledger.writes) == 1


async def test_aiohttp_service_takes_a_contact_and_refuses_what_is_none(
    environment: None, sandbox: Sandbox, http: aiohttp.ClientSession
) -> None:
    async with serve_aiohttp(module("aiohttp_service").app) as url:
        found = await answers(http, f"{url}/contacts")

    assert found == [(200, "application/json"), (422, "application/problem+json")]
    assert len(sandbox.ledger.writes) == 1


async def test_aiohttp_service_logs_what_is_no_fault_of_its_caller(
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
    sandbox.script(Fault(FaultKind.THROTTLED, retry_after_s=1000))
    async with serve(once.app) as served:
        statuses = [(await post(http, served.url, "1"))[0] for _ in range(2)]

    assert statuses == [503, 200]
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
    environment: None, sandbox: Sandbox, http: aiohttp.ClientSession
) -> None:
    values: dict[str, Any] = {"__name__": "once"}
    exec(compile(FILES["once.py"], "once.py", "exec"), values)
    values["KEPT_S"] = 0.0
    async with serve(values["app"]) as served:
        await post(http, served.url, "1")
        while values["calls"]:
            await asyncio.sleep(0)


def test_tests_that_are_not_async_pass(tmp_path: Path) -> None:
    for name, text in FILES.items():
        (tmp_path / name).write_text(text)
    (tmp_path / "conftest.py").write_text('pytest_plugins = ["contactsdk.pytest_plugin"]\n')
    # The options of the run that this test is in are not for this one.
    clean = {**os.environ, "PYTEST_ADDOPTS": "", "PYTHONPATH": str(Path(FOLDER).parents[1])}
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q"],
        cwd=tmp_path,
        env=clean,
        capture_output=True,
        text=True,
    )

    assert "1 passed" in done.stdout, done.stdout + done.stderr
