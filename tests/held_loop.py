"""An event loop whose time is held in the hand, so that no test waits for real."""

import asyncio
import functools
import selectors
from collections.abc import Callable, Coroutine
from typing import Any

_BEGIN = 1000.0


class HeldLoop(asyncio.SelectorEventLoop):
    """Its time stands still while anything runs, and jumps when all wait."""

    def __init__(self) -> None:
        self.now = _BEGIN
        super().__init__(_Jump(self))

    def time(self) -> float:
        return self.now


class _Jump(selectors.DefaultSelector):
    def __init__(self, loop: HeldLoop) -> None:
        super().__init__()
        self._loop = loop

    def select(self, timeout: float | None = None) -> list[Any]:
        if timeout is None:
            raise AssertionError("deadlock: everything waits, and for no timer")
        self._loop.now += max(0.0, timeout)
        if self._loop.now > _BEGIN + 10_000:
            raise AssertionError("endless: hours have passed")
        return super().select(0)


def in_held_time(test: Callable[..., Coroutine[Any, Any, None]]) -> Callable[..., None]:
    """Run an async test in held time; it may leave no task behind."""

    @functools.wraps(test)
    def run(*args: Any, **kwargs: Any) -> None:
        with asyncio.Runner(loop_factory=HeldLoop) as runner:
            runner.run(_leaving_nothing(test(*args, **kwargs)))

    return run


async def _leaving_nothing(test: Coroutine[Any, Any, None]) -> None:
    await test
    assert asyncio.all_tasks() == {asyncio.current_task()}


def now() -> float:
    """Seconds since the test began."""
    return asyncio.get_running_loop().time() - _BEGIN
