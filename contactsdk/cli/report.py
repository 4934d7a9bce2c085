"""What a run shows: a bar while it runs, and a summary."""

import sys
import time
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Final

from attrs import Factory, define
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeRemainingColumn
from rich.progress import Progress as Bar

from contactsdk.bulk import OnProgress, Progress
from contactsdk.files import Result, State

_SHOWN_MESSAGES: Final = 25
_KEPT_MESSAGES: Final = 1000  # the platform's may differ for each contact; memory must not follow
_OTHER: Final = "other messages"

_SENT: Final[Mapping[State, str]] = {
    State.SUCCEEDED: "succeeded",
    State.FAILED: "failed",
    State.UNCERTAIN: "uncertain",
}
_CHECKED: Final[Mapping[State, str]] = {State.NOT_STARTED: "valid", State.FAILED: "invalid"}


@define
class Tally:
    """How many rows came to which state, and why."""

    states: Counter[State] = Factory(Counter)
    messages: Counter[tuple[State, str]] = Factory(Counter)
    left: int = 0
    """How many were not applied, and are sent when the run goes on with its journal."""
    _started: float = Factory(time.monotonic)

    @property
    def elapsed_s(self) -> float:
        return time.monotonic() - self._started

    @property
    def rate_per_s(self) -> float:
        """How many came to an end in each second so far."""
        done = self.states.total() - self.states[State.NOT_STARTED]
        return done / max(self.elapsed_s, 1e-9)

    def add(self, result: Result) -> None:
        self.states[result.state] += 1
        self.left += result.state in (State.FAILED, State.NOT_STARTED) and not result.refused
        if result.state in (State.FAILED, State.UNCERTAIN):
            key = (result.state, result.message)
            is_kept = key in self.messages or len(self.messages) < _KEPT_MESSAGES
            self.messages[key if is_kept else (result.state, _OTHER)] += 1


def summary(
    tally: Tally, *, stopped: str | None = None, checked: bool = False, timed: bool = True
) -> str:
    """What became of a run, in lines for a reader; nothing of its contacts.

    `stopped` says why it ended early, `checked` that it was a dry run, `timed` that it ran now.
    """
    states = dict(_CHECKED if checked else _SENT)
    if tally.states[State.NOT_STARTED]:
        states.setdefault(State.NOT_STARTED, "not started")
    counts = {"read": tally.states.total()}
    counts.update((label, tally.states[state]) for state, label in states.items())
    width = max(len(f"{count:,}") for count in counts.values())
    lines = [f"{count:>{width},} {label}" for label, count in counts.items()]
    if timed:
        lines.append(f"in {_duration(tally.elapsed_s)}")
    if timed and not checked:
        lines[-1] += f", {tally.rate_per_s:,.0f} contacts per second"
    for state in (State.FAILED, State.UNCERTAIN):
        lines += _grouped(tally, state, states.get(state, ""))
    if uncertain := tally.states[State.UNCERTAIN]:
        lines += [
            "",
            f"The {uncertain:,} uncertain may have been applied all the same: look each of them up "
            "before importing it again, or there may be two.",
        ]
    if stopped is not None:
        lines += ["", f"Stopped: {printable(stopped)}"]
    return "\n".join(lines)


@contextmanager
def bar(tally: Tally, total: int | None, *, hidden: bool) -> Iterator[OnProgress]:
    """A progress bar on standard error, if that is a terminal; what it gives shows how a run goes.

    What is done is the tally's, over several runs. `total` is how many rows there are, where that
    is known.
    """
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
    paused_s = 0.0

    def show(progress: Progress) -> None:
        nonlocal paused_s
        done = tally.states.total()
        shown.update(
            task,
            completed=done,
            rate=progress.rate_per_s,
            failed=done - tally.states[State.SUCCEEDED],
            note="paused by the platform" if progress.paused_s > paused_s else "",
        )
        paused_s = progress.paused_s

    with shown:
        yield show


def printable(what: object) -> str:
    """Text that another has written, on one line and without what would steer a terminal."""
    return "".join(char if char.isprintable() else "?" for char in " ".join(str(what).split()))


def _grouped(tally: Tally, state: State, label: str) -> list[str]:
    found = [
        (count, message) for (its, message), count in tally.messages.most_common() if its is state
    ]
    if not found:
        return []
    lines = ["", f"{label.capitalize()}:"]
    width = len(f"{found[0][0]:,}")
    shown, more = found[:_SHOWN_MESSAGES], found[_SHOWN_MESSAGES:]
    lines += [f"  {count:>{width},} x {printable(message)}" for count, message in shown]
    if more:
        lines.append(f"  and {sum(count for count, _ in more):,} with {len(more):,} other messages")
    return lines


def _duration(seconds: float) -> str:
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest} s"
