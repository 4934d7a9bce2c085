"""The results of a bulk run: one outcome for each item, and a report on all of them."""

from collections import Counter
from collections.abc import Mapping

from attrs import frozen

from contactsdk.errors import ContactError, UncertainError, explanation
from contactsdk.models import Contact


# Positional arguments are allowed, since keyword arguments take longer, once per contact.
@frozen
class Outcome:
    """The final result of one item of the input."""

    index: int
    """The place of the item in the input, from 0."""
    contact: Contact | None
    """The contact; `None` if the input had an error instead of a contact."""
    id: int | None
    """The platform's id of the contact; `None` if it did not succeed."""
    error: ContactError | None
    """Why the contact did not succeed; `None` if it did.

    The error has no traceback, since stack frames would keep the contact in memory. An
    `InvalidContactError` that was read from a journal has a message but no paths."""
    attempts: int
    """How many attempts were made, including those that sent nothing."""
    elapsed_s: float
    """Seconds from the first attempt to the outcome; 0 if there was no attempt."""
    settled: bool = False
    """Whether the contact was uncertain and then found on the platform."""

    @property
    def ok(self) -> bool:
        """Whether the contact was added or updated."""
        return self.error is None

    @property
    def message(self) -> str:
        """Why the contact failed, with the platform's additional messages; empty on success."""
        return "" if self.error is None else explanation(self.error)

    @property
    def uncertain(self) -> bool:
        """Whether the contact may have been applied: look it up before you send it again."""
        return isinstance(self.error, UncertainError)


@frozen(kw_only=True)
class BulkReport:
    """The results of a whole run."""

    outcomes: tuple[Outcome, ...]
    """One outcome for each item that was read, in input order."""
    stopped_by: Exception | None
    """Why the run ended before its input did; `None` if it did not.

    It is a `SetupError`, the last error of a platform that was unavailable for too long, a
    `JournalError`, or an exception that the input raised."""
    elapsed_s: float
    """Seconds from the start of the run to its end."""

    @property
    def ids(self) -> tuple[int, ...]:
        """The ids of all contacts that succeeded, in input order."""
        return tuple(outcome.id for outcome in self.outcomes if outcome.id is not None)

    @property
    def failures(self) -> tuple[Outcome, ...]:
        """The outcomes of contacts that were certainly not applied, in input order."""
        return tuple(o for o in self.outcomes if not o.ok and not o.uncertain)

    @property
    def uncertain(self) -> tuple[Outcome, ...]:
        """The outcomes of contacts that may or may not have been applied, in input order."""
        return tuple(outcome for outcome in self.outcomes if outcome.uncertain)

    @property
    def settled(self) -> tuple[Outcome, ...]:
        """The outcomes of contacts that were uncertain and then found on the platform, in input
        order.
        """
        return tuple(outcome for outcome in self.outcomes if outcome.settled)

    @property
    def messages(self) -> Mapping[str, int]:
        """The messages of all failed outcomes, each with its count, most frequent first."""
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
