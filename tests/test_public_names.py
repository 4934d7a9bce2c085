"""What users import."""

import typing
from types import ModuleType

import pytest

import contactsdk
from contactsdk import bulk

# Names for other types; a string below each documents it, which Python keeps nowhere.
ALIASES = {"Confirm", "Item", "OnProgress"}


def test_public_names_are_there_sorted_and_documented() -> None:
    assert contactsdk.__all__ == sorted(contactsdk.__all__)
    for name in set(contactsdk.__all__) - ALIASES:
        assert getattr(contactsdk, name).__doc__


def test_nothing_else_is_public() -> None:
    public = {
        name
        for name in dir(contactsdk)
        if not name.startswith("_") and not isinstance(getattr(contactsdk, name), ModuleType)
    }

    assert public == set(contactsdk.__all__)


def test_postgres_journal_is_a_public_name() -> None:
    from contactsdk.journal.postgres import PostgresJournal

    assert contactsdk.PostgresJournal is PostgresJournal


def test_name_that_is_not_there_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="no attribute 'RedisJournal'"):
        getattr(contactsdk, "RedisJournal")  # noqa: B009  # type checkers know that it is not there


def test_name_that_is_not_there_is_no_name_of_bulk_either() -> None:
    with pytest.raises(AttributeError, match="no attribute 'Outcomes'"):
        getattr(bulk, "Outcomes")  # noqa: B009  # as above


def test_name_that_is_imported_on_demand_comes_with_the_star() -> None:
    names: dict[str, object] = {}
    exec("from contactsdk import *", names)

    assert names["SqliteJournal"] is contactsdk.SqliteJournal


def test_annotations_of_the_client_can_be_evaluated() -> None:
    hints = typing.get_type_hints(contactsdk.ContactClient.stream)

    assert hints["return"] is contactsdk.OutcomeStream
