"""What became of many contacts: one outcome for each, a report on all, progress on the way."""

from collections import Counter
from collections.abc import Mapping

from attrs import frozen

from contactsdk.errors import ContactError, UncertainError
from contactsdk.models import Contact


@frozen  # by position too: one is made for each contact, and by keyword that takes longer
class Outcome:
    """What became of one item of the input.

    `index` is its place in the input, from 0. `contact` is `None` where the input held an error
    instead. `id` is the platform's id, `None` where it failed; then `error` says why, without a
    traceback, which would keep what was sent. `attempts` counts the requests, `elapsed_s` the
    seconds from taking it up to knowing.
    """

    index: int
    contact: Contact | None
    id: int | None
    error: ContactError | None
    attempts: int
    elapsed_s: float

    @property
    def ok(self) -> bool:
        """Whether the contact was added or updated."""
        return self.error is None

    @property
    def message(self) -> str:
        """Why it failed; empty where it did not."""
        return "" if self.error is None else self.error.message

    @property
    def uncertain(self) -> bool:
        """Whether it may or may not have been applied: look before sending it again."""
        return isinstance(self.error, UncertainError)


@frozen(kw_only=True)
class BulkReport:
    """What became of a whole run.

    `outcomes` has one for each item that was read, in input order. `stopped_by` is why the run
    ended before its input did, `None` where it did not: a `SetupError`, or what the input raised.
    """

    outcomes: tuple[Outcome, ...]
    stopped_by: Exception | None
    elapsed_s: float

    @property
    def ids(self) -> tuple[int, ...]:
        """The ids of all that succeeded, in input order."""
        return tuple(outcome.id for outcome in self.outcomes if outcome.id is not None)

    @property
    def failures(self) -> tuple[Outcome, ...]:
        """Those known not to be applied, in input order."""
        return tuple(o for o in self.outcomes if not o.ok and not o.uncertain)

    @property
    def uncertain(self) -> tuple[Outcome, ...]:
        """Those that may or may not have been applied, in input order."""
        return tuple(outcome for outcome in self.outcomes if outcome.uncertain)

    @property
    def messages(self) -> Mapping[str, int]:
        """How often each message of what did not succeed came, most frequent first."""
        counts = Counter(outcome.message for outcome in self.outcomes if not outcome.ok)
        return dict(counts.most_common())

    def __str__(self) -> str:
        lines = [
            f"{len(self.outcomes)} read, {len(self.ids)} succeeded, {len(self.failures)} failed, "
            f"{len(self.uncertain)} uncertain in {self.elapsed_s:.1f} s"
        ]
        if self.stopped_by is not None:
            lines.append(f"stopped: {self.stopped_by}")
        lines += [f"{count:>7} x {message}" for message, count in self.messages.items()]
        return "\n".join(lines)


@frozen(kw_only=True)
class Progress:
    """How far a run has come.

    `read` counts items of the input; of these, `succeeded`, `failed` and `uncertain` are settled,
    and `in_flight` are being sent now. `paused_s` is for how many seconds the whole run has waited
    for the platform; while it grows, the run is paused. `rate_per_s` is how many items a second
    were settled lately, `elapsed_s` the seconds since the start.
    """

    read: int
    succeeded: int
    failed: int
    uncertain: int
    in_flight: int
    paused_s: float
    rate_per_s: float
    elapsed_s: float
