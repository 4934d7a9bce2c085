"""Errors as a journal keeps them, and what a row says of one."""

from typing import Any

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
from contactsdk.journal import State
from contactsdk.journal.rows import pack_error, state_of, unpack_error

FULL: dict[str, Any] = {
    "http_status": 429,
    "error_code": "429",
    "specific_code": 7,
    "additional_messages": ("a", "b"),
    "retry_after_s": 1.5,
    "attempts": 3,
}


@pytest.mark.parametrize(
    "kind",
    [
        RejectedError,
        SetupError,
        AuthenticationError,
        RateLimitedError,
        UnavailableError,
        UncertainError,
    ],
)
def test_error_is_kept_with_all_its_details(kind: type[ContactError]) -> None:
    error = kind("why", **FULL)

    unpacked = unpack_error(pack_error(error))

    assert type(unpacked) is kind
    assert vars(unpacked) == vars(error)


def test_error_of_an_invalid_contact_is_kept_by_its_message() -> None:
    error = InvalidContactError([(("email",), "must be there"), (("groups", 1), "is no id")])

    unpacked = unpack_error(pack_error(error))

    assert isinstance(unpacked, InvalidContactError)
    assert str(unpacked) == str(error)


def test_error_of_a_class_of_the_callers_own_is_kept_as_the_class_it_derives_from() -> None:
    class RowError(InvalidContactError):
        pass

    unpacked = unpack_error(pack_error(RowError([(("email",), "must be there")])))

    assert type(unpacked) is InvalidContactError
    assert str(unpacked) == "email must be there"


def test_no_error_is_kept_as_none() -> None:
    assert unpack_error(pack_error(None)) is None


@pytest.mark.parametrize(
    ("error", "state"),
    [
        (None, State.SUCCEEDED),
        (InvalidContactError([(("email",), "must be there")]), State.INVALID),
        (RejectedError("no"), State.REJECTED),
        (UncertainError("sent"), State.UNCERTAIN),
        (UnavailableError("later"), State.NOT_APPLIED),
        (RateLimitedError("later"), State.NOT_APPLIED),
        (SetupError("wrong"), State.NOT_APPLIED),
        (AuthenticationError("wrong"), State.NOT_APPLIED),
        (ContactError("of a class that nobody has sorted in"), State.UNCERTAIN),
    ],
)
def test_state_follows_from_the_error(error: ContactError | None, state: State) -> None:
    assert state_of(error) is state
