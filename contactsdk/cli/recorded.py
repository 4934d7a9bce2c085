"""A journal on the command line: the input held against it, and what it says of the rows."""

from collections.abc import Callable, Iterable, Iterator

from contactsdk.cli.checking import NumberedItem
from contactsdk.errors import JournalError
from contactsdk.files import FileError
from contactsdk.journal import Journal
from contactsdk.journal import State as JournalState
from contactsdk.models import Item


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


def count_recorded(journal: Journal) -> int:
    """How many rows a run with this journal does not send, since it says what became of them.

    Raises:
        JournalError: The journal cannot be read.
    """
    if not journal.exists():
        return 0
    final = {JournalState.SUCCEEDED, JournalState.REJECTED, JournalState.INVALID}
    if not journal.resend_uncertain:
        final.add(JournalState.UNCERTAIN)
    return sum(row.state in final for row in journal.rows())
