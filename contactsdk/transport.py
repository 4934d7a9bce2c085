"""aiohttp as this SDK uses it: session, slots, the body that proves, and its errors as ours."""

import asyncio
from collections.abc import Callable, Sequence
from http.cookies import BaseCookie, SimpleCookie
from typing import Final, cast

import aiohttp
from aiohttp.abc import AbstractStreamWriter
from multidict import CIMultiDict, CIMultiDictProxy
from yarl import URL

from contactsdk.errors import ContactError, SetupError, UnavailableError, UncertainError
from contactsdk.signing import CONTENT_TYPE

_NO_HEADERS: Final = CIMultiDictProxy[str](CIMultiDict())

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
    )


class _NoCookies(aiohttp.DummyCookieJar):
    """Makes no new empty jar for each request."""

    def filter_cookies(self, request_url: URL) -> "BaseCookie[str]":
        return _NO_COOKIES


_NO_COOKIES: Final = SimpleCookie()


def connection_limit(connector: aiohttp.BaseConnector | None) -> int | None:
    """How many connections to one host a session's connector makes; `None` for no limit."""
    limits = () if connector is None else (connector.limit, connector.limit_per_host)
    return min((limit for limit in limits if limit), default=None)


class Slots:
    """So many at a time, the others in order: a semaphore that costs nothing while there is room.

    A slot is free, held, or handed to those who wait; one that is handed to a waiter that gives up
    goes to the next.
    """

    def __init__(self, count: int) -> None:
        self._free = count
        self._waiting = 0
        self._handed = asyncio.Semaphore(0)

    def take_at_once(self) -> bool:
        """Whether there was room."""
        if self._free == 0 or self._waiting:
            return False
        self._free -= 1
        return True

    async def take(self) -> None:
        """Wait for one."""
        self._waiting += 1
        try:
            await self._handed.acquire()
        finally:
            self._waiting -= 1

    def give_back(self) -> None:
        """One that was taken."""
        if self._waiting:
            self._handed.release()
        else:
            self._free += 1


class Body(aiohttp.BytesPayload):
    """A request body that knows whether its bytes were handed to an open connection.

    aiohttp holds the headers back until the first bytes of the body, and without its body nothing
    can be applied, so `sent` is proof: `None`, never asked for; `False`, asked for when the
    connection was gone; `True`, on its way. `on_write` is called before; where it raises, nothing
    is sent.
    """

    def __init__(self, value: bytes, *, on_write: Callable[[], object]) -> None:
        super().__init__(value, content_type=CONTENT_TYPE)
        self.sent: bool | None = None
        self._on_write = on_write

    async def write_with_length(
        self, writer: AbstractStreamWriter, content_length: int | None
    ) -> None:
        self._on_write()
        transport = cast("aiohttp.http.StreamWriter", writer).transport
        self.sent = transport is not None and not transport.is_closing()
        await super().write_with_length(writer, content_length)


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
