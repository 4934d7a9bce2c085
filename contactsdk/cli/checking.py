"""The whole input, read and checked once before anything is sent, and kept for the sending."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import TypeAlias

from attrs import frozen

from contactsdk.cli.spool import Spool
from contactsdk.cli.survey import Survey
from contactsdk.errors import InvalidContactError
from contactsdk.files import (
    STANDARD,
    Input,
    InputOptions,
    OutputNames,
    Row,
    check_output_names,
    open_input,
    spooled_standard_input,
)
from contactsdk.models import Item

NumberedItem: TypeAlias = tuple[int, int, Item]
"""The line and the number of a row, and the contact that it holds, or what is wrong with it."""


@frozen(kw_only=True)
class InputFile:
    """The input that a user named."""

    name: str
    """Its name; `-` is standard input."""
    options: InputOptions
    """How it is to be read."""

    @property
    def shown(self) -> str:
        """What to call it in a message."""
        return "standard input" if self.name == STANDARD else self.name


@frozen(kw_only=True)
class CheckedInput:
    """All rows of an input as they were when they were checked, and what was found in them."""

    source: Input
    """How it was read, and how its rows are written back."""
    items: Spool[NumberedItem]
    """What each row holds, in order."""
    rows: Spool[Row]
    """The rows themselves, in order; empty where nobody writes them back."""
    survey: Survey
    """What is in it."""


@contextmanager
def checked(
    file: InputFile, outputs: OutputNames, *, keep_items: bool = True
) -> Iterator[CheckedInput]:
    """Read the whole input and check each row of it, once.

    What is sent later is what was checked, whatever happens to the file meanwhile; and a pipe is
    read to its end first, so that a broken one is found before anything is sent. Without
    `keep_items`, the rows are only counted.

    Raises:
        FileError: The input cannot be read, or holds no rows; or an output cannot be written from
            it.
    """
    with ExitStack() as stack:
        items = stack.enter_context(Spool[NumberedItem]())
        rows = stack.enter_context(Spool[Row]())
        survey = Survey(stack.enter_context(Spool()), stack.enter_context(Spool()))
        with opened(file) as source:
            check_output_names(outputs, source.description.format)
            for row in source:
                item = source.item(row)
                if isinstance(item, InvalidContactError):
                    survey.add(row.number, item, source.choices_in(row, item))
                else:
                    survey.add(row.number, item)
                if keep_items:
                    items.append((row.line, row.number, item))
                if outputs.has_rows:
                    rows.append(row)
        check_output_names(outputs, source.description.format, rows=survey.rows)
        survey.finish()
        yield CheckedInput(source=source, items=items, rows=rows, survey=survey)


@contextmanager
def opened(file: InputFile) -> Iterator[Input]:
    """The input, open to be read once.

    Raises:
        FileError: It cannot be read.
    """
    with ExitStack() as stack:
        name, shown = file.name, None
        if name == STANDARD:
            name, shown = stack.enter_context(spooled_standard_input()), file.shown
        yield stack.enter_context(open_input(name, file.options, shown=shown))
