"""A journal on the command line: the input held against it, and what it tells by itself."""

from collections.abc import Callable, Iterable, Iterator
from typing import Final

from contactsdk.cli.report import Tally
from contactsdk.errors import JournalError
from contactsdk.files import FileError, Input, Outputs, State, result_of_record
from contactsdk.journal import SqliteJournal
from contactsdk.models import Item

_SHOWN: Final = 25


def check_input(
    check: Callable[[Iterable[Item]], None], recorded_in: str, source: Input, name: str
) -> None:
    """See that a whole file is the one that a journal recorded, before anything else is done.

    Raises:
        FileError: It is not; the message names the first line that differs.
        JournalError: The journal cannot be used.
    """
    line = 0

    def items() -> Iterator[Item]:
        nonlocal line
        for row in source:
            line = row.line
            yield source.item(row)
        line += 1

    try:
        check(items())
    except JournalError as error:
        if error.number is None:
            raise
        raise FileError(
            f"{name}, line {line}: from here on it is not the input that {recorded_in} recorded; "
            "nothing was sent or written"
        ) from error


def tell(journal: SqliteJournal, outputs: Outputs, tally: Tally) -> list[str]:
    """Tell of each recorded row; lines that name the first 25 uncertain ones come back.

    Raises:
        JournalError: The journal cannot be read.
    """
    uncertain: list[str] = []
    for recorded in journal.rows():
        result = result_of_record(recorded)
        tally.add(result)
        if outputs.results is not None:
            outputs.results.write(result)
        if result.state is State.UNCERTAIN and len(uncertain) < _SHOWN:
            uncertain.append(f"line {result.line}: {result.message}")
    if more := tally.states[State.UNCERTAIN] - len(uncertain):
        uncertain.append(f"and {more:,} more; --results FILE writes a line for each row")
    return uncertain


def tell_rows(journal: SqliteJournal, source: Input, outputs: Outputs, name: str) -> None:
    """Write the rows of the input back that were refused or are uncertain, as the journal tells.

    Raises:
        FileError: The input is not the recorded one.
        JournalError: The journal cannot be read.
    """
    records = journal.rows()
    recorded = next(records, None)
    for number, row in enumerate(source):
        if recorded is None or recorded.number != number:
            continue  # never started
        if recorded.line not in (None, row.line):
            raise FileError(f"{name}, line {row.line}: not the input that was recorded")
        outputs.write_back(row, result_of_record(recorded))
        recorded = next(records, None)
