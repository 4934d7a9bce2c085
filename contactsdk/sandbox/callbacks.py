"""Posts the results of a batch to the callback address that its client named."""

import asyncio
from typing import Any

import aiohttp
import orjson

from contactsdk.sandbox.batches import Batch
from contactsdk.sandbox.guesses import Guesses
from contactsdk.sandbox.ledger import Callback, Ledger

_TIMEOUT_S = 10.0


class Callbacks:
    """Posts results, and records each attempt in the ledger."""

    def __init__(self, guesses: Guesses, ledger: Ledger) -> None:
        self._guesses = guesses
        self._ledger = ledger
        self._tasks: set[asyncio.Task[Any]] = set()

    def post(self, batch: Batch) -> None:
        """Start to post the results of a completed batch, if it names an address; do not wait."""
        if batch.callback_url is not None:
            body = orjson.dumps(batch.results(self._guesses))
            task = asyncio.create_task(self._post(batch.async_id, batch.callback_url, body))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def stop(self) -> None:
        """Cancel the callbacks that are still being posted."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _post(self, async_id: str, url: str, body: bytes) -> None:
        entry = Callback(async_id=async_id, url=url)
        self._ledger.callbacks.append(entry)
        timeout = aiohttp.ClientTimeout(total=_TIMEOUT_S)
        headers = {"Content-Type": "application/json"}
        try:
            async with (
                aiohttp.ClientSession(timeout=timeout, headers=headers) as session,
                session.post(url, data=body, allow_redirects=False) as response,
            ):
                entry.status = response.status
        except (aiohttp.ClientError, TimeoutError, ValueError):
            entry.failed = True  # not tried again: no page says that the platform does
