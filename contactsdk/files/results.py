"""What became of each row."""

from enum import StrEnum
from typing import Final

from attrs import frozen

from contactsdk.bulk import Outcome
from contactsdk.errors import InvalidContactError, RejectedError, UnavailableError
from contactsdk.journal import JournalRow
from contactsdk.journal import State as JournalState


class State(StrEnum):
    """What became of a row; `failed` and `not_started` are known not to be applied."""

    SUCCEEDED = "succeeded"
    FAILED = "failed"
    UNCERTAIN = "uncertain"
    NOT_STARTED = "not_started"


@frozen(kw_only=True)
class Result:
    """What is told of one row: `id` is the platform's, `message` why there is none, on one line.

    `refused` says that it is no valid contact, or that the platform refused it: sending the row
    again as it is cannot help.
    """

    line: int
    id: int | None = None
    state: State
    message: str = ""
    attempts: int = 0
    refused: bool = False


def result_of(line: int, outcome: Outcome) -> Result:
    """What is told of the row on `line` that came to this outcome."""
    return Result(
        line=line,
        id=outcome.id,
        state=_state(outcome),
        message=" ".join(outcome.message.split()),
        attempts=outcome.attempts,
        refused=isinstance(outcome.error, InvalidContactError | RejectedError),
    )


def not_started(line: int) -> Result:
    """What is told of a row that the run did not come to."""
    return Result(line=line, state=State.NOT_STARTED, message="not sent: the run ended before")


def result_of_record(recorded: JournalRow) -> Result:
    """What is told of a row from a run's journal alone."""
    message = "" if recorded.error is None else recorded.error.message
    if recorded.state is JournalState.SENT:
        message = "in flight when the run ended"
    return Result(
        line=recorded.number + 1 if recorded.line is None else recorded.line,
        id=recorded.id,
        state=_STATE_OF_RECORD[recorded.state],
        message=" ".join(message.split()),
        attempts=recorded.attempts,
        refused=recorded.state in (JournalState.REJECTED, JournalState.INVALID),
    )


_STATE_OF_RECORD: Final = {
    JournalState.SENT: State.UNCERTAIN,
    JournalState.SUCCEEDED: State.SUCCEEDED,
    JournalState.REJECTED: State.FAILED,
    JournalState.INVALID: State.FAILED,
    JournalState.UNCERTAIN: State.UNCERTAIN,
    JournalState.NOT_APPLIED: State.FAILED,
}


def _state(outcome: Outcome) -> State:
    if outcome.ok:
        return State.SUCCEEDED
    if outcome.uncertain:
        return State.UNCERTAIN
    if outcome.attempts == 0 and isinstance(outcome.error, UnavailableError):
        return State.NOT_STARTED
    return State.FAILED
