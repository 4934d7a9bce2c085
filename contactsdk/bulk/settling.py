"""Settling in a run: contacts that became uncertain go back to the schedule, to be looked for."""

import datetime
import functools
import math
from collections.abc import Awaitable, Callable, Iterable
from typing import Final, NamedTuple, Protocol

from attrs import frozen

from contactsdk import wire
from contactsdk.bulk.schedule import Job, Schedule
from contactsdk.errors import ContactError, RateLimitedError, UnavailableError, UncertainError
from contactsdk.lookups import read_list
from contactsdk.models import Contact
from contactsdk.pacing import Pacer, Turn
from contactsdk.retry import RetryPolicy
from contactsdk.settling import (
    MOST_PAGES,
    AnsweredIds,
    KeysInDoubt,
    Search,
    judge,
    may_not_look,
)
from contactsdk.wire import ContactFilter, ContactPage, ListedByEmail, ListedContact

_LIST_TIMEOUT_S: Final = 5.0  # for one attempt to get a page
_ATTEMPTS_PER_PAGE: Final = 2
# From this many other contacts that are due, one list of all that was modified serves all of them,
# instead of a list for each.
_MIN_OTHERS_FOR_ONE_LIST: Final = 2
_LOOK_INTERVAL_STEP_S: Final = 1.0
_PAUSE_AFTER_FAILED_LIST_S: Final = 60.0
_LONG_AGO: Final = datetime.datetime(2000, 1, 1, tzinfo=datetime.UTC)


class ListPage(Protocol):
    """How a run gets a page of a list of contacts."""

    def __call__(self, content: bytes, *, deadline: float | None) -> Awaitable[ContactPage]:
        """Make one attempt to get the page that `content` asks for.

        Raises:
            ContactError: The attempt failed.
        """
        ...


@frozen(kw_only=True)
class SettlingMeans:
    """What a client lends a run to settle contacts with."""

    list_page: ListPage
    """Makes one attempt to get a page."""
    keys: KeysInDoubt
    """The keys of the client's uncertain contacts."""
    platform_now: Callable[[], datetime.datetime]
    """The platform's time, as far as it is known."""


@frozen(kw_only=True)
class RunClock:
    """The two clocks of a run, in seconds."""

    clock: Callable[[], float]
    """The event loop's."""
    now: Callable[[], float]
    """The run's, which stands still while the whole run is paused."""


class Ended(NamedTuple):
    """A contact that is not looked for any longer: found, or uncertain for good."""

    job: Job
    contact_id: int | None
    error: UncertainError | None


