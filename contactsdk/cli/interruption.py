"""Stops a command on Ctrl-C, SIGTERM or a closed terminal: gently first, then at once."""

import asyncio
import signal
from collections.abc import Awaitable, Callable
from types import TracebackType
from typing import Any, Final, Self

GRACE_S: Final = 10.0
"""For how many seconds requests in flight may go on after the first signal, by default."""

STOPPING: Final = (
    f"stopping: requests in flight have {GRACE_S:.0f} s to finish; interrupt again to leave at once"
)
"""The message to show at the first signal."""

# Windows has no SIGHUP.
_SIGNALS: Final = tuple(
    signal.Signals[name]
    for name in ("SIGINT", "SIGTERM", "SIGHUP")
    if name in signal.Signals.__members__
)


class Interruption:
    """A context in which SIGINT, SIGTERM and SIGHUP raise nothing, but set `happened`.

    The first signal calls `on_first`; from then on, the work in `guard` has `grace_s` seconds left.
    A second signal ends it at once.
    """

    def __init__(
        self, on_first: Callable[[], None] = lambda: None, *, grace_s: float = GRACE_S
    ) -> None:
        self.happened = False
        self._grace_s = grace_s
        self._on_first = on_first
        self._leave_at: float | None = None
        self._guarded: asyncio.Timeout | None = None
        self._handlers: dict[signal.Signals, Any] = {}

    def __enter__(self) -> Self:
        loop = asyncio.get_running_loop()
        for number in _SIGNALS:
            if number != signal.SIGINT and signal.getsignal(number) is signal.SIG_IGN:
                # `nohup` makes a command ignore SIGHUP, so that it outlives its terminal.
                continue
            # Windows has no loop.add_signal_handler.
            self._handlers[number] = signal.signal(
                number, lambda *_: loop.call_soon_threadsafe(self._on_signal)
            )
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        for number, handler in self._handlers.items():
            signal.signal(number, handler)

    async def guard(self, work: Awaitable[object]) -> None:
        """Await `work`; cancel it `grace_s` after the first signal, or at the second one."""
        try:
            async with asyncio.timeout_at(self._leave_at) as self._guarded:
                await work
        except TimeoutError:
            if self._guarded is None or not self._guarded.expired():
                raise
        finally:
            self._guarded = None

    def _on_signal(self) -> None:
        now = asyncio.get_running_loop().time()
        self._leave_at = now if self.happened else now + self._grace_s
        if self._guarded is not None:
            self._guarded.reschedule(self._leave_at)
        if not self.happened:
            self.happened = True
            self._on_first()
