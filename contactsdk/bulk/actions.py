"""The requests that a run makes to the platform."""

from collections.abc import Awaitable, Callable, Sequence
from typing import Protocol

from contactsdk import wire
from contactsdk.attempt import Requester


class Send(Protocol):
    """Sends one contact in a request of its own."""

    def __call__(
        self, content: bytes, *, deadline: float | None, before_send: Callable[[], object]
    ) -> Awaitable[int]:
        """Make one attempt to send an encoded contact; returns the id in the answer.

        `deadline` is a time of the event loop's clock; `None` for no deadline but the client's own
        timeout. `before_send` is called right before the contact is handed to a connection.

        Raises:
            ContactError: The attempt failed.
        """
        ...


class BatchActions(Protocol):
    """The platform's actions for batches.

    Each of them makes one request, and raises a `ContactError` if it fails.
    """

    async def run(self, contents: Sequence[bytes], *, before_send: Callable[[], object]) -> str:
        """Submit a batch of encoded contacts; returns the platform's id of the batch."""
        ...

    async def results(self, async_id: str) -> Sequence[wire.JobResult] | None:
        """Fetch the results of a batch, one for each contact, in the order of the batch.

        `None` if the batch is not completed yet.
        """
        ...

    async def progress(self, async_id: str) -> int:
        """Fetch how much of a batch is done, in percent."""
        ...


class RequestedBatchActions:
    """The `BatchActions` of one account, made with its `Requester`."""

    def __init__(self, requester: Requester) -> None:
        self._attempt = requester.attempt
        self._run, self._results, self._progress = (
            requester.url("batch", action) for action in ("run", "results", "progress")
        )

    async def run(self, contents: Sequence[bytes], *, before_send: Callable[[], object]) -> str:
        """Submit a batch of encoded contacts, by `batch?action=run`."""
        body = wire.encode_run(contents)
        return await self._attempt(self._run, body, wire.read_async_id, before_send=before_send)

    async def results(self, async_id: str) -> Sequence[wire.JobResult] | None:
        """Fetch the results of a batch, by `batch?action=results`."""
        return await self._attempt(self._results, wire.encode_async(async_id), wire.read_results)

    async def progress(self, async_id: str) -> int:
        """Fetch the progress of a batch, by `batch?action=progress`."""
        return await self._attempt(self._progress, wire.encode_async(async_id), wire.read_progress)
