"""The order in which the contacts of a run are sent. Pure: the time is an argument."""

import heapq
import itertools
from collections import deque
from collections.abc import Callable, Hashable

from attrs import define

from contactsdk.bulk.outcomes import Outcome
from contactsdk.models import Item
from contactsdk.retry import Delivery
from contactsdk.settling import Search


# Positional arguments are allowed, since keyword arguments take longer, once per contact.
@define(eq=False)
class Job:
    """The state of one input item on its way to its outcome."""

    index: int
    """The place of the item in the input, from 0."""
    item: Item
    """The contact, or the error of an invalid one."""
    key: Hashable
    """Contacts with the same key are sent one after another; `None` for an item that is not sent.
    """
    delivery: Delivery
    """The attempts so far, and their results."""
    outcome: Outcome | None = None
    """The outcome of an item that is not sent (again), such as an invalid one."""
    ending: Outcome | None = None
    """The outcome that is being recorded; nothing that happens meanwhile changes it, so it counts
    and not `outcome`."""
    content: bytes = b""
    """The encoded contact; empty before the first attempt."""
    began_at: float | None = None
    """When the first attempt began, by the event loop's clock; `None` before that."""
    is_interrupted: bool = False
    """Whether the contact has its error only because the run was stopped."""
    is_inherited: bool = False
    """Whether it is looked up because an earlier owner of the journal left it in flight."""
    not_before: float | None = None
    """The earliest time for its first attempt, by the event loop's clock; `None` for at once."""
    is_intended: bool = False
    """Whether its intent is recorded, or is being recorded: the journal may say "sent"."""
    holds_key: bool = False
    """Whether it holds its key, so that later contacts with the same key wait."""
    earlier_batch: tuple[str, int | None] | None = None
    """The id of the batch with which an earlier run sent it without getting the results, and its
    place in that batch, from 0."""
    search: Search | None = None
    """The search for it on the platform; `None` if it was never uncertain."""

    @property
    def is_looked_for(self) -> bool:
        """Whether its next step is a look-up, and not an attempt."""
        return self.search is not None and self.search.is_active

    @property
    def is_listable(self) -> bool:
        """Whether its next step is a look-up, for which one list for many contacts is enough."""
        return self.search is not None and self.search.is_active and not self.search.needs_filter


class Schedule:
    """A keyed queue, and a heap of contacts that wait for their next attempt.

    A contact holds its key from `claim` until `release`, also while it waits for a retry. Later
    contacts with the same key wait behind it, so contacts with the same key are sent one after
    another in input order.

    `on_retry` is called when a job is scheduled for a time, so that an idle worker looks when that
    is.
    """

    def __init__(self, on_retry: Callable[[], object]) -> None:
        self._on_retry = on_retry
        # Most keys occur once, so a queue is made only for the second contact with a key.
        self._behind: dict[Hashable, deque[Job] | None] = {}
        self.ready: deque[Job] = deque()
        """The jobs that can be taken at once, apart from retries that are due."""
        self._due: list[tuple[float, int, Job]] = []
        self._order = itertools.count()  # keeps jobs that are due at the same time in order
        self.waiting = 0
        """How many jobs wait behind their key or for a retry."""

    def __len__(self) -> int:
        """How many jobs are ready or waiting."""
        return len(self.ready) + self.waiting

    def claim(self, job: Job) -> bool:
        """Take the key of the job if it is free; returns whether it was.

        If it was not, the job waits behind the key.
        """
        key = job.key
        if key not in self._behind:
            self._behind[key] = None
            job.holds_key = True
            return True
        queue = self._behind[key]
        if queue is None:
            queue = self._behind[key] = deque()
        queue.append(job)
        self.waiting += 1
        return False

    def release(self, job: Job) -> None:
        """Free the key of a job that has its outcome; the next job with this key is ready then."""
        if not job.holds_key:
            return
        queue = self._behind.pop(job.key, None)
        if not queue:
            return
        self._behind[job.key] = queue
        self.waiting -= 1
        following = queue.popleft()
        following.holds_key = True
        self.make_ready(following)

    def make_ready(self, job: Job) -> None:
        """Make a job available that holds its key or needs none."""
        if job.not_before is None:
            self.ready.append(job)
        else:
            self.retry_at(job, job.not_before)

    def retry_at(self, job: Job, time: float) -> None:
        """Make a job available again at this time; it keeps its key."""
        heapq.heappush(self._due, (time, next(self._order), job))
        self.waiting += 1
        self._on_retry()

    def has_job(self, now: float) -> bool:
        """Whether there is a job to take."""
        return bool(self.ready) or (bool(self._due) and self._due[0][0] <= now)

    @property
    def next_due(self) -> float | None:
        """When the next retry is due; `None` if none is waiting."""
        return self._due[0][0] if self._due else None

    def take(self, now: float) -> Job | None:
        """The next job: a retry that is due, otherwise the first ready job; `None` if neither."""
        job = self.take_due(now)
        if job is None and self.ready:
            return self.ready.popleft()
        return job

    def take_due(self, now: float) -> Job | None:
        """The retry that has been due for longest; `None` if none is due."""
        if self._due and self._due[0][0] <= now:
            self.waiting -= 1
            return heapq.heappop(self._due)[2]
        return None

    def take_searches(self, now: float) -> list[Job]:
        """All jobs whose look-up is due and can share one list, the longest due first."""
        due = []
        while self._due and self._due[0][0] <= now:
            due.append(heapq.heappop(self._due))
        searches = [job for _, _, job in due if job.is_listable]
        for entry in due:
            if not entry[2].is_listable:
                heapq.heappush(self._due, entry)
        self.waiting -= len(searches)
        return searches

    def clear(self) -> None:
        """Remove all jobs."""
        self._behind, self._due, self.waiting = {}, [], 0
        self.ready.clear()
