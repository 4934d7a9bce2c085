"""Files of contacts, and standard input: opened, judged by their content, and read row by row."""

import gzip
import io
import re
import shutil
import tempfile
import zlib
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, BinaryIO, Final, Protocol

from attrs import evolve

from contactsdk.errors import InvalidContactError
from contactsdk.files.containers import Container, container_of, markup_of
from contactsdk.files.delimited import DelimitedRows
from contactsdk.files.description import Description
from contactsdk.files.encodings import encoding_of
from contactsdk.files.excel import sheet_of
from contactsdk.files.formats import BYTE_ORDER_MARK, FileError, Format, Row, ending_of
from contactsdk.files.json_input import JsonInput
from contactsdk.files.json_text import json_rows
from contactsdk.files.options import InputOptions
from contactsdk.files.table_input import TableInput
from contactsdk.models import Item

_START: Final = 4096
_JSON_START: Final = re.compile(r'\s*(?:\[\s*)?\{\s*"|\s*\[\s*\]')
_SPOOLED_IN_MEMORY: Final = 1 << 20


class Input(Protocol):
    """A list of contacts in one format: how its rows are read, and how they are written back."""

    description: Description
    """How it was read, for a preview."""

    def __iter__(self) -> Iterator[Row]:
        """The rows in order, read as they are asked for, once.

        Raises:
            FileError: The file cannot be read on.
        """
        ...

    def item(self, row: Row) -> Item:
        """The contact that a row holds, or all that is wrong with it."""
        ...

    def choices_in(self, row: Row, error: InvalidContactError) -> tuple[str, ...]:
        """The cells that an error is about and that hold a choice, such as a status or a group.

        Such a cell is wrong in the same way in many rows, and says little of its contact.
        """
        ...

    def warnings(self) -> tuple[str, ...]:
        """What whoever imports it should know, in whole sentences; complete once all was read."""
        ...

    def head(self) -> str:
        """What comes before the rows where they are written back."""
        ...

    def with_message(self, row: Row, message: str) -> str:
        """The row as it is written back: as it was, and what is wrong with it."""
        ...

    def values(self, row: Row) -> dict[str, Any]:
        """The row's filled cells or values, by its headers or keys."""
        ...


@contextmanager
def open_input(
    name: str, options: InputOptions | None = None, *, shown: str | None = None
) -> Iterator[Input]:
    """Open the file `name`, which messages call `shown` where that is given.

    What the file is, its content tells, then `options.format`, then its name.

    Raises:
        FileError: It cannot be read, has nothing in it, or is not a list of contacts; the message
            says what to do.
    """
    file = shown or name
    if not Path(name).is_file():
        what = "it is not a regular file" if Path(name).exists() else "there is no such file"
        raise FileError(f"{file}: {what}")
    try:
        stream = open(name, "rb")  # noqa: SIM115  # closed below, where OSError is the reader's
    except OSError as exc:
        raise FileError(f"{file}: {exc.strerror}") from exc
    with stream, read_input(stream, file, options) as source:
        yield source


@contextmanager
def read_input(stream: BinaryIO, file: str, options: InputOptions | None = None) -> Iterator[Input]:
    """The list in a stream that can seek; see `open_input`. Messages call it `file`.

    Raises:
        FileError: It has nothing in it, or is not a list of contacts.
    """
    with ExitStack() as stack:
        yield _input(stream, file, options or InputOptions(), stack)


@contextmanager
def spooled_standard_input() -> Iterator[str]:
    """The name of a file that holds all of standard input, and goes when it is left.

    A pipe can be read only once, and may be broken at its end: on disk, it is judged as a whole
    before anything is sent, like any other file.
    """
    with tempfile.TemporaryDirectory(prefix="contactsdk-") as folder:
        path = Path(folder, "standard-input")
        # Not sys.stdin: a thread that waits in it when the interpreter exits holds the lock that
        # the interpreter then wants, which is a fatal error.
        with open(0, "rb", closefd=False) as source, path.open("wb") as target:
            shutil.copyfileobj(source, target, _SPOOLED_IN_MEMORY)
        yield str(path)


