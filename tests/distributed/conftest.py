"""What the tests of distributed runs start from."""

from collections.abc import AsyncIterator

import pytest

from contactsdk import ContactClient, Credentials
from contactsdk.sandbox import Sandbox
from tests.distributed.fixtures import Tables
from tests.quick import QUICK


@pytest.fixture
def tables(database_url: str, schema: str) -> Tables:
    return Tables(database_url, schema)


@pytest.fixture
async def client(sandbox: Sandbox) -> AsyncIterator[ContactClient]:
    """With a timeout that no answer exceeds on a busy machine."""
    credentials = Credentials(sandbox.key, sandbox.secret)
    async with ContactClient(sandbox.url, credentials, retry=QUICK, timeout_s=2.0) as connected:
        yield connected
