from collections.abc import AsyncIterator

import aiohttp
import pytest
from sandbox.asking import Asking

from contactsdk.sandbox import Sandbox


@pytest.fixture
async def sandbox() -> AsyncIterator[Sandbox]:
    async with Sandbox() as running:
        yield running


@pytest.fixture
async def ask(sandbox: Sandbox) -> AsyncIterator[Asking]:
    async with aiohttp.ClientSession() as session:
        yield Asking(session, sandbox)
