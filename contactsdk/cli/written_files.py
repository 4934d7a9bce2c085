"""Which files a run wrote, and what to do with them."""

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
    """The page about the run."""
    kept: Mapping[str, Path]
    """Name of a file that was there before -> where it is kept."""

    @classmethod
    def of(cls, outputs: OutputNames, report: Path | None = None) -> Self:
        """To be made before anything is written."""
        names = [*outputs.by_option().values(), None if report is None else str(report)]
        kept = {name: kept_as(name) for name in names if name is not None}
        return cls(
            outputs=outputs,
            report=report,
            kept={name: place for name, place in kept.items() if place is not None},
        )

    def warnings(self) -> list[str]:
        """What a person should know before files are replaced, a line for each."""
        return [
            f"Note: {printable(name)} is there already: it is replaced, and what is in it now is "
            f"kept as {printable(place.name)}{_in_place_of_another(place)}."
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
        return "" if place is None else f"; what was in it before is in {place.name}"


def next_lines(
    outputs: OutputNames,
    tally: Tally,
    *,
    has_journal: bool,
    is_excel: bool,
    is_stopped: bool,
    import_rejects: str,
) -> Iterator[str]:
    """What to do with the rejects of a run, a line for each step.

    `is_excel` says whether the input is a workbook, `is_stopped` whether something that is wrong
    with no row ended the run, `import_rejects` is the command that imports the rejects.
    """
    rejects = rejects_of(tally, has_journal=has_journal)
    may_be_applied = tally.states[State.SUCCEEDED] + tally.states[State.UNCERTAIN]
    if is_stopped and not has_journal and not may_be_applied:
        yield "Nothing was applied. Once that is put right, run the same command again."
        return
    if outputs.rejects in (None, STANDARD) or not rejects:
        return
    if has_journal and tally.left:
        yield f"Run that first, then correct the rejects: {outputs.rejects} is written again by it."
    elif is_stopped:
        yield f"To import the rows that were not applied, once that is put right: {import_rejects}"
    else:
        yield f"To import the rejects, once they are corrected: {import_rejects}"
    if is_excel and str(outputs.rejects).endswith(".csv"):
        yield _OF_EXCEL


def rejects_of(tally: Tally, *, has_journal: bool) -> int:
    """How many rows the rejects have."""
    not_applied = tally.states[State.FAILED] + tally.states[State.NOT_STARTED]
    # With a journal, what was not refused is sent when the run goes on.
    return not_applied - tally.left if has_journal else not_applied


def _in_place_of_another(place: Path) -> str:
    return ", in place of the one that is there" if place.exists() else ""


def _rows(count: int) -> str:
    if count == 0:
        return "no rows"
    return "1 row" if count == 1 else f"{count:,} rows"
