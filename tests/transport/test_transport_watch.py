"""Connections that are used again: what came on them while they were idle answers nothing."""

import asyncio
import select
import socket
import threading
from typing import Any

import aiohttp
import attrs
import orjson
import pytest

from contactsdk import Contact, ContactClient, UnavailableError
from contactsdk.transport.watch import Watch
from tests.loops import in_each_loop
from tests.quick import QUICK
from tests.raw_server import (
    CLOSE,
    PATIENCE_S,
    REQUEST,
    RESET,
    RawServer,
    Step,
    Tell,
    WaitFor,
    answer,
)
from tests.transport.routes import ADD, CREDENTIALS, Route, on_each_route

UNASKED: dict[str, Step] = {
    "another answer": answer(b'{"id": 999}'),
    "a complaint": answer(b"", "400 Bad Request", "Connection: close"),
    "half a head": b"HTTP/1.1 200 OK\r\nContent-Le",
    "a close": CLOSE,
    "a reset": RESET,
}

is_unasked = pytest.mark.parametrize("unasked", UNASKED.values(), ids=UNASKED)


def numbered(number: int) -> Contact:
    return attrs.evolve(ADD, external_id=str(number))


def id_of(number: int) -> bytes:
    return answer(b'{"id": %d}' % number)


def external_ids(server: RawServer) -> list[str]:
    return [orjson.loads(request.body)["externalId"] for request in server.requests]


@on_each_route
@is_unasked
@pytest.mark.parametrize("reads", [False, True], ids=["unread", "read"])
@in_each_loop
async def test_what_came_on_an_idle_connection_answers_nothing(
    route: Route, unasked: Step, reads: bool
) -> None:
    has_read_answer, has_come = threading.Event(), threading.Event()
    first: list[Step] = [REQUEST, id_of(1), WaitFor(has_read_answer), unasked, Tell(has_come)]
    with route.server(first, [REQUEST, id_of(2), REQUEST, id_of(3)]) as server:
        async with route.client(server.url) as client:
            assert await client.add_or_update(numbered(1)) == 1
            has_read_answer.set()
            assert has_come.wait(PATIENCE_S)  # nothing runs in the loop meanwhile
            if reads:
                await asyncio.sleep(0.01)  # now the loop has read it
            assert await client.add_or_update(numbered(2)) == 2
            assert await client.add_or_update(numbered(3)) == 3

    assert external_ids(server) == ["1", "2", "3"]
    assert len(server.received) == 2


@on_each_route
@in_each_loop
async def test_connection_on_which_nothing_came_is_used_again(route: Route) -> None:
    with route.server([REQUEST, id_of(1), REQUEST, id_of(2), REQUEST, id_of(3)]) as server:
        async with route.client(server.url) as client:
            assert [await client.add_or_update(numbered(n)) for n in (1, 2, 3)] == [1, 2, 3]

    assert len(server.received) == 1


@on_each_route
@in_each_loop
async def test_all_stale_connections_of_a_call_cost_it_one_attempt(route: Route) -> None:
    count = 12
    have_read, have_come = threading.Event(), [threading.Event() for _ in range(count)]
    stale: list[list[Step]] = [
        [REQUEST, id_of(number + 1), WaitFor(have_read), answer(b'{"id": 999}'), Tell(come)]
        for number, come in enumerate(have_come)
    ]
    with route.server(*stale, [REQUEST, id_of(100)]) as server:
        async with route.client(server.url, retry=attrs.evolve(QUICK, attempts=1)) as client:
            await asyncio.gather(*(client.add_or_update(numbered(n)) for n in range(count)))
            have_read.set()
            assert all(come.wait(PATIENCE_S) for come in have_come)
            assert await client.add_or_update(numbered(100)) == 100

    assert len(server.received) == count + 1


