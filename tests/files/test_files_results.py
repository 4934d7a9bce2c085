from typing import Any

import pytest

from contactsdk import InvalidContactError, RejectedError, UnavailableError, UncertainError
from contactsdk.bulk import Outcome
from contactsdk.files import Result, State, invalid, message_of, result_of, result_of_record
from contactsdk.journal import JournalRow
from contactsdk.journal import State as JournalState
from tests.examples import a_contact
from tests.files.made import outcome


@pytest.mark.parametrize(
    ("came", "state", "message", "refused"),
    [
        (outcome(id=33884), State.SUCCEEDED, "", False),
        (outcome(RejectedError("no\r\n such  group")), State.FAILED, "no such group", True),
        (outcome(InvalidContactError([((), "x")]), attempts=0), State.FAILED, "x", True),
        (outcome(UncertainError("lost")), State.UNCERTAIN, "lost", False),
        (outcome(UnavailableError("declined")), State.FAILED, "declined", False),
        (outcome(UnavailableError("never"), attempts=0), State.NOT_STARTED, "never", False),
    ],
)
def test_result_says_what_became_of_a_row(
    came: Any, state: State, message: str, refused: bool
) -> None:
    assert result_of(5, 4, came) == Result(
        line=5,
        row=4,
        id=came.id,
        state=state,
        message=message,
        reason=message,
        attempts=came.attempts,
        refused=refused,
    )


def test_reason_is_the_message_without_values_of_the_contact() -> None:
    error = RejectedError("ada@example.com is taken")
    result = result_of(2, 2, Outcome(0, a_contact(), None, error, 1, 0.0))
    assert (result.message, result.reason) == ("ada@example.com is taken", "[...] is taken")


def test_platforms_additional_messages_are_part_of_the_message() -> None:
    error = RejectedError(
        "'customFields' does not validate",
        additional_messages=[
            "Value must be a whole number",
            "",
            "'customFields' does not validate",
        ],
    )
    said = "'customFields' does not validate; Value must be a whole number"
    assert message_of(error) == said


def test_row_without_a_valid_contact_has_failed() -> None:
    result = invalid(5, 4, InvalidContactError([(("email",), "is required")]))
    assert (result.state, result.message) == (State.FAILED, "email is required")
    assert result.refused


def a_record(
    state: JournalState, *, error: RejectedError | None = None, line: int | None = 7
) -> JournalRow:
    return JournalRow(number=3, line=line, state=state, id=None, error=error, attempts=1)


@pytest.mark.parametrize(
    ("recorded", "state"),
    [
        (JournalState.SENT, State.UNCERTAIN),
        (JournalState.SUCCEEDED, State.SUCCEEDED),
        (JournalState.REJECTED, State.FAILED),
        (JournalState.INVALID, State.FAILED),
        (JournalState.UNCERTAIN, State.UNCERTAIN),
        (JournalState.NOT_APPLIED, State.FAILED),
    ],
)
def test_result_is_known_from_the_journal_alone(recorded: JournalState, state: State) -> None:
    result = result_of_record(a_record(recorded))
    assert (result.row, result.line, result.state) == (7, 7, state)
    assert result.refused == (recorded in (JournalState.REJECTED, JournalState.INVALID))


def test_message_of_a_recorded_row_is_that_of_its_error() -> None:
    recorded = a_record(JournalState.REJECTED, error=RejectedError("no", additional_messages=["b"]))
    assert result_of_record(recorded).message == "no; b"
    assert "in flight" in result_of_record(a_record(JournalState.SENT)).message


def test_line_of_a_recorded_row_is_known_with_the_input() -> None:
    result = result_of_record(a_record(JournalState.SUCCEEDED), line=9)
    assert (result.row, result.line) == (7, 9)


def test_recorded_row_without_a_number_is_counted() -> None:
    result = result_of_record(a_record(JournalState.SUCCEEDED, line=None))
    assert (result.row, result.line) == (4, 4)
