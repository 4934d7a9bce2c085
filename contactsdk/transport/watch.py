"""Sees what comes on a connection while nothing is awaited there.

What lies unread in an idle connection, or was read while it was idle, would be taken for the answer
to what is sent next. Neither shows in aiohttp: it has not looked, or keeps half a head to itself.
"""

import asyncio
import select
from collections.abc import Callable
from typing import Any, Final

_LOOP_ITERATIONS: Final = 10  # in which what lies unread is read; a few would do


class Watch:
    """Sits between a transport and its protocol for the life of the connection, and notes whether
    anything came.
    """

    is_new: bool
    """No answer has been read on the connection so far."""

    something_came: bool
    """Since the last answer, or ever on a new connection."""

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
        """The one of this connection."""
        protocol = transport.get_protocol()
        if isinstance(protocol, cls):
            return protocol
        watch = cls(transport, protocol)  # type: ignore[arg-type]  # aiohttp's is an asyncio.Protocol
        transport.set_protocol(watch)  # type: ignore[arg-type]  # it is one by what it passes on
        return watch

    def answered(self) -> None:
        """The answer to the last request has been read: what comes from now on is not an answer."""
        self.is_new = False
        self.something_came = False

    def has_unread(self) -> bool:
        """Whether the connection holds what nobody has read, be it only its end."""
        return bool(self._poll(0))

    def is_silent(self) -> bool:
        """Whether nothing came, nor lies unread, that could be taken for an answer."""
        return not (self.something_came or self._poll(0) or self._transport.is_closing())

    async def falls_silent(self) -> bool:
        """Whether what lies unread turns out to be nothing, such as a session ticket of TLS."""
        for _ in range(_LOOP_ITERATIONS):
            if self.something_came or self._transport.is_closing():
                return False
            if not self._poll(0):
                return True
            await asyncio.sleep(0)
        return False

    async def closed(self) -> None:
        """Wait for the end of a connection that is being closed."""
        for _ in range(_LOOP_ITERATIONS):
            if self._is_lost or not self._transport.is_closing():
                return
            await asyncio.sleep(0)

    def data_received(self, data: bytes) -> None:
        """Note that something came, and pass it on."""
        self.something_came = True
        self._pass_on(data)

    def connection_lost(self, exc: Exception | None) -> None:
        """Note it, and pass it on."""
        self._is_lost = True
        self._protocol.connection_lost(exc)

    def __getattr__(self, name: str) -> Any:  # all else is the protocol's own business
        return getattr(self._protocol, name)


def _poller(transport: asyncio.Transport) -> Callable[[int], Any]:
    """Gives something true while the connection holds what nobody has read, or is closed."""
    connection = transport.get_extra_info("socket")
    if connection is None:
        return lambda _: None  # a transport of someone's own making; nobody can ask it
    if not hasattr(select, "poll"):  # on Windows
        return lambda _: select.select([connection], [], [], 0)[0]
    poll = select.poll()
    poll.register(connection, select.POLLIN)
    return poll.poll
