"""The thread of a store, for steps that wait for a disk or a database."""

import asyncio
from collections.abc import Callable
from concurrent.futures import Executor
from typing import TypeVar

_T = TypeVar("_T")


async def run_in(thread: Executor, step: Callable[..., _T], *values: object) -> _T:
    """Run `step(*values)` in the thread; if this call is cancelled, the step runs nevertheless."""
    running = asyncio.get_running_loop().run_in_executor(thread, step, *values)
    running.add_done_callback(_take_error)
    return await asyncio.shield(running)


def _take_error(running: asyncio.Future[_T]) -> object:
    # If the caller was cancelled, nobody looks at the error, and asyncio would log a complaint.
    return running.cancelled() or running.exception()
