"""Which contact of a run is sent next. Pure: the time is an argument, and nothing is awaited."""

import heapq
import itertools
from collections import deque
from collections.abc import Callable, Hashable

from attrs import define

from contactsdk.bulk.outcomes import Outcome
from contactsdk.models import Item
from contactsdk.retry import Delivery
from contactsdk.settling import Search


# Positional arguments are allowed: with keywords, making one per contact takes longer.
@define(eq=False)
class Job:
    """One item of the input on its way to its outcome."""

    index: int
    """Its place in the input, from 0."""
    item: Item
    key: Hashable
    """Contacts with the same key are sent one after another; `None` for what is not sent."""
    delivery: Delivery
    outcome: Outcome | None = None
    """The outcome of an item that is not sent (again), such as an invalid one."""
    ending: Outcome | None = None
    """The outcome that is being put on record; nothing that happens meanwhile changes it."""
    content: bytes = b""
    """The encoded contact, once there was an attempt."""
    began_at: float | None = None
    """When its first attempt began, by the event loop's clock."""
    is_interrupted: bool = False
    """Whether it ends as it does only since the run was stopped."""
    is_inherited: bool = False
    """Whether it is looked for since an older owner of the journal left it in flight."""
    not_before: float | None = None
    """When it may be sent for the first time, by the event loop's clock; `None` for at once."""
    is_intended: bool = False
    """Whether it is on record as sent, or the journal was asked to record that."""
    holds_key: bool = False
    """Whether other contacts with its key wait behind it."""
    earlier_batch: tuple[str, int | None] | None = None
    """The batch with which an earlier run sent it without hearing of it, and its place in it."""
    search: Search | None = None
    """What is known of it from looking for it, once it was uncertain."""

    @property
    def is_looked_for(self) -> bool:
        """Whether it is looked for next, and not sent."""
        return self.search is not None and self.search.is_active

    @property
    def is_listable(self) -> bool:
        """Whether it is looked for next, and a list that others are in too is good enough."""
        return self.search is not None and self.search.is_active and not self.search.needs_filter


class Schedule:
    """A keyed queue, and a heap of contacts that wait for their next attempt.

    A contact holds its key from `claim` until `release`, also while it waits for a retry. Another
    one with the same key waits behind it, so that contacts with the same key are sent one after
    another in input order.

    `on_sooner` is called when a job is put back that is due before all others that wait for a time:
    whoever waits for the next one is to look again.
    """

    def __init__(self, on_sooner: Callable[[], object]) -> None:
        self._on_sooner = on_sooner
        # Most keys come once, so a queue behind a key is made only for the second contact.
        self._behind: dict[Hashable, deque[Job] | None] = {}
        self._ready: deque[Job] = deque()
        self._due: list[tuple[float, int, Job]] = []
        self._order = itertools.count()  # of those that are due at the same time
        self.waiting = 0
        """How many wait behind their key or for a retry."""

    def __len__(self) -> int:
        """How many are ready or waiting."""
        return len(self._ready) + self.waiting

    def claim(self, job: Job) -> bool:
        """Whether the key was free, and is now held by this job; else the job waits behind it."""
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
        """Free the key of a job that has its outcome; the next one behind it is ready then."""
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
        """Have a job taken that holds its key, or needs none."""
        if job.not_before is None:
            self._ready.append(job)
        else:
            self.retry_at(job, job.not_before)

    def retry_at(self, job: Job, time: float) -> None:
        """Have a job taken again at this time; it keeps its key."""
        heapq.heappush(self._due, (time, next(self._order), job))
        self.waiting += 1
        if self._due[0][2] is job:
            self._on_sooner()

    @property
    def has_ready(self) -> bool:
        """Whether a job may be taken that waits for nothing."""
        return bool(self._ready)

    @property
    def next_due(self) -> float | None:
        """When the next retry is due; `None` where none waits."""
        return self._due[0][0] if self._due else None

    def take(self, now: float) -> Job | None:
        """The next job: a retry that is due, else the first that is ready; `None` for none."""
        job = self.take_due(now)
        if job is None and self._ready:
            return self._ready.popleft()
        return job

    def take_due(self, now: float) -> Job | None:
        """The retry that has been due for longest; `None` where none is."""
        if self._due and self._due[0][0] <= now:
            self.waiting -= 1
            return heapq.heappop(self._due)[2]
        return None

    def take_searches(self, now: float) -> list[Job]:
        """All that are due to be looked for and can be found in one list, the longest due first."""
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
        """Forget all that are ready or waiting."""
        self._behind, self._due, self.waiting = {}, [], 0
        self._ready.clear()
