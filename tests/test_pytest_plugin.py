"""The fixtures for users' tests, in test runs of their own."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

CONFTEST = 'pytest_plugins = ["contactsdk.pytest_plugin"]\n'

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


def run_pytest(folder: Path, *options: str, **environment: str) -> tuple[int, str]:
    (folder / "conftest.py").write_text(CONFTEST)
    (folder / "test_it.py").write_text(TESTS)
    (folder / "pytest.ini").write_text("[pytest]\nfilterwarnings = error\n")
    command = [sys.executable, "-m", "pytest", "-q", *options]
    # The options of the run that this test is in are not for this one.
    clean = {**os.environ, "PYTEST_ADDOPTS": "", **environment}
    done = subprocess.run(command, cwd=folder, env=clean, capture_output=True, text=True)
    return done.returncode, done.stdout + done.stderr


@pytest.mark.parametrize("mode", ["auto", "strict"])
def test_fixtures_work_in_both_modes_of_pytest_asyncio(mode: str, tmp_path: Path) -> None:
    scope = "asyncio_default_fixture_loop_scope=function"  # pytest-asyncio warns where it is unset
    code, output = run_pytest(tmp_path, "-o", f"asyncio_mode={mode}", "-o", scope)

    assert code == 0, output
    assert "3 passed" in output


def test_without_pytest_asyncio_it_says_what_to_install(tmp_path: Path) -> None:
    # It comes before the installed one, whose plug-in is not loaded.
    (tmp_path / "pytest_asyncio.py").write_text("raise ModuleNotFoundError('pytest_asyncio')")

    code, output = run_pytest(tmp_path, PYTEST_DISABLE_PLUGIN_AUTOLOAD="1")

    assert code != 0
    assert "needs pytest-asyncio: pip install pytest-asyncio" in output


def test_with_pytest_asyncio_switched_off_it_says_so(tmp_path: Path) -> None:
    code, output = run_pytest(tmp_path, "-p", "no:asyncio")

    assert code == pytest.ExitCode.USAGE_ERROR
    assert "pip install pytest-asyncio, and do not switch it off" in output
