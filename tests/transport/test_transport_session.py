"""The session, and that its own requests are what aiohttp's would be, byte for byte."""

import asyncio
from types import SimpleNamespace
from typing import Any

import aiohttp
import attrs
import pytest

from contactsdk import Contact, ContactClient, UncertainError
from contactsdk.transport import connection_limit, make_session
from tests.quick import QUICK
from tests.raw_server import HEAD, REQUEST, RawServer, Script, answer
from tests.transport.routes import ADD, CREDENTIALS, Route, on_each_route

ANSWERED: Script = [REQUEST, answer(b'{"id":7}')] * 3

LARGE = attrs.evolve(ADD, custom_fields={1: "x" * 10_000_000})


async def test_session_keeps_no_cookies_and_has_the_limit_that_was_asked_for() -> None:
    async with make_session(max_connections=7, keepalive_s=1, trace_configs=()) as session:
        assert isinstance(session.cookie_jar, aiohttp.DummyCookieJar)
        assert connection_limit(session.connector) == 7


def test_session_without_a_connector_has_no_limit() -> None:
    assert connection_limit(None) is None


@pytest.fixture
def written_by_aiohttp(monkeypatch: pytest.MonkeyPatch) -> list[aiohttp.ClientRequest]:
    """The requests whose body aiohttp writes, which it makes a task for."""
    requests = []
    write_bytes = aiohttp.ClientRequest.write_bytes

    async def write(request: aiohttp.ClientRequest, *args: Any) -> None:
        requests.append(request)
        await write_bytes(request, *args)

    monkeypatch.setattr(aiohttp.ClientRequest, "write_bytes", write)
    return requests


@pytest.fixture
def not_known(monkeypatch: pytest.MonkeyPatch) -> None:
    """An aiohttp that the requests of the own session were not made for."""
    monkeypatch.setattr(aiohttp, "__version__", "3.99.0")


async def test_small_body_is_written_at_once(
    written_by_aiohttp: list[aiohttp.ClientRequest],
) -> None:
    with RawServer(ANSWERED) as server:
        async with ContactClient(server.url, CREDENTIALS) as client:
            assert await client.add_or_update(ADD) == 7

    assert not written_by_aiohttp


async def test_large_body_does_not_wait_to_be_written(
    written_by_aiohttp: list[aiohttp.ClientRequest],
) -> None:
    # The server answers before it reads the body, which no buffer holds.
    with RawServer([HEAD, answer(b'{"id":7}'), REQUEST]) as server:
        async with ContactClient(server.url, CREDENTIALS) as client:
            assert await client.add_or_update(LARGE) == 7

    assert len(written_by_aiohttp) == 1


@pytest.mark.usefixtures("not_known")
async def test_aiohttp_that_is_not_known_writes_each_body_itself(
    written_by_aiohttp: list[aiohttp.ClientRequest],
) -> None:
    with RawServer(ANSWERED) as server:
        async with ContactClient(server.url, CREDENTIALS) as client:
            assert await client.add_or_update(ADD) == 7

    assert len(written_by_aiohttp) == 1


class TestBytesOnTheWire:
    @pytest.fixture(autouse=True)
    def standing_clock(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Signatures are the same each time."""
        clock = SimpleNamespace(time=lambda: 1_700_000_000.0)
        monkeypatch.setattr("contactsdk.attempt.time", clock)

    @staticmethod
    async def sent(contact: Contact, **options: Any) -> bytes:
        with RawServer(ANSWERED) as server:
            async with ContactClient(server.url, CREDENTIALS, **options) as client:
                assert await client.add_or_update(contact) == 7
        # The port is another one each time.
        return server.received[0].replace(server.url.removeprefix("http://").encode(), b"HOST")

    @pytest.mark.parametrize("size", [1, 20_000], ids=["small", "large"])
    async def test_are_the_same_with_own_requests_and_with_those_of_aiohttp(
        self, size: int, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        contact = attrs.evolve(ADD, custom_fields={1: "x" * size})
        own = await self.sent(contact)
        traced = await self.sent(contact, trace_configs=[aiohttp.TraceConfig()])
        async with aiohttp.ClientSession() as session:
            handed_in = await self.sent(contact, session=session)
        monkeypatch.setattr(aiohttp, "__version__", "3.99.0")
        of_aiohttp = await self.sent(contact)

        assert own == traced == handed_in == of_aiohttp

    async def test_have_each_header_once_and_the_host_first(self) -> None:
        head = (await self.sent(ADD)).partition(b"\r\n\r\n")[0]

        names = [line.split(b":")[0].decode() for line in head.splitlines()[1:]]
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


class TestTraceHooks:
    async def test_may_make_requests_with_the_same_session(self) -> None:
        async def ask(
            session: aiohttp.ClientSession, _: object, call: aiohttp.TraceRequestEndParams
        ) -> None:
            if call.method == "POST":
                async with session.get(call.url) as response:
                    assert response.status == 200

        tracing = aiohttp.TraceConfig()
        tracing.on_request_end.append(ask)
        with RawServer(ANSWERED) as server:
            async with ContactClient(server.url, CREDENTIALS, trace_configs=[tracing]) as client:
                assert await client.add_or_update(ADD) == 7

        assert [request.head.split()[0] for request in server.requests] == [b"POST", b"GET"]

    async def test_may_set_the_host(self) -> None:
        async def set_host(
            _: aiohttp.ClientSession, __: object, call: aiohttp.TraceRequestStartParams
        ) -> None:
            call.headers["Host"] = "gateway.example.com"

        tracing = aiohttp.TraceConfig()
        tracing.on_request_start.append(set_host)
        with RawServer(ANSWERED) as server:
            async with ContactClient(server.url, CREDENTIALS, trace_configs=[tracing]) as client:
                assert await client.add_or_update(ADD) == 7

        lines = server.requests[0].head.splitlines()
        hosts = [line for line in lines if line.startswith(b"Host:")]
        assert hosts == [b"Host: gateway.example.com"]


@on_each_route
async def test_connection_that_switched_protocols_is_released(route: Route) -> None:
    asyncio.get_running_loop().set_debug(True)  # aiohttp then warns of what is not released
    switching = b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n"
    with route.server([REQUEST, switching]) as server:
        async with route.client(server.url, retry=QUICK) as client:
            with pytest.raises(UncertainError):
                await client.add_or_update(ADD)


@on_each_route
async def test_long_answer_is_read_whole(route: Route) -> None:
    body = b'{"id": 7, "padding": "' + b"x" * 300_000 + b'"}'
    with route.server([REQUEST, answer(body)]) as server:
        async with route.client(server.url) as client:
            assert await client.add_or_update(ADD) == 7
