"""How the rows of an input come into the event loop."""

import asyncio
import contextlib
import threading
from collections.abc import Iterable, Iterator
from typing import Final, Protocol

from contactsdk.files import Row

_AHEAD: Final = 64  # rows read before they are asked for; enough to hide the change of threads


class Feed(Protocol):
    """Rows, one at a time; `exhausted` once there are no more."""

    exhausted: bool

    async def next(self) -> Row | None:
        """The next row; `None` at the end, and where `wake` ended the wait for one.

        Raises:
            FileError: The input cannot be read on.
        """
        ...

    def wake(self) -> None:
        """End the wait of whoever waits for a row."""
        ...


class FileFeed:
    """The rows of a regular file, which keeps nobody waiting."""

    def __init__(self, rows: Iterable[Row]) -> None:
        self.exhausted = False
        self._rows: Iterator[Row] = iter(rows)

    async def next(self) -> Row | None:
        row = next(self._rows, None)
        self.exhausted = row is None
        return row

    def wake(self) -> None:
        pass


class PipeFeed:
    """The rows of a pipe, read by a thread: a silent one must hold up neither answers nor Ctrl-C.

    A read that waits cannot be interrupted, so the thread is a daemon: nobody waits for its end.
    """

    def __init__(self, rows: Iterable[Row]) -> None:
        self.exhausted = False
        self._loop = asyncio.get_running_loop()
        self._room = threading.Semaphore(_AHEAD)
        self._ready: asyncio.Queue[Row | Exception | None] = asyncio.Queue()
        threading.Thread(target=self._read, args=(rows,), daemon=True).start()

    async def next(self) -> Row | None:
        match await self._ready.get():
            case Row() as row:
                self._room.release()
                return row
            case Exception() as end:
                self.exhausted = True
                if not isinstance(end, EOFError):
                    raise end
        return None

    def wake(self) -> None:
        self._ready.put_nowait(None)

    def _read(self, rows: Iterable[Row]) -> None:
        # A RuntimeError: the loop was closed meanwhile, and nobody wants to know.
        with contextlib.suppress(RuntimeError):
            try:
                for row in rows:
                    self._room.acquire()
                    self._hand_over(row)
                self._hand_over(EOFError())
            except (ValueError, OSError) as exc:
                self._hand_over(exc)

    def _hand_over(self, what: Row | Exception) -> None:
        self._loop.call_soon_threadsafe(self._ready.put_nowait, what)
