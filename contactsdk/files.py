"""Contacts from CSV and JSON Lines, and what became of each row to files again.

Files are read and written row by row, so memory does not follow their size. A row's `cells` are as
in the file, so that what is written back is what was read, bytes that are not UTF-8 included.
"""

import csv
import difflib
import io
import itertools
import json
import os
import re
import sys
from collections.abc import Callable, Collection, Iterator
from contextlib import ExitStack, contextmanager, suppress
from enum import IntEnum, StrEnum
from functools import partial
from pathlib import Path
from typing import Any, BinaryIO, Final, Protocol, TextIO

from attrs import frozen

from contactsdk.bulk import Outcome
from contactsdk.errors import InvalidContactError, RejectedError, UnavailableError
from contactsdk.errors import Path as FieldPath
from contactsdk.journal import JournalRow
from contactsdk.journal import State as JournalState
from contactsdk.models import EmailStatus, Item, SmsStatus
from contactsdk.wire import FIELD_NAMES, contact_from

MESSAGE: Final = "message"
"""The column or key that says what is wrong with a row; where it is in an input, it is ignored."""

STANDARD: Final = "-"
"""In place of a file's name: standard input or output."""

_BYTE_ORDER_MARK: Final = "\ufeff"
_DELIMITERS: Final = ",;\t"
_SPREADSHEETS: Final = ("xlsx", "xls", "ods", "numbers")
_NOT_UTF8: Final = "is not UTF-8 text: save the file as CSV UTF-8"
_NUMBER: Final = re.compile(r"[0-9]{1,19}")
_FIELD_ID: Final = re.compile(r"[1-9][0-9]{0,17}")
_BOOLEANS: Final = {
    **dict.fromkeys(("true", "yes", "1"), True),
    **dict.fromkeys(("false", "no", "0"), False),
}


class FileError(ValueError):
    """A file cannot be read or written; the message names it, and the line where there is one."""


class Format(StrEnum):
    """How a file holds contacts."""

    CSV = "csv"
    JSONL = "jsonl"


def format_of(name: str) -> Format:
    """The format that the end of a file's name tells.

    Raises:
        FileError: It is neither `.csv` nor `.jsonl`.
    """
    suffix = Path(name).suffix.lower().removeprefix(".")
    if suffix in _SPREADSHEETS:
        raise FileError(f"{name}: a spreadsheet cannot be read: save it as CSV UTF-8")
    try:
        return Format(suffix)
    except ValueError as exc:
        raise FileError(f"{name}: say which format it has, csv or jsonl") from exc


@frozen(kw_only=True)
class Row:
    """One row as it is in the file: `line` is where it starts, counted from 1.

    A row of JSON Lines has a single cell, its text.
    """

    line: int
    cells: tuple[str, ...]


class State(StrEnum):
    """What became of a row; `failed` and `not_started` are known not to be applied."""

    SUCCEEDED = "succeeded"
    FAILED = "failed"
    UNCERTAIN = "uncertain"
    NOT_STARTED = "not_started"


@frozen(kw_only=True)
class Result:
    """What is told of one row: `id` is the platform's, `message` why there is none, on one line.

    `refused` says that it is no valid contact, or that the platform refused it: sending the row
    again as it is cannot help.
    """

    line: int
    id: int | None = None
    state: State
    message: str = ""
    attempts: int = 0
    refused: bool = False


def result_of(line: int, outcome: Outcome) -> Result:
    """What is told of the row on `line` that came to this outcome."""
    return Result(
        line=line,
        id=outcome.id,
        state=_state(outcome),
        message=" ".join(outcome.message.split()),
        attempts=outcome.attempts,
        refused=isinstance(outcome.error, InvalidContactError | RejectedError),
    )


def not_started(line: int) -> Result:
    """What is told of a row that the run did not come to."""
    return Result(line=line, state=State.NOT_STARTED, message="not sent: the run ended before")


def result_of_record(recorded: JournalRow) -> Result:
    """What is told of a row from a run's journal alone."""
    message = "" if recorded.error is None else recorded.error.message
    if recorded.state is JournalState.SENT:
        message = "in flight when the run ended"
    return Result(
        line=recorded.number + 1 if recorded.line is None else recorded.line,
        id=recorded.id,
        state=_STATE_OF_RECORD[recorded.state],
        message=" ".join(message.split()),
        attempts=recorded.attempts,
        refused=recorded.state in (JournalState.REJECTED, JournalState.INVALID),
    )


_STATE_OF_RECORD: Final = {
    JournalState.SENT: State.UNCERTAIN,
    JournalState.SUCCEEDED: State.SUCCEEDED,
    JournalState.REJECTED: State.FAILED,
    JournalState.INVALID: State.FAILED,
    JournalState.UNCERTAIN: State.UNCERTAIN,
    JournalState.NOT_APPLIED: State.FAILED,
}


