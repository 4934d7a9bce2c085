"""Fixtures for your own tests: a sandbox, and a client that is connected to it.

Name it in the topmost `conftest.py`: `pytest_plugins = ["contactsdk.pytest_plugin"]`. It needs
pytest-asyncio, in auto or in strict mode. The types of the fixtures, for annotations, are
`contactsdk.sandbox.Sandbox` and `contactsdk.ContactClient`.
"""

import asyncio
import threading
from collections.abc import AsyncIterator, Iterator
from typing import Any, Final, cast

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
    """Check that pytest-asyncio can be used; without it, each fixture would fail less clearly.

    Raises:
        pytest.UsageError: pytest-asyncio is installed and switched off.
    """
    if not config.pluginmanager.hasplugin("asyncio"):
        raise pytest.UsageError(f"{_NEEDED}, and do not switch it off")


@pytest.fixture
def contact_sandbox(request: pytest.FixtureRequest) -> Sandbox:
    """An empty, running sandbox for this test alone; see its `ledger`, `contacts` and `script`.

    For an async test, it runs in the event loop of the test. A test that is not async, such as one
    with Starlette's `TestClient`, has no event loop that runs while it waits: then the sandbox runs
    in a thread of its own, and the test must not call its `start` and `stop`.
    """
    in_the_loop = _test_loop_scope(request) == _fixture_loop_scope(request)
    name = "_contact_sandbox_in_loop" if in_the_loop else "_contact_sandbox_in_thread"
    return cast("Sandbox", request.getfixturevalue(name))


@pytest_asyncio.fixture
async def _contact_sandbox_in_loop() -> AsyncIterator[Sandbox]:
    async with Sandbox() as sandbox:
        yield sandbox


@pytest.fixture
def _contact_sandbox_in_thread() -> Iterator[Sandbox]:
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, name="contact_sandbox")
    thread.start()
    sandbox = Sandbox()
    try:
        asyncio.run_coroutine_threadsafe(sandbox.start(), loop).result()
        yield sandbox
        asyncio.run_coroutine_threadsafe(sandbox.stop(), loop).result()
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()


@pytest.fixture
def contact_client(request: pytest.FixtureRequest) -> ContactClient:
    """A client connected to `contact_sandbox`.

    It waits about a millisecond before the next attempt, and not half a second as other clients do,
    so that faults do not make tests slow. It waits for a `Retry-After` as usual.
    """
    test_scope, fixture_scope = _test_loop_scope(request), _fixture_loop_scope(request)
    if test_scope not in (None, fixture_scope):
        # The test would bind the client to one event loop, and the fixture close it in another.
        pytest.fail(
            f"contact_client: this test runs in the event loop of its {test_scope}, but fixtures "
            f"run in that of their {fixture_scope}; use the same for both, for example with "
            f"asyncio_default_fixture_loop_scope = {test_scope} in pytest's configuration",
            pytrace=False,
        )
    return cast("ContactClient", request.getfixturevalue("_contact_client_in_loop"))


@pytest_asyncio.fixture
async def _contact_client_in_loop(contact_sandbox: Sandbox) -> AsyncIterator[ContactClient]:
    credentials = Credentials(contact_sandbox.key, contact_sandbox.secret)
    retry = RetryPolicy(base_s=0.001)
    async with ContactClient(contact_sandbox.url, credentials, retry=retry) as client:
        yield client


def _test_loop_scope(request: pytest.FixtureRequest) -> Any:
    """Which of pytest-asyncio's event loops runs the test; `None` where none of them does."""
    if not pytest_asyncio.is_async_test(request.node):
        return None
    marker = request.node.get_closest_marker("asyncio")
    assert marker is not None  # noqa: S101  # pytest-asyncio marks what it runs, in auto mode too
    default = request.config.getini("asyncio_default_test_loop_scope")
    return marker.kwargs.get("loop_scope", default)


def _fixture_loop_scope(request: pytest.FixtureRequest) -> Any:
    """Which of pytest-asyncio's event loops runs the fixtures above."""
    scope = request.config.getini("asyncio_default_fixture_loop_scope")
    return scope if scope in ("class", "module", "package", "session") else "function"
