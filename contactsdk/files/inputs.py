"""Files of contacts, and standard input, read row by row."""

from collections.abc import Collection, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, Protocol

from contactsdk.files.csv_input import CsvInput
from contactsdk.files.formats import FileError, Format, Row
from contactsdk.files.json_lines_input import JsonLinesInput
from contactsdk.models import Item


class Input(Protocol):
    """A file of contacts in one format: how its rows are read, and how they are written back."""

    def __iter__(self) -> Iterator[Row]:
        """The rows in order, read as they are asked for, once.

        Raises:
            FileError: The file cannot be read on.
        """
        ...

    def item(self, row: Row) -> Item:
        """The contact that a row holds, or all that is wrong with it."""
        ...

    def head(self) -> str:
        """What comes before the rows where they are written back."""
        ...

    def with_message(self, row: Row, message: str) -> str:
        """The row as it is written back."""
        ...


@contextmanager
def open_input(name: str, format: Format, ignored: Collection[str] = ()) -> Iterator[Input]:
    """Open the file `name`; the columns or keys `ignored` are let pass, in any case.

    Raises:
        FileError: It is no file that can be read, or its columns are not those of contacts.
    """
    if not Path(name).is_file():
        what = "it is no regular file" if Path(name).exists() else "there is no such file"
        raise FileError(f"{name}: {what}")
    try:
        stream = open(name, "rb")  # noqa: SIM115  # closed below, where OSError is the reader's
    except OSError as exc:
        raise FileError(f"{name}: {exc.strerror}") from exc
    with stream:
        yield _input(stream, name, format, ignored)


def standard_input(format: Format, ignored: Collection[str] = ()) -> Input:
    """The contacts of standard input; see `open_input`.

    Raises:
        FileError: Its columns are not those of contacts.
    """
    # Not sys.stdin: a thread that waits in it when the interpreter exits holds the lock that the
    # interpreter then wants, which is a fatal error.
    stream = open(0, "rb", closefd=False)  # noqa: SIM115  # there is nothing to close
    return _input(stream, "standard input", format, ignored)


def _input(stream: BinaryIO, name: str, format: Format, ignored: Collection[str]) -> Input:
    kind = CsvInput if format is Format.CSV else JsonLinesInput
    return kind(stream, name, ignored)
