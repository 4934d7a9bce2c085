"""aiohttp as this SDK uses it: the session, the body that proves, and its errors as ours."""

from collections.abc import Callable, Sequence
from http.cookies import BaseCookie, SimpleCookie
from typing import Any, Final, cast

import aiohttp
from aiohttp import hdrs
from aiohttp.abc import AbstractStreamWriter
from aiohttp.client_proto import ResponseHandler
from aiohttp.connector import Connection
from aiohttp.http import StreamWriter
from aiohttp.typedefs import LooseHeaders
from multidict import CIMultiDict, CIMultiDictProxy
from yarl import URL

from contactsdk.errors import ContactError, SetupError, UnavailableError, UncertainError
from contactsdk.signing import CONTENT_TYPE

_NO_HEADERS: Final = CIMultiDictProxy[str](CIMultiDict())

_AT_ONCE_BYTES: Final = 16_384  # an idle connection takes so much without a wait

# What aiohttp raises before it has a connection: with these, nothing was sent by any session.
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
    can be applied, so `sent` is proof: `True`, on its way; `False`, a request was made of it, and
    it has not been handed over; `None`, no request was made, or by something else than aiohttp,
    such as a mocked session. `start_timeout` is called as soon as it may be written, and
    `before_send` last; where one raises, nothing is sent, and `refused_by` is what the latter
    raised.
    """

    def __init__(
        self,
        content: bytes,
        *,
        start_timeout: Callable[[], object],
        before_send: Callable[[], object] | None = None,
    ) -> None:
        super().__init__(content, content_type=CONTENT_TYPE)
        self.content = content
        self.sent: bool | None = None
        self.refused_by: Exception | None = None
        self._start_timeout = start_timeout
        self._before_send = before_send

    @property
    def size(self) -> int:
        """In bytes; only who makes a request of it asks."""
        if self.sent is None:
            self.sent = False
        return len(self.content)

    def decode(self, encoding: str = "utf-8", errors: str = "strict") -> str:
        """As text."""
        return self.content.decode(encoding, errors)

    async def write(self, writer: AbstractStreamWriter) -> None:
        """Mark it, and hand it over.

        Raises:
            ClientConnectionResetError: The connection is not for it, and nothing was sent.
        """
        self._start_timeout()
        protocol = cast("ResponseHandler", cast("StreamWriter", writer).protocol)
        transport = protocol.transport
        # What came while a connection was idle would be taken for the answer to this.
        if transport is None or transport.is_closing() or protocol.should_close:
            raise _gone()
        if self._before_send is not None:
            try:
                self._before_send()
            except Exception as exc:
                self.refused_by = exc
                raise
        self.sent = True
        await writer.write(self.content)

    def seal(self) -> bool | None:
        """`sent`, for good: from here on it is handed to nobody."""
        self._start_timeout = _refuse
        return self.sent


def _refuse() -> None:
    raise _gone()


def _gone() -> aiohttp.ClientConnectionResetError:
    return aiohttp.ClientConnectionResetError(None, "the connection was gone")


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
    sent = None if body is None else body.seal()
    what = "timed out" if expired else getattr(exc, "strerror", None) or type(exc).__name__
    if isinstance(exc, aiohttp.ClientConnectorError):
        what = f"{exc.host}: {what}"
    match exc:
        case aiohttp.ClientConnectorCertificateError() | aiohttp.ServerFingerprintMismatch():
            return SetupError(f"the platform's certificate is not accepted: {what}")
        case aiohttp.ClientHttpProxyError() if exc.status < 500:
            return SetupError(f"the proxy refused to connect: HTTP {exc.status}")
    if sent is False or (sent is None and (expired or isinstance(exc, _WHILE_CONNECTING))):
        return UnavailableError(f"never sent: {what}")
    return UncertainError(f"sent, but no answer came: {what}")