def _state(outcome: Outcome) -> State:
    if outcome.ok:
        return State.SUCCEEDED
    if outcome.uncertain:
        return State.UNCERTAIN
    if outcome.attempts == 0 and isinstance(outcome.error, UnavailableError):
        return State.NOT_STARTED
    return State.FAILED


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


@frozen
class _Column:
    """What a column holds: a field of a contact or, with a key, one part of it."""

    field: str
    key: int | str | None = None


_IGNORED: Final = _Column("ignored")
_NAMELESS: Final = _Column("nameless")


class CsvInput:
    """Contacts in CSV: a header row, UTF-8, `,` `;` or tab as whichever gives more columns.

    Raises:
        FileError: The header cannot be read, or names a column that is unknown or there twice.
    """

    def __init__(self, stream: BinaryIO, name: str, ignored: Collection[str] = ()) -> None:
        self._name = name
        # Kept: let go before its stream is closed, it would close that, and warn of it.
        self._text = text = io.TextIOWrapper(stream, "utf-8", errors="surrogateescape", newline="")
        first = text.readline()
        self._mark = _BYTE_ORDER_MARK if first.startswith(_BYTE_ORDER_MARK) else ""
        lines: Iterator[str] = itertools.chain([first.removeprefix(self._mark)], text)
        self._delimiter, lines = self._find_delimiter(lines)
        self._reader = csv.reader(lines, delimiter=self._delimiter, strict=True)
        header = next(self._rows())
        self._header = header.cells
        names = [_folded(name) for name in header.cells]
        self._message_place = names.index(MESSAGE) if MESSAGE in names else None
        self._columns = self._read_columns(header, {MESSAGE, *map(str.casefold, ignored)})

    def __iter__(self) -> Iterator[Row]:
        return self._rows()

    def item(self, row: Row) -> Item:
        values: dict[str, Any] = {}
        problems: list[tuple[FieldPath, str]] = []
        columns = itertools.chain(self._columns, itertools.repeat(_NAMELESS))
        for place, (cell, column) in enumerate(zip(row.cells, columns, strict=False), 1):
            if column is _IGNORED or not cell.strip():
                continue
            if not _is_text(cell):
                problems.append(((column.field,), _NOT_UTF8))
                cell = cell.encode("utf-8", "replace").decode()
            match column.field:
                case _ if column is _NAMELESS:
                    problems.append(((), f"cell {place} belongs to no column"))
                case "custom_fields":
                    values.setdefault(column.field, {})[column.key] = cell
                case "external_urls":
                    values.setdefault(column.field, []).append({"ref": column.key, "url": cell})
                case name:
                    values[name] = _READ.get(name, str)(cell)
        try:
            contact = contact_from(values)
        except InvalidContactError as error:
            return InvalidContactError([*error.errors, *problems])
        return InvalidContactError(problems) if problems else contact

    def head(self) -> str:
        names = self._header if self._message_place is not None else (*self._header, MESSAGE)
        return self._mark + _csv_line(names, self._delimiter)

    def with_message(self, row: Row, message: str) -> str:
        missing = len(self._header) - len(row.cells)
        cells = [*row.cells, *itertools.repeat("", missing)]
        if self._message_place is not None:
            cells[self._message_place] = message
        else:
            # Before the cells that belong to no column: it must come under its own.
            cells.insert(len(self._header), message)
        return _csv_line(cells, self._delimiter)

    def _rows(self) -> Iterator[Row]:
        while True:
            line = self._reader.line_num + 1
            try:
                cells = next(self._reader)
            except StopIteration:
                return
            except csv.Error as exc:
                raise self._error(line, f"{exc} (check the quotes)") from exc
            if _is_filled(cells):
                yield Row(line=line, cells=tuple(cells))

    def _find_delimiter(self, lines: Iterator[str]) -> tuple[str, Iterator[str]]:
        """The delimiter that gives the header the most columns, and all lines from the first."""
        seen: list[str] = []

        def replayed() -> Iterator[str]:
            yield from tuple(seen)
            for line in lines:
                seen.append(line)
                yield line

        widths = {}
        reason: csv.Error | None = None
        for delimiter in _DELIMITERS:
            reader = csv.reader(replayed(), delimiter=delimiter, strict=True)
            try:
                widths[delimiter] = len(next(filter(_is_filled, reader)))
            except csv.Error as exc:
                reason = reason or exc
            except StopIteration:
                raise self._error(1, "there is no header row") from None
        if not widths:
            raise self._error(1, f"{reason} (check the quotes)") from reason
        return max(widths, key=lambda it: widths[it]), itertools.chain(seen, lines)

    def _read_columns(self, header: Row, ignored: Collection[str]) -> list[_Column]:
        columns: list[_Column] = []
        problems: list[str] = []
        for name in header.cells:
            if not _is_text(name):
                raise self._error(header.line, f"the header {_NOT_UTF8}")
            column = _IGNORED if _folded(name) in ignored else _column(name.strip())
            if column is None:
                problems.append(f"unknown column '{name}' (the nearest known one is {_near(name)})")
            elif column in columns and column not in (_IGNORED, _NAMELESS):
                problems.append(f"column '{name}' is there twice")
            else:
                columns.append(column)
        if problems:
            what = f"{'; '.join(problems)}; to let a column pass, use --ignore-columns"
            raise self._error(header.line, what)
        return columns

    def _error(self, line: int, what: str) -> FileError:
        return FileError(f"{self._name}, line {line}: {what}")


