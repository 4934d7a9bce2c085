"""The JSON schemas that OpenAPI documents show say what the code does."""

import json
from typing import Any

import jsonschema
import pytest

from contactsdk import ContactError, InvalidContactError, RejectedError
from contactsdk.integrations.problems import MEDIA_TYPE, problem_from
from contactsdk.integrations.schema import CONTACT_SCHEMA, PROBLEM_RESPONSES
from contactsdk.wire import contact_from, encode
from tests.examples import a_full_contact
from tests.integrations.bodies import WRONG
from tests.integrations.test_problems import KINDS

SCHEMA = jsonschema.Draft202012Validator(
    CONTACT_SCHEMA, format_checker=jsonschema.Draft202012Validator.FORMAT_CHECKER
)


def test_schema_is_a_valid_json_schema() -> None:
    SCHEMA.check_schema(CONTACT_SCHEMA)


def test_schema_knows_every_field_and_takes_what_is_sent() -> None:
    sent = json.loads(encode(a_full_contact()))

    assert CONTACT_SCHEMA["properties"].keys() == sent.keys()
    SCHEMA.validate(sent)


@pytest.mark.parametrize("example", CONTACT_SCHEMA["examples"])
def test_examples_are_contacts_as_they_are_sent(example: dict[str, Any]) -> None:
    SCHEMA.validate(example)

    assert json.loads(encode(contact_from(example))) == example


@pytest.mark.parametrize("body", [body for body, _ in WRONG])
def test_schema_refuses_what_is_not_a_contact(body: Any) -> None:
    assert not SCHEMA.is_valid(body)


def documented_problem(status: int) -> jsonschema.Draft202012Validator:
    schema = PROBLEM_RESPONSES[status]["content"][MEDIA_TYPE]["schema"]
    jsonschema.Draft202012Validator.check_schema(schema)
    return jsonschema.Draft202012Validator(schema)


@pytest.mark.parametrize(
    "error",
    [
        *(error for error, _, _ in KINDS),
        InvalidContactError([(("groups", 1), "must be a positive integer")]),
        RejectedError("", specific_code=23016),
    ],
)
def test_each_problem_is_documented_under_its_status(error: ContactError) -> None:
    problem = problem_from(error)

    documented_problem(problem.status).validate(json.loads(problem.body))


def test_no_status_is_documented_that_no_error_has() -> None:
    assert PROBLEM_RESPONSES.keys() == {problem_from(error).status for error, _, _ in KINDS}


def test_problem_of_another_status_does_not_fit() -> None:
    for error, status, _ in KINDS:
        for other in PROBLEM_RESPONSES.keys() - {status}:
            assert not documented_problem(int(other)).is_valid(json.loads(problem_from(error).body))
