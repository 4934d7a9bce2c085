"""A sandbox in a thread of its own, for what runs an event loop itself or is another process."""

import asyncio
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from contactsdk.sandbox import Sandbox


@contextmanager
def sandbox_in_thread(**options: Any) -> Iterator[Sandbox]:
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    sandbox = Sandbox(**options)
    try:
        asyncio.run_coroutine_threadsafe(sandbox.start(), loop).result(60)
        yield sandbox
    finally:
        asyncio.run_coroutine_threadsafe(sandbox.stop(), loop).result(60)
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()


def environment_of(sandbox: Sandbox) -> dict[str, str]:
    return {
        "CONTACTSDK_URL": sandbox.url,
        "CONTACTSDK_KEY": sandbox.key,
        "CONTACTSDK_SECRET": sandbox.secret,
    }
