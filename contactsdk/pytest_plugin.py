"""Fixtures for your own tests: the platform on this machine, and a client connected to it.

Name it in the topmost `conftest.py`: `pytest_plugins = ["contactsdk.pytest_plugin"]`. It needs
pytest-asyncio, in auto or in strict mode.
"""

from collections.abc import AsyncIterator
from typing import Final

import pytest

from contactsdk.client import ContactClient
from contactsdk.retry import RetryPolicy
from contactsdk.sandbox import Sandbox
from contactsdk.signing import Credentials

_NEEDED: Final = "contactsdk.pytest_plugin needs pytest-asyncio: pip install pytest-asyncio"

try:
    import pytest_asyncio
except ImportError as exc:
    raise ImportError(_NEEDED) from exc


def pytest_configure(config: pytest.Config) -> None:
    """Say at once what is missing, where each fixture would fail for a reason less plain.

    Raises:
        pytest.UsageError: pytest-asyncio is installed and switched off.
    """
    if not config.pluginmanager.hasplugin("asyncio"):
        raise pytest.UsageError(f"{_NEEDED}, and do not switch it off")


@pytest_asyncio.fixture
async def contact_sandbox() -> AsyncIterator[Sandbox]:
    """A running sandbox of this test's own, empty; see its `ledger`, `contacts` and `script`."""
    async with Sandbox() as sandbox:
        yield sandbox


@pytest_asyncio.fixture
async def contact_client(contact_sandbox: Sandbox) -> AsyncIterator[ContactClient]:
    """A client connected to `contact_sandbox`.

    It waits a millisecond where others wait half a second before the next attempt, so that faults
    make no test slow; a `Retry-After` is waited for as usual.
    """
    credentials = Credentials(contact_sandbox.key, contact_sandbox.secret)
    retry = RetryPolicy(base_s=0.001)
    async with ContactClient(contact_sandbox.url, credentials, retry=retry) as client:
        yield client
