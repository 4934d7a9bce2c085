"""The files that a run writes: results, rejects, uncertain rows, and rows with their results.

A regular file is written under another name beside it, and gets its own name when the run has ended
in order. So a file that was there before is never half overwritten, and one that is there is
complete.

A row is in its file as soon as it is written, so a run that breaks off leaves whole rows behind.
"""

import io
import os
import stat
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, closing, contextmanager, suppress
from pathlib import Path
from typing import BinaryIO, Final, TextIO, TypeAlias

from attrs import fields, frozen

from contactsdk.files.distinct import STANDARD, is_special, kept_as, partial_name
from contactsdk.files.formats import FileError, Format, Row
from contactsdk.files.inputs import Input
from contactsdk.files.results import Result, State
from contactsdk.files.sheet_output import LONGEST_SHEET, SheetOutput
from contactsdk.files.writers import MergedWriter, ResultsWriter, RowsWriter

OnFailure: TypeAlias = Callable[[str, OSError], None]
"""Called with the name of a file that cannot be written any more, and the error."""

_ENDINGS: Final[Mapping[str, Format]] = {
    ".csv": Format.CSV,
    ".jsonl": Format.JSONL,
    ".ndjson": Format.JSONL,
    ".xlsx": Format.EXCEL,
}


@frozen(kw_only=True)
class OutputNames:
    """The names of the files that a user asked for; `-` is standard output."""

    results: str | None = None
    """What became of each row."""
    rejects: str | None = None
    """The rows that are known not to be applied."""
    uncertain: str | None = None
    """The rows that may have been applied."""
    merged: str | None = None
    """Each row of the input with what became of it."""

    def by_option(self) -> dict[str, str | None]:
        """Each name by the option that gives it."""
        return {f"--{field.name}": getattr(self, field.name) for field in fields(OutputNames)}

    @property
    def has_rows(self) -> bool:
        """Whether one of them holds rows of the input itself."""
        return any((self.rejects, self.uncertain, self.merged))

    @property
    def takes_standard_output(self) -> bool:
        """Whether one of them goes to standard output."""
        return STANDARD in (self.results, self.rejects, self.uncertain, self.merged)


@frozen(kw_only=True)
class Outputs:
    """The open files; what was not asked for is `None`."""

    results: ResultsWriter | None = None
    """Gets every row."""
    rejects: RowsWriter | None = None
    """Gets the rows that are known not to be applied."""
    uncertain: RowsWriter | None = None
    """Gets the rows that may have been applied."""
    merged: MergedWriter | None = None
    """Gets every row."""
    resumable: bool = False
    """Whether the run has a journal, so that the next run with it sends what was not applied."""

    def write(self, result: Result, row: Row | None) -> None:
        """Write what became of one row into each of the files that it belongs to.

        The row itself may be `None` where none of the files holds rows.
        """
        if self.results is not None:
            self.results.write(result)
        if row is not None:
            self.write_back(row, result)

    def write_back(self, row: Row, result: Result) -> None:
        """Write the row itself into each of the files that it belongs to."""
        if self.merged is not None:
            self.merged.write(row, result)
        rows = self._rows_of(result)
        if rows is not None:
            rows.write(row, result)

    def _rows_of(self, result: Result) -> RowsWriter | None:
        if result.state is State.SUCCEEDED:
            return None
        if result.state is State.UNCERTAIN:
            return self.uncertain
        # With a journal, rejects hold only what the next run leaves out, so importing them adds
        # nothing twice.
        return self.rejects if result.refused or not self.resumable else None


def check_output_names(names: OutputNames, source_format: Format | None, *, rows: int = 0) -> None:
    """See, before anything is opened, that each file can be written in the format of its name.

    `source_format` is that of the input; `None` where there is no input. `rows` is how many it has,
    as far as that is known.

    Raises:
        FileError: A name ends in what is not a format, or in one that the rows cannot be written
            in, or rows are asked for without their input.
    """
    if source_format is None and names.has_rows:
        raise FileError(
            "--rejects, --uncertain and --merged need the file that was imported: give it as "
            "--input FILE"
        )
    for option, name in names.by_option().items():
        if name is None:
            continue
        format = _format_of(name, source_format or Format.CSV)
        if format is Format.EXCEL and rows >= LONGEST_SHEET:
            raise FileError(
                f"{name}: a sheet holds 1,048,576 rows with its header: use a name that ends in "
                ".csv"
            )
        if format is Format.JSONL or option == "--results":
            continue
        if source_format is Format.JSONL:
            raise FileError(
                f"{name}: {option} of JSON Lines is JSON Lines: use a name that ends in .jsonl"
            )


