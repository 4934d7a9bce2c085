"""What became of many contacts: one outcome for each, and a report on all."""

from collections import Counter
from collections.abc import Mapping

from attrs import frozen

from contactsdk.errors import ContactError, UncertainError, explanation
from contactsdk.models import Contact


# Positional arguments are allowed: with keywords, making one per contact takes longer.
@frozen
class Outcome:
    """What became of one item of the input."""

    index: int
    """Its place in the input, from 0."""
    contact: Contact | None
    """The contact; `None` where the input held an error instead."""
    id: int | None
    """The platform's id of the contact; `None` where it did not succeed."""
    error: ContactError | None
    """Why it did not succeed; `None` where it did.

    Its traceback is dropped, since frames would keep the contact in memory. An
    `InvalidContactError` that was read from a journal has a message but no paths."""
    attempts: int
    """How many attempts were made for it, those included that sent nothing."""
    elapsed_s: float
    """Seconds from its first attempt to its outcome; 0 where there was none."""
    settled: bool = False
    """Whether it was uncertain, and then found on the platform."""

    @property
    def ok(self) -> bool:
        """Whether the contact was added or updated."""
        return self.error is None

    @property
    def message(self) -> str:
        """Why it failed, with the platform's additional messages; empty where it did not."""
        return "" if self.error is None else explanation(self.error)

    @property
    def uncertain(self) -> bool:
        """Whether it may or may not have been applied: look before sending it again."""
        return isinstance(self.error, UncertainError)


@frozen(kw_only=True)
class BulkReport:
    """What became of a whole run."""

    outcomes: tuple[Outcome, ...]
    """One for each item that was read, in input order."""
    stopped_by: Exception | None
    """Why the run ended before its input did; `None` where it did not.

    A `SetupError`, the error of a platform that was unavailable for too long, a `JournalError`, or
    what the input raised."""
    elapsed_s: float
    """Seconds from the start of the run to its end."""

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
    def settled(self) -> tuple[Outcome, ...]:
        """Those that were uncertain and then found on the platform, in input order."""
        return tuple(outcome for outcome in self.outcomes if outcome.settled)

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
        if self.settled:
            lines.append(f"{len(self.settled)} were uncertain and then found")
        if self.stopped_by is not None:
            lines.append(f"stopped: {self.stopped_by}")
        lines += [f"{count:>7} x {message}" for message, count in self.messages.items()]
        return "\n".join(lines)
