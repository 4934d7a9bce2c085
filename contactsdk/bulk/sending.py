"""What each contact of a run goes through: a place, its turn, an attempt, and perhaps again."""

from collections.abc import Awaitable, Callable
from typing import Final, TypeAlias, TypeVar

from contactsdk.errors import ContactError, RateLimitedError, UnavailableError
from contactsdk.journal import JournalRun
from contactsdk.models import Contact
from contactsdk.pacing import LOOK_UP_S, RACES, Pacer
from contactsdk.retry import Call, Resender, RetryPolicy, ended_by
from contactsdk.slots import Slots

Send: TypeAlias = Callable[[Contact, Call], Awaitable[int]]
"""Makes one attempt to send a contact, which returns its id or raises."""

WAITING_PER_PLACE: Final = 4
"""So many contacts may wait for each that is sent: in line behind their key, or standing aside."""

_T = TypeVar("_T")


class Sender:
    """Sends contacts, so many at a time and as fast as the pacer lets them leave.

    A contact that waits for its own next attempt stands aside: it holds no place, and unless many
    do so already, `on_aside` is called, so that another contact is sent meanwhile. `stop` is called
    with the error of a platform that did not answer for too long.
    """

    def __init__(
        self,
        send: Send,
        policy: RetryPolicy,
        pacer: Pacer,
        *,
        places: int,
        patience_s: float,
        on_aside: Callable[[], object],
        stop: Callable[[Exception], object],
        clock: Callable[[], float],
        sleep: Callable[[float], Awaitable[None]],
    ) -> None:
        self.aside = 0
        """How many stand aside."""
        self.journal: JournalRun | None = None
        """Where it is noted that a contact is about to be sent."""
        self._send = send
        self._policy = policy
        self._pacer = pacer
        self._places = Slots(places)
        self._most_aside = WAITING_PER_PLACE * places
        self._patience_s = patience_s
        self._on_aside = on_aside
        self._stop = stop
        self._clock = clock
        self._sleep = sleep
        self._resender = Resender(policy, budget=None, clock=clock)
        self._on_hold = 0

    @property
    def in_flight(self) -> int:
        """How many are being sent."""
        return self._places.taken - self._on_hold

    async def send(self, index: int, contact: Contact, call: Call) -> int:
        """Send it until that succeeds, or must not or may not go on; its id.

        Raises:
            ContactError: What the call ended with.
            NoMoreTurnsError: The run is over.
            JournalError: It cannot be noted that it is being sent, so it was not.
        """
        while True:
            if not self._places.take_at_once():
                await self._wait_for_others(self._places.take(), call)
                if call.attempts == 0:
                    call.started_at = self._clock()
            try:
                left_at = self._pacer.turn_at_once()
                call.left_at = await self._turn(call) if left_at is None else left_at
                if self.journal is not None:
                    await self._intend(self.journal, index, contact, call)
                call.attempts += 1
                try:
                    contact_id = await self._send(contact, call)
                except ContactError as error:
                    if isinstance(error, RateLimitedError | UnavailableError):
                        self.withdraw(index, contact, call)
                    aside_s = self._learn(error, call)
                    wait_s = self._resender.wait_s(error, call)
                    if wait_s is None:
                        raise ended_by(error, call)  # noqa: B904  # mostly this very error
                except BaseException:
                    self._pacer.forget(call.left_at)
                    raise
                else:
                    self._pacer.told(call.left_at, None)
                    return contact_id
            finally:
                self._places.give_back()
            if (wait_s := max(wait_s, aside_s)) > 0:
                await self._stand_aside(wait_s, call)

    async def next_turn(self, call: Call) -> None:
        """Wait for one more turn within an attempt, whose first request was answered."""
        # Else it would wait for itself, where all wait for what becomes of its first request.
        self._pacer.forget(call.left_at)
        call.left_at = await self._turn(call)

    def withdraw(self, index: int, contact: Contact, call: Call) -> None:
        """Note that it was not applied, unless an earlier attempt may have been."""
        if self.journal is not None and not call.in_doubt:
            self.journal.withdraw(index, contact)

    async def _turn(self, call: Call) -> float:
        self._on_hold += 1
        try:
            return await self._wait_for_others(self._pacer.turn(), call)
        finally:
            self._on_hold -= 1

    async def _wait_for_others(self, turn: Awaitable[_T], call: Call) -> _T:
        # What a contact waits for on account of others does not count against it.
        asked_at = self._clock()
        result = await turn
        if call.deadline is not None:
            call.deadline += self._clock() - asked_at
        return result

    async def _intend(self, journal: JournalRun, index: int, contact: Contact, call: Call) -> None:
        # Last: of a run that dies while it waits for the platform nothing is in doubt.
        try:
            await journal.record_intent(index, contact)
        except BaseException:
            self._pacer.forget(call.left_at)
            raise

    def _learn(self, error: ContactError, call: Call) -> float:
        """Tell the pacer; for how many seconds this contact should stand aside, at least."""
        is_asked_to_wait = isinstance(error, RateLimitedError) or error.retry_after_s
        call.throttles = call.throttles + 1 if is_asked_to_wait else 0
        holds_up = self._pacer.told(call.left_at, error, in_a_row=call.throttles)
        if self._pacer.given_up_for is not None:
            self._stop(self._pacer.given_up_for)
        # One contact that is declined while others get through must end some day.
        call.is_held_up = holds_up and call.left_at - call.started_at < self._patience_s
        if not call.is_held_up or call.throttles <= RACES:
            return 0.0
        # It may be this contact alone: the others need not wait behind it.
        return max(error.retry_after_s or 0.0, self._policy.backoff_s(call.throttles - RACES))

    async def _stand_aside(self, wait_s: float, call: Call) -> None:
        began_at = self._clock()
        self.aside += 1
        if self.aside <= self._most_aside:
            self._on_aside()
        try:
            until = began_at + wait_s
            while not self._pacer.is_over and (left_s := until - self._clock()) > 0:
                await self._sleep(min(left_s, LOOK_UP_S))
        finally:
            self.aside -= 1
        if call.deadline is not None:
            own_s = 0.0 if call.is_held_up else wait_s
            call.deadline += self._clock() - began_at - own_s
