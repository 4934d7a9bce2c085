"""Notices data that arrives on a connection while no answer is expected there.

aiohttp would take such data for the answer to the next request. It does not show them: either it
has not read them from the socket, or it keeps an incomplete head of an answer to itself.
"""

import asyncio
import select
from collections.abc import Callable
from typing import Any, Final

_LOOP_ITERATIONS: Final = 10  # for how many iterations to wait until data is read; a few suffice


class Watch:
    """Stands between a transport and its protocol, and notes whether any data arrived."""

    is_new: bool
    """Whether no answer has been read on the connection so far."""

    something_came: bool
    """Whether data arrived since the last answer; on a new connection, whether any arrived."""

    def __init__(self, transport: asyncio.Transport, protocol: asyncio.Protocol) -> None:
        self.is_new = True
        self.something_came = False
        self._is_lost = False
        self._transport = transport
        self._protocol = protocol
        self._pass_on = protocol.data_received
        self._poll = _poller(transport)

    @classmethod
    def of(cls, transport: asyncio.Transport) -> "Watch":
        """The watch of this connection; made when it is first asked for."""
        protocol = transport.get_protocol()
        if isinstance(protocol, cls):
            return protocol
        watch = cls(transport, protocol)  # type: ignore[arg-type]  # aiohttp's is an asyncio.Protocol
        transport.set_protocol(watch)  # type: ignore[arg-type]  # it passes on a protocol's methods
        return watch

    def answered(self) -> None:
        """Note that the answer was read: data that arrives from now on is not part of an answer."""
        self.is_new = False
        self.something_came = False

    def has_unread(self) -> bool:
        """Whether the socket has unread data, or was closed by the server."""
        return bool(self._poll(0))

    def is_silent(self) -> bool:
        """Whether no data has arrived, read or unread, that could be taken for an answer."""
        return not (self.something_came or self._poll(0) or self._transport.is_closing())

    async def falls_silent(self) -> bool:
        """Wait until unread data is read; returns whether it was harmless, such as a TLS ticket."""
        for _ in range(_LOOP_ITERATIONS):
            if self.something_came or self._transport.is_closing():
                return False
            if not self._poll(0):
                return True
            await asyncio.sleep(0)
        return False

    async def closed(self) -> None:
        """Wait until a connection that is being closed is closed."""
        for _ in range(_LOOP_ITERATIONS):
            if self._is_lost or not self._transport.is_closing():
                return
            await asyncio.sleep(0)

    def data_received(self, data: bytes) -> None:
        """Note that data arrived, and pass it on."""
        self.something_came = True
        self._pass_on(data)

    def connection_lost(self, exc: Exception | None) -> None:
        """Note that the connection was lost, and pass it on."""
        self._is_lost = True
        self._protocol.connection_lost(exc)

    def __getattr__(self, name: str) -> Any:  # everything else is left to the protocol
        return getattr(self._protocol, name)


def _poller(transport: asyncio.Transport) -> Callable[[int], Any]:
    """A function that returns something true if the socket has unread data, or is closed."""
    connection = transport.get_extra_info("socket")
    if connection is None:
        return lambda _: None  # a transport without a socket cannot be asked
    if not hasattr(select, "poll"):  # on Windows
        return lambda _: select.select([connection], [], [], 0)[0]
    poll = select.poll()
    poll.register(connection, select.POLLIN)
    return poll.poll
