"""An event loop whose clock stands still while anything happens.

Its time moves on, straight to the next timer, only when no socket has anything to say. So a timeout
strikes what is truly silent and never what a busy machine is slow about, and waiting costs nothing.
"""

import asyncio
import functools
import random
import selectors
from collections.abc import Awaitable, Callable
from typing import Any

# Loopback delivers within the call that sends, but for a kernel that is very busy. What waits
# shorter than this needs no grace: many such waits fit into any timeout.
_GRACE_S = 0.001
_SHORT_S = 0.1


class _Selector(selectors.DefaultSelector):
    now = 1000.0

    def select(self, timeout: float | None = None) -> Any:
        if timeout is None or timeout <= 0:
            return super().select(timeout)
        events = super().select(0 if timeout < _SHORT_S else _GRACE_S)
        if not events:
            self.now += timeout
        return events


class UnhurriedLoop(asyncio.SelectorEventLoop):
    """For what runs in one process: a thread's or another process's work looks like silence."""

    def __init__(self) -> None:
        self._clock = _Selector()
        super().__init__(self._clock)

    def time(self) -> float:
        return self._clock.now


def unhurried(test: Callable[..., Awaitable[None]]) -> Callable[..., None]:
    """Run an async test in such a loop, with the jitter of the waits the same each time."""

    @functools.wraps(test)
    def run(*args: Any, **kwargs: Any) -> None:
        state = random.getstate()
        random.seed(0)
        try:
            with asyncio.Runner(loop_factory=UnhurriedLoop) as runner:
                runner.run(test(*args, **kwargs))  # type: ignore[arg-type]
        finally:
            random.setstate(state)

    return run
