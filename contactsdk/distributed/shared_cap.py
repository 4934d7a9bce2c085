"""A ceiling for the rate of requests that many processes share; one process's part of it."""

import asyncio
from collections.abc import Callable
from typing import Final, Protocol

from contactsdk.distributed.reserved_turns import ReservedTurns, block_size, spacing_s
from contactsdk.pacing import Pacer

# The next block is reserved when this share of the last one, or less, is left.
_AHEAD: Final = 0.5

_LONGEST_WAIT_S: Final = 1.0


class TurnSource(Protocol):
    """Hands out the turns of an account."""

    def reserve(self, count: int, spacing_s: float) -> "asyncio.Future[float]":
        """Reserve `count` turns that are `spacing_s` apart.

        The result is the time of the first turn, by the clock of the event loop. The future fails
        with a `JournalError` if no turns can be reserved.
        """
        ...


class SharedCap:
    """Paces the requests of this process by turns from a rate that other processes share.

    It reserves no more turns than there are requests waiting. While more requests wait than turns
    are left, it reserves the next block ahead of time.
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
        """How many reserved turns were not used within their tolerance."""
        return self._turns.thrown_away

    def acquire_nowait(self) -> bool:
        """Use a turn for one more request if it may leave at once; returns whether it may."""
        return self._turns.take(self._clock())

    async def wait(self, wanted: int) -> None:
        """Wait until one more request may leave, or for a second; no turn is used.

        `wanted` is the number of requests that wait for a turn, including this one.

        Raises:
            JournalError: No turns can be reserved, since the database cannot be used.
        """
        now = self._clock()
        next_at = self._turns.next_at(now)
        if next_at is None:
            # `asyncio.wait` does not cancel the future if this call is cancelled.
            await asyncio.wait({self._asking or self._ask(wanted)})
        else:
            at_hand = len(self._turns)
            if self._asking is None and at_hand < wanted and at_hand <= self._block * _AHEAD:
                self._ask(wanted - at_hand)
            # A turn may be far away because of a pause: come back, so that the caller sees it.
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
