"""aiohttp as it is used: what a body proves, what is left of a connection, what errors show."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, closing, suppress
from types import SimpleNamespace
from typing import Any

import aiohttp
import attrs
import pytest

from contactsdk import Contact, ContactClient, Credentials, UnavailableError, UncertainError
from contactsdk.transport import Body, make_session, transport_error

ADD = Contact(first_name="Ada", last_name="Quist", email="ada@example.test")
ANSWER = b'HTTP/1.1 200 OK\r\nContent-Length: 8\r\n\r\n{"id":7}'


@asynccontextmanager
async def answering(
    answer: bytes, **options: Any
) -> AsyncIterator[tuple[ContactClient, list[bytes]]]:
    """A client of a server that answers so, and the head of each request that was made."""
    heads: list[bytes] = []
    over = (asyncio.IncompleteReadError, asyncio.LimitOverrunError, ConnectionError)

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with closing(writer), suppress(*over):
            while head := await reader.readuntil(b"\r\n\r\n"):
                heads.append(head)
                writer.write(answer)

    server = await asyncio.start_server(handle, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    credentials = Credentials("marked-key", "marked-secret")
    url = f"http://127.0.0.1:{port}"
    try:
        async with ContactClient(url, credentials, **options) as client:
            yield client, heads
    finally:
        server.close()
        await server.wait_closed()


async def test_cause_of_an_error_does_not_show_the_key() -> None:
    async with answering(b"HTTP/1.1 banana\r\n\r\n") as (client, heads):
        with pytest.raises(UncertainError) as raised:
            await client.add_or_update(ADD)

    assert b"marked" in heads[0]
    assert isinstance(raised.value.__cause__, aiohttp.ClientResponseError)
    assert "marked" not in repr(raised.value.__cause__)


async def test_connection_that_switched_protocols_is_let_go() -> None:
    asyncio.get_running_loop().set_debug(True)  # aiohttp then warns of what is not released
    switching = b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n"
    async with answering(switching) as (client, _):
        with pytest.raises(UncertainError):
            await client.add_or_update(ADD)


async def test_long_answer_is_read_whole() -> None:
    body = b'{"id": 7, "padding": "' + b"x" * 300_000 + b'"}'
    head = f"HTTP/1.1 200 OK\r\nContent-Length: {len(body)}\r\n\r\n"
    async with answering(head.encode() + body) as (client, _):
        assert await client.add_or_update(ADD) == 7


async def test_session_keeps_no_cookies_and_has_the_limit_that_was_asked_for() -> None:
    async with make_session(max_connections=7, keepalive_s=1, trace_configs=()) as session:
        assert isinstance(session.cookie_jar, aiohttp.DummyCookieJar)
        assert session.connector is not None
        assert session.connector.limit == 7


class TestRequest:
    """Of the client's own session; one that was handed in has aiohttp's."""

    @pytest.fixture
    def given_to_aiohttp(self, monkeypatch: pytest.MonkeyPatch) -> list[aiohttp.ClientRequest]:
        """The requests whose body aiohttp writes, which it makes a task for."""
        requests = []
        write_bytes = aiohttp.ClientRequest.write_bytes

        async def write(request: aiohttp.ClientRequest, *args: Any) -> None:
            requests.append(request)
            await write_bytes(request, *args)

        monkeypatch.setattr(aiohttp.ClientRequest, "write_bytes", write)
        return requests

    async def test_of_a_small_body_is_written_at_once(
        self, given_to_aiohttp: list[aiohttp.ClientRequest]
    ) -> None:
        async with answering(ANSWER) as (client, _):
            assert await client.add_or_update(ADD) == 7

        assert not given_to_aiohttp

    async def test_of_a_large_body_does_not_wait_to_be_written(
        self, given_to_aiohttp: list[aiohttp.ClientRequest]
    ) -> None:
        # The server answers without reading it, and neither end's buffers hold it.
        large = attrs.evolve(ADD, custom_fields={1: "x" * 10_000_000})
        async with answering(ANSWER) as (client, _):
            assert await client.add_or_update(large) == 7

        assert len(given_to_aiohttp) == 1

    async def test_of_a_trace_hook_by_the_same_session_is_as_any_other(self) -> None:
        async def ask(
            session: aiohttp.ClientSession, _: object, call: aiohttp.TraceRequestEndParams
        ) -> None:
            if call.method == "POST":
                async with session.get(call.url) as response:
                    assert response.status == 200

        tracing = aiohttp.TraceConfig()
        tracing.on_request_end.append(ask)
        async with answering(ANSWER, trace_configs=[tracing]) as (client, heads):
            assert await client.add_or_update(ADD) == 7

        assert [head.count(b"GET ") for head in heads] == [0, 1]

    async def test_has_the_host_that_a_trace_hook_set_and_no_other(self) -> None:
        async def set_host(
            _: aiohttp.ClientSession, __: object, call: aiohttp.TraceRequestStartParams
        ) -> None:
            call.headers["Host"] = "gateway.example.com"

        tracing = aiohttp.TraceConfig()
        tracing.on_request_start.append(set_host)
        async with answering(ANSWER, trace_configs=[tracing]) as (client, heads):
            assert await client.add_or_update(ADD) == 7

        hosts = [line for line in heads[0].splitlines() if line.startswith(b"Host:")]
        assert hosts == [b"Host: gateway.example.com"]

    async def test_is_aiohttps_own_with_an_aiohttp_that_is_not_known(
        self, given_to_aiohttp: list[aiohttp.ClientRequest], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("contactsdk.transport._IS_KNOWN", False)
        async with answering(ANSWER) as (client, _):
            assert await client.add_or_update(ADD) == 7

        assert len(given_to_aiohttp) == 1

    async def test_has_each_header_once_and_the_host_first(self) -> None:
        async with answering(ANSWER) as (client, heads):
            await client.add_or_update(ADD)

        names = [line.split(b":")[0].decode() for line in heads[0].splitlines()[1:-1]]
        assert names[0] == "Host"
        assert sorted(names) == [
            "Accept",
            "Accept-Encoding",
            "Content-Length",
            "Content-MD5",
            "Content-Type",
            "Host",
            "IVVY-Date",
            "User-Agent",
            "X-Api-Authorization",
            "X-Api-Version",
        ]


class _Writer:
    """As much of aiohttp's writer as a body sees."""

    def __init__(self, transport: object, should_close: bool = False) -> None:
        self.protocol = SimpleNamespace(transport=transport, should_close=should_close)
        self.written = b""

    async def write(self, chunk: bytes) -> None:
        self.written += chunk


