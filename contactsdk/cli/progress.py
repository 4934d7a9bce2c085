"""The progress bar of a run."""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeRemainingColumn
from rich.progress import Progress as Bar

from contactsdk.bulk import OnProgress, Progress


@contextmanager
def bar(total: int, *, hidden: bool) -> Iterator[OnProgress]:
    """A bar on standard error, if that is a terminal; what it yields shows the progress there."""
    shown = Bar(
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[rate]:,.0f}/s  {task.fields[failed]:,} failed"),
        TimeRemainingColumn(),
        TextColumn("{task.fields[note]}"),
        console=Console(stderr=True),
        disable=hidden or not sys.stderr.isatty(),
        transient=True,
    )
    task = shown.add_task("", total=total, rate=0.0, failed=0, note="")
    note_of = notes()

    def show(progress: Progress) -> None:
        shown.update(
            task,
            completed=progress.succeeded + progress.failed + progress.uncertain,
            rate=progress.rate_per_s,
            failed=progress.failed + progress.uncertain,
            note=note_of(progress),
        )

    with shown:
        yield show


def notes() -> Callable[[Progress], str]:
    """What says, given the progress of a run each time that it comes, why the run waits."""
    paused_s = 0.0
    began_s = 0.0

    def note(progress: Progress) -> str:
        nonlocal paused_s, began_s
        is_paused = progress.paused_s > paused_s
        if not is_paused:
            began_s = progress.paused_s
        paused_s = progress.paused_s
        if not is_paused:
            return ""
        return f"the platform is busy or does not answer: waiting for {paused_s - began_s:.0f} s"

    return note
