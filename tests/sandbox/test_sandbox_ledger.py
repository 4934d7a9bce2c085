from typing import Any

import pytest

from contactsdk.sandbox import Answer, Fault, FaultKind, Request, outcome_of


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({}, "pending"),
        ({"answer": Answer.HUNG}, "hung"),
        ({"answer": Answer.SENT, "status": 200, "contact_id": 7}, "200, contact 7"),
        ({"answer": Answer.SENT, "status": 200, "async_id": "abc"}, "200, batch abc"),
        ({"answer": Answer.SENT, "status": 200, "error_code": 400}, "200, errorCode 400"),
        (
            {"answer": Answer.CLOSED, "contact_id": 7, "fault": Fault(FaultKind.CLOSE_AFTER_WRITE)},
            "closed, contact 7 (fault: close after write)",
        ),
    ],
)
def test_outcome_of_a_request_is_said_in_a_few_words(given: dict[str, Any], words: str) -> None:
    request = Request(number=1, action="test?action=ping", method="POST", headers={}, **given)
    assert outcome_of(request) == words
