"""Ends a connection in an unusual way: closes it, resets it, or cuts an answer short."""

import asyncio
import socket
import struct
from email.utils import formatdate

from aiohttp import web

from contactsdk.sandbox.replies import Reply


async def until_cancelled() -> None:
    """Wait until the client closes the connection, or the sandbox stops."""
    await asyncio.Event().wait()


def close(request: web.BaseRequest, last_words: bytes = b"") -> web.Response:
    """Write these bytes and close the connection."""
    transport = _transport(request)
    transport.write(last_words)
    transport.close()
    return _dropped()


def reset(request: web.BaseRequest) -> web.Response:
    """Reset the connection (TCP RST)."""
    transport = _transport(request)
    # A linger time of zero makes close() send RST instead of FIN.
    linger = struct.pack("ii", 1, 0)
    transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
    transport.abort()
    return _dropped()


def headers_of(reply: Reply, now: float) -> dict[str, str]:
    """The headers of an answer; `Date` is made of `now`, the time of the sandbox's clock."""
    date = formatdate(now, usegmt=True)
    return {"Date": date, "Content-Type": reply.content_type, **reply.headers}


def half_of(reply: Reply, now: float) -> bytes:
    """The bytes of an answer without the second half of its body."""
    headers = {**headers_of(reply, now), "Content-Length": str(len(reply.body))}
    lines = (f"HTTP/1.1 {reply.status} ", *(f"{name}: {headers[name]}" for name in headers))
    return "\r\n".join((*lines, "", "")).encode() + reply.body[: len(reply.body) // 2]


def _transport(request: web.BaseRequest) -> asyncio.Transport:
    transport = request.transport
    assert transport, "aiohttp cancels the handler in the moment in which it drops the transport"
    return transport


def _dropped() -> web.Response:
    # aiohttp needs a response object; since the connection is closed, it drops it.
    return web.Response()
