"""Opens files of contacts and standard input, detects their format, and reads them row by row."""

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
    """A list of contacts in one format: reads its rows, and writes them back."""

    description: Description
    """How the list was read, for a preview."""

    def __iter__(self) -> Iterator[Row]:
        """The rows in order, read lazily; they can be iterated once.

        Raises:
            FileError: The rest of the file cannot be read.
        """
        ...

    def item(self, row: Row) -> Item:
        """The contact that a row holds, or all that is wrong with it."""
        ...

    def choices_in(self, row: Row, error: InvalidContactError) -> tuple[str, ...]:
        """The cells of a row that caused an error and hold a choice, such as a status or a group.

        Such a cell is often wrong in the same way in many rows, and says little about its contact,
        so it can be shown.
        """
        ...

    def warnings(self) -> tuple[str, ...]:
        """Sentences to show before an import; complete once all rows have been read."""
        ...

    def head(self) -> str:
        """The text before the rows when they are written back: a header line, or nothing."""
        ...

    def with_message(self, row: Row, message: str) -> str:
        """The line to write back for a row, line end included: the row as it was, and a message."""
        ...

    def values(self, row: Row) -> dict[str, Any]:
        """The row's values: header -> cell if it is not empty, or JSON key -> value."""
        ...


@contextmanager
def open_input(
    name: str, options: InputOptions | None = None, *, shown: str | None = None
) -> Iterator[Input]:
    """Open the file `name`; messages call it `shown` if that is given.

    The format is detected by the content of the file; if that is not clear, by `options.format`,
    then by the name.

    Raises:
        FileError: The file cannot be read, is empty, or is not a list of contacts; the message says
            what to do.
    """
    file = shown or name
    if not Path(name).is_file():
        what = "it is not a regular file" if Path(name).exists() else "there is no such file"
        raise FileError(f"{file}: {what}")
    try:
        # Closed below, so that an OSError of the code that reads is not caught here.
        stream = open(name, "rb")  # noqa: SIM115  # as above
    except OSError as exc:
        raise FileError(f"{file}: {exc.strerror}") from exc
    with stream, read_input(stream, file, options) as source:
        yield source


@contextmanager
def read_input(stream: BinaryIO, file: str, options: InputOptions | None = None) -> Iterator[Input]:
    """The list in a stream that can seek; see `open_input`. Messages call it `file`.

    Raises:
        FileError: The stream is empty, or is not a list of contacts.
    """
    with ExitStack() as stack:
        yield _input(stream, file, options or InputOptions(), stack)


@contextmanager
def spooled_standard_input() -> Iterator[str]:
    """The name of a temporary file with the whole of standard input; it is deleted afterwards.

    A pipe can be read only once, and may break before its end. On disk, its content can be checked
    as a whole before anything is sent, like any other file.
    """
    with tempfile.TemporaryDirectory(prefix="contactsdk-") as folder:
        path = Path(folder, "standard-input")
        # Not sys.stdin: a thread that still reads from it when the interpreter exits holds a lock
        # that the interpreter needs, and that is a fatal error.
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
            raise FileError(f"{file}: the compressed file in it is not text: unpack it first")
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
    """The unpacked content of a compressed file, on disk, since it is read more than once.

    Raises:
        FileError: The file is damaged.
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
        raise FileError(f"{file}: --encoding is for text files, and this is a workbook: omit it")
    sheet = sheet_of(stream, file, options.sheet)
    readers = evolve(options.readers, day_zero=sheet.details.day_zero)
    notes = []
    if hidden := sheet.details.hidden_rows:
        what = "1 row is hidden, and is" if hidden == 1 else f"{hidden:,} rows are hidden, and are"
        notes.append(f"{what} imported as well.")
    if others := sheet.others_with_rows:
        names = ", ".join(f"'{name}'" for name in others)
        what = f"the sheet {names} has" if len(others) == 1 else f"the sheets {names} have"
        notes.append(f"{what} rows too, which are not imported: to import them, use --sheet.")
    description = Description(
        format=Format.EXCEL, sheet=sheet.name, other_sheets=sheet.others, notes=tuple(notes)
    )
    # With a byte order mark, spreadsheets read the rows that are written back as UTF-8.
    return TableInput(
        sheet.rows, file, evolve(options, readers=readers), description, mark=BYTE_ORDER_MARK
    )


def _text(
    stream: BinaryIO, file: str, options: InputOptions, stack: ExitStack, *, is_compressed: bool
) -> Input:
    if options.sheet is not None:
        raise FileError(f"{file}: --sheet is for workbooks, and this is a text file: omit it")
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
            raise FileError(f"{file}: --header-row is for tables, and this is JSON: omit it")
        return JsonInput(json_rows(text, file), file, options, description)
    rows = DelimitedRows(text, file)
    # Other encodings are written back as UTF-8. Without the mark, spreadsheets would not see that.
    mark = "" if encoding.name == "UTF-8" and not encoding.mark else BYTE_ORDER_MARK
    description = evolve(description, delimiter=rows.delimiter)
    return TableInput(rows, file, options, description, mark=mark)


def _format_of(start: str, file: str, chosen: Format | None) -> Format:
    if chosen is not None and chosen is not Format.EXCEL:
        return chosen
    is_json = ending_of(file) in ("jsonl", "ndjson", "json") or _JSON_START.match(start)
    return Format.JSONL if is_json else Format.CSV
