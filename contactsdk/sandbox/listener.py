"""Listens on a port of this machine for HTTP requests."""

import asyncio
import ssl
from collections.abc import Awaitable, Callable
from contextlib import suppress

from aiohttp import web

# For a client with a request in flight, a stop of the sandbox is a crash. Waiting longer for such
# requests would only make tests slow.
_STOP_S = 0.01

# Turns of the event loop until the HTTP server knows of a connection that was just accepted.
_TURNS_TO_BEGIN = 3


class Listener:
    """Gives requests to `handler`; after a restart, it listens on the same port as before."""

    def __init__(
        self,
        handler: Callable[[web.BaseRequest], Awaitable[web.StreamResponse]],
        *,
        host: str,
        port: int,
        ssl_context: ssl.SSLContext | None,
        keepalive_timeout_s: float,
    ) -> None:
        self._handler = handler
        self._host = host
        self._port = port
        self._ssl_context = ssl_context
        self._keepalive_timeout_s = keepalive_timeout_s
        self._http: web.Server | None = None
        self._server: asyncio.Server | None = None

    @property
    def url(self) -> str:
        """The base URL.

        Raises:
            RuntimeError: The listener was never started.
        """
        if not self._port:
            raise RuntimeError("The sandbox has no address before it is started")
        host = f"[{self._host}]" if ":" in self._host else self._host
        return f"{'https' if self._ssl_context else 'http'}://{host}:{self._port}"

    @property
    def listens(self) -> bool:
        """Whether it is listening now."""
        return self._server is not None

    async def start(self) -> None:
        """Start to listen.

        Raises:
            OSError: The port is taken, or there is no such host.
        """
        # With handler_cancellation, a handler is cancelled at once when its client disconnects.
        http = web.Server(
            self._handler,
            handler_cancellation=True,
            access_log=None,
            keepalive_timeout=self._keepalive_timeout_s,
        )
        self._server = await asyncio.get_running_loop().create_server(
            http, self._host, self._port, ssl=self._ssl_context
        )
        self._http = http
        self._port = self._server.sockets[0].getsockname()[1]

    async def stop(self) -> None:
        """Drop all connections and stop listening."""
        server, self._server = self._server, None
        if server is None or self._http is None:
            return
        await self._accept_no_more(server)
        server.close()
        self._http.pre_shutdown()
        await self._http.shutdown(_STOP_S)

    async def _accept_no_more(self, server: asyncio.Server) -> None:
        # A client that connects while the server is being closed would get a connection that
        # nothing ever closes (https://github.com/python/cpython/issues/109564).
        loop = asyncio.get_running_loop()
        with suppress(NotImplementedError):  # Windows does not support this
            for listening in server.sockets:
                loop.remove_reader(listening)
        for _ in range(_TURNS_TO_BEGIN):
            await asyncio.sleep(0)
