"""Writes the outputs of a run while it sends, and reports which of them could not be written."""

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import Final, Self, TextIO

from attrs import evolve, frozen

from contactsdk.cli.checking import CheckedInput
from contactsdk.cli.run import Ending
from contactsdk.files import OutputNames, Outputs, Result, State, open_outputs, open_text

_MAY_BE_APPLIED: Final = {State.SUCCEEDED: "were applied", State.UNCERTAIN: "are uncertain"}


@frozen
class _Failure:
    """A file that could not be written to its end."""

    name: str
    reason: str
    row: int | None
    """The first row that is missing in it; `None` if it failed after the last row."""

    def __str__(self) -> str:
        if self.row is None:
            return f"{self.name} may not be complete: {self.reason}"
        return (
            f"{self.name} ends before row {self.row}, perhaps in the middle of a line: "
            f"{self.reason}"
        )


class Recording:
    """Writes the result of each row, and remembers which files could not be written.

    If a file can no longer be written, the other files still are. `has_failed` is then true, and
    the run should end: the rows that it sends afterwards would be missing in that file.
    """

    def __init__(
        self,
        names: OutputNames,
        found: CheckedInput,
        *,
        report: Path | None = None,
        resumable: bool,
    ) -> None:
        self._names = names
        self._report_name = report
        self._found = found
        self._resumable = resumable
        self._stack = ExitStack()
        self._report_stack = ExitStack()
        self._report: TextIO | None = None
        self._rows = iter(found.rows)
        self._outputs: Outputs | None = None
        self._row: int | None = None
        self._failures: list[_Failure] = []
        self._missing: dict[State, list[range]] = {state: [] for state in _MAY_BE_APPLIED}

    @property
    def is_open(self) -> bool:
        """Whether all files have been opened."""
        return self._outputs is not None

    @property
    def has_failed(self) -> bool:
        """Whether a file could not be written."""
        return bool(self._failures)

    def open(self) -> None:
        """Open the files.

        Raises:
            FileError: One cannot be opened.
            OSError: One cannot be written from its start.
        """
        outputs = self._stack.enter_context(
            open_outputs(
                self._names,
                self._found.source,
                resumable=self._resumable,
                on_failure=self._on_failure,
            )
        )
        self._open_report()
        self._outputs = outputs

    def write(self, result: Result) -> None:
        """Write the result of the next row to the files, if they are open; rows come in order."""
        if self._outputs is None:
            return
        self._row = result.row
        self._outputs.write(result, next(self._rows, None))
        self._row = None
        if self.has_failed and result.state in self._missing:
            _add(self._missing[result.state], result.row)

    def finish(self) -> None:
        """Close all files but the report, and give them their final names."""
        self._stack.close()

    def write_report(self, page: str) -> None:
        """Write the HTML report, if the user asked for it.

        Raises:
            FileError: Nothing was sent, and the file cannot be opened.
        """
        if self._report is None:
            self._open_report()  # nothing was sent, so `open` was not called
        if self._report is not None:
            self._report.write(page)
        self._report_stack.close()

    def seen_in(self, ending: Ending) -> Ending:
        """How the run ended: like `ending`, or stopped by the first file that failed."""
        if not self.has_failed or ending.stopped_by is not None:
            return ending
        first = self._failures[0]
        return evolve(ending, stopped_by=OSError(f"{first.name}: {first.reason}"))

    def complaints(self) -> Iterator[str]:
        """A line for each file that could not be written, and for the rows missing in it."""
        yield from map(str, self._failures)
        for state, rows in self._missing.items():
            if rows:
                shown = ", ".join(map(_text, rows))
                yield f"rows that {_MAY_BE_APPLIED[state]} since then: {shown}"

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        try:
            self._stack.__exit__(exc_type, exc, traceback)
        finally:
            self._report_stack.__exit__(exc_type, exc, traceback)

    def _open_report(self) -> None:
        if self._report_name is not None:
            opened = open_text(str(self._report_name), self._on_failure)
            self._report = self._report_stack.enter_context(opened)

    def _on_failure(self, name: str, error: OSError) -> None:
        if not self.is_open:
            raise error  # nothing was sent
        is_unread = isinstance(error, BrokenPipeError)
        reason = (
            "the program that read the output has ended"
            if is_unread
            else error.strerror or str(error)
        )
        self._failures.append(_Failure(name, reason, self._row))


def _add(ranges: list[range], row: int) -> None:
    if ranges and ranges[-1].stop == row:
        ranges[-1] = range(ranges[-1].start, row + 1)
    else:
        ranges.append(range(row, row + 1))


def _text(rows: range) -> str:
    return str(rows.start) if len(rows) == 1 else f"{rows.start}-{rows[-1]}"
