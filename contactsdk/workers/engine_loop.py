"""The engine's loop in one worker: it does one job after another, and sweeps meanwhile.

If the engine ends with an error, it is started again. That happens when the database was away, and
when this process was paused for so long that other workers took it for dead.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import Any, Final

import psycopg
from procrastinate import App
from procrastinate.exceptions import ConnectorException
from procrastinate.worker import Worker

from contactsdk.distributed.engine import Drain, engine_app
from contactsdk.errors import JournalError
from contactsdk.journal.postgres_connection import Database, journal_error
from contactsdk.workers.sweep import HEARTBEAT_S, STALLED_S, finish_stalled_jobs

_logger: Final = logging.getLogger("contactsdk")

_RESTART_AFTER_S: Final = 1.0
_KEEP_FAILED_JOBS_H: Final = 7 * 24


def pass_over_lost_jobs(loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
    """Ignore the error of a job that another worker has finished.

    Use it with `loop.set_exception_handler`: the engine lets such an error reach the event loop,
    which would print a traceback.
    """
    if not isinstance(context.get("exception"), ConnectorException):
        loop.default_exception_handler(context)


class EngineLoop:
    """Calls `drain` for each job of a queue, one after another, and `sweep` every few seconds.

    `on_restart` is called with the reason when the engine has ended and is started again.
    """

    def __init__(
        self,
        database: Database,
        queue: str,
        drain: Drain,
        sweep: Callable[[], Awaitable[object]],
        *,
        sweep_every_s: float,
        on_restart: Callable[[str], object],
        sleep: Callable[[float], Awaitable[object]] = asyncio.sleep,
    ) -> None:
        self._database = database
        self._queue = queue
        self._drain = drain
        self._sweep = sweep
        self._sweep_every_s = sweep_every_s
        self._on_restart = on_restart
        self._sleep = sleep
        self._job: asyncio.Task[None] | None = None
        self._worker: Worker | None = None
        self._stopping = asyncio.Event()

    async def run(self) -> None:
        """Do jobs until `stop` is called.

        If this call is cancelled, the present job is cancelled too.
        """
        while not self._stopping.is_set():
            engine = asyncio.create_task(self._run_engine())
            try:
                await asyncio.wait((engine,))
            except asyncio.CancelledError:
                if self._job is not None:
                    self._job.cancel()
                self.stop()
                await asyncio.wait((engine,))
                raise
            if not self._stopping.is_set():
                self._on_restart(self._reason_of(engine.exception()))
                await self._sleep(_RESTART_AFTER_S)

    def stop(self) -> None:
        """Start no other job; `run` returns when the present one has ended."""
        self._stopping.set()
        if self._worker is not None:
            self._worker.stop()  # type: ignore[no-untyped-call]  # it has no annotations

    async def _run_engine(self) -> None:
        app = engine_app(self._database, self._do)
        try:
            if not await self._is_open(app):
                return
            await app.job_manager.delete_old_jobs(
                _KEEP_FAILED_JOBS_H, self._queue, include_failed=True, include_aborted=True
            )
            async with asyncio.TaskGroup() as tasks:
                sweeping = tasks.create_task(self._sweep_regularly(app))
                await self._run_worker(app)
                sweeping.cancel()
        finally:
            await app.close_async()

    async def _is_open(self, app: App) -> bool:
        """Open the engine; returns false if `stop` is called before the database answers."""
        opening = asyncio.ensure_future(app.connector.open_async())
        stopping = asyncio.create_task(self._stopping.wait())
        await asyncio.wait((opening, stopping), return_when=asyncio.FIRST_COMPLETED)
        for task in (opening, stopping):
            task.cancel()
        await asyncio.wait((opening, stopping))
        if opening.cancelled():
            return False
        opening.result()  # or its error
        return True

    async def _run_worker(self, app: App) -> None:
        # The engine is stopped by its own method and not cancelled: up to Python 3.11, a
        # cancellation at the moment when a connection is handed out is lost.
        self._worker = Worker(
            app,
            queues=[self._queue],
            delete_jobs="successful",
            install_signal_handlers=False,
            update_heartbeat_interval=HEARTBEAT_S,
            stalled_worker_timeout=STALLED_S,
        )
        try:
            if not self._stopping.is_set():
                await self._worker.run()  # type: ignore[no-untyped-call]  # as above
        finally:
            self._worker = None

    async def _do(self, run: str, part: int) -> None:
        self._job = asyncio.current_task()
        try:
            await self._drain(run, part)
        finally:
            self._job = None

    async def _sweep_regularly(self, app: App) -> None:
        while self._worker is not None and not self._stopping.is_set():
            try:
                await finish_stalled_jobs(app, self._queue)
                await self._sweep()
            except (JournalError, ConnectorException) as error:
                _logger.info("the sweep for idle partitions failed: %s", error)
            except Exception:
                _logger.exception("the sweep for idle partitions failed")
            await asyncio.sleep(self._sweep_every_s)

    def _reason_of(self, exc: BaseException | None) -> str:
        """Why the engine ended; the database's details are left out, since they may show values."""
        while isinstance(exc, BaseExceptionGroup | ConnectorException):
            exc = exc.exceptions[0] if isinstance(exc, BaseExceptionGroup) else exc.__cause__
        if isinstance(exc, psycopg.Error):
            return str(journal_error(self._database.name, exc))
        return "its connection broke" if exc is None else f"{type(exc).__name__}: {exc}"
