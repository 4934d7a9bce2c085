"""The body of a request: when it is sent, and what it knows of that."""

import asyncio
from types import SimpleNamespace
from typing import Any

import aiohttp
import pytest

from contactsdk.transport import Body


def nothing() -> None:
    pass


class _Transport(asyncio.Transport):
    """As much of a connection as a body sees."""

    def __init__(self, *, closing: bool = False) -> None:
        super().__init__()
        self._closing = closing
        self._protocol: asyncio.BaseProtocol = asyncio.Protocol()

    def is_closing(self) -> bool:
        return self._closing

    def get_protocol(self) -> asyncio.BaseProtocol:
        return self._protocol

    def set_protocol(self, protocol: asyncio.BaseProtocol) -> None:
        self._protocol = protocol


class _Writer:
    """As much of aiohttp's writer as a body sees."""

    def __init__(
        self,
        transport: asyncio.Transport | None,
        *,
        should_close: bool = False,
        lost_with: Exception | None = None,
    ) -> None:
        self.protocol = SimpleNamespace(
            transport=transport,
            should_close=should_close,
            is_connected=lambda: transport is not None and not transport.is_closing(),
            exception=lambda: lost_with,
        )
        self.written = b""

    async def write(self, chunk: bytes) -> None:
        self.written += chunk


async def write(body: Body, writer: Any) -> None:
    """As aiohttp does: it asks how long the body is, and has it written."""
    assert body.size == len(body.content)
    await body.write_with_length(writer, body.size)


def test_body_shows_what_it_holds() -> None:
    body = Body(b'{"id":1}', start_timeout=nothing)

    assert (body.size, body.decode()) == (8, '{"id":1}')


def test_body_that_nobody_asked_for_was_in_no_request() -> None:
    assert Body(b"{}", start_timeout=nothing).sent is None


async def test_body_is_sent_to_an_open_connection() -> None:
    calls: list[str] = []
    body = Body(
        b"{}",
        start_timeout=lambda: calls.append("timeout"),
        before_send=lambda: calls.append("send"),
    )
    writer = _Writer(_Transport())

    await write(body, writer)

    assert body.sent is True
    assert writer.written == b"{}"
    assert calls == ["timeout", "send"]


@pytest.mark.parametrize(
    "writer",
    [
        _Writer(_Transport(closing=True)),
        _Writer(None),
        _Writer(_Transport(), should_close=True),
    ],
    ids=["closing", "gone", "not to be used again"],
)
async def test_body_is_sent_to_no_other_connection(writer: _Writer) -> None:
    body = Body(b"{}", start_timeout=nothing)

    with pytest.raises(aiohttp.ClientConnectionResetError):
        await write(body, writer)

    assert body.sent is False
    assert body.connection_error is not None
    assert not writer.written


async def test_error_that_a_connection_was_lost_with_is_known() -> None:
    body = Body(b"{}", start_timeout=nothing)
    lost_with = OSError("reset")

    with pytest.raises(OSError, match="reset"):
        await write(body, _Writer(None, lost_with=lost_with))

    assert body.connection_error is lost_with


async def test_body_is_not_sent_once_it_was_reported_as_unsent() -> None:
    body = Body(b"{}", start_timeout=nothing)
    writer = _Writer(_Transport())
    assert not body.seal()

    with pytest.raises(aiohttp.ClientConnectionResetError):
        await write(body, writer)

    assert body.sent is False
    assert not writer.written


async def test_body_is_not_sent_where_the_attempt_is_over() -> None:
    def is_over() -> None:
        raise RuntimeError("the deadline has passed")

    body = Body(b"{}", start_timeout=is_over)
    writer = _Writer(_Transport())

    with pytest.raises(RuntimeError, match="has passed"):
        await write(body, writer)

    assert body.sent is False
    assert not writer.written


async def test_body_is_not_sent_where_its_owner_says_no() -> None:
    def say_no() -> None:
        raise ValueError("no")

    body = Body(b"{}", start_timeout=nothing, before_send=say_no)
    writer = _Writer(_Transport())

    with pytest.raises(ValueError, match="no"):
        await write(body, writer)

    assert body.sent is False
    assert str(body.refused_by) == "no"
    assert not writer.written
