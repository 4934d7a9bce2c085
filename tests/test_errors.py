import copy
import pickle
from collections.abc import Callable
from typing import Any

import pytest

from contactsdk.errors import (
    AuthenticationError,
    ContactError,
    InvalidContactError,
    RateLimitedError,
    RejectedError,
    SetupError,
    UnavailableError,
    UncertainError,
    explanation,
)

WRONG = ((("email",), "is required"), (("custom_fields", 1, "field_id"), "must be positive"))

PLAIN = [
    ContactError,
    RejectedError,
    SetupError,
    AuthenticationError,
    RateLimitedError,
    UnavailableError,
    UncertainError,
]


def through_pickle(protocol: int) -> Callable[[ContactError], ContactError]:
    return lambda error: pickle.loads(pickle.dumps(error, protocol))


PROTOCOLS = range(pickle.HIGHEST_PROTOCOL + 1)
COPIES = [copy.copy, copy.deepcopy, *map(through_pickle, PROTOCOLS)]
COPY_IDS = ["copy", "deepcopy", *(f"pickle-{protocol}" for protocol in PROTOCOLS)]


def an_error(kind: type[ContactError]) -> ContactError:
    if kind is InvalidContactError:
        return InvalidContactError(WRONG)
    return kind(
        "no contact found",
        http_status=200,
        error_code=404,
        specific_code=24096,
        additional_messages=["look", "again"],
        retry_after_s=2.5,
        attempts=3,
    )


@pytest.mark.parametrize(
    ("kind", "bases"),
    [
        (ContactError, {Exception}),
        (InvalidContactError, {ContactError, ValueError}),
        (RejectedError, {ContactError}),
        (SetupError, {ContactError}),
        (AuthenticationError, {SetupError}),
        (RateLimitedError, {ContactError}),
        (UnavailableError, {ContactError}),
        (UncertainError, {ContactError}),
    ],
)
def test_errors_are_divided_by_the_callers_next_move(kind: type, bases: set[type]) -> None:
    assert set(kind.__bases__) == bases


@pytest.mark.parametrize("kind", PLAIN)
def test_an_error_prints_as_its_message(kind: type[ContactError]) -> None:
    assert str(an_error(kind)) == "no contact found"


def test_an_error_that_got_no_answer_carries_nothing_of_one() -> None:
    assert vars(ContactError("never sent")) == {
        "message": "never sent",
        "http_status": None,
        "error_code": None,
        "specific_code": None,
        "additional_messages": (),
        "retry_after_s": None,
        "attempts": 0,
    }


def test_an_error_carries_what_the_answer_said() -> None:
    assert vars(an_error(RejectedError)) == {
        "message": "no contact found",
        "http_status": 200,
        "error_code": 404,
        "specific_code": 24096,
        "additional_messages": ("look", "again"),
        "retry_after_s": 2.5,
        "attempts": 3,
    }


def test_an_invalid_contact_error_names_every_path() -> None:
    assert (
        str(InvalidContactError(WRONG))
        == "email is required; custom_fields.1.field_id must be positive"
    )


def test_a_problem_of_the_whole_contact_prints_without_a_path() -> None:
    assert str(InvalidContactError([((), "must be a JSON object")])) == "must be a JSON object"


def test_the_errors_of_an_invalid_contact_are_a_tuple_whatever_came() -> None:
    assert InvalidContactError(iter(WRONG)).errors == WRONG


@pytest.mark.parametrize("copied", COPIES, ids=COPY_IDS)
@pytest.mark.parametrize("kind", [*PLAIN, InvalidContactError])
def test_a_copied_error_is_the_same_with_all_that_was_set_on_it_also_late(
    kind: type[ContactError], copied: Callable[[ContactError], ContactError]
) -> None:
    error = an_error(kind)
    error.attempts = 5
    error.message = "said otherwise since"
    error.row_number = 12  # type: ignore[attr-defined]
    error.add_note("seen in the nightly run")

    other = copied(error)

    assert other is not error
    assert state(other) == state(error)


def state(error: ContactError) -> tuple[Any, ...]:
    return type(error), error.args, str(error), vars(error)


@pytest.mark.parametrize(
    ("message", "additional", "text"),
    [
        ("refused", [], "refused"),
        ("refused", ["", "refused"], "refused"),
        ("refused", ["Group 99 is unknown", "look"], "refused; Group 99 is unknown; look"),
    ],
)
def test_explanation_has_what_additional_messages_add(
    message: str, additional: list[str], text: str
) -> None:
    assert explanation(RejectedError(message, additional_messages=additional)) == text
