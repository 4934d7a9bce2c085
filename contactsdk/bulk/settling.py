"""Settling in a run: an uncertain add goes back to the schedule and is looked up when it is due."""

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
    is_lookup_forbidden,
    judge,
)
from contactsdk.wire import ContactFilter, ContactPage, ListedByEmail, ListedContact

_LIST_TIMEOUT_S: Final = 5.0  # for one attempt to get a page
_ATTEMPTS_PER_PAGE: Final = 2
# If at least this many other contacts are due, one list of all modified contacts is read instead of
# one list for each contact.
_MIN_OTHERS_FOR_ONE_LIST: Final = 2
_LOOK_INTERVAL_STEP_S: Final = 1.0
_PAUSE_AFTER_FAILED_LIST_S: Final = 60.0
_LONG_AGO: Final = datetime.datetime(2000, 1, 1, tzinfo=datetime.UTC)


class ListPage(Protocol):
    """Fetches one page of a list of contacts."""

    def __call__(self, content: bytes, *, deadline: float | None) -> Awaitable[ContactPage]:
        """Make one attempt to fetch the page that `content` asks for.

        `deadline` is a time of the event loop's clock; `None` for no deadline but the client's own
        timeout.

        Raises:
            ContactError: The attempt failed.
        """
        ...


@frozen(kw_only=True)
class SettlingMeans:
    """The objects of a client that its runs use for settling."""

    list_page: ListPage
    """Makes one attempt to fetch a page."""
    keys: KeysInDoubt
    """The keys of all uncertain contacts of the client."""
    platform_now: Callable[[], datetime.datetime]
    """Returns the platform's time, as far as its clock is known."""


@frozen(kw_only=True)
class RunClock:
    """The two clocks of a run, in seconds."""

    clock: Callable[[], float]
    """The clock of the event loop."""
    now: Callable[[], float]
    """The clock of the run, which stands still while the whole run is paused."""


class Ended(NamedTuple):
    """A contact whose search has ended: it was found, or stays uncertain."""

    job: Job
    """The job of the contact."""
    contact_id: int | None
    """The platform's id of the contact that was found; `None` if it was not found."""
    error: UncertainError | None
    """The final error of the contact; `None` if it was found."""


class RunSettler:
    """Looks up the uncertain adds of one run.

    Look-ups are due at whole ticks of the clock, so many of them are due together. Then one list of
    all modified contacts can replace their own lists, if it has fewer pages than there are
    contacts to look up.
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
        """The keys of all uncertain contacts of the client."""
        self.in_flight = 0
        """How many requests for lists are in flight now."""
        self.waiting = 0
        """How many contacts wait for a list that is being read for them and another contact."""
        self.throttled = 0
        """How many requests for lists the platform has throttled."""
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
        """Schedule look-ups for an uncertain add; returns its final error if there will be none.

        `not_before` is the time from which the add cannot be in flight any more, by the event
        loop's clock; `None` means now.
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
        """Look up a contact, perhaps together with others that are due; returns the ended ones."""
        now = self._times.clock()
        others = self._schedule.take_searches(now) if job.is_listable else []
        for due_job in (job, *others):
            assert due_job.search is not None  # noqa: S101  # it is looked for
            due_job.search.begin_look(self._times.now(), planned_delay_s=self._tick_s)
        if self._refusal is not None:
            self._pacer.abandon(turn)
            return self._after_failure([job, *others], self._refusal)
        # One list for all costs at least one page, so it does not pay for a contact alone.
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
        """Look up all contacts in one list; those that it cannot decide are put back."""
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
        # A RuntimeError says that the client was closed.
        if isinstance(error, RuntimeError) or is_lookup_forbidden(error):
            self._refusal = error

    async def _read(self, jobs: list[Job], turn: Turn) -> list[ListedContact]:
        """Read the list for one contact, or one list for several contacts.

        Raises:
            ContactError: The list cannot be read, or has more pages than single look-ups would
                need.
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
        """Fetch a page of a list; a failed request is tried once more.

        Turns are taken from `turns` first, and then from the pacer.
        """
        tries_left = _ATTEMPTS_PER_PAGE
        while (turn := turns.pop() if turns else await self._wait_for_turn()) is not None:
            tries_left -= 1
            try:
                return await self._request(content, turn)
            except ContactError as error:
                if is_lookup_forbidden(error) or not tries_left:
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
        """The id of the contact, if it is found in this list for the second time in a row."""
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
        """Continue the searches after a look-up; returns those that have ended.

        The others are scheduled for another look-up, or their contacts are sent again.
        """
        steps = [self._next(job, contact_id) for job, contact_id in looked_for]
        return [ended for ended in steps if ended is not None]

    def _next(self, job: Job, contact_id: int | None) -> Ended | None:
        search, now = job.search, self._times.now()
        assert search is not None  # noqa: S101  # it was looked for
        if contact_id is not None:
            self.keys.leave(job.key)
            self._ids.record(contact_id)  # so that no other contact is settled with this id
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
        """Schedule the next look-up of a contact, if there is one; returns whether there is."""
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
        # The time since the first attempt is measured by the event loop's clock, since the
        # platform's clock does not stand still while a run is paused.
        began_at, clock = job.began_at, self._times.clock()
        elapsed_s = 0.0 if began_at is None else clock - began_at
        sent_at = self._means.platform_now() - datetime.timedelta(seconds=elapsed_s)
        return Search(
            contact=_contact(job),
            error=error,
            sent_at=_LONG_AGO if job.is_inherited else sent_at,
            needs_filter=job.is_inherited,  # a list of all contacts since then would be long
            began_at=self._times.now(),
            ends_at=ends_at,
            deadline=deadline,
        )


def _needs_filter(job: Job, found: ListedByEmail) -> bool:
    """Whether this list cannot decide about a contact, so that its own filter is needed.

    That is the case if a matching contact is listed without all fields of the filter.
    """
    contact, search = _contact(job), job.search
    assert search is not None  # noqa: S101  # it is looked for
    search.needs_filter = not all(
        wire.shows_all(search.filter, listed)
        for listed in found.like(contact)
        if wire.matches(contact, listed)
    )
    return search.needs_filter


def _contact(job: Job) -> Contact:
    assert isinstance(job.item, Contact)  # noqa: S101  # only contacts are sent
    return job.item
