"""The input of a run: items, numbered, from an iterable or an async one."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterable, Iterable, Iterator, Mapping
from typing import TypeAlias

from contactsdk.errors import InvalidContactError
from contactsdk.models import Contact

Item: TypeAlias = Contact | InvalidContactError
"""What a bulk run reads: a contact, or what was wrong with one (as `contacts_from` gives)."""


class Input:
    """The input, numbered, read by whichever worker is free; `taken` is read and not settled."""

    def __init__(self, contacts: Iterable[Item] | AsyncIterable[Item]) -> None:
        self._async = contacts if isinstance(contacts, AsyncIterable) else None
        self._sync: Iterator[Item] = iter(())
        if self._async is None:
            if isinstance(contacts, str | Mapping) or not isinstance(contacts, Iterable):
                raise TypeError(f"contacts must be an iterable of Contact, not {_kind(contacts)}")
            self._sync = iter(contacts)
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
        """Read no more; the first reason stays."""
        self.stopped_by = self.stopped_by or reason
        if self._reader is not None:
            self._reader.cancel()

    async def next(self) -> int | None:
        """The number of the next item, which is then in `taken`; `None` when there are no more."""
        if self.stopped_by is not None:
            return None
        if self._async is None:
            return self._read_one()
        self._wanted.release()
        index = await self._inbox.get()
        if index is None:
            self._inbox.put_nowait(None)  # for the next worker
        return index

    def _read_one(self) -> int | None:
        try:
            return self._take(next(self._sync))
        except StopIteration:
            return None
        except Exception as exc:
            self.stop(exc)
            return None

    async def _read_all(self, contacts: AsyncIterable[Item]) -> None:
        # One task reads and closes it: an async generator may hold what belongs to its task.
        iterator = aiter(contacts)
        try:
            while await self._wanted.acquire():
                self._inbox.put_nowait(self._take(await anext(iterator)))
        except StopAsyncIteration:
            pass
        except asyncio.CancelledError as exc:
            reader = asyncio.current_task()
            if reader is None or reader.cancelling():
                raise
            # Not us: the input awaits something of its own that was cancelled.
            reason = RuntimeError("the input was cancelled")
            reason.__cause__ = exc
            self.stop(reason)
        except Exception as exc:
            self.stop(exc)
        finally:
            try:
                if isinstance(iterator, AsyncGenerator):
                    await iterator.aclose()
            finally:
                self._inbox.put_nowait(None)

    def _take(self, item: Item) -> int:
        index = self.count
        if not isinstance(item, Contact | InvalidContactError):
            raise TypeError(f"item {index} must be a Contact, not {_kind(item)}")
        self.count += 1
        self.taken[index] = item
        return index


def _kind(value: object) -> str:
    return f"a {type(value).__name__}"
