"""The results of a run: how many rows have which state, and why rows did not succeed."""

from collections import Counter
from collections.abc import Mapping
from typing import Final

from attrs import Factory, define

from contactsdk.cli.reasons import Reasons
from contactsdk.cli.text import duration, printable
from contactsdk.files import Result, State

_LABELS: Final[Mapping[State, str]] = {
    State.SUCCEEDED: "succeeded",
    State.FAILED: "failed",
    State.UNCERTAIN: "uncertain",
}


@define
class Tally:
    """Counts the rows of a run by their state and by the reason of it."""

    states: Counter[State] = Factory(Counter)
    """State -> how many rows have it."""
    failed: Reasons = Factory(Reasons)
    """Why rows failed."""
    uncertain: Reasons = Factory(Reasons)
    """Why rows are uncertain."""
    left: int = 0
    """How many rows were not applied and are sent when the run goes on with its journal."""
    from_journal: int = 0
    """How many rows were not sent, since the journal has their results from an earlier run."""

    invalid: int = 0
    """How many rows are not valid contacts; nothing is sent of these."""
    settled: int = 0
    """How many rows were uncertain, and then found on the platform."""

    @property
    def ended(self) -> int:
        """How many rows got their result in this run, not in an earlier one."""
        return self.states.total() - self.states[State.NOT_STARTED] - self.from_journal

    def add(self, result: Result) -> None:
        """Count one row."""
        state = result.state
        self.states[state] += 1
        self.settled += result.settled
        if state is State.SUCCEEDED:
            return
        self.invalid += result.refused and not result.attempts
        self.left += state is not State.UNCERTAIN and not result.refused
        if state is State.FAILED:
            self.failed.add(result.reason, result.row)
        elif state is State.UNCERTAIN:
            self.uncertain.add(result.reason, result.row)


def summary(
    tally: Tally,
    *,
    elapsed_s: float | None = None,
    sent_to: str = "",
    stopped: str | None = None,
    look_up: str = "",
) -> str:
    """The text that reports the results of a run; it holds no value of a contact.

    `elapsed_s` is how long the run took, in seconds; `None` if the results come from a journal.
    `sent_to` is the address to which contacts were sent; empty if it is not to be shown. `stopped`
    says why the run ended early; `None` if it did not. `look_up` is a sentence that says how
    uncertain rows can be looked up.
    """
    labels = dict(_LABELS)
    if tally.states[State.NOT_STARTED]:
        labels[State.NOT_STARTED] = "not started"
    counts = {"read": tally.states.total()}
    counts.update((label, tally.states[state]) for state, label in labels.items())
    width = max(len(f"{count:,}") for count in counts.values())
    lines = [f"{count:>{width},} {label}" for label, count in counts.items()]
    if tally.from_journal:
        lines.append(
            f"{tally.from_journal:,} of them came from the journal and were not sent again"
        )
    if tally.settled:
        lines.append(f"{tally.settled:,} were uncertain and then found")
    is_all_invalid = tally.invalid == tally.states.total()
    if elapsed_s is not None:
        rate = ""
        if tally.ended > 0 and not is_all_invalid:
            rate = f", {tally.ended / max(elapsed_s, 1e-9):,.0f} contacts per second"
        lines.append(f"in {duration(elapsed_s)}{rate}")
    if sent_to and not is_all_invalid:
        lines.append(f"to {printable(sent_to)}")
    lines += _grouped("Failed", tally.failed)
    lines += _grouped("Uncertain", tally.uncertain)
    if uncertain := tally.states[State.UNCERTAIN]:
        lines += [
            "",
            f"The {uncertain:,} uncertain may have been applied: look each of them up before you "
            "import it again, or there may be two of it.",
        ]
        if look_up:
            lines.append(printable(look_up))
    if stopped is not None:
        lines += ["", f"Stopped: {printable(stopped)}"]
    return "\n".join(lines)


def _grouped(label: str, reasons: Reasons) -> list[str]:
    lines = reasons.lines()
    return ["", f"{label}:", *lines] if lines else []
