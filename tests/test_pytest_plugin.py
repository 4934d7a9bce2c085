"""The fixtures for users' tests, in test runs of their own."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

CONFTEST = 'pytest_plugins = ["contactsdk.pytest_plugin"]\n'

# pytest-asyncio warns where it is unset.
ASYNCIO = ("-p", "asyncio")
FUNCTION_LOOPS = (*ASYNCIO, "-o", "asyncio_default_fixture_loop_scope=function")

# Strict mode needs the marks, and auto mode does not mind them.
TESTS = """
import pytest
from contactsdk import Contact, RateLimitedError
from contactsdk.sandbox import Fault, FaultKind

ADA = Contact(first_name="Ada", last_name="Archer", email="ada@example.com")

@pytest.mark.asyncio
async def test_client_is_connected_to_the_sandbox(contact_client, contact_sandbox):
    assert contact_sandbox.ledger.requests == []
    contact_id = await contact_client.add_or_update(ADA)
    assert contact_sandbox.contacts[contact_id]["firstName"] == "Ada"

@pytest.mark.asyncio
async def test_sandbox_is_empty_again(contact_client, contact_sandbox):
    assert contact_sandbox.ledger.requests == []

@pytest.mark.asyncio
async def test_faults_are_at_hand(contact_client, contact_sandbox):
    contact_sandbox.script(*5 * [Fault(FaultKind.THROTTLED)])
    with pytest.raises(RateLimitedError):
        await contact_client.add_or_update(ADA)
    assert len(contact_sandbox.ledger.requests) == 5
"""


# Each has the client in one loop and the fixtures in another, unless the configuration agrees.
IN_A_MODULES_LOOP = """
import pytest
from contactsdk import Contact, ContactClient, Credentials

ADA = Contact(first_name="Ada", last_name="Archer", email="ada@example.com")

@pytest.mark.asyncio(loop_scope="module")
async def test_fixture_client(contact_client, contact_sandbox):
    assert await contact_client.add_or_update(ADA) in contact_sandbox.contacts

@pytest.mark.asyncio(loop_scope="module")
async def test_own_client(contact_sandbox):
    credentials = Credentials(contact_sandbox.key, contact_sandbox.secret)
    async with ContactClient(contact_sandbox.url, credentials) as client:
        assert await client.add_or_update(ADA) in contact_sandbox.contacts
"""

NOT_ASYNC = """
import asyncio
import pytest_asyncio
from fastapi import FastAPI
from fastapi.testclient import TestClient
from contactsdk import Contact
from contactsdk.integrations.fastapi import ContactBody, ContactClientDep, contact_lifespan

app = FastAPI(lifespan=contact_lifespan)
ADA = {"firstName": "Ada", "lastName": "Archer", "email": "ada@example.com"}

@app.post("/contacts")
async def add_or_update(contact: ContactBody, client: ContactClientDep) -> int:
    return await client.add_or_update(contact)

def test_route(contact_sandbox, monkeypatch):
    monkeypatch.setenv("CONTACTSDK_URL", contact_sandbox.url)
    monkeypatch.setenv("CONTACTSDK_KEY", contact_sandbox.key)
    monkeypatch.setenv("CONTACTSDK_SECRET", contact_sandbox.secret)
    with TestClient(app) as http:
        assert http.post("/contacts", json=ADA).json() in contact_sandbox.contacts

@pytest_asyncio.fixture
async def bobby(contact_client):
    bobby = Contact(first_name="Bobby", last_name="Smith", email="bobby@example.com")
    return await contact_client.add_or_update(bobby)

def test_async_fixture_can_fill_the_sandbox(bobby, contact_sandbox):
    assert list(contact_sandbox.contacts) == [bobby]
"""


def run_pytest(
    folder: Path, *options: str, tests: str = TESTS, **environment: str
) -> tuple[int, str]:
    (folder / "conftest.py").write_text(CONFTEST)
    (folder / "test_it.py").write_text(tests)
    (folder / "pytest.ini").write_text("[pytest]\nfilterwarnings = error\n")
    command = [sys.executable, "-m", "pytest", "-q", *options]
    # Neither the options nor the plug-ins of the run that this test is in are for this one.
    clean = {**os.environ, "PYTEST_ADDOPTS": "", "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}
    clean |= environment
    done = subprocess.run(command, cwd=folder, env=clean, capture_output=True, text=True)
    return done.returncode, done.stdout + done.stderr


@pytest.mark.parametrize("mode", ["auto", "strict"])
def test_fixtures_work_in_both_modes_of_pytest_asyncio(mode: str, tmp_path: Path) -> None:
    code, output = run_pytest(tmp_path, "-o", f"asyncio_mode={mode}", *FUNCTION_LOOPS)

    assert code == 0, output
    assert "3 passed" in output


def test_test_that_is_not_async_can_wait_for_the_sandbox(tmp_path: Path) -> None:
    code, output = run_pytest(tmp_path, *FUNCTION_LOOPS, tests=NOT_ASYNC)

    assert code == 0, output
    assert "2 passed" in output


def test_client_in_another_loop_than_the_test_says_what_to_set(tmp_path: Path) -> None:
    code, output = run_pytest(tmp_path, *FUNCTION_LOOPS, tests=IN_A_MODULES_LOOP)

    assert code == pytest.ExitCode.TESTS_FAILED
    assert "1 passed, 1 error" in output  # the sandbox alone serves a client of any loop
    assert "asyncio_default_fixture_loop_scope = module" in output


def test_fixtures_work_in_a_modules_loop(tmp_path: Path) -> None:
    scope = ("-o", "asyncio_default_fixture_loop_scope=module")
    code, output = run_pytest(tmp_path, *ASYNCIO, *scope, tests=IN_A_MODULES_LOOP)

    assert code == 0, output
    assert "2 passed" in output


def test_without_pytest_asyncio_it_says_what_to_install(tmp_path: Path) -> None:
    # It comes before the installed one.
    (tmp_path / "pytest_asyncio.py").write_text("raise ModuleNotFoundError('pytest_asyncio')")

    code, output = run_pytest(tmp_path)

    assert code != 0
    assert "needs pytest-asyncio: pip install pytest-asyncio" in output


def test_with_pytest_asyncio_switched_off_it_says_so(tmp_path: Path) -> None:
    code, output = run_pytest(tmp_path, "-p", "no:asyncio", PYTEST_DISABLE_PLUGIN_AUTOLOAD="")

    assert code == pytest.ExitCode.USAGE_ERROR
    assert "pip install pytest-asyncio, and do not switch it off" in output
