"""Steps that run in the thread of a store."""

import asyncio
import gc
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from contactsdk.journal.store_thread import run_in


async def test_result_and_error_of_a_step_are_those_of_the_call() -> None:
    with ThreadPoolExecutor(1) as thread:
        assert await run_in(thread, pow, 2, 5) == 32
        with pytest.raises(ZeroDivisionError):
            await run_in(thread, divmod, 1, 0)


async def test_step_of_a_call_that_is_cancelled_runs_and_its_error_is_no_complaint() -> None:
    complaints: list[dict[str, Any]] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: complaints.append(context))
    may_end, ended = threading.Event(), threading.Event()

    def fail() -> None:
        may_end.wait(10)
        ended.set()
        raise OSError("the disk is full")

    with ThreadPoolExecutor(1) as thread:
        call = asyncio.create_task(run_in(thread, fail))
        await asyncio.sleep(0)
        call.cancel()
        await asyncio.wait([call])
        assert call.cancelled()
        del call  # its traceback holds the future of the step
        may_end.set()
        await run_in(thread, ended.wait)  # the thread executes one step after another
    gc.collect()
    await asyncio.sleep(0)

    assert ended.is_set()
    assert complaints == []
