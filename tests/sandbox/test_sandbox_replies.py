import pytest

from contactsdk.sandbox import Guesses
from contactsdk.sandbox.replies import RefusedError, invalid, refusal


def test_refusal_leaves_out_what_it_does_not_have() -> None:
    assert RefusedError(500, "Internal error").answer() == {
        "errorCode": 500,
        "message": "Internal error",
    }


def test_parameter_that_does_not_validate_is_refused_as_documented() -> None:
    assert invalid("id", "Value must be a whole number").answer() == {
        "errorCode": 400,
        "message": "'id' does not validate",
        "specificCode": 23016,
        "additionalMessages": ["Value must be a whole number"],
    }


@pytest.mark.parametrize(("guess", "status"), [("mirrored", 404), ("200", 200)])
def test_status_of_a_refusal_mirrors_its_code_or_does_not(guess: str, status: int) -> None:
    reply = refusal(RefusedError(404, "Not found"), Guesses.read([f"error_status={guess}"]))
    assert (reply.status, reply.error_code) == (status, 404)
