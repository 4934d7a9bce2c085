"""Every fault over TLS, through a proxy, and with sessions that have awkward defaults."""

import ssl
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

import aiohttp
import pytest
import trustme
from attrs import define

from contactsdk import ContactClient, Credentials
from contactsdk.sandbox import Sandbox
from tests.system.proxying import Proxy
from tests.system.reconcile import (
    MIX_FOR_STREAMS,
    calls_of,
    counts,
    populate,
    reconcile,
    sandbox_for_calls,
    settled,
    singly,
    streamed,
)
from tests.system.test_faults import SEED
from tests.system.unhurried import unhurried


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


@define
class Route:
    sandbox: Sandbox
    client: ContactClient
    proxy: Proxy | None


@asynccontextmanager
async def route(
    authority: trustme.CA,
    *,
    tls: bool,
    proxy: Proxy | None = None,
    **session_options: Any,
) -> AsyncIterator[Route]:
    server_side = client_side = None
    if tls:
        server_side = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        authority.issue_cert("127.0.0.1").configure_cert(server_side)
        client_side = ssl.create_default_context()
        authority.configure_trust(client_side)
    async with AsyncExitStack() as stack:
        sandbox = await stack.enter_async_context(sandbox_for_calls(ssl_context=server_side))
        if proxy is not None:
            await stack.enter_async_context(proxy)
            session_options["proxy"] = proxy.url
        connector = aiohttp.TCPConnector(ssl=client_side or True)
        session = await stack.enter_async_context(
            aiohttp.ClientSession(connector=connector, **session_options)
        )
        credentials = Credentials(sandbox.key, sandbox.secret)
        client = ContactClient(sandbox.url, credentials, session=session)
        populate(sandbox, 100)
        yield Route(sandbox, client, proxy)


async def drive_and_reconcile(route: Route, drive: Callable[..., Any]) -> None:
    sandbox = route.sandbox
    calls = calls_of(SEED, 180, sandbox.contacts.values())
    sandbox.mix(SEED, 0.3, MIX_FOR_STREAMS)

    ends = await drive(route.client, calls, concurrency=8)

    await settled(sandbox)
    reconcile(sandbox, calls, ends, seed=SEED)
    assert counts(ends)["success"] > 80
    assert counts(ends)["UncertainError"] > 5


@pytest.mark.parametrize("drive", [singly, streamed])
@unhurried
async def test_calls_over_tls_lose_nothing(
    authority: trustme.CA, drive: Callable[..., Any]
) -> None:
    async with route(authority, tls=True) as made:
        await drive_and_reconcile(made, drive)


@pytest.mark.parametrize("drive", [singly, streamed])
@unhurried
async def test_calls_over_tls_through_a_proxy_lose_nothing(
    authority: trustme.CA, drive: Callable[..., Any]
) -> None:
    proxy = Proxy()
    async with route(authority, tls=True, proxy=proxy) as made:
        await drive_and_reconcile(made, drive)
    assert proxy.tunnels


@pytest.mark.parametrize("drive", [singly, streamed])
@unhurried
async def test_calls_through_a_proxy_lose_nothing(
    authority: trustme.CA, drive: Callable[..., Any]
) -> None:
    proxy = Proxy()
    async with route(authority, tls=False, proxy=proxy) as made:
        await drive_and_reconcile(made, drive)
    assert proxy.forwarded > 180


async def send_twice(
    request: aiohttp.ClientRequest, handler: aiohttp.ClientHandlerType
) -> aiohttp.ClientResponse:
    (await handler(request)).close()
    return await handler(request)


# Each alone would make a success an error, hide an answer, refuse a signature or double an add.
AWKWARD: dict[str, dict[str, Any]] = {
    "raise_for_status": {"raise_for_status": True},
    "auto_decompress": {"auto_decompress": False},
    "middleware": {"middlewares": (send_twice,)},
    "headers": {
        "headers": {
            "Content-Type": "text/plain",
            "Content-MD5": "0",
            "X-Api-Authorization": "Bearer example",
            "Date": "Thu, 01 Jan 1970 00:00:00 GMT",
            "Accept-Encoding": "gzip",
            "X-Tenant": "example",
        }
    },
    "timeout": {"timeout": aiohttp.ClientTimeout(total=1e-9, sock_read=1e-9)},
    "base_url": {"base_url": "https://elsewhere.example.com/"},
}
AWKWARD["all"] = {name: value for each in AWKWARD.values() for name, value in each.items()}


@pytest.mark.parametrize("defaults", AWKWARD.values(), ids=AWKWARD)
@unhurried
async def test_session_with_awkward_defaults_loses_nothing(
    authority: trustme.CA, defaults: dict[str, Any]
) -> None:
    async with route(authority, tls=False, proxy=Proxy(gzips=True), **defaults) as made:
        await drive_and_reconcile(made, singly)
