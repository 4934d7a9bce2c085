"""The input of a run: items, numbered, from an iterable or an async one."""

import asyncio
import contextlib
from collections.abc import (
    AsyncGenerator,
    AsyncIterable,
    AsyncIterator,
    Awaitable,
    Iterable,
    Iterator,
    Mapping,
)

from contactsdk.deadlines import is_being_cancelled
from contactsdk.errors import InvalidContactError
from contactsdk.models import Contact, Item


class Input:
    """The input, numbered, read by whichever worker is free; `taken` is read and not settled.

    An item that `is_at_hand` is had by `read`, that of an async input by `receive`.
    """

    def __init__(self, contacts: Iterable[Item] | AsyncIterable[Item]) -> None:
        self._async = aiter(contacts) if isinstance(contacts, AsyncIterable) else None
        self._sync: Iterator[Item] = iter(())
        if self._async is None:
            if isinstance(contacts, str | Mapping) or not isinstance(contacts, Iterable):
                raise TypeError(f"contacts must be an iterable of Contact, not {_kind(contacts)}")
            self._sync = iter(contacts)
        self.is_at_hand = self._async is None
        self.count = 0
        self._wanted = asyncio.Semaphore(0)
        self._inbox: asyncio.Queue[int | None] = asyncio.Queue()
        self._reader: asyncio.Task[None] | None = None
        self.taken: dict[int, Item] = {}
        self.stopped_by: Exception | None = None

    def start(self, tasks: asyncio.TaskGroup) -> None:
        if self._async is not None:
            self._reader = tasks.create_task(self._read_all(self._async))

    def stop(self, reason: Exception) -> None:
        """Read no more; the first reason stays, and later ones do not disturb the closing."""
        if self.stopped_by is None:
            self.stopped_by = reason
            if self._reader is not None:
                self._reader.cancel()

    def read(self) -> int | None:
        """The number of the next item, which is then in `taken`; `None` when there are no more."""
        if self.stopped_by is not None:
            return None
        try:
            return self._take(next(self._sync))
        except StopIteration:
            return None
        except asyncio.CancelledError as exc:
            # Not us, who wait for nothing here: the input looked at something that was cancelled.
            self.stop(was_cancelled("the input", exc))
        except Exception as exc:
            self.stop(exc)
        return None

    async def receive(self) -> int | None:
        """As `read`, once there is one."""
        if self.stopped_by is not None:
            return None
        self._wanted.release()
        index = await self._inbox.get()
        if index is None:
            self._inbox.put_nowait(None)  # for the next worker
        return index

    async def _read_all(self, iterator: AsyncIterator[Item]) -> None:
        # One task reads and closes it: an async generator may hold what belongs to its task.
        try:
            await self._noting(self._read_from(iterator))
        finally:
            try:
                if isinstance(iterator, AsyncGenerator):
                    await self._noting(iterator.aclose())
            finally:
                self._inbox.put_nowait(None)

    async def _read_from(self, iterator: AsyncIterator[Item]) -> None:
        with contextlib.suppress(StopAsyncIteration):
            while await self._wanted.acquire():
                self._inbox.put_nowait(self._take(await anext(iterator)))

    async def _noting(self, step: Awaitable[None]) -> None:
        # Not `stop`, which would cancel the very task that is still to close the input.
        try:
            await step
        except asyncio.CancelledError as exc:
            if is_being_cancelled():
                raise
            self.stopped_by = self.stopped_by or was_cancelled("the input", exc)
        except Exception as exc:
            self.stopped_by = self.stopped_by or exc

    def _take(self, item: Item) -> int:
        index = self.count
        if not isinstance(item, Contact) and not isinstance(item, InvalidContactError):
            raise TypeError(f"item {index} must be a Contact, not {_kind(item)}")
        self.count = index + 1
        self.taken[index] = item
        return index


def was_cancelled(what: str, cause: asyncio.CancelledError) -> Exception:
    """Says it as an error of the run: a `CancelledError` would be taken for that of a task."""
    error = RuntimeError(f"{what} was cancelled")
    error.__cause__ = cause
    return error


def _kind(value: object) -> str:
    return f"a {type(value).__name__}"