class JsonLinesInput:
    """Contacts in JSON Lines: an object on each line, as `contact_from` takes it."""

    def __init__(self, stream: BinaryIO, name: str, ignored: Collection[str] = ()) -> None:
        self._stream = stream
        self._ignored = {MESSAGE, *map(str.casefold, ignored)}

    def __iter__(self) -> Iterator[Row]:
        for line, raw in enumerate(self._stream, 1):
            text = raw.strip().decode("utf-8", "surrogateescape").removeprefix(_BYTE_ORDER_MARK)
            if text:
                yield Row(line=line, cells=(text,))

    def item(self, row: Row) -> Item:
        if not _is_text(row.cells[0]):
            return InvalidContactError([((), "the line is not UTF-8 text: save the file as UTF-8")])
        try:
            # Not orjson: it reads an integer past 64 bits as a float, without a word.
            value = json.loads(row.cells[0])
        except json.JSONDecodeError as exc:
            return InvalidContactError([((), f"the line is not JSON (see column {exc.colno})")])
        except (ValueError, RecursionError):
            return InvalidContactError([((), "the line is JSON beyond what can be read")])
        try:
            return contact_from(self._without_ignored(value))
        except InvalidContactError as error:
            return error

    def head(self) -> str:
        return ""

    def with_message(self, row: Row, message: str) -> str:
        text = row.cells[0]
        with suppress(ValueError, RecursionError):
            value = json.loads(text)
            if isinstance(value, dict):
                kept = {key: item for key, item in value.items() if key.casefold() != MESSAGE}
                return _json_line({**kept, MESSAGE: message})
        return _json_line({"line": text, MESSAGE: message})

    def _without_ignored(self, value: Any) -> Any:
        if not isinstance(value, dict):
            return value
        return {key: item for key, item in value.items() if key.casefold() not in self._ignored}


@frozen(kw_only=True)
class Outputs:
    """The files that a user asked for; what was not asked for is `None`.

    `resumable` says that the run has a journal, and so sends when it goes on what was not applied.
    """

    results: "ResultsWriter | None"
    rejects: "RowsWriter | None"
    uncertain: "RowsWriter | None"
    resumable: bool = False

    def write(self, row: Row, result: Result) -> None:
        """Tell what became of a row, in each of the files that it belongs to."""
        if self.results is not None:
            self.results.write(result)
        self.write_back(row, result)

    def write_back(self, row: Row, result: Result) -> None:
        """Write the row itself to the rejects or the uncertain ones, if it belongs to either."""
        rows: RowsWriter | None = None
        if result.state is State.UNCERTAIN:
            rows = self.uncertain
        # Of a run that goes on, the rejects hold only what it leaves out: whoever imports them as
        # well must not add anything twice.
        elif result.refused or (result.state is not State.SUCCEEDED and not self.resumable):
            rows = self.rejects
        if rows is not None:
            rows.write(row, result.message)


@contextmanager
def open_outputs(
    source: Input | None,
    source_name: str,
    *,
    results: str | None = None,
    rejects: str | None = None,
    uncertain: str | None = None,
    resumable: bool = False,
) -> Iterator[Outputs]:
    """Open the files of these names, `-` for standard output; all are complete when it is left.

    Raises:
        FileError: One cannot be written, is the input or another of them, or needs an input.
    """
    if source is None and (rejects or uncertain):
        raise FileError("rejects and uncertain rows are written from their input: name it")
    names = [name for name in (results, rejects, uncertain) if name is not None]
    files = [_identity(name) for name in names]
    if source_name != STANDARD:
        files.append(_identity(source_name))
    if len(set(files)) < len(files):
        raise FileError("input, results, rejects and uncertain rows must be different files")
    with ExitStack() as stack:
        streams = {name: stack.enter_context(_opened(name)) for name in names}
        yield Outputs(
            results=ResultsWriter(streams[results], _results_format(results)) if results else None,
            rejects=RowsWriter(streams[rejects], source) if rejects and source else None,
            uncertain=RowsWriter(streams[uncertain], source) if uncertain and source else None,
            resumable=resumable,
        )


