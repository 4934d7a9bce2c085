"""The progress bar of a run."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeRemainingColumn
from rich.progress import Progress as Bar

from contactsdk.bulk import OnProgress, Progress


@contextmanager
def bar(total: int, *, hidden: bool) -> Iterator[OnProgress]:
    """A progress bar on standard error; yields the function that updates it.

    `total` is the number of rows. Nothing is shown if `hidden` or if there is no terminal.
    """
    if hidden or not sys.stderr.isatty():
        yield lambda progress: None
        return
    shown = Bar(
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[rate]:,.0f}/s  {task.fields[not_succeeded]}"),
        TimeRemainingColumn(),
        TextColumn("{task.fields[note]}"),
        console=Console(stderr=True),
        transient=True,
    )
    task = shown.add_task("", total=total, rate=0.0, not_succeeded="", note="")

    def show(progress: Progress) -> None:
        shown.update(
            task,
            completed=progress.succeeded + progress.failed + progress.uncertain,
            rate=progress.rate_per_s,
            not_succeeded=not_succeeded(progress),
            note=note_of(progress),
        )

    with shown:
        yield show


def not_succeeded(progress: Progress) -> str:
    """How many contacts failed, and how many are uncertain if there are any."""
    uncertain = f"  {progress.uncertain:,} uncertain" if progress.uncertain else ""
    return f"{progress.failed:,} failed{uncertain}"


def note_of(progress: Progress) -> str:
    """Why a run waits or is slow, in a few words; empty if it does neither."""
    again = progress.resumes_in_s
    if progress.is_platform_away:
        when = "trying again now" if again is None else f"trying again in {again:.0f} s"
        return f"the platform is unavailable: {when}"
    if again is not None:
        return f"the platform asks to wait: continuing in {again:.0f} s"
    if progress.rate_limit_per_s is not None:
        return f"throttled by the platform to about {progress.rate_limit_per_s:,.0f} a second"
    return ""
