"""Reads and checks the whole input before anything is sent, and keeps it for sending."""

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
"""A row's line in the file, its row number, and its contact or what is wrong with the contact."""


@frozen(kw_only=True)
class InputFile:
    """The input that a user named."""

    name: str
    """The name of the file; `-` is standard input."""
    options: InputOptions
    """How it is to be read."""

    @property
    def shown(self) -> str:
        """What to call it in a message."""
        return "standard input" if self.name == STANDARD else self.name


@frozen(kw_only=True)
class CheckedInput:
    """All rows of an input as they were when they were checked, and the results of the checks."""

    source: Input
    """The input: it knows how it was read, and how its rows are written back."""
    items: Spool[NumberedItem]
    """The contact of each row, or what is wrong with it, in order."""
    rows: Spool[Row]
    """The rows themselves, in order; empty if no output holds rows of the input."""
    survey: Survey
    """How many rows add, update or are invalid, and what is worth a warning."""


@contextmanager
def checked(
    file: InputFile, outputs: OutputNames, *, keep_items: bool = True
) -> Iterator[CheckedInput]:
    """Read the whole input and check each row of it, once.

    So the contacts that are sent later are those that were checked, even if the file changes
    meanwhile. A pipe is read to its end first, so a broken pipe is found before anything is sent.
    If `keep_items` is false, `items` stays empty and the rows are only counted.

    Raises:
        FileError: The input cannot be read or holds no rows, or an output cannot hold rows of this
            input.
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
