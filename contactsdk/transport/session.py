"""The session, and a request class that costs less CPU time than aiohttp's own."""

import asyncio
from collections.abc import Sequence
from http.cookies import BaseCookie, SimpleCookie
from typing import Any, Final

import aiohttp
from aiohttp import hdrs
from aiohttp.client_proto import ResponseHandler
from aiohttp.connector import Connection
from aiohttp.http import StreamWriter
from aiohttp.typedefs import LooseHeaders
from multidict import CIMultiDict
from yarl import URL

from contactsdk.transport.body import Body

_AT_ONCE_BYTES: Final = 16_384  # an idle connection accepts this much without waiting


def make_session(
    *, max_connections: int, keepalive_s: float, trace_configs: Sequence[aiohttp.TraceConfig]
) -> aiohttp.ClientSession:
    """A session with only the features that the platform needs; 0 connections for no limit."""
    return aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(limit=max_connections, keepalive_timeout=keepalive_s),
        cookie_jar=_NoCookies(),
        trace_configs=list(trace_configs),
        request_class=Request if _is_known_aiohttp() else aiohttp.ClientRequest,
    )


# `Request` replaces internals of aiohttp. With a version that it was not made for, aiohttp's own
# request class is used.
def _is_known_aiohttp() -> bool:
    return aiohttp.__version__.startswith("3.14.")


class _NoCookies(aiohttp.DummyCookieJar):
    """A cookie jar that does not make a new empty jar for each request."""

    def filter_cookies(self, request_url: URL) -> "BaseCookie[str]":
        return _NO_COOKIES


_NO_COOKIES: Final = SimpleCookie()


def connection_limit(connector: aiohttp.BaseConnector | None) -> int | None:
    """How many connections a session's connector makes to one host; `None` for no limit."""
    limits = () if connector is None else (connector.limit, connector.limit_per_host)
    return min((limit for limit in limits if limit), default=None)


class Request(aiohttp.ClientRequest):
    """A request that writes a small `Body` itself, and leaves other bodies to aiohttp.

    aiohttp makes a task for each body, since writing a large body may have to wait. The task costs
    more than signing the request.
    """

    def update_headers(self, headers: LooseHeaders | None) -> None:
        """Take over all headers at once, instead of one by one as aiohttp does."""
        self.headers = CIMultiDict({hdrs.HOST: self.url.host_port_subcomponent or ""})
        self.headers.update(headers or {})  # a trace hook may have set the host

    def update_body_from_data(self, body: Any, _stacklevel: int = 3) -> None:
        """Take a `Body` as it is; aiohttp would search for a class that can write such data."""
        if not isinstance(body, Body):
            super().update_body_from_data(body, _stacklevel)
            return
        self._body = body
        self.headers[hdrs.CONTENT_LENGTH] = str(body.size)

    async def send(self, conn: Connection) -> aiohttp.ClientResponse:
        """Write the request, and return the response, which is still to be read."""
        body, protocol = self._body, _protocol(conn)
        if not isinstance(body, Body):
            return await super().send(conn)
        if body.size > _AT_ONCE_BYTES or self._traces:
            await body.connected(protocol)
            return await super().send(conn)
        writer = StreamWriter(protocol, self.loop)
        await writer.write_headers(f"POST {self.url.raw_path_qs} HTTP/1.1", self.headers)
        await body.write(writer)
        writer.set_eof()
        return self.response_class(
            self.method,
            self.original_url,
            writer=None,
            continue100=None,
            timer=self._timer,
            request_info=self.request_info,
            traces=self._traces,
            loop=self.loop,
            session=self._session,
            stream_writer=writer,
        )


def check_loop(session: aiohttp.ClientSession, loop: asyncio.AbstractEventLoop) -> None:
    """Check that the session was made in this event loop.

    Raises:
        RuntimeError: The session was made in another event loop.
    """
    # Not the public property `loop`, which is deprecated and warns.
    if getattr(session, "_loop", loop) is not loop:
        raise RuntimeError(
            "the session of this client was made in another event loop: make it in the event loop "
            "in which the client is used"
        )


def needs_connection_hook(*, own_session: bool) -> bool:
    """Whether requests of the session need `connection_hook`, since they are not `Request`s."""
    return not (own_session and _is_known_aiohttp())


def connection_hook(body: Body) -> aiohttp.ClientMiddlewareType:
    """A middleware that calls `body.connected` before aiohttp's own request sends anything.

    Without it, the body would get its connection only after aiohttp has begun to read from the
    connection. Then an answer that was there before could not be told from the right one. With
    `Expect: 100-continue`, it would get it even later: when the server allows it to send.
    """

    async def middleware(
        request: aiohttp.ClientRequest, handler: aiohttp.ClientHandlerType
    ) -> aiohttp.ClientResponse:
        send = request.send

        async def check_and_send(conn: Connection) -> aiohttp.ClientResponse:
            await body.connected(_protocol(conn))
            return await send(conn)

        request.send = check_and_send  # type: ignore[method-assign]  # of this one request
        try:
            return await handler(request)
        finally:
            del request.send  # breaks a reference cycle, so that no garbage collection is needed

    return middleware


def _protocol(conn: Connection) -> ResponseHandler:
    assert conn.protocol is not None  # noqa: S101  # it was just connected
    return conn.protocol
