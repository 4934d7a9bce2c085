"""The search for one uncertain contact: when to look, and what is known after each look.

Nothing here waits or sends; the caller hands in the time and the results of each look.
"""

import datetime
import math
from collections.abc import Callable, Iterable
from typing import Final, TypeAlias

from attrs import define, field, frozen

from contactsdk import wire
from contactsdk.errors import AuthenticationError, ContactError, UncertainError, converted
from contactsdk.models import Contact
from contactsdk.wire import ContactFilter, ListedContact

FIRST_WAIT_S: Final = 2.0
"""How long the first look waits, since a write that is slow may still be under way."""
_GROWTH: Final = 1.5
_MOST_WAIT_S: Final = 15.0
_LEAST_WAIT_S: Final = 1.0
_TIMER_TOLERANCE_S: Final = 0.01  # timers may be a little early

# The platform takes a request whose date is up to five minutes from its clock, so our idea of its
# time may be off by as much. An older contact that is listed for it is ruled out by its id.
_MAX_CLOCK_SKEW: Final = datetime.timedelta(seconds=305)

_NOT_ALLOWED: Final = (401, 403)


@frozen
class Found:
    """Exactly one contact may be what became of the one that was sent."""

    contact_id: int
    """The platform's id of that contact."""


@frozen
class Several:
    """More than one contact may be what became of the one that was sent."""

    count: int
    """How many contacts may be it; two or more."""


@frozen
class NotYet:
    """No contact is what became of the one that was sent; it may show up later."""


@frozen
class Ambiguous:
    """One contact may be it, or what became of another uncertain contact of the same name."""


Verdict: TypeAlias = Found | Several | Ambiguous | NotYet


def judge(
    contact: Contact,
    listed: Iterable[ListedContact],
    is_ruled_out: Callable[[int], bool],
    *,
    is_key_shared: bool = False,
) -> Verdict:
    """What a list says of a contact that was sent.

    `is_ruled_out` is asked of each id that matches; `is_key_shared` says that another contact with
    the same key is uncertain.
    """
    ids = {one.id for one in listed if wire.matches(contact, one) and not is_ruled_out(one.id)}
    if len(ids) > 1:
        return Several(len(ids))
    if ids and is_key_shared:
        return Ambiguous()
    return Found(ids.pop()) if ids else NotYet()


def filter_for(contact: Contact, since: datetime.datetime | None) -> ContactFilter:
    """What to ask for, to find a contact that was added at this time or later."""
    if contact.external_id:
        return ContactFilter(external_id=contact.external_id, modified_since=since)
    return ContactFilter(
        first_name=contact.first_name,
        last_name=contact.last_name,
        email=contact.email,
        modified_since=since,
    )


def may_not_look(error: ContactError) -> bool:
    """Whether a failed look-up says that the key may not look contacts up."""
    if error.specific_code == wire.STALE_DATE:
        return False
    is_denied = error.http_status in _NOT_ALLOWED or error.error_code in _NOT_ALLOWED
    return is_denied or isinstance(error, AuthenticationError)


@define(eq=False, kw_only=True)
class Search:
    """What is known of an uncertain contact that is being looked for; times are in seconds.

    A contact is found once two consecutive looks have found it, and no other. A list that lags
    may show another client's contact of the same name before it shows ours.
    """

    contact: Contact
    error: UncertainError
    """How its last attempt ended."""
    sent_at: datetime.datetime
    """When its first attempt began, by the platform's clock as far as that is known."""
    began_at: float
    """When it became uncertain."""
    ends_at: float
    """When the last look is due; a contact that it finds for the first time is looked for again."""
    deadline: float = math.inf
    """When the last look has to be begun even then."""
    is_active: bool = True
    """Whether it is being looked for; otherwise it is being sent again."""
    needs_filter: bool = False
    """Whether only the platform's own filter tells it from others: lists do not show enough."""
    _looks: int = field(default=0, init=False)
    _due: float = field(default=math.inf, init=False)
    _verdict: Verdict | None = field(default=None, init=False)
    _candidate: int | None = field(default=None, init=False)
    _failure: str | None = field(default=None, init=False)

    @property
    def since(self) -> datetime.datetime:
        """Contacts last modified before this time (platform's clock) cannot come from this call."""
        return self.sent_at - _MAX_CLOCK_SKEW

    @property
    def filter(self) -> ContactFilter:
        """The filter for the platform's list in which the contact is looked for."""
        return filter_for(self.contact, self.since)

    def next_look(self, now: float) -> float | None:
        """When to look next; `None` if another look cannot help, or the time is over."""
        if (
            isinstance(self._verdict, Several | Ambiguous)
            or now > self.ends_at - _TIMER_TOLERANCE_S
        ):
            return None
        wait_s = self._first_wait_s
        wait_s = min(_MOST_WAIT_S, wait_s * _GROWTH ** max(0, self._looks - 1))
        due = now + wait_s
        is_near_the_end = self.ends_at - due < min(_LEAST_WAIT_S, wait_s)
        self._due = self.ends_at if is_near_the_end else due
        return self._due

    def begin_look(self, now: float, *, planned_delay_s: float = 0.0) -> None:
        """A look begins; that it begins late, since nothing was free for it, costs no time.

        A delay of up to `planned_delay_s` is not late.
        """
        late_s = max(0.0, now - self._due - planned_delay_s)
        self.ends_at = min(self.ends_at + late_s, self.deadline)
        self._due = now

    @property
    def _first_wait_s(self) -> float:
        # Not more than half of the time, so that a contact can be found twice.
        return min(FIRST_WAIT_S, (self.ends_at - self.began_at) / 2)

    def note(self, verdict: Verdict, now: float) -> int | None:
        """A look had this result; the id if the contact is found with that."""
        self._looks += 1
        self._verdict, self._failure = verdict, None
        before = self._candidate
        self._candidate = verdict.contact_id if isinstance(verdict, Found) else None
        if self._candidate == before:
            return self._candidate
        if self._candidate is not None:
            self.ends_at = min(max(self.ends_at, now + self._first_wait_s), self.deadline)
        return None

    def note_failure(self, failure: Exception) -> None:
        """A look failed, which says nothing about the contact."""
        self._looks += 1
        self._failure = str(failure)  # not the error, which would keep all that the look held

    @property
    def is_unfound(self) -> bool:
        """Whether the last look found nothing."""
        return self._failure is None and isinstance(self._verdict, NotYet)

    def resume(self, error: UncertainError, now: float, ends_at: float) -> None:
        """The contact was sent again, and is uncertain again."""
        self.error, self.began_at, self.ends_at = error, now, ends_at
        self.is_active = True
        self._looks, self._verdict, self._candidate, self._failure = 0, None, None, None

    def final_error(self, now: float) -> UncertainError:
        """The error of the contact if it is not looked for any longer."""
        return converted(self.error, UncertainError, f"{self.error.message}; {self._result(now)}")

    def _result(self, now: float) -> str:
        looked = f"it was looked for on the platform for {max(0.0, now - self.began_at):.0f} s"
        match self._verdict:
            case None if self._failure is not None:
                return f"it could not be looked for on the platform: {self._failure}"
            case None:
                return "there was no time to look for it on the platform"
            case Several(count):
                return f"{looked}, and {count} contacts there may be it"
            case Ambiguous():
                return (
                    f"{looked}, and one contact was found that may be it, or another contact of "
                    "the same first name, last name and email that is uncertain too"
                )
            case Found():
                return f"{looked}, and only the last look found one contact that may be it"
            case _ if self._failure is not None:
                return f"{looked} and not found, and the last look failed: {self._failure}"
            case _:
                return f"{looked} and not found"
