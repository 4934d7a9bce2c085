"""Answers that are larger than any of the platform's."""

import gzip
from typing import Any

import aiohttp
import orjson
import pytest

from contactsdk import ContactClient, UncertainError
from tests.loops import in_each_loop
from tests.raw_server import REQUEST, RawServer, Script, answer
from tests.transport.routes import ADD, Route, on_each_route

MIB = 2**20
ENDLESS = b"HTTP/1.1 502 Bad Gateway\r\nContent-Length: 1000000000000\r\n\r\n" + bytes(17 * MIB)
SMALL_ON_THE_WIRE = answer(gzip.compress(bytes(64 * MIB)), "200 OK", "Content-Encoding: gzip")


async def error_of(client: ContactClient) -> UncertainError:
    with pytest.raises(UncertainError) as raised:
        await client.add_or_update(ADD)
    return raised.value


@pytest.mark.parametrize("too_large", [ENDLESS, SMALL_ON_THE_WIRE], ids=["endless", "compressed"])
@in_each_loop
async def test_answer_that_is_too_large_is_not_read_to_its_end(too_large: bytes) -> None:
    with RawServer([REQUEST, too_large], [REQUEST, answer(b'{"id": 7}')]) as server:
        async with ContactClient(server.url, timeout_s=10.0) as client:
            error = await error_of(client)
            assert await client.add_or_update(ADD) == 7  # on another connection

    assert str(error) == (
        "sent, but the answer is larger than 16 MiB; check what a proxy or gateway on the way "
        "does to answers"
    )
    assert error.http_status == (502 if too_large is ENDLESS else 200)


@on_each_route
async def test_large_answer_is_read_whole(route: Route) -> None:
    body = orjson.dumps({"id": 7, "more": "x" * 15 * MIB})
    script: Script = [REQUEST, answer(body)]
    with route.server(script) as server:
        async with route.client(server.url, timeout_s=10.0) as client:
            assert await client.add_or_update(ADD) == 7


async def test_traces_hear_of_an_answer_only_if_it_was_read_whole() -> None:
    sizes: list[int] = []

    async def on_answer(*_: Any) -> None:
        sizes.append(len(_[-1].chunk))

    tracing = aiohttp.TraceConfig()
    tracing.on_response_chunk_received.append(on_answer)
    with RawServer([REQUEST, ENDLESS], [REQUEST, answer(b'{"id": 7}')]) as server:
        async with ContactClient(server.url, timeout_s=10.0, trace_configs=[tracing]) as client:
            await error_of(client)
            await client.add_or_update(ADD)

    assert sizes == [len(b'{"id": 7}')]
