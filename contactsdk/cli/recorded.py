"""A journal on the command line: the input held against it, and what it says of the rows."""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator

from attrs import frozen

from contactsdk.cli.checking import NumberedItem
from contactsdk.errors import JournalError
from contactsdk.files import FileError
from contactsdk.journal import Journal
from contactsdk.journal import State as JournalState
from contactsdk.models import Contact, Item


def check_recorded(
    check: Callable[[Iterable[Item]], None],
    recorded_in: str,
    items: Iterable[NumberedItem],
    name: str,
) -> None:
    """See that a whole input is the one that a journal recorded, before anything is sent.

    Raises:
        FileError: It is not; the message names the first row that differs, and what to do.
        JournalError: The journal cannot be used.
    """
    row = 0

    def contacts() -> Iterator[Item]:
        nonlocal row
        for _, number, item in items:
            row = number
            yield item
        row += 1

    try:
        check(contacts())
    except JournalError as error:
        if error.number is None:
            raise
        raise FileError(
            f"{name}, row {row}: from here on it is not the input that {recorded_in} recorded; "
            "nothing was sent or written. Rows may be appended to a recorded input, not changed: "
            "undo the change and run this again, and import corrected rows from a file of their "
            "own, such as the one that --rejects writes, with another journal"
        ) from error


@frozen(kw_only=True)
class Recorded:
    """The rows that a run with a journal does not send, since it says what became of them."""

    name: str
    """What to call the journal."""
    succeeded: int = 0
    """How many were added or updated."""
    rejected: int = 0
    """How many the platform refused."""
    invalid: int = 0
    """How many hold no valid contact."""
    uncertain: int = 0
    """How many may have been applied; 0 where these are sent again."""

    @property
    def rows(self) -> int:
        """How many they are."""
        return self.valid_rows + self.invalid

    @property
    def valid_rows(self) -> int:
        """How many of them hold a valid contact."""
        return self.succeeded + self.rejected + self.uncertain

    def text(self, rows: int) -> str:
        """What it says of an input that has `rows` rows, in a sentence."""
        if self.rows == rows:
            return f"All rows are in {self.name}: nothing to send."
        which = "1 of the rows: it is" if self.rows == 1 else f"{self.rows:,} of the rows: they are"
        return (
            f"{self.name} has {which} not sent again ({self.succeeded:,} succeeded, "
            f"{self.rejected + self.invalid:,} failed, {self.uncertain:,} uncertain)."
        )


def read_recorded(
    journal: Journal, items: Iterable[NumberedItem], *, may_be_sending: bool = False
) -> Recorded:
    """Count the rows of an input that a run with this journal does not send.

    Where others `may_be_sending` it at this moment, nothing is said of what is in flight.

    Raises:
        JournalError: The journal cannot be read.
    """
    if not journal.exists():
        return Recorded(name=journal.name)
    counts: Counter[JournalState] = Counter()
    in_flight = set()
    for row in journal.rows():
        counts[row.state] += 1
        if row.state is JournalState.SENT:
            in_flight.add(row.number)
    if in_flight and not may_be_sending:
        counts[JournalState.UNCERTAIN] += sum(
            number in in_flight and _is_plain_add(item) for number, (_, _, item) in enumerate(items)
        )
    return Recorded(
        name=journal.name,
        succeeded=counts[JournalState.SUCCEEDED],
        rejected=counts[JournalState.REJECTED],
        invalid=counts[JournalState.INVALID],
        uncertain=0 if journal.resend_uncertain else counts[JournalState.UNCERTAIN],
    )


def _is_plain_add(item: Item) -> bool:
    """Whether it is an add without `update_if_exists`, which sent twice may be added twice."""
    return isinstance(item, Contact) and item.id is None and not item.update_if_exists
