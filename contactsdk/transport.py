"""aiohttp as this SDK uses it: the session, the body that proves, and its errors as ours."""

from collections.abc import Callable, Sequence
from http.cookies import BaseCookie, SimpleCookie
from typing import Any, Final, cast

import aiohttp
from aiohttp import hdrs
from aiohttp.abc import AbstractStreamWriter
from aiohttp.connector import Connection
from aiohttp.http import StreamWriter
from aiohttp.typedefs import LooseHeaders
from multidict import CIMultiDict, CIMultiDictProxy
from yarl import URL

from contactsdk.errors import ContactError, SetupError, UnavailableError, UncertainError
from contactsdk.signing import CONTENT_TYPE

_NO_HEADERS: Final = CIMultiDictProxy[str](CIMultiDict())

_AT_ONCE_BYTES: Final = 16_384  # an idle connection takes so much without a wait

# What aiohttp raises before it has a connection: with these, an unasked-for body was never sent.
_WHILE_CONNECTING: Final = (
    aiohttp.ClientConnectorError,
    aiohttp.ConnectionTimeoutError,
    aiohttp.ClientHttpProxyError,
    aiohttp.ServerFingerprintMismatch,
)


def make_session(
    *, max_connections: int, keepalive_s: float, trace_configs: Sequence[aiohttp.TraceConfig]
) -> aiohttp.ClientSession:
    """A session that does what the one call needs and nothing else; 0 connections for no limit."""
    return aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(limit=max_connections, keepalive_timeout=keepalive_s),
        cookie_jar=_NoCookies(),
        trace_configs=list(trace_configs),
        request_class=Request if _IS_KNOWN else aiohttp.ClientRequest,
    )


# `Request` does a part of aiohttp's work in its place; by an aiohttp that it was not made for, its
# own does all of it.
_IS_KNOWN: Final = aiohttp.__version__.startswith("3.14.")


class _NoCookies(aiohttp.DummyCookieJar):
    """Makes no new empty jar for each request."""

    def filter_cookies(self, request_url: URL) -> "BaseCookie[str]":
        return _NO_COOKIES


_NO_COOKIES: Final = SimpleCookie()


def connection_limit(connector: aiohttp.BaseConnector | None) -> int | None:
    """How many connections to one host a session's connector makes; `None` for no limit."""
    limits = () if connector is None else (connector.limit, connector.limit_per_host)
    return min((limit for limit in limits if limit), default=None)


class Body(aiohttp.Payload):
    """A request body that knows whether its bytes were handed to an open connection.

    aiohttp holds the headers back until the first bytes of the body, and without its body nothing
    can be applied, so `sent` is proof: `None`, never asked for; `False`, asked for when the
    connection was gone; `True`, on its way. `on_write` is called before; where it raises, nothing
    is sent.
    """

    def __init__(self, content: bytes, *, on_write: Callable[[], object]) -> None:
        super().__init__(content, content_type=CONTENT_TYPE)
        self.sent: bool | None = None
        self._content = content
        self._on_write = on_write

    @property
    def size(self) -> int:
        """In bytes."""
        return len(self._content)

    def decode(self, encoding: str = "utf-8", errors: str = "strict") -> str:
        """As text."""
        return self._content.decode(encoding, errors)

    async def write(self, writer: AbstractStreamWriter) -> None:
        """Mark it, and hand it over."""
        self._on_write()
        transport = cast("StreamWriter", writer).transport
        self.sent = transport is not None and not transport.is_closing()
        await writer.write(self._content)


class Request(aiohttp.ClientRequest):
    """A request that writes a small `Body` itself; all others are as aiohttp has them.

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
        body = self._body
        if not isinstance(body, Body) or body.size > _AT_ONCE_BYTES or self._traces:
            return await super().send(conn)
        assert conn.protocol is not None  # noqa: S101  # it is just connected
        writer = StreamWriter(conn.protocol, self.loop)
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


def transport_error(exc: BaseException, body: Body | None, *, expired: bool) -> ContactError:
    """Ours for what came instead of an answer; `expired` if our own timeout ended the attempt."""
    if isinstance(exc, aiohttp.ClientResponseError):
        # Its repr shows the headers that were sent, the account's key among them.
        exc.request_info = exc.request_info._replace(headers=_NO_HEADERS)
        exc.args = (exc.request_info, exc.history)
    what = "timed out" if expired else getattr(exc, "strerror", None) or type(exc).__name__
    if isinstance(exc, aiohttp.ClientConnectorError):
        what = f"{exc.host}: {what}"
    match exc:
        case aiohttp.ClientConnectorCertificateError() | aiohttp.ServerFingerprintMismatch():
            return SetupError(f"the platform's certificate is not accepted: {what}")
        case aiohttp.ClientHttpProxyError() if exc.status < 500:
            return SetupError(f"the proxy refused to connect: HTTP {exc.status}")
    unasked = body is None or body.sent is None
    if unasked and (expired or isinstance(exc, _WHILE_CONNECTING)):
        return UnavailableError(f"never sent: {what}")
    if body is not None and body.sent is False:
        return UnavailableError("never sent: the connection was gone")
    return UncertainError(f"sent, but no answer came: {what}")