_RESULT_COLUMNS: Final = ("line", "id", "state", "message", "attempts")


class ResultsWriter:
    """Writes a line for each row: line number, id, state, message, attempts."""

    def __init__(self, stream: TextIO, format: Format) -> None:
        self._stream = stream
        self._format = format
        if format is Format.CSV:
            stream.write(_csv_line(_RESULT_COLUMNS, ",", end="\n"))

    def write(self, result: Result) -> None:
        """Write the line of one row."""
        values = {name: getattr(result, name) for name in _RESULT_COLUMNS}
        if self._format is Format.JSONL:
            self._stream.write(_json_line(values))
        else:
            self._stream.write(_csv_line(values.values(), ",", end="\n"))


class RowsWriter:
    """Writes rows back in the input's own columns plus `message`, ready to be imported again."""

    def __init__(self, stream: TextIO, source: Input) -> None:
        self._stream = stream
        self._source = source
        stream.write(source.head())

    def write(self, row: Row, message: str) -> None:
        """Write one row with its message."""
        self._stream.write(self._source.with_message(row, message))


@contextmanager
def _opened(name: str) -> Iterator[TextIO]:
    if name != STANDARD:
        try:
            file = open(  # noqa: SIM115  # closed below, where OSError is the writer's
                name, "w", encoding="utf-8", errors="surrogateescape", newline=""
            )
        except OSError as exc:
            raise FileError(f"{name}: {exc.strerror}") from exc
        with file:
            yield file
        return
    # Whatever the terminal's encoding: what is piped on is UTF-8.
    sys.stdout.flush()
    stream = io.TextIOWrapper(sys.stdout.buffer, "utf-8", errors="surrogateescape", newline="")
    try:
        yield stream
    finally:
        stream.detach()


def _results_format(name: str) -> Format:
    return Format.JSONL if name.lower().endswith(".jsonl") else Format.CSV


def _identity(name: str) -> object:
    if name == STANDARD:
        return name
    with suppress(OSError):
        found = os.stat(name)
        return found.st_dev, found.st_ino
    return os.path.realpath(name)


def _csv_line(cells: Collection[Any], delimiter: str, end: str = "\r\n") -> str:
    text = io.StringIO()
    csv.writer(text, delimiter=delimiter, lineterminator=end).writerow(cells)
    return text.getvalue()


def _json_line(value: Any) -> str:
    text = json.dumps(value, ensure_ascii=False, allow_nan=False)
    # A lone surrogate, replaced by a backslash and its number, is its own JSON escape.
    return text.encode("utf-8", "backslashreplace").decode() + "\n"


def _is_filled(cells: Collection[str]) -> bool:
    return any(cell.strip() for cell in cells)


def _folded(name: str) -> str:
    return name.strip().casefold()


def _is_text(name: str) -> bool:
    return not any("\ud800" <= char <= "\udfff" for char in name)


def _column(name: str) -> _Column | None:
    """What a column of this name holds; `None` if it is unknown."""
    stem, dot, key = name.partition(".")
    match FIELD_NAMES.get(stem.casefold().replace(" ", "").replace("_", "")):
        case None:
            return None if name else _NAMELESS
        case "custom_fields":
            return _Column("custom_fields", int(key)) if _FIELD_ID.fullmatch(key) else None
        case "external_urls":
            return _Column("external_urls", key) if key else None
        case field:
            return None if dot else _Column(field)


def _near(name: str) -> str:
    stem, _, key = _folded(name).partition(".")
    field = FIELD_NAMES[difflib.get_close_matches(stem, FIELD_NAMES, n=1, cutoff=0.0)[0]]
    match field:
        case "custom_fields":
            return f"custom_fields.{key if _FIELD_ID.fullmatch(key) else '<field id>'}"
        case "external_urls":
            return f"external_urls.{key or '<ref>'}"
    return field


# Text -> value of a field. What cannot be read stays as it is: the contact then says what is wrong.


def _number(cell: str) -> int | str:
    text = cell.strip()
    return int(text) if _NUMBER.fullmatch(text) else cell


def _numbers(cell: str) -> list[int | str]:
    return [_number(part) for part in cell.split(";")]


def _boolean(cell: str) -> bool | str:
    return _BOOLEANS.get(_folded(cell), cell)


def _status(kind: type[IntEnum], cell: str) -> int | str:
    name = cell.strip().upper().replace(" ", "_")
    return kind[name] if name in kind.__members__ else _number(cell)


_READ: Final[dict[str, Callable[[str], Any]]] = {
    "id": _number,
    "groups": _numbers,
    "companies": _numbers,
    "status": partial(_status, EmailStatus),
    "sms_status": partial(_status, SmsStatus),
    "update_if_exists": _boolean,
    "privacy_consent": _boolean,
}
