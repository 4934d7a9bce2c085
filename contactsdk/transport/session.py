"""The session, and requests that cost less than aiohttp's own."""

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

_AT_ONCE_BYTES: Final = 16_384  # an idle connection takes so much without a wait


def make_session(
    *, max_connections: int, keepalive_s: float, trace_configs: Sequence[aiohttp.TraceConfig]
) -> aiohttp.ClientSession:
    """A session that does what the one call needs and nothing else; 0 connections for no limit."""
    return aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(limit=max_connections, keepalive_timeout=keepalive_s),
        cookie_jar=_NoCookies(),
        trace_configs=list(trace_configs),
        request_class=Request if _is_known_aiohttp() else aiohttp.ClientRequest,
    )


# `Request` does a part of aiohttp's work in its place; by an aiohttp that it was not made for, its
# own does all of it.
def _is_known_aiohttp() -> bool:
    return aiohttp.__version__.startswith("3.14.")


class _NoCookies(aiohttp.DummyCookieJar):
    """Makes no new empty jar for each request."""

    def filter_cookies(self, request_url: URL) -> "BaseCookie[str]":
        return _NO_COOKIES


_NO_COOKIES: Final = SimpleCookie()


def connection_limit(connector: aiohttp.BaseConnector | None) -> int | None:
    """How many connections to one host a session's connector makes; `None` for no limit."""
    limits = () if connector is None else (connector.limit, connector.limit_per_host)
    return min((limit for limit in limits if limit), default=None)


class Request(aiohttp.ClientRequest):
    """A request that writes a small `Body` itself; all others are handled by aiohttp.

    aiohttp makes a task for each body, since to write a large one may have to wait. That costs more
    than to sign it.
    """

    def update_headers(self, headers: LooseHeaders | None) -> None:
        """Take them over whole, not one by one."""
        self.headers = CIMultiDict({hdrs.HOST: self.url.host_port_subcomponent or ""})
        self.headers.update(headers or {})  # a trace hook may have set the host

    def update_body_from_data(self, body: Any, _stacklevel: int = 3) -> None:
        """Take a `Body` as it is: aiohttp would look up who can write such data."""
        if not isinstance(body, Body):
            super().update_body_from_data(body, _stacklevel)
            return
        self._body = body
        self.headers[hdrs.CONTENT_LENGTH] = str(body.size)

    async def send(self, conn: Connection) -> aiohttp.ClientResponse:
        """Write it, and give the response that is then to be read."""
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
    """See that the session was made in this event loop.

    Raises:
        RuntimeError: It was made in another one.
    """
    # Its public property `loop` warns that it is to be used by nobody.
    if getattr(session, "_loop", loop) is not loop:
        raise RuntimeError(
            "the session that this client was given was made in another event loop: make it in the "
            "one in which the client is used"
        )


def needs_connection_hook(*, own_session: bool) -> bool:
    """Whether requests of the session need `connection_hook`; those of `Request` do without it."""
    return not (own_session and _is_known_aiohttp())


def connection_hook(body: Body) -> aiohttp.ClientMiddlewareType:
    """A middleware that calls `body.connected` before aiohttp's own request sends anything.

    Without it the body would first meet its connection after aiohttp has begun to read from it, so
    that an answer which lay there before could not be told from the right one; or after the server
    has given leave to send (`Expect: 100-continue`), which may take long.
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
            del request.send  # a circle, which the garbage collector would have to find

    return middleware


def _protocol(conn: Connection) -> ResponseHandler:
    assert conn.protocol is not None  # noqa: S101  # it was just connected
    return conn.protocol
