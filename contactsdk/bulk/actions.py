"""What a run asks of the platform."""

from collections.abc import Awaitable, Callable, Sequence
from typing import Protocol

from contactsdk import wire
from contactsdk.attempt import Requester


class Send(Protocol):
    """How a run sends one contact by itself."""

    def __call__(
        self, content: bytes, *, deadline: float | None, before_send: Callable[[], object]
    ) -> Awaitable[int]:
        """Make one attempt to send an encoded contact; return the id that was answered.

        Raises:
            ContactError: The attempt failed.
        """
        ...


class BatchActions(Protocol):
    """The platform's actions for batches; each makes one request, and raises a ContactError."""

    async def run(self, contents: Sequence[bytes], *, before_send: Callable[[], object]) -> str:
        """Have a batch of encoded contacts executed; the platform's id of the batch."""
        ...

    async def results(self, async_id: str) -> Sequence[wire.JobResult] | None:
        """What became of each contact of a batch, in order; `None` while it is not completed."""
        ...

    async def progress(self, async_id: str) -> int:
        """How much of a batch is done, in percent."""
        ...


class RequestedBatchActions:
    """The actions by the requests of one account."""

    def __init__(self, requester: Requester) -> None:
        self._attempt = requester.attempt
        self._run, self._results, self._progress = (
            requester.url("batch", action) for action in ("run", "results", "progress")
        )

    async def run(self, contents: Sequence[bytes], *, before_send: Callable[[], object]) -> str:
        """Have a batch of encoded contacts executed, by `batch?action=run`."""
        body = wire.encode_run(contents)
        return await self._attempt(self._run, body, wire.read_async_id, before_send=before_send)

    async def results(self, async_id: str) -> Sequence[wire.JobResult] | None:
        """Fetch the results of a batch, by `batch?action=results`."""
        return await self._attempt(self._results, wire.encode_async(async_id), wire.read_results)

    async def progress(self, async_id: str) -> int:
        """Ask for the progress of a batch, by `batch?action=progress`."""
        return await self._attempt(self._progress, wire.encode_async(async_id), wire.read_progress)
