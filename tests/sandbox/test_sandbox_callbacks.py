import asyncio
from collections.abc import AsyncIterator

import aiohttp
import orjson
import pytest
from aiohttp import web

from contactsdk.sandbox import Sandbox
from tests.sandbox.asking import REPOST, RUN, Asking, batch_of, until
from tests.sandbox.made import BOBBY


class Listener:
    """A server that batches call back."""

    def __init__(self) -> None:
        self.bodies: list[bytes] = []
        self.url = ""
        self.answers = asyncio.Event()
        self.answers.set()

    async def handle(self, request: web.BaseRequest) -> web.Response:
        self.bodies.append(await request.read())
        await self.answers.wait()
        return web.Response(status=204)


@pytest.fixture
async def listener() -> AsyncIterator[Listener]:
    listener = Listener()
    runner = web.ServerRunner(web.Server(listener.handle), shutdown_timeout=0.01)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    listener.url = f"http://127.0.0.1:{site.port}/done"
    yield listener
    await runner.cleanup()


@pytest.fixture
async def ask(sandbox: Sandbox) -> AsyncIterator[Asking]:
    async with aiohttp.ClientSession() as session:
        yield Asking(session, sandbox)


async def run(ask: Asking, url: str) -> str:
    async_id: str = (await ask(RUN, batch_of(BOBBY, callbackUrl=url))).json["asyncId"]
    return async_id


async def test_results_are_posted_once_the_batch_is_completed(
    sandbox: Sandbox, ask: Asking, listener: Listener
) -> None:
    async_id = await run(ask, listener.url)
    await until(lambda: [it.status for it in sandbox.ledger.callbacks] == [204])
    [body] = map(orjson.loads, listener.bodies)
    assert body["asyncId"] == async_id
    assert body["results"][0]["response"] == {"success": True, "id": 1001}
    [callback] = sandbox.ledger.callbacks
    assert (callback.async_id, callback.url) == (async_id, listener.url)


async def test_results_are_posted_again_on_demand(
    sandbox: Sandbox, ask: Asking, listener: Listener
) -> None:
    async_id = await run(ask, listener.url)
    assert (await ask(REPOST, {"async": async_id})).json == {"reposted": True}
    await until(lambda: len(listener.bodies) == 2)
    assert listener.bodies[0] == listener.bodies[1]


async def test_batch_without_an_address_is_not_posted(sandbox: Sandbox, ask: Asking) -> None:
    async_id = (await ask(RUN, batch_of(BOBBY))).json["asyncId"]
    await ask(REPOST, {"async": async_id})
    assert sandbox.ledger.callbacks == []


@pytest.mark.parametrize("url", ["http://127.0.0.1:1/", "nowhere", "http://["])
async def test_callback_that_reaches_nobody_has_failed(
    sandbox: Sandbox, ask: Asking, url: str
) -> None:
    await run(ask, url)
    await until(lambda: [it.failed for it in sandbox.ledger.callbacks] == [True])
    assert sandbox.ledger.callbacks[0].status is None


async def test_callback_is_given_up_when_the_sandbox_stops(
    sandbox: Sandbox, ask: Asking, listener: Listener
) -> None:
    listener.answers.clear()
    await run(ask, listener.url)
    await until(lambda: listener.bodies)
    await sandbox.stop()
    assert [callback.status for callback in sandbox.ledger.callbacks] == [None]
