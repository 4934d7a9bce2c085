"""Files of what became of each row: all results, and rows that are written back."""

import io
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Final, TextIO

from attrs import frozen

from contactsdk.files.distinct import STANDARD
from contactsdk.files.formats import FileError, Format, Row, csv_line, json_line
from contactsdk.files.inputs import Input
from contactsdk.files.results import Result, State


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
    *,
    results: str | None = None,
    rejects: str | None = None,
    uncertain: str | None = None,
    resumable: bool = False,
) -> Iterator[Outputs]:
    """Open the files of these names, `-` for standard output; all are complete when it is left.

    Raises:
        FileError: One cannot be written, or needs an input.
    """
    if source is None and (rejects or uncertain):
        raise FileError("rejects and uncertain rows are written from their input: name it")
    names = [name for name in (results, rejects, uncertain) if name is not None]
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
            stream.write(csv_line(_RESULT_COLUMNS, ",", end="\n"))

    def write(self, result: Result) -> None:
        """Write the line of one row."""
        values = {name: getattr(result, name) for name in _RESULT_COLUMNS}
        if self._format is Format.JSONL:
            self._stream.write(json_line(values))
        else:
            self._stream.write(csv_line(values.values(), ",", end="\n"))


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