@on_each_route
@in_each_loop
async def test_what_comes_in_the_last_moment_before_the_body_answers_nothing(route: Route) -> None:
    has_read_answer, has_come = threading.Event(), threading.Event()

    async def have_it_come(*_: Any) -> None:
        if len(server.requests) == 1 and not has_come.is_set():
            has_read_answer.set()
            assert has_come.wait(PATIENCE_S)

    tracing = aiohttp.TraceConfig()
    tracing.on_request_headers_sent.append(have_it_come)  # the head waits for the body
    unasked = answer(b'{"id": 999}')
    first: list[Step] = [REQUEST, id_of(1), WaitFor(has_read_answer), unasked, Tell(has_come)]
    with route.server(first, [REQUEST, id_of(2)]) as server:
        async with route.client(server.url, trace_configs=[tracing]) as client:
            assert await client.add_or_update(numbered(1)) == 1
            assert await client.add_or_update(numbered(2)) == 2

    assert external_ids(server) == ["1", "2"]


def blocking_until(event: threading.Event) -> aiohttp.TraceConfig:
    """What blocks the loop as soon as a connection is made, so that nobody reads what comes."""

    async def block(*_: Any) -> None:
        await asyncio.sleep(0)  # uvloop writes the end of the handshake only then
        assert event.wait(PATIENCE_S)
        event.clear()

    tracing = aiohttp.TraceConfig()
    tracing.on_connection_create_end.append(block)
    return tracing


@in_each_loop
async def test_session_ticket_of_tls_leaves_its_connection_in_use() -> None:
    route, is_made = Route(tls=True, handed_in=True), threading.Event()
    with route.server([Tell(is_made), REQUEST, id_of(1)]) as server:
        async with route.client(server.url, trace_configs=[blocking_until(is_made)]) as client:
            assert await client.add_or_update(ADD) == 1

    assert len(server.received) == 1


@on_each_route
@in_each_loop
async def test_server_that_speaks_first_on_each_connection_is_soon_left_alone(
    route: Route,
) -> None:
    has_spoken = threading.Event()
    once, tracing = attrs.evolve(QUICK, attempts=1), [blocking_until(has_spoken)]
    with route.server([answer(b'{"id": 999}'), Tell(has_spoken), REQUEST]) as server:
        async with route.client(server.url, retry=once, trace_configs=tracing) as client:
            with pytest.raises(UnavailableError, match="never sent"):
                await client.add_or_update(ADD)

    assert not server.requests
    assert len(server.received) == 3


@in_each_loop
async def test_connection_is_asked_where_there_is_no_poll() -> None:
    has_read_answer, has_come = threading.Event(), threading.Event()
    first: list[Step] = [REQUEST, id_of(1), WaitFor(has_read_answer), answer(b"{}"), Tell(has_come)]
    with pytest.MonkeyPatch.context() as patch, RawServer(first, [REQUEST, id_of(2)]) as server:
        patch.delattr(select, "poll")
        async with ContactClient(server.url, CREDENTIALS, retry=QUICK) as client:
            assert await client.add_or_update(numbered(1)) == 1
            has_read_answer.set()
            assert has_come.wait(PATIENCE_S)
            assert await client.add_or_update(numbered(2)) == 2

    assert external_ids(server) == ["1", "2"]


class _SilentTransport(asyncio.Transport):
    """One that has no socket, or one that stays readable though nobody reads."""

    def __init__(self, protocol: asyncio.Protocol, extra: dict[str, Any]) -> None:
        super().__init__(extra)
        self._protocol = protocol

    def get_protocol(self) -> asyncio.BaseProtocol:
        return self._protocol

    def set_protocol(self, protocol: asyncio.BaseProtocol) -> None:
        self._protocol = protocol  # type: ignore[assignment]

    def is_closing(self) -> bool:
        return False


async def test_transport_without_a_socket_is_taken_to_be_silent() -> None:
    watch = Watch.of(_SilentTransport(asyncio.Protocol(), {}))

    assert watch.is_silent()


async def test_connection_that_nobody_reads_is_not_silent() -> None:
    here, there = socket.socketpair()
    with here, there:
        watch = Watch.of(_SilentTransport(asyncio.Protocol(), {"socket": here}))
        assert not watch.has_unread()
        there.send(b"x")

        assert watch.has_unread()
        assert not watch.is_silent()
        assert not await watch.falls_silent()
        await watch.closed()  # at once, since nobody closes it
