"""Group commit: rows that are recorded at the same time are written together."""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import Final, TypeAlias

from contactsdk.errors import JournalError
from contactsdk.journal.store import Store, StoredRow

_logger: Final = logging.getLogger("contactsdk")

OnWritten: TypeAlias = Callable[[int, JournalError | None], object]
"""Called with the number of a row once it was written: with `None`, or the error if it was not."""


class GroupCommit:
    """Writes the rows of a run to its store, in groups. Keep `write_loop` running, then `close`.

    While one group is being written, the next one is collected. Of two rows with the same number
    in one group, only the later one is written.
    """

    def __init__(self, store: Store) -> None:
        self._store = store
        self._group = _Group()
        self._wanted = asyncio.Event()

    def add(self, row: StoredRow, on_written: OnWritten | None = None) -> None:
        """Have a row written with the next group, without waiting for that.

        `on_written` is not called if the run ends first, and `close` writes the row.
        """
        self._group.rows[row.number] = row
        if on_written is not None:
            self._group.on_written[row.number] = on_written
        self._wanted.set()

    def write(self, row: StoredRow) -> Awaitable[None]:
        """Have a row written with the next group; the result is done once it is written.

        Awaiting the result raises a `JournalError` if the row cannot be written.
        """
        written: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.add(row)
        self._group.waiting.append(written)
        return written

    async def write_loop(self) -> None:
        """Write the recorded rows, in groups, until this is cancelled.

        Cancel it when nothing more will be recorded; `close` writes the rows that are left.
        """
        while True:
            if not self._wanted.is_set():
                await self._wait_to_write()
            self._wanted.clear()
            group, self._group = self._group, _Group()
            try:
                await self._store.write(tuple(group.rows.values()))
            except JournalError as error:
                if not (group.waiting or group.on_written):
                    _logger.warning("the journal was not written: %s", error)
                group.end(error)
            except BaseException as exc:
                text = f"{self._store.name}: the run ended while rows were being written"
                unwritten = JournalError(text)
                unwritten.__cause__ = exc
                group.end(unwritten)
                raise
            else:
                group.end(None)

    async def close(self) -> None:
        """Write the rows that are left, and release the journal; an error is only logged."""
        try:
            await self._store.close(tuple(self._group.rows.values()))
        except JournalError as error:
            # These rows then still say "sent", which is safe. Outcomes that were handed out were
            # written before.
            _logger.warning("the last rows of the journal were not written: %s", error)

    async def _wait_to_write(self) -> None:
        """Wait until there are rows to write, or until the lease has to be renewed."""
        every_s = self._store.renew_every_s
        if every_s is None:
            await self._wanted.wait()
            return
        timer = asyncio.get_running_loop().call_later(every_s, self._wanted.set)
        try:
            await self._wanted.wait()
        finally:
            timer.cancel()


class _Group:
    """Rows that are written together, the latest of each number, and who waits for that."""

    # A dictionary of callbacks takes fewer objects than a `functools.partial` for each row. The
    # more objects a group has, the more often the garbage collector starts.

    def __init__(self) -> None:
        self.rows: dict[int, StoredRow] = {}
        self.on_written: dict[int, OnWritten] = {}
        self.waiting: list[asyncio.Future[None]] = []

    def end(self, error: JournalError | None) -> None:
        for written in self.waiting:
            if written.done():
                continue  # the waiting task was cancelled
            if error is None:
                written.set_result(None)
            else:
                written.set_exception(error)
        for number, on_written in self.on_written.items():
            on_written(number, error)
