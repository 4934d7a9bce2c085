"""Which files a run wrote, and what to do with them."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Final

from contactsdk.cli.summary import Tally
from contactsdk.files import STANDARD, OutputNames, State

_OF_EXCEL: Final = (
    "Excel changes phone numbers when it opens a CSV by double click: import the file there by "
    "Data > From Text/CSV, with the phone column as Text."
)


def written_lines(
    outputs: OutputNames,
    report: Path | None,
    tally: Tally,
    *,
    has_journal: bool,
    is_excel: bool,
    import_rejects: str,
) -> Iterator[str]:
    """A line for each file that was written, with how many rows it has.

    `is_excel` says whether the input is a workbook, `import_rejects` how the rejects are imported.
    """
    rejects = _rejects(tally, has_journal=has_journal)
    counts: Mapping[str, int] = {
        "--results": tally.states.total(),
        "--merged": tally.states.total(),
        "--rejects": rejects,
        "--uncertain": tally.states[State.UNCERTAIN],
    }
    for option, name in outputs.by_option().items():
        if name is not None and name != STANDARD:
            yield f"Wrote {name}: {_rows(counts[option])}."
    if report is not None:
        yield f"Wrote {report}."
    if outputs.rejects in (None, STANDARD) or not rejects:
        return
    if has_journal and tally.left:
        yield f"Run that first, then correct the rejects: {outputs.rejects} is written again by it."
    else:
        yield f"To import the rejects, once they are corrected: {import_rejects}"
    if is_excel:
        yield _OF_EXCEL


def _rejects(tally: Tally, *, has_journal: bool) -> int:
    not_applied = tally.states[State.FAILED] + tally.states[State.NOT_STARTED]
    # With a journal, what was not refused is sent when the run goes on.
    return not_applied - tally.left if has_journal else not_applied


def _rows(count: int) -> str:
    if count == 0:
        return "no rows"
    return "1 row" if count == 1 else f"{count:,} rows"
