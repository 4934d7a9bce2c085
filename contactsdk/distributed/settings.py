"""The settings of a submitted run, which the database keeps for all workers."""

from typing import Any, Self

import attrs
from attrs import Factory, frozen

from contactsdk.arguments import check_count, check_positive, check_seconds
from contactsdk.bulk.options import DEFAULT_GIVE_UP_S, BulkOptions
from contactsdk.retry import RetryPolicy
from contactsdk.wire import MAX_JOBS


@frozen(kw_only=True)
class RunSettings:
    """The settings with which every worker sends a submitted run.

    Raises:
        ValueError: A number is out of its range.
    """

    retry: RetryPolicy = Factory(RetryPolicy)
    """How often each contact is tried, and how long a retry waits."""
    batch_size: int | None = None
    """The largest number of contacts in one request; `None` sends each contact in its own request.
    """
    rate_per_s: float | None = None
    """How many requests all workers together may send in any second; `None` for no ceiling."""
    give_up_s: float = DEFAULT_GIVE_UP_S
    """For how many seconds the platform may let nothing through before the run stops."""
    attempt_timeout_s: float = 30.0
    """How long one attempt may take, in seconds: the `timeout_s` of the clients that send."""

    def __attrs_post_init__(self) -> None:
        if self.batch_size is not None:
            check_count("batch_size", self.batch_size, MAX_JOBS)
        if self.rate_per_s is not None:
            check_positive("rate_per_s", self.rate_per_s)
        check_seconds("give_up_s", self.give_up_s)
        check_positive("attempt_timeout_s", self.attempt_timeout_s)

    def to_json(self) -> dict[str, Any]:
        """The settings as plain JSON values; `from_json` reads them."""
        return attrs.asdict(self)

    @classmethod
    def from_json(cls, values: dict[str, Any]) -> Self:
        """The settings that `to_json` wrote; a setting that is missing has its default."""
        return cls(**{**values, "retry": RetryPolicy(**values.get("retry", {}))})

    @property
    def bulk_options(self) -> BulkOptions:
        """The options with which a worker streams a partition.

        `rate_per_s` is not among them: it is a ceiling for all workers together.
        """
        return BulkOptions(retry=self.retry, batch_size=self.batch_size, give_up_s=self.give_up_s)
