"""The whole input, read and checked once before anything is sent, and kept for the sending."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import TypeAlias

from attrs import frozen

from contactsdk.cli.numbering import RowNumbers
from contactsdk.cli.spool import Spool
from contactsdk.cli.survey import Survey
from contactsdk.files import (
    STANDARD,
    FileError,
    Format,
    Input,
    Layout,
    Row,
    format_of,
    layout_of,
    open_input,
    standard_input,
)
from contactsdk.models import Item

NumberedItem: TypeAlias = tuple[int, int, Item]
"""The line and the number of a row, and the contact that it holds, or what is wrong with it."""


@frozen(kw_only=True)
class InputFile:
    """The input that a user named."""

    name: str
    """Its name; `-` is standard input."""
    format: Format
    """How it holds contacts."""
    ignored: tuple[str, ...] = ()
    """The columns or keys to let pass."""

    @property
    def shown(self) -> str:
        """What to call it in a message."""
        return "standard input" if self.name == STANDARD else self.name


@frozen(kw_only=True)
class CheckedInput:
    """All rows of an input as they were when they were checked, and what was found in them."""

    source: Input
    """How its rows are written back."""
    layout: Layout
    """How it was read."""
    items: Spool[NumberedItem]
    """What each row holds, in order."""
    rows: Spool[Row]
    """The rows themselves, in order; empty where nobody writes them back."""
    survey: Survey
    """What is in it."""


def input_of(name: str, format: Format | None, ignored: list[str]) -> InputFile:
    """The input with its format.

    Raises:
        FileError: Nothing tells its format.
    """
    if name == STANDARD and format is None:
        raise FileError(
            "standard input has no name that tells its format: use --format csv or jsonl"
        )
    return InputFile(name=name, format=format or format_of(name), ignored=tuple(ignored))


@contextmanager
def checked(file: InputFile, *, keep_items: bool, keep_rows: bool) -> Iterator[CheckedInput]:
    """Read the whole input and check each row of it, once.

    What is sent later is what was checked, whatever happens to the file meanwhile; and a pipe is
    read to its end first, so that a broken one is found before anything is sent. What is
    not to be kept is only counted.

    Raises:
        FileError: The input cannot be read, or holds no rows.
    """
    with ExitStack() as stack:
        items = stack.enter_context(Spool[NumberedItem]())
        rows = stack.enter_context(Spool[Row]())
        survey = Survey(stack.enter_context(Spool()), stack.enter_context(Spool()))
        with opened(file) as source:
            numbers = RowNumbers(file.format, source.head())
            for row in source:
                number = numbers.number(row)
                item = source.item(row)
                survey.add(number, item)
                if keep_items:
                    items.append((row.line, number, item))
                if keep_rows:
                    rows.append(row)
            if not survey.rows:
                raise FileError(f"{file.shown}: there is nothing to do: it holds no contacts")
            layout = layout_of(source)
        survey.finish()
        yield CheckedInput(source=source, layout=layout, items=items, rows=rows, survey=survey)


@contextmanager
def opened(file: InputFile) -> Iterator[Input]:
    """The input, open to be read once.

    Raises:
        FileError: It cannot be read.
    """
    if file.name == STANDARD:
        yield standard_input(file.format, file.ignored)
    else:
        with open_input(file.name, file.format, file.ignored) as source:
            yield source
