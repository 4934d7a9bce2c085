"""An ASGI app behind uvicorn on a loopback port, in the loop of the test."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import uvicorn
from starlette.applications import Starlette


class Served:
    """A running uvicorn; `url` is where it listens."""

    def __init__(self, app: Starlette, *, stop_s: int | None = None) -> None:
        config = uvicorn.Config(
            app,
            port=0,
            lifespan="on",
            ws="none",
            log_config=None,
            access_log=False,
            timeout_graceful_shutdown=stop_s,
        )
        self._server = uvicorn.Server(config)
        self._task = asyncio.create_task(self._server.serve())

    @property
    def url(self) -> str:
        host, port = self._server.servers[0].sockets[0].getsockname()
        return f"http://{host}:{port}"

    async def start(self) -> None:
        while not self._server.started:
            assert not self._task.done(), "the app did not start"
            await asyncio.sleep(0.001)

    def ask_to_stop(self) -> None:
        """What SIGTERM does."""
        self._server.should_exit = True

    async def stop(self) -> None:
        self.ask_to_stop()
        await self._task


@asynccontextmanager
async def serve(app: Starlette, *, stop_s: int | None = None) -> AsyncIterator[Served]:
    served = Served(app, stop_s=stop_s)
    await served.start()
    try:
        yield served
    finally:
        await served.stop()
