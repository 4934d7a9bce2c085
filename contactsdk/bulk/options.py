"""The options of a bulk run, declared once for all functions that take them."""

from typing import Final, TypedDict

from attrs import frozen

from contactsdk.arguments import check_count, check_positive, check_seconds
from contactsdk.bulk.progress import OnProgress
from contactsdk.bulk.turns import SharedRate
from contactsdk.journal import RunJournal
from contactsdk.retry import RetryPolicy
from contactsdk.wire import MAX_JOBS

DEFAULT_CONCURRENCY: Final = 32
DEFAULT_BATCHES: Final = 4
DEFAULT_GIVE_UP_S: Final = 300.0


class BulkOptions(TypedDict, total=False):
    """The options of `ContactClient.stream` and `add_or_update_many`; none is required."""

    concurrency: int | None
    """The largest number of requests in flight: of contacts, or with `batch_size` of batches.
    `None` means 32 contacts or 4 batches, or fewer if the client has fewer connections."""
    batch_size: int | None
    """The largest number of contacts in one request, from 1 to 200; `None` sends each contact in
    its own request."""
    rate_per_s: float | SharedRate | None
    """The largest number of requests a second. On average it is exact; within any one second it is
    rounded up (0.5 to 1). A number is a ceiling for this run; a `PostgresRate` is a ceiling for all
    processes that share it; `None` means no ceiling."""
    give_up_s: float
    """For how many seconds the platform may let nothing through before the run stops. The run also
    stops if the platform asks for a longer wait than this. 300 by default; `None` is refused."""
    retry: RetryPolicy | None
    """How often each contact is tried, and how long a retry waits; `None` uses the client's policy.
    """
    journal: RunJournal | None
    """The journal that records the run, so that it can continue after the process has died; `None`
    for no journal."""
    on_progress: OnProgress | None
    """Called with a `Progress`, at most ten times a second and once at the end; `None` for no
    calls."""


@frozen(kw_only=True)
class RunOptions:
    """The checked options of a run; `BulkOptions` describes them.

    Raises:
        ValueError: A number is out of its range.
    """

    policy: RetryPolicy
    concurrency: int
    batch_size: int | None = None
    rate_per_s: float | None = None
    give_up_s: float = DEFAULT_GIVE_UP_S
    on_progress: OnProgress | None = None

    def __attrs_post_init__(self) -> None:
        check_count("concurrency", self.concurrency)
        if self.batch_size is not None:
            check_count("batch_size", self.batch_size, MAX_JOBS)
        check_seconds("give_up_s", self.give_up_s)
        if self.rate_per_s is not None:
            check_positive("rate_per_s", self.rate_per_s)

    @property
    def most_in_flight(self) -> int:
        """The largest number of contacts in flight: all contacts of all batches."""
        return self.concurrency * (self.batch_size or 1)
