"""A journal on the command line: compares it with an input, and counts the rows that it has."""

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
    """Check, before anything is sent, that an input is the one that a journal recorded.

    `check` compares the contacts with the journal. `recorded_in` is the journal's name and `name`
    the input's, for the message.

    Raises:
        FileError: The input differs; the message names the first row that does, and what to do.
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
            f"{name}, row {row}: from here on, this is not the input that {recorded_in} recorded; "
            "nothing was sent or written. You may append rows to a recorded input, but change "
            "neither rows nor options that change what is sent, such as --map: undo the change and "
            "run this again. Import corrected rows from a file of their own, such as the one that "
            "--rejects writes, with another journal"
        ) from error


@frozen(kw_only=True)
class Recorded:
    """The rows that a run does not send, since its journal already has their results."""

    name: str
    """The name of the journal."""
    is_new: bool = False
    """Whether no row of any run is in the journal yet."""
    succeeded: int = 0
    """How many were added or updated."""
    rejected: int = 0
    """How many the platform refused."""
    invalid: int = 0
    """How many are not valid contacts."""
    uncertain: int = 0
    """How many may have been applied; 0 if the run sends these again."""

    @property
    def rows(self) -> int:
        """How many rows the run does not send."""
        return self.valid_rows + self.invalid

    @property
    def valid_rows(self) -> int:
        """How many of these rows hold a valid contact."""
        return self.succeeded + self.rejected + self.uncertain

    def text(self, rows: int) -> str:
        """A sentence about an input that has `rows` rows in all."""
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

    If workers `may_be_sending` the run at this moment, rows in flight are not counted, since their
    results are still to come. Otherwise a plain add in flight counts as uncertain.

    Raises:
        JournalError: The journal cannot be read.
    """
    if not journal.exists():
        return Recorded(name=journal.name, is_new=True)
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
        is_new=not counts,
        succeeded=counts[JournalState.SUCCEEDED],
        rejected=counts[JournalState.REJECTED],
        invalid=counts[JournalState.INVALID],
        uncertain=0 if journal.resend_uncertain else counts[JournalState.UNCERTAIN],
    )


def _is_plain_add(item: Item) -> bool:
    """Whether it is an add without `update_if_exists`: sent twice, it may be added twice."""
    return isinstance(item, Contact) and item.id is None and not item.update_if_exists
