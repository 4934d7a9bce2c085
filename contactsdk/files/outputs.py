"""The files that a run writes: results, rejects, uncertain rows, and input rows with results."""

from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Final, TextIO

from attrs import fields, frozen

from contactsdk.files.distinct import STANDARD, is_special
from contactsdk.files.formats import FileError, Format, Row
from contactsdk.files.inputs import Input
from contactsdk.files.output_files import OnFailure, open_sheet, open_text
from contactsdk.files.results import Result, State
from contactsdk.files.sheet_output import LONGEST_SHEET, SheetOutput
from contactsdk.files.writers import MergedWriter, ResultsWriter, RowsWriter

_ENDINGS: Final[Mapping[str, Format]] = {
    ".csv": Format.CSV,
    ".jsonl": Format.JSONL,
    ".ndjson": Format.JSONL,
    ".xlsx": Format.EXCEL,
}


@frozen(kw_only=True)
class OutputNames:
    """The names of the files to write; `None` writes no such file, `-` is standard output."""

    results: str | None = None
    """For a line with the result of each row."""
    rejects: str | None = None
    """For the rows that were certainly not applied."""
    uncertain: str | None = None
    """For the rows that may have been applied."""
    merged: str | None = None
    """For each row of the input together with its result."""

    def by_option(self) -> dict[str, str | None]:
        """Option of the command line, such as `--results` -> the name that it gives."""
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
    """The open files; a file that the user did not ask for is `None`."""

    results: ResultsWriter | None = None
    """Gets the result of every row."""
    rejects: RowsWriter | None = None
    """Gets the rows that were certainly not applied."""
    uncertain: RowsWriter | None = None
    """Gets the rows that may have been applied."""
    merged: MergedWriter | None = None
    """Gets every row and its result."""
    resumable: bool = False
    """Whether the run has a journal: rows that were not applied are then sent by the next run."""

    def write(self, result: Result, row: Row | None) -> None:
        """Write the result of one row, and the row, to each of the files that they belong to.

        `row` may be `None` if none of the files holds rows.
        """
        if self.results is not None:
            self.results.write(result)
        if row is not None:
            self.write_back(row, result)

    def write_back(self, row: Row, result: Result) -> None:
        """Write the row itself to each of the files that it belongs to."""
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
        # With a journal, the rejects hold only rows that the next run does not send, so importing
        # them as well adds nothing twice.
        return self.rejects if result.refused or not self.resumable else None


def check_output_names(names: OutputNames, source_format: Format | None, *, rows: int = 0) -> None:
    """Check, before anything is opened, that each file can be written in the format of its name.

    `source_format` is the format of the input; `None` if there is no input. `rows` is the number of
    its rows; 0 if it is not known yet.

    Raises:
        FileError: The ending of a name is not a format, or the rows of the input cannot be written
            in that format, or a file of input rows is asked for and there is no input.
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
                f"{name}: {option} of a JSON input is JSON Lines: use a name that ends in .jsonl"
            )


@contextmanager
def open_outputs(
    names: OutputNames,
    source: Input | None,
    *,
    resumable: bool = False,
    on_failure: OnFailure | None = None,
) -> Iterator[Outputs]:
    """Open the files of these names; at the end, each complete file gets its name.

    `source` is the input whose rows are written; `None` if no file holds rows. If the context ends
    with an exception, a regular file keeps the name under which it was written, such as
    `results.partial.csv`. So does a file that can no longer be written: then `on_failure` is
    called, what is written to that file afterwards is dropped, and the other files are still
    written. If `on_failure` is `None`, the error is raised.

    Raises:
        FileError: A file cannot be opened.
        OSError: A file can no longer be written.
    """
    format = None if source is None else source.description.format
    check_output_names(names, format)
    with ExitStack() as stack:

        def opened(
            name: str, otherwise: Format = Format.CSV
        ) -> tuple[TextIO | SheetOutput, Format]:
            format = _format_of(name, otherwise)
            if format is Format.EXCEL:
                return stack.enter_context(open_sheet(name, on_failure)), format
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
        raise FileError(
            f"{name}: a workbook cannot be written to a pipe or a device: give the name of a file"
        )
    if format is not None:
        return format
    # The names of standard output, a pipe or a device have no ending.
    if is_special(name):
        # Rows of a workbook are written as CSV.
        return Format.JSONL if otherwise is Format.JSONL else Format.CSV
    raise FileError(f"{name}: give it a name that ends in .xlsx, .csv or .jsonl")