class RunSettler:
    """Looks for the uncertain adds of one run.

    Looks are due at whole ticks of the clock, so that many are due together: one list of all that
    was modified serves them all where it has fewer pages than there are contacts to look for.
    """

    def __init__(
        self,
        means: SettlingMeans,
        policy: RetryPolicy,
        ids: AnsweredIds,
        schedule: Schedule,
        pacer: Pacer,
        *,
        times: RunClock,
        wait_for_turn: Callable[[], Awaitable[Turn | None]],
    ) -> None:
        assert policy.settle_s is not None  # noqa: S101  # made only for a policy that settles
        self.keys = means.keys
        """The keys of uncertain contacts."""
        self.in_flight = 0
        """How many look-ups are open now."""
        self.waiting = 0
        """How many contacts wait for a list that another one is looked for in."""
        self.throttled = 0
        """How many look-ups the platform refused as too many requests."""
        self._means = means
        self._policy = policy
        self._settle_s = policy.settle_s
        self._tick_s = min(_LOOK_INTERVAL_STEP_S, policy.settle_s / 4)
        self._ids = ids
        self._schedule = schedule
        self._pacer = pacer
        self._times = times
        self._wait_for_turn = wait_for_turn
        self._refusal: ContactError | RuntimeError | None = None
        self._lists_again_at = -math.inf

    def begin(
        self, job: Job, error: UncertainError, *, not_before: float | None = None
    ) -> UncertainError | None:
        """Have an uncertain add looked for; its final error if it is not looked for.

        `not_before` is when it cannot be in flight any more, by the event loop's clock.
        """
        now, deadline = self._times.now(), job.delivery.deadline
        deadline = math.inf if deadline is None else deadline
        wait_s = 0.0 if not_before is None else not_before - self._times.clock()
        ends_at = min(now + wait_s + self._settle_s, deadline)
        if job.search is None:
            self.keys.enter(job.key)
            job.search = self._search(job, error, ends_at, deadline)
        else:
            job.search.resume(error, now, ends_at)
        if self._refusal is not None:
            job.search.note_failure(self._refusal)
            return job.search.final_error(now)
        return None if self._schedule_look(job, job.search) else job.search.final_error(now)

    async def look(self, job: Job, turn: Turn) -> list[Ended]:
        """Look for a contact, or for all that are due, and say which of them have ended."""
        now = self._times.clock()
        others = self._schedule.take_searches(now) if job.is_listable else []
        for due_job in (job, *others):
            assert due_job.search is not None  # noqa: S101  # it is looked for
            due_job.search.begin_look(self._times.now(), planned_delay_s=self._tick_s)
        if self._refusal is not None:
            self._pacer.abandon(turn)
            return self._after_failure([job, *others], self._refusal)
        # A list has a page at least.
        if len(others) < _MIN_OTHERS_FOR_ONE_LIST or now < self._lists_again_at:
            self._put_back(others)
            return await self._look_for_one(job, turn)
        self.waiting += len(others)
        try:
            return await self._look_for_all([job, *others], turn)
        finally:
            self.waiting -= len(others)

    async def _look_for_one(self, job: Job, turn: Turn) -> list[Ended]:
        try:
            found = ListedByEmail(await self._read([job], turn))
        except (ContactError, RuntimeError) as error:
            self._note_refusal(error)
            return self._after_failure([job], error)
        return self._next_of([(job, self._judged(job, found))])

    async def _look_for_all(self, jobs: list[Job], turn: Turn) -> list[Ended]:
        """Look for all in one list; those for which it is not good enough are put back."""
        try:
            found = ListedByEmail(await self._read(jobs, turn))
        except (ContactError, RuntimeError) as error:
            self._note_refusal(error)
            if self._refusal is not None:
                return self._after_failure(jobs, self._refusal)
            self._lists_again_at = self._times.clock() + _PAUSE_AFTER_FAILED_LIST_S
            self._put_back(jobs)
            return []
        clear: list[Job] = []
        unclear: list[Job] = []
        for job in jobs:
            (unclear if _needs_filter(job, found) else clear).append(job)
        self._put_back(unclear)
        return self._next_of([(job, self._judged(job, found)) for job in clear])

    def _note_refusal(self, error: ContactError | RuntimeError) -> None:
        # A RuntimeError is that of a client that was closed.
        if isinstance(error, RuntimeError) or may_not_look(error):
            self._refusal = error

    async def _read(self, jobs: list[Job], turn: Turn) -> list[ListedContact]:
        """What the platform lists for one contact, or for several in one list.

        Raises:
            ContactError: It cannot be read, or is longer than asking for each by itself.
            RuntimeError: The client was closed.
        """
        searches = [job.search for job in jobs if job.search is not None]
        if len(searches) == 1:
            wanted, most_pages, most_passes = searches[0].filter, MOST_PAGES, 3
        else:
            since = min(search.since for search in searches)
            wanted, most_pages, most_passes = ContactFilter(modified_since=since), len(jobs) - 1, 2
        turns = [turn]

        def page_at(start: int) -> Awaitable[ContactPage]:
            return self._page(wire.encode_list(wanted, start=start), turns)

        return await read_list(page_at, most_passes=most_passes, most_pages=most_pages)

    async def _page(self, content: bytes, turns: list[Turn]) -> ContactPage:
        """A page of a list, for which a request that fails is made again; `turns` are at hand."""
        tries_left = _ATTEMPTS_PER_PAGE
        while (turn := turns.pop() if turns else await self._wait_for_turn()) is not None:
            tries_left -= 1
            try:
                return await self._request(content, turn)
            except ContactError as error:
                if may_not_look(error) or not tries_left:
                    raise
        raise UnavailableError("the run was stopped")

    async def _request(self, content: bytes, turn: Turn) -> ContactPage:
        self.in_flight += 1
        try:
            page = await self._means.list_page(
                content, deadline=self._times.clock() + _LIST_TIMEOUT_S
            )
        except ContactError as error:
            self.throttled += isinstance(error, RateLimitedError)
            self._pacer.record_result(turn, error)
            raise
        except BaseException:
            self._pacer.abandon(turn)
            raise
        finally:
            self.in_flight -= 1
        self._pacer.record_result(turn, None)
        return page

    def _judged(self, job: Job, found: ListedByEmail) -> int | None:
        """The id of the contact if it is found, given what a list shows."""
        assert job.search is not None  # noqa: S101  # it is looked for
        is_ruled_out = functools.partial(self._ids.rules_out, floor=job.delivery.id_floor)
        is_shared = self.keys.is_shared(job.key)
        contact = job.search.contact
        verdict = judge(contact, found.like(contact), is_ruled_out, is_key_shared=is_shared)
        return job.search.note(verdict, self._times.now())

    def _after_failure(self, jobs: list[Job], failure: Exception) -> list[Ended]:
        for job in jobs:
            assert job.search is not None  # noqa: S101  # it is looked for
            job.search.note_failure(failure)
        return self._next_of((job, None) for job in jobs)

    def _next_of(self, looked_for: Iterable[tuple[Job, int | None]]) -> list[Ended]:
        """The searches that have ended; others go on, or their contacts are sent again."""
        steps = [self._next(job, contact_id) for job, contact_id in looked_for]
        return [ended for ended in steps if ended is not None]

    def _next(self, job: Job, contact_id: int | None) -> Ended | None:
        search, now = job.search, self._times.now()
        assert search is not None  # noqa: S101  # it was looked for
        if contact_id is not None:
            self.keys.leave(job.key)
            self._ids.record(contact_id)  # so that no other contact is settled with it
            return Ended(job, contact_id, None)
        if self._refusal is None and self._schedule_look(job, search):
            return None
        is_resent = self._policy.resend_unfound and search.is_unfound
        if is_resent and job.delivery.may_be_resent(self._policy, now):
            search.is_active = False
            self._put_back([job])
            return None
        return Ended(job, None, search.final_error(now))

    def _schedule_look(self, job: Job, search: Search) -> bool:
        """Whether another look follows."""
        now = self._times.now()
        due = search.next_look(now)
        if due is None:
            return False
        time = self._times.clock() + due - now
        self._schedule.retry_at(job, math.ceil(time / self._tick_s) * self._tick_s)
        return True

    def _put_back(self, jobs: Iterable[Job]) -> None:
        now = self._times.clock()
        for job in jobs:
            self._schedule.retry_at(job, now)

    def _search(self, job: Job, error: UncertainError, ends_at: float, deadline: float) -> Search:
        # By the event loop's clock, since the platform's goes on while a run is paused.
        began_at, clock = job.began_at, self._times.clock()
        elapsed_s = 0.0 if began_at is None else clock - began_at
        sent_at = self._means.platform_now() - datetime.timedelta(seconds=elapsed_s)
        return Search(
            contact=_contact(job),
            error=error,
            sent_at=_LONG_AGO if job.is_inherited else sent_at,
            needs_filter=job.is_inherited,  # a list of all since then would be long
            began_at=self._times.now(),
            ends_at=ends_at,
            deadline=deadline,
        )


def _needs_filter(job: Job, found: ListedByEmail) -> bool:
    """Whether the list does not show whether a contact is the one that its filter would find."""
    contact, search = _contact(job), job.search
    assert search is not None  # noqa: S101  # it is looked for
    search.needs_filter = not all(
        wire.shows_all(search.filter, listed)
        for listed in found.like(contact)
        if wire.matches(contact, listed)
    )
    return search.needs_filter


def _contact(job: Job) -> Contact:
    assert isinstance(job.item, Contact)  # noqa: S101  # others are not sent
    return job.item
