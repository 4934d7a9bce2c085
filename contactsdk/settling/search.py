"""The search for one uncertain contact: when to look it up, and what each look-up has shown.

Nothing here waits or sends: the caller passes the time and the result of each look-up.
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
"""How long to wait before the first look-up, in seconds: a slow write may still be in progress."""
_SHOWN_IDS: Final = 5
_GROWTH: Final = 1.5
_MOST_WAIT_S: Final = 15.0
_LEAST_WAIT_S: Final = 1.0
_TIMER_TOLERANCE_S: Final = 0.01  # timers may be a little early

# The platform accepts a request whose date is up to five minutes off, so our estimate of its time
# may be off by as much. Older contacts that are listed because of this are ruled out by their ids.
_MAX_CLOCK_SKEW: Final = datetime.timedelta(seconds=305)

_NOT_ALLOWED: Final = (401, 403)


@frozen
class Found:
    """Exactly one listed contact can be the one that was sent."""

    contact_id: int
    """The platform's id of that contact."""


@frozen
class Several:
    """More than one listed contact can be the one that was sent."""

    ids: tuple[int, ...]
    """The ids of the listed contacts that can be the one that was sent; two or more, ascending."""

    def __str__(self) -> str:
        shown = ", ".join(map(str, self.ids[:_SHOWN_IDS]))
        more = len(self.ids) - _SHOWN_IDS
        return f"{len(self.ids)} contacts ({shown}{f' and {more} more' if more > 0 else ''})"


@frozen
class NotYet:
    """No listed contact is the one that was sent; it may be listed later."""


@frozen
class Ambiguous:
    """One listed contact can be the one that was sent, or another uncertain one of the same key."""


Verdict: TypeAlias = Found | Several | Ambiguous | NotYet


def judge(
    contact: Contact,
    listed: Iterable[ListedContact],
    is_ruled_out: Callable[[int], bool],
    *,
    is_key_shared: bool = False,
) -> Verdict:
    """Judge whether one of the listed contacts is the one that was sent.

    `is_ruled_out` is called with the id of each contact that matches. `is_key_shared` says that
    another contact with the same key is uncertain.
    """
    ids = {one.id for one in listed if wire.matches(contact, one) and not is_ruled_out(one.id)}
    if len(ids) > 1:
        return Several(tuple(sorted(ids)))
    if ids and is_key_shared:
        return Ambiguous()
    return Found(ids.pop()) if ids else NotYet()


def filter_for(contact: Contact, since: datetime.datetime | None) -> ContactFilter:
    """The filter that finds a contact that was added at `since` or later; `None`: at any time."""
    if contact.external_id:
        return ContactFilter(external_id=contact.external_id, modified_since=since)
    return ContactFilter(
        first_name=contact.first_name,
        last_name=contact.last_name,
        email=contact.email,
        modified_since=since,
    )


def is_lookup_forbidden(error: ContactError) -> bool:
    """Whether a failed look-up shows that the key is not allowed to look contacts up."""
    if error.specific_code == wire.STALE_DATE:
        return False
    is_denied = error.http_status in _NOT_ALLOWED or error.error_code in _NOT_ALLOWED
    return is_denied or isinstance(error, AuthenticationError)


@define(eq=False, kw_only=True)
class Search:
    """The state of the search for one uncertain contact; times are in seconds.

    A contact counts as found when two consecutive look-ups have found the same contact, and no
    other. One look-up is not enough: a list that lags may show another client's contact of the same
    name before it shows ours.
    """

    contact: Contact
    """The contact that was sent."""
    error: UncertainError
    """The error of its last attempt."""
    sent_at: datetime.datetime
    """When its first attempt began, by the platform's clock, as far as that is known."""
    began_at: float
    """When the contact became uncertain."""
    ends_at: float
    """When the last look-up is due. If that one finds the contact for the first time, another
    look-up follows."""
    deadline: float = math.inf
    """When the very last look-up has to begin at the latest."""
    is_active: bool = True
    """Whether the contact is being looked up; if not, it is being sent again."""
    needs_filter: bool = False
    """Whether the contact needs a list with its own filter, since a list of all modified contacts
    does not show enough to decide about it."""
    _looks: int = field(default=0, init=False)
    _due: float = field(default=math.inf, init=False)
    _verdict: Verdict | None = field(default=None, init=False)
    _candidate: int | None = field(default=None, init=False)
    _failure: str | None = field(default=None, init=False)

    @property
    def since(self) -> datetime.datetime:
        """A contact that was last modified before this time cannot be the one that was sent.

        It is a time of the platform's clock.
        """
        return self.sent_at - _MAX_CLOCK_SKEW

    @property
    def filter(self) -> ContactFilter:
        """The filter of the list in which the contact is looked up."""
        return filter_for(self.contact, self.since)

    def next_look(self, now: float) -> float | None:
        """When the next look-up is due; `None` if it cannot help, or the time is over."""
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
        """Note that a look-up begins; if it had to wait for its turn, the search is prolonged.

        A delay of up to `planned_delay_s` was planned and does not prolong it.
        """
        late_s = max(0.0, now - self._due - planned_delay_s)
        self.ends_at = min(self.ends_at + late_s, self.deadline)
        self._due = now

    @property
    def _first_wait_s(self) -> float:
        # At most half of the time, so that there can be two look-ups.
        return min(FIRST_WAIT_S, (self.ends_at - self.began_at) / 2)

    def note(self, verdict: Verdict, now: float) -> int | None:
        """Note the verdict of a look-up; returns the id if the contact is found now."""
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
        """Note that a look-up failed, which says nothing about the contact."""
        self._looks += 1
        self._failure = str(failure)  # the error itself would keep the look-up's objects alive

    @property
    def is_unfound(self) -> bool:
        """Whether the last look-up succeeded and did not find the contact."""
        return self._failure is None and isinstance(self._verdict, NotYet)

    def resume(self, error: UncertainError, now: float, ends_at: float) -> None:
        """Start again: the contact was sent again and is uncertain again."""
        self.error, self.began_at, self.ends_at = error, now, ends_at
        self.is_active = True
        self._looks, self._verdict, self._candidate, self._failure = 0, None, None, None

    def final_error(self, now: float) -> UncertainError:
        """The error of the contact if the search ends now; it says what the search has shown."""
        return converted(self.error, UncertainError, f"{self.error.message}; {self._result(now)}")

    def _result(self, now: float) -> str:
        looked = f"it was looked up on the platform for {max(0.0, now - self.began_at):.0f} s"
        match self._verdict:
            case None if self._failure is not None:
                return f"it could not be looked up on the platform: {self._failure}"
            case None:
                return "there was no time to look it up on the platform"
            case Several() as several:
                return f"{looked}, and it may be any of {several} there"
            case Ambiguous():
                return (
                    f"{looked}, and one contact was found; that may be this one, or another "
                    "contact of the same first name, last name and email that is uncertain too"
                )
            case Found():
                return f"{looked}, and only the last look-up found one contact that may be it"
            case _ if self._failure is not None:
                return f"{looked} and not found, and the last look-up failed: {self._failure}"
            case _:
                return f"{looked} and not found"
