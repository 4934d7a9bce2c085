"""A port of this machine on which requests are taken in."""

import ssl
from collections.abc import Awaitable, Callable

from aiohttp import web

# What is still in flight when the sandbox stops is a crash to its client; waiting longer than a
# moment for it would only make tests slow.
_STOP_S = 0.01


class Listener:
    """Hands requests to `handler`, on the same port each time that it is started."""

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
        self._runner: web.ServerRunner | None = None

    @property
    def url(self) -> str:
        """The base URL.

        Raises:
            RuntimeError: it was never started.
        """
        if not self._port:
            raise RuntimeError("The sandbox has no address before it is started")
        host = f"[{self._host}]" if ":" in self._host else self._host
        return f"{'https' if self._ssl_context else 'http'}://{host}:{self._port}"

    @property
    def listens(self) -> bool:
        """Whether it is started."""
        return self._runner is not None

    async def start(self) -> None:
        """Listen.

        Raises:
            OSError: the port is taken, or there is no such host.
        """
        # With handler_cancellation a handler learns at once that its client has gone.
        server = web.Server(
            self._handler,
            handler_cancellation=True,
            access_log=None,
            keepalive_timeout=self._keepalive_timeout_s,
        )
        runner = web.ServerRunner(server, shutdown_timeout=_STOP_S)
        await runner.setup()
        site = web.TCPSite(runner, self._host, self._port, ssl_context=self._ssl_context)
        try:
            await site.start()
        except OSError:
            await runner.cleanup()
            raise
        self._runner, self._port = runner, site.port

    async def stop(self) -> None:
        """Drop all connections and stop listening."""
        runner, self._runner = self._runner, None
        if runner:
            await runner.cleanup()