def _input(stream: BinaryIO, file: str, options: InputOptions, stack: ExitStack) -> Input:
    container, what = container_of(stream)
    is_compressed = container is Container.GZIP
    if is_compressed:
        stream = stack.enter_context(_unpacked(stream, file))
        container, what = container_of(stream)
        if container is not Container.NONE:
            raise FileError(f"{file}: what is compressed in it is not text: unpack it first")
    if what is not None:
        raise _no_list(file, what)
    if container is Container.WORKBOOK:
        return _workbook(stream, file, options)
    return _text(stream, file, options, stack, is_compressed=is_compressed)


def _no_list(file: str, what: str) -> FileError:
    return FileError(
        f"{file}, row 1: this is not a header row: the file looks like {what}; a list must be "
        "Excel, CSV or JSON: open it in a spreadsheet, and save it as one of them"
    )


@contextmanager
def _unpacked(stream: BinaryIO, file: str) -> Iterator[BinaryIO]:
    """What is compressed, on disk: it is read more than once.

    Raises:
        FileError: It is damaged.
    """
    with tempfile.TemporaryFile() as spool:
        try:
            with gzip.open(stream) as packed:
                shutil.copyfileobj(packed, spool)
        except (OSError, EOFError, zlib.error) as exc:
            raise FileError(f"{file}: the compressed file is damaged: get it again") from exc
        spool.seek(0)
        yield spool


def _workbook(stream: BinaryIO, file: str, options: InputOptions) -> Input:
    if options.encoding is not None:
        raise FileError(f"{file}: --encoding is of text, and this is a workbook")
    sheet = sheet_of(stream, file, options.sheet)
    readers = evolve(options.readers, day_zero=sheet.details.day_zero)
    notes = []
    if hidden := sheet.details.hidden_rows:
        what = "1 row is hidden, and is" if hidden == 1 else f"{hidden:,} rows are hidden, and are"
        notes.append(f"{what} imported as well.")
    if others := sheet.others_with_rows:
        names = ", ".join(f"'{name}'" for name in others)
        what = f"the sheet {names} has" if len(others) == 1 else f"the sheets {names} have"
        notes.append(f"{what} rows too, which are not imported; --sheet chooses another sheet.")
    description = Description(
        format=Format.EXCEL, sheet=sheet.name, other_sheets=sheet.others, notes=tuple(notes)
    )
    # A mark, so that spreadsheets read what is written back as UTF-8.
    return TableInput(
        sheet.rows, file, evolve(options, readers=readers), description, mark=BYTE_ORDER_MARK
    )


def _text(
    stream: BinaryIO, file: str, options: InputOptions, stack: ExitStack, *, is_compressed: bool
) -> Input:
    if options.sheet is not None:
        raise FileError(f"{file}: --sheet is of workbooks, and this is text")
    encoding = encoding_of(stream, file, options.encoding)
    stream.seek(len(encoding.mark))
    start = stream.read(_START).decode(encoding.codec, "ignore")
    stream.seek(len(encoding.mark))
    if what := markup_of(start):
        raise _no_list(file, what)
    text = stack.enter_context(io.TextIOWrapper(stream, encoding.codec, newline=""))
    format = _format_of(start, file, options.format)
    description = Description(format=format, encoding=encoding.name, is_compressed=is_compressed)
    if format is Format.JSONL:
        if options.header_row is not None:
            raise FileError(f"{file}: --header-row is of tables, and this is JSON")
        return JsonInput(json_rows(text, file), file, options, description)
    rows = DelimitedRows(text, file)
    # Other encodings are written back as UTF-8 with a mark, which spreadsheets need to see that.
    mark = "" if encoding.name == "UTF-8" and not encoding.mark else BYTE_ORDER_MARK
    description = evolve(description, delimiter=rows.delimiter)
    return TableInput(rows, file, options, description, mark=mark)


def _format_of(start: str, file: str, chosen: Format | None) -> Format:
    if chosen is not None and chosen is not Format.EXCEL:
        return chosen
    is_json = ending_of(file) in ("jsonl", "ndjson", "json") or _JSON_START.match(start)
    return Format.JSONL if is_json else Format.CSV
