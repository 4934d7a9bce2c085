"""Takes numbered values in any order, and hands them on in the order of their numbers."""

import heapq
from collections.abc import Callable, Iterator
from typing import Final, Generic, TypeVar

from contactsdk.cli.spool import Spool

_T = TypeVar("_T")

_HELD: Final = 8192


class InOrder(Generic[_T]):
    """Gives each value to `take` once all values with smaller numbers are there, starting at 0.

    Values that wait for an earlier one stay in memory; when more than `held` wait, they go to
    `spool`. One contact that is retried for minutes makes the results of all later contacts wait.
    If the spool cannot be written, the values stay in memory, since no result may be lost.
    """

    def __init__(
        self,
        take: Callable[[_T], None],
        spool: Spool[tuple[int, _T]],
        *,
        held: int = _HELD,
    ) -> None:
        self._take = take
        self._spool = spool
        self._room = held
        self._held: dict[int, _T] = {}
        self._next = 0
        # A heap of (number, value, rest of the part): the first value of each sorted part in the
        # spool. Numbers differ, so the heap never compares values.
        self._parts: list[tuple[int, _T, Iterator[tuple[int, _T]]]] = []

    def __len__(self) -> int:
        """How many values wait in memory."""
        return len(self._held)

    def put(self, number: int, value: _T) -> None:
        """Hand this value on now, or as soon as all earlier ones were handed on."""
        if number == self._next:
            self._hand_on(value)
            self._hand_on_what_follows()
            return
        self._held[number] = value
        if len(self._held) > self._room:
            self._spill()

    def _hand_on(self, value: _T) -> None:
        self._next += 1
        self._take(value)

    def _hand_on_what_follows(self) -> None:
        while True:
            if self._next in self._held:
                self._hand_on(self._held.pop(self._next))
            elif self._parts and self._parts[0][0] == self._next:
                _, value, rest = heapq.heappop(self._parts)
                self._add_part(rest)
                self._hand_on(value)
            else:
                return

    def _spill(self) -> None:
        values = sorted(self._held.items(), key=lambda pair: pair[0])
        try:
            part = self._spool.extend(values)
        except OSError:
            self._room = 2 * len(self._held)  # the next attempt to spill is at twice the size
            return
        self._held = {}
        self._add_part(part)

    def _add_part(self, values: Iterator[tuple[int, _T]]) -> None:
        first = next(values, None)
        if first is not None:
            heapq.heappush(self._parts, (*first, values))
