"""A ceiling for the rate of a run that many processes share, as each of them sees it."""

import asyncio
import math
from collections.abc import Callable
from typing import Final, Protocol

from attrs import frozen

from contactsdk.distributed.reserved_turns import ReservedTurns, block_size, spacing_s
from contactsdk.pacing import Pacer

_AHEAD: Final = 0.5  # of the last block, or less, is left when the next one is asked for


@frozen(kw_only=True)
class Reservation:
    """A block of turns that belongs to this process; times are by its event loop's clock."""

    first_at: float
    """When the first of its turns is."""
    paused_until: float
    """Until when the platform asked any process of the account to wait; it may have passed."""


class TurnSource(Protocol):
    """Where the turns of an account come from.

    Each future fails with a `JournalError` where that cannot be reached.
    """

    def reserve(self, count: int, spacing_s: float) -> "asyncio.Future[Reservation]":
        """Reserve so many turns, with so many seconds between each two."""
        ...

    def pause(self, seconds: float) -> "asyncio.Future[None]":
        """Have no turn of any process begin within so many seconds from now."""
        ...


class SharedCap:
    """Lets requests of this process leave by turns that are shared with others.

    Turns are reserved as they are wanted, no more than wait at the time, and ahead of time while
    more wait than there are turns. A pause that the platform asked this process for, its pacer's,
    is shared; one that another process was asked for becomes this pacer's.
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
        self._asking: asyncio.Future[Reservation] | None = None
        self._error: BaseException | None = None
        self._shared_until = -math.inf

    @property
    def thrown_away(self) -> int:
        """How many reserved turns were not used in time."""
        return self._turns.thrown_away

    def acquire_nowait(self) -> bool:
        """Whether one more request may leave at once; it is counted then."""
        return self._turns.take(self._clock())

    async def wait(self, wanted: int) -> None:
        """Wait until one more request may leave, without counting it.

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
            await asyncio.sleep(max(0.0, next_at - now))
        if self._error is not None and not self._turns:
            error, self._error = self._error, None
            raise error

    def share_pause(self) -> None:
        """Have the other processes wait, too, where the platform asked this one to."""
        until = self._pacer.paused_until
        wait_s = until - self._clock()
        if until > self._shared_until and wait_s > 0:
            self._shared_until = until
            self._source.pause(wait_s).add_done_callback(self._note_error)

    def _ask(self, wanted: int) -> "asyncio.Future[Reservation]":
        size = block_size(self._rate_per_s, wanted, self._pacer.rate_per_s)

        def take(asked: "asyncio.Future[Reservation]") -> None:
            self._asking = None
            self._note_error(asked)
            if self._error is None:
                self._take(asked.result(), size)

        self._error = None
        self._asking = self._source.reserve(size, spacing_s(self._rate_per_s))
        self._asking.add_done_callback(take)
        return self._asking

    def _take(self, reservation: Reservation, size: int) -> None:
        self._block = size
        self._turns.add(reservation.first_at, size)
        until = reservation.paused_until
        if until > max(self._clock(), self._pacer.paused_until):
            self._shared_until = until
            self._pacer.pause(until)

    def _note_error(self, asked: "asyncio.Future[Reservation] | asyncio.Future[None]") -> None:
        self._error = asked.exception()
