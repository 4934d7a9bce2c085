"""Tests that run in asyncio's own event loop and in uvloop's."""

import asyncio
import functools
import inspect
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
import uvloop


def in_each_loop(test: Callable[..., Awaitable[None]]) -> Callable[..., None]:
    """Run an async test once in each; it takes only such fixtures as are not async."""

    @functools.wraps(test)
    def run(
        *instance: object, new_loop: Callable[[], asyncio.AbstractEventLoop], **fixtures: Any
    ) -> None:
        with asyncio.Runner(loop_factory=new_loop) as runner:
            runner.run(test(*instance, **fixtures))  # type: ignore[arg-type]  # it is a coroutine

    signature = inspect.signature(test)
    new_loop = inspect.Parameter("new_loop", inspect.Parameter.KEYWORD_ONLY)
    run.__signature__ = signature.replace(  # type: ignore[attr-defined]
        parameters=[*signature.parameters.values(), new_loop]
    )
    loops = [asyncio.new_event_loop, uvloop.new_event_loop]
    parametrized: Callable[..., None] = pytest.mark.parametrize(
        "new_loop", loops, ids=["asyncio", "uvloop"]
    )(run)
    return parametrized


class SkippingLoop(asyncio.SelectorEventLoop):
    """An event loop that can be made late, as by a callback that takes long."""

    _skipped_s = 0.0

    def time(self) -> float:
        return super().time() + self._skipped_s

    def skip(self, seconds: float) -> None:
        """So much time has passed, and the loop has noticed nothing."""
        self._skipped_s += seconds
