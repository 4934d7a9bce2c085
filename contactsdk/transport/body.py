"""The body of a request, which knows whether it was sent."""

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
    """A connection on which something came that nobody had asked for, or that was closed."""


class Body(aiohttp.Payload):
    """A request body that knows whether its bytes were handed to an open connection.

    aiohttp holds the headers back until the first bytes of the body, and without its body nothing
    can be applied, so `sent` is proof.

    Args:
        content: Its bytes.
        start_timeout: Called once there is a connection, and again before the bytes are handed
            over; where it raises, they are not.
        before_send: Called last. Where it raises, nothing is sent, and `refused_by` is its error.
        is_one_of_many: More requests are in flight; those that are ready in the same pass of the
            event loop are then written one right after another.
    """

    sent: bool | None
    """`True`, on its way; `False`, a request was made of it, and it has not been handed over;
    `None`, aiohttp has made no request of it."""

    refused_by: Exception | None
    """What `before_send` raised."""

    connection_error: BaseException | None
    """Why the connection could not be used: the error with which the connection was lost, or an
    `UnusableConnectionError`. Nothing was sent, and another connection may do."""

    watch: Watch | None
    """Watches the connection on which the body was to be sent; `None` before there is one."""

    def __init__(
        self,
        content: bytes,
        start_timeout: Callable[[], object],
        before_send: Callable[[], object] | None = None,
        *,
        is_one_of_many: bool = False,
    ) -> None:
        # aiohttp's own __init__ would make these headers anew for each request.
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
        return self  # what mocks sessions may copy what is posted, but no timer

    def decode(self, encoding: str = "utf-8", errors: str = "strict") -> str:
        """The content as text."""
        return self.content.decode(encoding, errors)

    async def connected(self, protocol: ResponseHandler) -> None:
        """Begin the timeout, on a connection that can be used.

        Raises:
            ClientError: It cannot, and nothing was sent.
        """
        transport = protocol.transport
        self.watch = watch = None if transport is None else Watch.of(transport)
        if self._is_one_of_many:
            # To make one request ready, write it, make the next one ready and so on evicts each
            # time what the other step has in the processor's caches; and a server on the same
            # machine that sleeps meanwhile is woken each time, at the cost of the one who writes.
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
            ClientError: The connection cannot be used, and nothing was sent.
        """
        protocol = cast("ResponseHandler", cast("StreamWriter", writer).protocol)
        if self.watch is None:
            await self.connected(protocol)
        else:  # aiohttp may have waited since, and may have been given leave to send the body
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
            await self.watch.closed()  # if it is being closed, then with an error that says why
        self.connection_error = protocol.exception() or _unusable()
        raise self.connection_error

    def seal(self) -> bool | None:
        """Give `sent` for good: from now on the body is handed to no connection."""
        self._start_timeout = _refuse
        return self.sent


def _refuse() -> None:
    raise _unusable()


def _unusable() -> UnusableConnectionError:
    return UnusableConnectionError(None, "the connection was gone")
