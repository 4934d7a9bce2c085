"""The result of each row."""

from enum import StrEnum
from typing import Final

from attrs import frozen

from contactsdk.bulk import Outcome
from contactsdk.errors import (
    ContactError,
    InvalidContactError,
    RejectedError,
    UnavailableError,
    explanation,
)
from contactsdk.files.privacy import without_values
from contactsdk.journal import JournalRow
from contactsdk.journal import State as JournalState


class State(StrEnum):
    """The state of a row after a run; `failed` and `not_started` mean certainly not applied."""

    SUCCEEDED = "succeeded"
    FAILED = "failed"
    UNCERTAIN = "uncertain"
    NOT_STARTED = "not_started"


@frozen(kw_only=True)
class Result:
    """The result of one row."""

    line: int
    """The line of the file on which the row starts, from 1."""
    row: int
    """The number that a spreadsheet shows beside the row."""
    id: int | None = None
    """The platform's id of the contact; `None` unless the row succeeded."""
    state: State
    """Whether the row succeeded, failed, is uncertain or was not sent."""
    message: str = ""
    """Why the row did not succeed, on one line; empty if it did. It may repeat contact values."""
    reason: str = ""
    """The message without the contact's values, so it is the same for all rows with one problem."""
    attempts: int = 0
    """How many requests were made for the row."""
    refused: bool = False
    """Whether the contact is invalid, or the platform refused it: it must be corrected first."""
    settled: bool = False
    """Whether the contact was uncertain and then found on the platform."""


def result_of(line: int, row: int, outcome: Outcome) -> Result:
    """The result of a row whose contact had this outcome."""
    error = outcome.error
    if error is None:
        return Result(
            line=line,
            row=row,
            id=outcome.id,
            state=State.SUCCEEDED,
            attempts=outcome.attempts,
            settled=outcome.settled,
        )
    message = message_of(error)
    return Result(
        line=line,
        row=row,
        state=_state(outcome, error),
        message=message,
        reason=without_values(message, outcome.contact),
        attempts=outcome.attempts,
        refused=isinstance(error, InvalidContactError | RejectedError),
    )


def invalid(line: int, row: int, error: InvalidContactError) -> Result:
    """The result of a row whose contact is not valid."""
    message = message_of(error)
    return Result(
        line=line, row=row, state=State.FAILED, message=message, reason=message, refused=True
    )


def not_started(line: int, row: int, why: str = "not sent: the run ended first") -> Result:
    """The result of a row that was not sent."""
    return Result(line=line, row=row, state=State.NOT_STARTED, message=why, reason=why)


def result_of_record(recorded: JournalRow, line: int | None = None) -> Result:
    """The result of a row, from the journal of a run.

    `line` is the line of the row in the input. If it is `None`, the result has the number of the
    row instead, which is the same unless cells have line breaks.
    """
    message = "" if recorded.error is None else message_of(recorded.error)
    if recorded.state is JournalState.SENT:
        message = "in flight when the run ended"
    if recorded.state is JournalState.WAITING:
        message = "waiting to be sent"
    # The command line stores the number of the row as the journal's `line`.
    row = recorded.number + 1 if recorded.line is None else recorded.line
    return Result(
        line=row if line is None else line,
        row=row,
        id=recorded.id,
        state=_STATE_OF_RECORD[recorded.state],
        message=message,
        reason=message,
        attempts=recorded.attempts,
        refused=recorded.state in (JournalState.REJECTED, JournalState.INVALID),
        settled=recorded.settled,
    )


def message_of(error: ContactError) -> str:
    """The message of an error and the platform's additional ones, on one line."""
    return " ".join(explanation(error).split())


_STATE_OF_RECORD: Final = {
    JournalState.SENT: State.UNCERTAIN,
    JournalState.SUCCEEDED: State.SUCCEEDED,
    JournalState.REJECTED: State.FAILED,
    JournalState.INVALID: State.FAILED,
    JournalState.UNCERTAIN: State.UNCERTAIN,
    JournalState.NOT_APPLIED: State.FAILED,
    JournalState.WAITING: State.NOT_STARTED,
}


def _state(outcome: Outcome, error: ContactError) -> State:
    if outcome.uncertain:
        return State.UNCERTAIN
    if outcome.attempts == 0 and isinstance(error, UnavailableError):
        return State.NOT_STARTED
    return State.FAILED
