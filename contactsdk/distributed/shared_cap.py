"""A ceiling for the rate of a run that many processes share, as each of them sees it."""

import asyncio
from collections.abc import Callable
from typing import Final, Protocol

from contactsdk.distributed.reserved_turns import ReservedTurns, block_size, spacing_s
from contactsdk.pacing import Pacer

_AHEAD: Final = 0.5  # of the last block, or less, is left when the next one is asked for

_LONGEST_WAIT_S: Final = 1.0


class TurnSource(Protocol):
    """Where the turns of an account come from."""

    def reserve(self, count: int, spacing_s: float) -> "asyncio.Future[float]":
        """Reserve so many turns; when the first of them is, by the clock of the event loop.

        The future fails with a `JournalError` where they cannot be had.
        """
        ...


class SharedCap:
    """Lets requests of this process leave by turns that are shared with others.

    Turns are reserved as they are wanted, no more than wait at the time, and ahead of time while
    more wait than there are turns.
    """

    def __init__(
        self, rate_per_s: float, source: TurnSource, pacer: Pacer, *, clock: Callable[[], float]
    ) -> None:
        self._rate_per_s = rate_per_s
        self._source = source
        self._pacer = pacer
        self._clock = clock
        self._turns = ReservedTurns(rate_per_s)
        self._block = 0
        self._asking: asyncio.Future[float] | None = None
        self._error: BaseException | None = None

    @property
    def thrown_away(self) -> int:
        """How many reserved turns were not used in time."""
        return self._turns.thrown_away

    def acquire_nowait(self) -> bool:
        """Whether one more request may leave at once; it is counted then."""
        return self._turns.take(self._clock())

    async def wait(self, wanted: int) -> None:
        """Wait until one more request may leave, or for a second, without counting it.

        `wanted` says how many wait for a turn, this one included.

        Raises:
            JournalError: There are no turns to be had, since the database cannot be reached.
        """
        now = self._clock()
        next_at = self._turns.next_at(now)
        if next_at is None:
            # Not awaited itself: a cancellation of whoever waits is not to reach it.
            await asyncio.wait({self._asking or self._ask(wanted)})
        else:
            at_hand = len(self._turns)
            if self._asking is None and at_hand < wanted and at_hand <= self._block * _AHEAD:
                self._ask(wanted - at_hand)
            # A turn that is far off may be so since all wait, which is then to be noticed.
            await asyncio.sleep(min(max(0.0, next_at - now), _LONGEST_WAIT_S))
        if self._error is not None and not self._turns:
            error, self._error = self._error, None
            raise error

    def _ask(self, wanted: int) -> "asyncio.Future[float]":
        size = block_size(self._rate_per_s, wanted, self._pacer.rate_per_s)

        def take(asked: "asyncio.Future[float]") -> None:
            self._asking = None
            self._error = asked.exception()
            if self._error is None:
                self._block = size
                self._turns.add(asked.result(), size)

        self._error = None
        self._asking = self._source.reserve(size, spacing_s(self._rate_per_s))
        self._asking.add_done_callback(take)
        return self._asking
