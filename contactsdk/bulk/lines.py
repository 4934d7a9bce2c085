"""Order where it matters: of contacts with the same key, one at a time, in input order."""

import asyncio
from collections import deque
from collections.abc import Hashable


class Lines:
    """A line for each key in flight: its head is being sent, the others wait behind it.

    `room` bounds how many wait in all lines together: one long run of equal keys in the input is
    read ahead that far, to find others to send meanwhile, and no further.
    """

    def __init__(self, room: int) -> None:
        self._lines: dict[Hashable, deque[int]] = {}
        self._left = room
        self._someone_left = asyncio.Event()

    @property
    def are_full(self) -> bool:
        """Whether no more could wait in line."""
        return self._left <= 0

    async def room(self) -> None:
        """Wait until one more could wait in line."""
        # All who wait are woken for a single place, and only the first finds it.
        while self.are_full:
            self._someone_left.clear()
            await self._someone_left.wait()

    def join(self, key: Hashable, index: int) -> bool:
        """Whether this item is the head of its line; if not, it waits for `leave` to name it."""
        line = self._lines.get(key)
        if line is None:
            self._lines[key] = deque()
            return True
        line.append(index)
        self._left -= 1
        return False

    def leave(self, key: Hashable) -> int | None:
        """The head has been dealt with: the item that is the head now, `None` for no more."""
        line = self._lines[key]
        if not line:
            del self._lines[key]
            return None
        self._left += 1
        self._someone_left.set()
        return line.popleft()