class _Transport:
    def __init__(self, closing: bool) -> None:
        self._closing = closing

    def is_closing(self) -> bool:
        return self._closing


class TestBody:
    def test_shows_what_it_holds(self) -> None:
        body = Body(b'{"id":1}', start_timeout=lambda: None)

        assert (body.size, body.decode()) == (8, '{"id":1}')

    async def test_is_sent_to_an_open_connection(self) -> None:
        body = Body(b"{}", start_timeout=lambda: None)
        writer = _Writer(_Transport(False))

        await body.write_with_length(writer, None)  # type: ignore[arg-type]

        assert body.sent is True
        assert writer.written == b"{}"

    @pytest.mark.parametrize(
        "writer",
        [_Writer(_Transport(True)), _Writer(None), _Writer(_Transport(False), should_close=True)],
        ids=["closing", "gone", "not to be used again"],
    )
    async def test_is_sent_to_no_other(self, writer: Any) -> None:
        body = Body(b"{}", start_timeout=lambda: None)
        assert body.size == 2  # as who makes a request of it asks

        with pytest.raises(aiohttp.ClientConnectionResetError):
            await body.write_with_length(writer, None)

        assert body.sent is False
        assert not writer.written

    async def test_is_not_sent_once_its_fate_was_told(self) -> None:
        body = Body(b"{}", start_timeout=lambda: None)
        writer = _Writer(_Transport(False))
        transport_error(aiohttp.ServerDisconnectedError(), body, expired=False)

        with pytest.raises(aiohttp.ClientConnectionResetError):
            await body.write_with_length(writer, None)  # type: ignore[arg-type]

        assert not writer.written

    async def test_is_not_sent_where_the_attempt_is_over(self) -> None:
        def is_over() -> None:
            raise RuntimeError("Cannot change state of expiring Timeout")

        body = Body(b"{}", start_timeout=is_over)
        writer = _Writer(_Transport(False))

        with pytest.raises(RuntimeError):
            await body.write_with_length(writer, None)  # type: ignore[arg-type]

        assert body.sent is None
        assert not writer.written

    @pytest.mark.parametrize(
        ("sent", "expired", "error"),
        [
            (None, True, UnavailableError),
            (False, True, UnavailableError),
            (False, False, UnavailableError),
            (True, True, UncertainError),
            (True, False, UncertainError),
            (None, False, UncertainError),
        ],
    )
    def test_what_it_proves(self, sent: bool | None, expired: bool, error: type[Exception]) -> None:
        body = Body(b"{}", start_timeout=lambda: None)
        body.sent = sent

        told = transport_error(aiohttp.ServerDisconnectedError(), body, expired=expired)

        assert type(told) is error
