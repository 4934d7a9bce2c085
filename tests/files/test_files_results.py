import pytest
from files.made import outcome

from contactsdk import InvalidContactError, RejectedError, UnavailableError, UncertainError
from contactsdk.files import Result, State, result_of


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
def test_result_tells_what_became_of_a_row(came, state, message, refused):
    assert result_of(4, came) == Result(
        line=4,
        id=came.id,
        state=state,
        message=message,
        attempts=came.attempts,
        refused=refused,
    )
