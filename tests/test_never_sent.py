"""Proof of never sent: what fails before the bytes of a contact leave, over real sockets."""

import asyncio
import contextlib
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
import attrs
import orjson
import pytest
import trustme
from aiohttp.abc import AbstractResolver, ResolveResult

from contactsdk import (
    Contact,
    ContactClient,
    Credentials,
    RetryPolicy,
    SetupError,
    UnavailableError,
)
from contactsdk.sandbox import Sandbox
from tests.quick import QUICK

ADD = Contact(first_name="Ada", last_name="Quist", email="ada@example.test")

Handler = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


@asynccontextmanager
async def listening(handler: Handler) -> AsyncIterator[int]:
    """A TCP server on this machine that treats each connection so; gives its port."""

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await handler(reader, writer)
        finally:
            writer.close()

    server = await asyncio.start_server(handle, "127.0.0.1", 0)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()


@pytest.fixture(scope="session")
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture
async def tls_sandbox(authority: trustme.CA) -> AsyncIterator[Sandbox]:
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    authority.issue_cert("127.0.0.1").configure_cert(context)
    async with Sandbox(ssl_context=context) as sandbox:
        yield sandbox


def client_of(sandbox: Sandbox, **options: Any) -> ContactClient:
    credentials = Credentials(sandbox.key, sandbox.secret)
    return ContactClient(sandbox.url, credentials, **{"retry": QUICK, **options})


async def test_unknown_certificate_is_a_setup_error_and_not_tried_again(
    tls_sandbox: Sandbox,
) -> None:
    async with client_of(tls_sandbox) as client:
        with pytest.raises(SetupError, match="certificate") as raised:
            await client.add_or_update(ADD)

    assert raised.value.attempts == 1
    assert not tls_sandbox.ledger.requests


async def test_wrong_fingerprint_is_a_setup_error(tls_sandbox: Sandbox) -> None:
    connector = aiohttp.TCPConnector(ssl=aiohttp.Fingerprint(b"\0" * 32))
    async with aiohttp.ClientSession(connector=connector) as session:
        with pytest.raises(SetupError, match="certificate"):
            await client_of(tls_sandbox, session=session).add_or_update(ADD)

    assert not tls_sandbox.ledger.requests


async def test_known_certificate_goes_through(tls_sandbox: Sandbox, authority: trustme.CA) -> None:
    context = ssl.create_default_context()
    authority.configure_trust(context)
    connector = aiohttp.TCPConnector(ssl=context)
    async with aiohttp.ClientSession(connector=connector) as session:
        contact_id = await client_of(tls_sandbox, session=session).add_or_update(ADD)

    assert [write.contact_id for write in tls_sandbox.ledger.writes] == [contact_id]


async def test_host_without_an_address_is_unavailable() -> None:
    class NoSuchHost(AbstractResolver):
        async def resolve(self, *args: object, **kwargs: object) -> list[ResolveResult]:
            raise OSError(None, "no such host")

        async def close(self) -> None:
            pass

    connector = aiohttp.TCPConnector(resolver=NoSuchHost())
    async with aiohttp.ClientSession(connector=connector) as session:
        client = ContactClient("https://api.example.com", session=session, retry=QUICK)
        with pytest.raises(UnavailableError, match="never sent") as raised:
            await client.add_or_update(ADD)

    assert raised.value.attempts == 5


