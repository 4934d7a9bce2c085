"""A request body that knows whether it was sent."""

import asyncio
from collections.abc import Callable
from typing import Final, cast

import aiohttp
from aiohttp import hdrs
from aiohttp.abc import AbstractStreamWriter
from aiohttp.client_proto import ResponseHandler
from aiohttp.http import StreamWriter
from multidict import CIMultiDict

from contactsdk.signing import CONTENT_TYPE
from contactsdk.transport.watch import Watch

_HEADERS: Final = CIMultiDict({hdrs.CONTENT_TYPE: CONTENT_TYPE})


class UnusableConnectionError(aiohttp.ClientConnectionResetError):
    """The connection received something unexpected while it was idle, or was closed."""


class Body(aiohttp.Payload):
    """A request body that knows whether its bytes were handed to an open connection.

    aiohttp holds the headers back until the first bytes of the body, and without the body nothing
    can be applied. So if `sent` is false, the contact was certainly not applied.

    Args:
        content: The bytes of the body.
        start_timeout: Called when there is a connection, and again before the bytes are handed
            over. If it raises, the bytes are not handed over.
        before_send: Called last. If it raises, nothing is sent, and `refused_by` is its error.
        is_one_of_many: Whether more requests are in flight. Those that are ready in the same
            iteration of the event loop are then written right after one another.
    """

    sent: bool | None
    """`True` if the bytes were handed to a connection; `False` if aiohttp has made a request with
    this body, but has not handed it over; `None` if aiohttp has not made a request with it."""

    refused_by: Exception | None
    """The exception that `before_send` raised; `None` if it raised none."""

    connection_error: BaseException | None
    """Why the connection could not be used: the error with which the connection was lost, or an
    `UnusableConnectionError`. Nothing was sent, and another connection may work. `None` if the
    connection could be used."""

    watch: Watch | None
    """The watch of the connection for this body; `None` before there is a connection."""

    def __init__(
        self,
        content: bytes,
        start_timeout: Callable[[], object],
        before_send: Callable[[], object] | None = None,
        *,
        is_one_of_many: bool = False,
    ) -> None:
        # aiohttp's own __init__ is not called: it would make these headers anew for each request.
        self._headers = _HEADERS
        self.content = content
        self.sent = None
        self.refused_by = None
        self.connection_error = None
        self.watch = None
        self._start_timeout = start_timeout
        self._before_send = before_send
        self._is_one_of_many = is_one_of_many

    @property
    def size(self) -> int:
        """The size in bytes. aiohttp asks for it when it makes a request of this body."""
        if self.sent is None:
            self.sent = False
        return len(self.content)

    def __deepcopy__(self, memo: object) -> "Body":
        return self  # a mock of the session may copy a body; the timer in it cannot be copied

    def decode(self, encoding: str = "utf-8", errors: str = "strict") -> str:
        """The content as text."""
        return self.content.decode(encoding, errors)

    async def connected(self, protocol: ResponseHandler) -> None:
        """Check that the connection can be used, and start the timeout.

        Raises:
            ClientError: The connection cannot be used; nothing was sent.
        """
        transport = protocol.transport
        self.watch = watch = None if transport is None else Watch.of(transport)
        if self._is_one_of_many:
            # First all requests are prepared, then all are written. Preparing and writing them in
            # turn would empty the processor's caches each time, and would wake a server on the same
            # machine for each request, which costs the writer time.
            await asyncio.sleep(0)
        if (
            watch is None
            or not (watch.is_silent() or await watch.falls_silent())
            or protocol.should_close
        ):
            await self._refuse(protocol)
        self._start_timeout()

    async def write(self, writer: AbstractStreamWriter) -> None:
        """Mark the body as sent, and hand its bytes to the connection.

        Raises:
            ClientError: The connection cannot be used; nothing was sent.
        """
        protocol = cast("ResponseHandler", cast("StreamWriter", writer).protocol)
        if self.watch is None:
            await self.connected(protocol)
        else:  # aiohttp may have waited since `connected`, for example for "100 Continue"
            if (
                (self.watch.has_unread() and not await self.watch.falls_silent())
                or not protocol.is_connected()
                or protocol.should_close
            ):
                await self._refuse(protocol)
            self._start_timeout()
        if self._before_send is not None:
            try:
                self._before_send()
            except Exception as exc:
                self.refused_by = exc
                raise
        self.sent = True
        await writer.write(self.content)

    async def _refuse(self, protocol: ResponseHandler) -> None:
        """Raise the error that says why the connection cannot be used."""
        if self.watch is not None:
            await self.watch.closed()  # if the connection is being closed, its error says why
        self.connection_error = protocol.exception() or _unusable()
        raise self.connection_error

    def seal(self) -> bool | None:
        """Return the final value of `sent`: from now on, the body is not handed to a connection."""
        self._start_timeout = _refuse
        return self.sent


def _refuse() -> None:
    raise _unusable()


def _unusable() -> UnusableConnectionError:
    return UnusableConnectionError(None, "the connection was gone")
