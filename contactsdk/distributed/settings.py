"""What every worker has to know of a submitted run, as the database keeps it."""

from typing import Any, Self

import attrs
from attrs import Factory, frozen

from contactsdk.arguments import check_count, check_positive, check_seconds
from contactsdk.bulk.options import DEFAULT_GIVE_UP_S, BulkOptions
from contactsdk.retry import RetryPolicy
from contactsdk.wire import MAX_JOBS


@frozen(kw_only=True)
class RunSettings:
    """How a submitted run is to be sent, whichever worker sends it.

    Raises:
        ValueError: A number is out of its range.
    """

    retry: RetryPolicy = Factory(RetryPolicy)
    """How often and how patiently each contact is tried."""
    batch_size: int | None = None
    """How many contacts go in one request, at most; `None` to send each by itself."""
    rate_per_s: float | None = None
    """How many requests may leave in any second, of all workers together; `None` for no cap."""
    give_up_s: float = DEFAULT_GIVE_UP_S
    """For how many seconds a platform that lets nothing through is tried before the run stops."""
    attempt_timeout_s: float = 30.0
    """How long an attempt may take, in seconds: the `timeout_s` of a client that sends."""

    def __attrs_post_init__(self) -> None:
        if self.batch_size is not None:
            check_count("batch_size", self.batch_size, MAX_JOBS)
        if self.rate_per_s is not None:
            check_positive("rate_per_s", self.rate_per_s)
        check_seconds("give_up_s", self.give_up_s)
        check_positive("attempt_timeout_s", self.attempt_timeout_s)

    def to_json(self) -> dict[str, Any]:
        """The settings as plain values."""
        return attrs.asdict(self)

    @classmethod
    def from_json(cls, values: dict[str, Any]) -> Self:
        """The settings that `to_json` wrote; what is not there has its default."""
        return cls(**{**values, "retry": RetryPolicy(**values.get("retry", {}))})

    @property
    def bulk_options(self) -> BulkOptions:
        """The options with which a worker streams a partition.

        Without `rate_per_s`, which all workers keep together.
        """
        return BulkOptions(retry=self.retry, batch_size=self.batch_size, give_up_s=self.give_up_s)