@contextmanager
def open_outputs(
    names: OutputNames,
    source: Input | None,
    *,
    resumable: bool = False,
    on_failure: OnFailure | None = None,
) -> Iterator[Outputs]:
    """Open the files of these names; each is complete, under its own name, when it is left.

    Where it is left by an exception, a regular file keeps the name under which it was written, such
    as `results.partial.csv`. So does one that cannot be written any more: `on_failure` is called
    then, what is written into that one afterwards is dropped, and the others are still written.
    Without `on_failure`, the error is raised.

    Raises:
        FileError: One cannot be opened.
        OSError: One cannot be written any more.
    """
    format = None if source is None else source.description.format
    check_output_names(names, format)
    with ExitStack() as stack:

        def opened(
            name: str, otherwise: Format = Format.CSV
        ) -> tuple[TextIO | SheetOutput, Format]:
            format = _format_of(name, otherwise)
            if format is Format.EXCEL:
                return stack.enter_context(_open_sheet(name, on_failure)), format
            return stack.enter_context(open_text(name, on_failure)), format

        results = names.results and ResultsWriter(*opened(names.results))
        if source is None or format is None:
            yield Outputs(results=results or None, resumable=resumable)
            return

        def rows(name: str | None) -> RowsWriter | None:
            return None if name is None else RowsWriter(*opened(name, format), source)

        merged = names.merged and MergedWriter(*opened(names.merged, format), source)
        yield Outputs(
            results=results or None,
            rejects=rows(names.rejects),
            uncertain=rows(names.uncertain),
            merged=merged or None,
            resumable=resumable,
        )


def _format_of(name: str, otherwise: Format) -> Format:
    format = _ENDINGS.get(Path(name).suffix.lower())
    if format is Format.EXCEL and is_special(name):
        raise FileError(f"{name}: a workbook cannot be written into a pipe or a device")
    if format is not None:
        return format
    # Standard output, a pipe or a device has no ending.
    if is_special(name):
        # Rows of a workbook are written as CSV.
        return Format.JSONL if otherwise is Format.JSONL else Format.CSV
    raise FileError(f"{name}: give it a name that ends in .xlsx, .csv or .jsonl")


@contextmanager
def open_text(name: str, on_failure: OnFailure | None = None) -> Iterator[TextIO]:
    """Open a file to be written; it has its own name once it is complete, as all outputs here.

    `on_failure` is as in `open_outputs`.

    Raises:
        FileError: It cannot be opened.
        OSError: It cannot be written any more.
    """
    failed = on_failure or _raise
    if name == STANDARD:
        with _standard_output(failed) as stream:
            yield stream
    elif is_special(name):
        with _open(Path(name), failed) as stream:
            yield stream
    else:
        with _replacing(name, failed) as (partial, fail), _open(partial, fail) as stream:
            yield stream


@contextmanager
def _open_sheet(name: str, on_failure: OnFailure | None = None) -> Iterator[SheetOutput]:
    """Open a workbook to be written, as `open_text` does with a text."""
    failed = on_failure or _raise
    with _replacing(name, failed) as (partial, fail), closing(SheetOutput(partial, fail)) as sheet:
        yield sheet


@contextmanager
def _replacing(name: str, on_failure: OnFailure) -> Iterator[tuple[Path, OnFailure]]:
    """Another name beside this one, and whom to tell of a failure.

    What was written there has this name at the end, if nothing has failed; what had it before is
    kept beside it.
    """
    partial, path = partial_name(name), Path(os.path.realpath(name))
    if not path.parent.is_dir():
        raise FileError(f"{Path(name).parent}: there is no such folder; make it first")
    failures: list[OSError] = []

    def fail(shown: str, error: OSError) -> None:
        failures.append(error)
        on_failure(shown, error)

    yield partial, fail
    if failures:
        return
    try:
        _rename(partial, path)
    except OSError as exc:
        on_failure(str(partial), exc)


class _OutputStream(io.TextIOWrapper):
    """A text file in which each line is written at once; the first error closes it to more."""

    def __init__(self, stream: BinaryIO, shown: str, on_failure: OnFailure) -> None:
        # Whatever the terminal's encoding: what is piped on is UTF-8.
        super().__init__(stream, "utf-8", errors="surrogateescape", newline="", line_buffering=True)
        self.has_failed = False
        self._shown = shown
        self._on_failure = on_failure

    def write(self, text: str, /) -> int:
        if self.has_failed:
            return len(text)
        try:
            return super().write(text)
        except OSError as exc:
            self._fail(exc)
            return len(text)

    def close(self) -> None:
        try:
            super().close()
        except OSError as exc:
            if not self.has_failed:
                self._fail(exc)

    def _fail(self, error: OSError) -> None:
        self.has_failed = True
        self._on_failure(self._shown, error)


def _raise(_name: str, error: OSError) -> None:
    raise error


def _rename(partial: Path, path: Path) -> None:
    with suppress(FileNotFoundError):
        os.chmod(partial, stat.S_IMODE(path.stat().st_mode))
    if (kept := kept_as(str(path))) is not None:
        os.replace(path, kept)  # somebody may have corrected rows in it
    os.replace(partial, path)


@contextmanager
def _standard_output(on_failure: OnFailure) -> Iterator[TextIO]:
    if sys.__stdout__ is None:
        raise FileError("standard output is closed: name a file to write")
    sys.stdout.flush()
    stream = _OutputStream(sys.stdout.buffer, "standard output", on_failure)
    try:
        yield stream
    finally:
        if stream.has_failed:
            # Else the interpreter tries again to write what is left, and complains.
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        stream.detach()


def _open(path: Path, on_failure: OnFailure) -> _OutputStream:
    try:
        return _OutputStream(path.open("wb"), str(path), on_failure)
    except OSError as exc:
        raise FileError(f"{path}: {exc.strerror}") from exc
