"""The input of a run, read in order from an iterable or an async iterable."""

import asyncio
from collections.abc import (
    AsyncGenerator,
    AsyncIterable,
    AsyncIterator,
    Awaitable,
    Iterable,
    Iterator,
    Mapping,
)
from typing import TypeVar

from contactsdk.deadlines import is_being_cancelled
from contactsdk.errors import InvalidContactError
from contactsdk.models import Contact, Item

_T = TypeVar("_T")


class Reader:
    """Reads items one by one until the input ends or raises; then `is_finished` is true.

    An async input must be read and closed by the same task, since an async generator may hold
    objects that belong to its task, such as a timeout.

    Raises:
        TypeError: `contacts` is not an iterable of contacts.
    """

    def __init__(self, contacts: Iterable[Item] | AsyncIterable[Item]) -> None:
        self._async: AsyncIterator[Item] | None = None
        self._sync: Iterator[Item] = iter(())
        if isinstance(contacts, AsyncIterable):
            self._async = aiter(contacts)
        elif isinstance(contacts, str | Mapping) or not isinstance(contacts, Iterable):
            raise TypeError(f"contacts must be an iterable of Contact, not {_kind(contacts)}")
        else:
            self._sync = iter(contacts)
        self.is_async = self._async is not None
        """Whether the input is asynchronous."""
        self.count = 0
        """How many items were read."""
        self.is_finished = False
        """Whether nothing more can be read."""
        self.error: BaseException | None = None
        """The exception that the input raised; `None` if it raised none."""

    def read(self) -> Item | None:
        """The next item of a synchronous input; `None` if there are no more."""
        if self.is_finished:
            return None
        try:
            item = next(self._sync)
            if not isinstance(item, Contact):  # saves a call for nearly all items
                self._check(item)
            self.count += 1
            return item
        except StopIteration:
            self.is_finished = True
        except BaseException as exc:  # even after a KeyboardInterrupt, outcomes are handed out
            self._fail(exc)
        return None

    async def receive(self) -> Item | None:
        """The next item of any input; `None` if there are no more."""
        if self._async is None or self.is_finished:
            return self.read()
        try:
            item = await anext(self._async)
            self._check(item)
            self.count += 1
            return item
        except StopAsyncIteration:
            self.is_finished = True
        except asyncio.CancelledError as exc:
            if is_being_cancelled():
                raise
            self._fail(exc)
        except BaseException as exc:
            self._fail(exc)
        return None

    async def aclose(self) -> None:
        """Close the input, if it is an async generator.

        An exception that closing raises becomes `error`, unless there is an earlier one.
        """
        self.is_finished = True
        if isinstance(self._async, AsyncGenerator):
            await self._noting_errors(self._async.aclose())

    async def _noting_errors(self, step: Awaitable[object]) -> None:
        try:
            await step
        except asyncio.CancelledError as exc:
            if is_being_cancelled():
                raise
            self._fail(exc)
        except BaseException as exc:
            self._fail(exc)

    def _check(self, item: Item) -> None:
        if not isinstance(item, Contact) and not isinstance(item, InvalidContactError):
            advice = ": make contacts of mappings with contacts_from(rows)"
            raise TypeError(
                f"item {self.count} must be a Contact, not {_kind(item)}"
                f"{advice if isinstance(item, Mapping) else ''}"
            )

    def _fail(self, error: BaseException) -> None:
        self.is_finished = True
        if self.error is None:
            is_cancelled = isinstance(error, asyncio.CancelledError)
            self.error = was_cancelled("the input", error) if is_cancelled else error


def was_cancelled(what: str, cause: BaseException) -> Exception:
    """The error of a run in which `what` was cancelled, but not the run itself.

    A `CancelledError` must not be raised here: the consumer would take it for the cancellation of
    its own task.
    """
    error = RuntimeError(f"{what} was cancelled")
    error.__cause__ = cause
    return error


def _kind(value: object) -> str:
    return f"a {type(value).__name__}"
