"""What many tests start from: a sandbox, and a client that does not wait long."""

import os
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import suppress

import pytest
from hypothesis import HealthCheck, settings

from contactsdk import ContactClient, Credentials
from contactsdk.sandbox import Sandbox
from tests.quick import QUICK

# How fast the machine is decides nothing, and CI looks at the same examples each time.
settings.register_profile(
    "any machine",
    deadline=None,
    derandomize="CI" in os.environ,
    suppress_health_check=[HealthCheck.too_slow],
)
settings.load_profile("any machine")

# A shell starts what runs in the background with the first signal ignored, and nohup with the
# second. The processes that tests interrupt would inherit that.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)
if sys.platform != "win32" and signal.getsignal(signal.SIGHUP) is signal.SIG_IGN:
    signal.signal(signal.SIGHUP, signal.SIG_DFL)

# The commands that tests run would ask whoever started the tests, and wait.
if sys.platform != "win32":
    import fcntl
    import termios

    with suppress(OSError), open("/dev/tty") as tty:
        fcntl.ioctl(tty, termios.TIOCNOTTY)

pytest_plugins = ["tests.postgres.fixtures"]


def pytest_xdist_auto_num_workers(config: pytest.Config) -> int:
    """Twice as many as cores, since tests wait two fifths of their time, as for other processes."""
    return 2 * (os.cpu_count() or 1)


def pytest_make_parametrize_id(val: object, argname: str) -> str | None:
    """Name no test by the bytes of a file that is made, since they change with the time."""
    return argname if isinstance(val, bytes) and len(val) > 100 else None


@pytest.fixture
async def sandbox() -> AsyncIterator[Sandbox]:
    async with Sandbox(groups=[10, 11]) as running:
        yield running


@pytest.fixture
async def client(sandbox: Sandbox) -> AsyncIterator[ContactClient]:
    """A client whose attempts do not time out, however busy the machine is."""
    credentials = Credentials(sandbox.key, sandbox.secret)
    async with ContactClient(sandbox.url, credentials, retry=QUICK) as connected:
        yield connected