async def test_silence_while_connecting_is_unavailable() -> None:
    async def say_nothing(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()

    async with (
        listening(say_nothing) as port,
        ContactClient(f"https://127.0.0.1:{port}", retry=QUICK, connect_timeout_s=0.01) as client,
    ):
        with pytest.raises(UnavailableError, match="never sent") as raised:
            await client.add_or_update(ADD)

    assert raised.value.attempts == 5


@pytest.mark.parametrize(
    ("answer", "error", "attempts"),
    [
        (b"HTTP/1.1 407 Proxy Authentication Required\r\n\r\n", SetupError, 1),
        (b"HTTP/1.1 403 Forbidden\r\n\r\n", SetupError, 1),
        (b"HTTP/1.1 502 Bad Gateway\r\n\r\n", UnavailableError, 5),
    ],
)
async def test_refusal_of_a_proxy_is_never_sent(
    answer: bytes, error: type[Exception], attempts: int
) -> None:
    async def refuse(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(answer)

    async with (
        listening(refuse) as port,
        aiohttp.ClientSession(proxy=f"http://127.0.0.1:{port}") as session,
    ):
        client = ContactClient("https://api.example.com", session=session, retry=QUICK)
        with pytest.raises(error) as raised:
            await client.add_or_update(ADD)

    assert raised.value.attempts == attempts  # type: ignore[attr-defined]


async def test_silent_proxy_is_never_sent() -> None:
    async def say_nothing(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()

    async with (
        listening(say_nothing) as port,
        aiohttp.ClientSession(proxy=f"http://127.0.0.1:{port}") as session,
    ):
        client = ContactClient(
            "https://api.example.com", session=session, retry=QUICK, connect_timeout_s=0.01
        )
        with pytest.raises(UnavailableError, match="never sent"):
            await client.add_or_update(ADD)


async def test_proxy_that_hangs_up_is_never_sent() -> None:
    async def hang_up(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")

    async with (
        listening(hang_up) as port,
        aiohttp.ClientSession(proxy=f"http://127.0.0.1:{port}") as session,
    ):
        client = ContactClient("https://api.example.com", session=session, retry=QUICK)
        with pytest.raises(UnavailableError, match="never sent"):
            await client.add_or_update(ADD)


async def test_client_closed_while_it_connects_is_never_sent(sandbox: Sandbox) -> None:
    client = client_of(sandbox, retry=RetryPolicy(attempts=1))
    call = asyncio.create_task(client.add_or_update(ADD))
    await asyncio.sleep(0)
    await client.aclose()

    with pytest.raises(UnavailableError, match="never sent"):
        await call
    assert not sandbox.ledger.requests


async def test_attempt_that_begins_after_its_deadline_is_never_sent(sandbox: Sandbox) -> None:
    async with client_of(sandbox) as client:
        await client.ping()  # then nothing waits for a connection, and no timer gets its turn
        with pytest.raises(UnavailableError, match="never sent: timed out"):
            await client.add_or_update(ADD, deadline_s=1e-9)

    assert not sandbox.ledger.writes


class _Chatty:
    """Answers in order, and says one thing more once the first connection is idle."""

    def __init__(self, more: bytes) -> None:
        self.added: list[bytes] = []
        self.said_more = asyncio.Event()
        self._more = more

    async def __call__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(asyncio.IncompleteReadError):
            while head := await reader.readuntil(b"\r\n\r\n"):
                length = int(head.lower().split(b"content-length: ")[1].split()[0])
                self.added.append(await reader.readexactly(length))
                writer.write(_answer(b'{"id": %d}' % (100 + len(self.added))))
                if len(self.added) == 1:
                    await asyncio.sleep(0.01)  # the client has read the answer
                    writer.write(self._more)
                    await writer.drain()
                    self.said_more.set()


def _answer(body: bytes, status: bytes = b"200 OK") -> bytes:
    return b"HTTP/1.1 %s\r\nContent-Length: %d\r\n\r\n%s" % (status, len(body), body)


@pytest.mark.parametrize("size", [1, 20_000], ids=["small", "large"])
@pytest.mark.parametrize("is_handed_in", [False, True], ids=["own session", "handed in"])
@pytest.mark.parametrize(
    "more",
    [_answer(b'{"id": 999}'), _answer(b"", b"408 Request Timeout")],
    ids=["an answer", "a complaint"],
)
async def test_what_an_idle_connection_said_answers_nothing(
    more: bytes, is_handed_in: bool, size: int
) -> None:
    server = _Chatty(more)
    async with listening(server) as port, contextlib.AsyncExitStack() as opened:
        session = None
        if is_handed_in:
            session = await opened.enter_async_context(aiohttp.ClientSession())
        client = ContactClient(f"http://127.0.0.1:{port}", session=session, retry=QUICK)
        await opened.enter_async_context(client)
        ids = []
        for number in range(3):
            add = attrs.evolve(ADD, external_id=str(number), custom_fields={1: "x" * size})
            ids.append(await client.add_or_update(add))
            await server.said_more.wait()
            await asyncio.sleep(0.01)  # it has come

    assert ids == [101, 102, 103]
    assert [orjson.loads(added)["externalId"] for added in server.added] == ["0", "1", "2"]


async def test_host_that_is_not_reached_is_named() -> None:
    async with ContactClient("https://127.0.0.1:1", retry=QUICK) as client:
        with pytest.raises(UnavailableError, match=r"127\.0\.0\.1: Connect call failed"):
            await client.add_or_update(ADD)


async def test_connection_closed_while_idle_is_replaced() -> None:
    # The server also counts the time before the first request as idle, and on a busy machine that
    # may be many milliseconds.
    async with (
        Sandbox(keepalive_timeout_s=0.25) as sandbox,
        client_of(sandbox, keepalive_s=60) as client,
    ):
        await client.add_or_update(ADD)
        # The server closes; its clock cannot be handed in. One long sleep might end in one turn of
        # a late event loop with the server's timer, before the client can see that it closed.
        for _ in range(30):
            await asyncio.sleep(0.01)
        await client.add_or_update(ADD)

    assert len(sandbox.ledger.writes) == 2
