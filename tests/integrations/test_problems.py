"""Problem documents: one for each kind of error, and nothing of the contact in any."""

import json

import pytest

from contactsdk import (
    AuthenticationError,
    ContactError,
    InvalidContactError,
    RateLimitedError,
    RejectedError,
    SetupError,
    UnavailableError,
    UncertainError,
)
from contactsdk.integrations.problems import problem_from

SECRET = "the platform repeats ada@example.com"

KINDS: list[tuple[ContactError, int, str]] = [
    (InvalidContactError([(("email",), "must be a valid email address")]), 422, "invalid"),
    (RejectedError(SECRET), 422, "rejected"),
    (SetupError(SECRET), 502, "setup"),
    (AuthenticationError(SECRET), 502, "authentication"),
    (RateLimitedError(SECRET), 503, "rate-limited"),
    (UnavailableError(SECRET), 503, "unavailable"),
    (UncertainError(SECRET), 500, "uncertain"),
    (ContactError(SECRET), 500, "uncertain"),
]


@pytest.mark.parametrize(("error", "status", "kind"), KINDS)
def test_problem_says_which_error_it_was(error: ContactError, status: int, kind: str) -> None:
    problem = problem_from(error)

    assert problem.status == problem.document["status"] == status
    assert problem.document["type"] == f"urn:contactsdk:{kind}"
    assert problem.document["title"]
    assert problem.headers == {"Content-Type": "application/problem+json"}


@pytest.mark.parametrize(("error", "status", "kind"), KINDS)
def test_problem_repeats_no_text_of_the_platform(
    error: ContactError, status: int, kind: str
) -> None:
    problem = problem_from(error)

    assert "ada@example.com" not in str(problem) + problem.body.decode()


def test_invalid_contacts_problem_locates_each_field_in_the_platforms_spelling() -> None:
    errors = [
        (("first_name",), "is required"),
        (("custom_fields", 1, "field_id"), "must be a positive integer"),
    ]

    assert json.loads(problem_from(InvalidContactError(errors)).body)["errors"] == [
        {"loc": ["firstName"], "msg": "is required"},
        {"loc": ["customFields", 1, "fieldId"], "msg": "must be a positive integer"},
    ]


def test_rejected_contacts_problem_has_the_platforms_code() -> None:
    problem = problem_from(RejectedError("no such group", specific_code=23016))

    assert problem.document["specificCode"] == 23016


@pytest.mark.parametrize("kind", [RateLimitedError, UnavailableError])
def test_wait_that_the_platform_asked_for_is_handed_on_in_whole_seconds(
    kind: type[ContactError],
) -> None:
    assert problem_from(kind("", retry_after_s=6.2)).headers["Retry-After"] == "7"


def test_only_what_may_be_sent_again_names_a_wait() -> None:
    assert "Retry-After" not in problem_from(UncertainError("", retry_after_s=6.0)).headers


def test_reason_for_the_log_names_the_platforms_numbers() -> None:
    error = RejectedError(SECRET, http_status=400, error_code=400)

    assert problem_from(error).reason == "RejectedError, HTTP 400, errorCode 400"


def test_name_that_utf8_cannot_carry_is_escaped() -> None:
    problem = problem_from(InvalidContactError([(("\ud800",), "is not a field of a contact")]))

    assert json.loads(problem.body)["errors"][0]["loc"] == ["\ud800"]
