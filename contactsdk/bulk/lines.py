"""Order where it matters: of contacts with the same key, one at a time, in input order."""

import asyncio
from collections import deque
from collections.abc import Hashable
from typing import Generic, TypeVar

_T = TypeVar("_T")


class Lines(Generic[_T]):
    """A line for each key in flight: its head is being sent, the others wait behind it.

    `room` bounds how many wait in all lines together, if all who joined behind another wait for it:
    one long run of equal keys in the input is read ahead that far, to find others to send
    meanwhile, and by one more for each who reads.
    """

    def __init__(self, room: int) -> None:
        # Most keys come once, so their lines are made only for a second.
        self._lines: dict[Hashable, deque[_T] | None] = {}
        self._left = room
        self._someone_left = asyncio.Event()

    async def room(self) -> None:
        """Wait until one more could wait in line."""
        # All who wait are woken for a single place, and only the first finds it.
        while self._left <= 0:
            self._someone_left.clear()
            await self._someone_left.wait()

    def join(self, key: Hashable, item: _T) -> bool:
        """Whether this item is the head of its line; if not, it waits for `leave` to name it."""
        if key not in self._lines:
            self._lines[key] = None
            return True
        line = self._lines[key]
        if line is None:
            line = self._lines[key] = deque()
        line.append(item)
        self._left -= 1
        return False

    def leave(self, key: Hashable) -> _T | None:
        """The head has been dealt with: the item that is the head now, `None` for no more."""
        line = self._lines.pop(key)
        if not line:
            return None
        self._lines[key] = line
        self._left += 1
        self._someone_left.set()
        return line.popleft()
