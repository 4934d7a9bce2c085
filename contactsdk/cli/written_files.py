"""Reports which files a run wrote, and what to do with them next."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Final, Self

from attrs import frozen

from contactsdk.cli.summary import Tally
from contactsdk.cli.text import printable
from contactsdk.files import STANDARD, OutputNames, State, kept_as

_OF_EXCEL: Final = (
    "Excel changes phone numbers when it opens a CSV by double click: give a name that ends in "
    ".xlsx next time, or import the file there by Data > From Text/CSV, with the phone column as "
    "Text."
)


@frozen(kw_only=True)
class Written:
    """The files that a command writes, and those that they replace."""

    outputs: OutputNames
    """The files of rows."""
    report: Path | None = None
    """The HTML report; `None` if there is none."""
    kept: Mapping[str, Path]
    """Name of a file that existed before -> the name under which that older file is kept."""

    @classmethod
    def of(cls, outputs: OutputNames, report: Path | None = None) -> Self:
        """The files of these names; call it before any of them is written."""
        names = [*outputs.by_option().values(), None if report is None else str(report)]
        kept = {name: kept_as(name) for name in names if name is not None}
        return cls(
            outputs=outputs,
            report=report,
            kept={name: place for name, place in kept.items() if place is not None},
        )

    def warnings(self) -> list[str]:
        """A line for each file that will be replaced."""
        return [
            f"Note: {printable(name)} exists already and will be replaced; if the new file "
            f"differs, the old one is kept as {printable(place.name)}."
            for name, place in self.kept.items()
        ]

    def lines(self, tally: Tally, *, has_journal: bool) -> Iterator[str]:
        """A line for each file that was written, with how many rows it has."""
        counts: Mapping[str, int] = {
            "--results": tally.states.total(),
            "--merged": tally.states.total(),
            "--rejects": rejects_of(tally, has_journal=has_journal),
            "--uncertain": tally.states[State.UNCERTAIN],
        }
        for option, name in self.outputs.by_option().items():
            if name is not None and name != STANDARD:
                yield f"Wrote {name}: {_rows(counts[option])}{self._kept_text(name)}."
        if self.report is not None:
            yield f"Wrote {self.report}{self._kept_text(str(self.report))}."

    def _kept_text(self, name: str) -> str:
        place = self.kept.get(name)
        if place is None:
            return ""
        return f"; the old file is now {place.name}" if place.exists() else ", as before"


def next_lines(
    outputs: OutputNames,
    tally: Tally,
    *,
    has_journal: bool,
    has_new_rejects: bool,
    is_excel: bool,
    is_stopped: bool,
    is_interrupted: bool,
    import_rejects: str,
    update_instead: str,
) -> Iterator[str]:
    """A line for each thing that the user should do next with the rows that were not applied.

    `has_new_rejects` is whether this run rejected rows that no earlier run of its journal did, or
    wrote the first file of rejects. `is_excel` is whether the input is a workbook. `is_stopped` is
    whether the run was stopped by an error that is not about a row. `import_rejects` is the command
    that imports the rejects. `update_instead` is this command with `--update-if-exists`; empty if
    no row would be added again.
    """
    rejects = rejects_of(tally, has_journal=has_journal)
    may_be_applied = tally.states[State.SUCCEEDED] + tally.states[State.UNCERTAIN]
    is_early = is_stopped or is_interrupted
    if is_early and not has_journal and not may_be_applied:
        solved = "When the problem is solved, run" if is_stopped else "Run"
        yield f"Nothing was applied. {solved} the same command again."
        return
    if outputs.rejects in (None, STANDARD):
        if is_early and not has_journal and tally.left:
            yield from _send_the_rest(tally.states[State.SUCCEEDED], update_instead)
        return
    if not rejects or not has_new_rejects:
        return
    if has_journal and tally.left:
        yield (
            f"Run that command first, and correct the rejects afterwards: it writes "
            f"{outputs.rejects} again."
        )
    elif is_stopped:
        yield f"When the problem is solved, import the rows that were not applied: {import_rejects}"
    elif is_interrupted and tally.left:
        failed = rejects - tally.left
        also = ", and the rows that failed when they are corrected" if failed else ""
        yield f"To send the rest{also}: {import_rejects}"
    else:
        yield f"When the rejects are corrected, import them: {import_rejects}"
    if is_excel and str(outputs.rejects).endswith(".csv"):
        yield _OF_EXCEL


def _send_the_rest(succeeded: int, update_instead: str) -> Iterator[str]:
    """What to do after a run that ended early, without a journal and without rejects."""
    if not update_instead:
        yield "To send the rest, run the same command again; it adds no contact twice."
        return
    were = "1 contact was" if succeeded == 1 else f"{succeeded:,} contacts were"
    if not succeeded:
        were = "Contacts may have been"
    yield (
        f"{were} added or updated; the same command would add contacts again. To send the rest "
        f"without that: {update_instead}"
    )
    yield (
        "Next time, use --journal FILE: then the same command goes on where it stopped, and adds "
        "no contact twice."
    )


def rejects_of(tally: Tally, *, has_journal: bool) -> int:
    """How many rows the file of rejects has."""
    not_applied = tally.states[State.FAILED] + tally.states[State.NOT_STARTED]
    # With a journal, rows that were not refused are sent when the run goes on.
    return not_applied - tally.left if has_journal else not_applied


def _rows(count: int) -> str:
    if count == 0:
        return "no rows"
    return "1 row" if count == 1 else f"{count:,} rows"
