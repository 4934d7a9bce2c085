"""The options of a bulk run, declared once for all who take or hand them on."""

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
    """How many requests are in flight at a time, at most: contacts, or with `batch_size` batches;
    `None` for 32 contacts, or 4 batches."""
    batch_size: int | None
    """How many contacts go in one request, at most, from 1 to 200; `None` to send each by itself.
    """
    rate_per_s: float | SharedRate | None
    """How many requests may leave in any second, at most: of this run, or with a `PostgresRate` of
    all processes that share it; `None` for no cap."""
    give_up_s: float
    """For how many seconds a platform that lets nothing through is tried, and the longest wait
    that it may ask for, before the run stops; 300 by default."""
    retry: RetryPolicy | None
    """How often and how patiently each contact is tried; `None` for the client's policy."""
    journal: RunJournal | None
    """Where the run is recorded, so that it can go on after the process has died; `None` for no
    record."""
    on_progress: OnProgress | None
    """Is called with a `Progress`, ten times a second at most and once at the end."""


@frozen(kw_only=True)
class RunOptions:
    """What a run is to do, checked.

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
        """How many contacts are in flight at a time, at most."""
        return self.concurrency * (self.batch_size or 1)
