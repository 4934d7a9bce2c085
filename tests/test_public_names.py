"""What users import."""

from types import ModuleType

import pytest

import contactsdk

# Names for other types; a string below each documents it, which Python keeps nowhere.
ALIASES = {"Confirm", "Item", "OnProgress"}


def test_public_names_are_there_sorted_and_documented() -> None:
    assert contactsdk.__all__ == sorted(contactsdk.__all__)
    for name in set(contactsdk.__all__) - ALIASES:
        assert getattr(contactsdk, name).__doc__


def test_nothing_else_is_public() -> None:
    public = {
        name
        for name, value in vars(contactsdk).items()
        if not name.startswith("_") and not isinstance(value, ModuleType)
    }

    assert public == set(contactsdk.__all__)


def test_postgres_journal_is_a_public_name() -> None:
    from contactsdk.journal.postgres import PostgresJournal

    assert contactsdk.PostgresJournal is PostgresJournal


def test_name_that_is_not_there_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="no attribute 'RedisJournal'"):
        contactsdk.RedisJournal  # noqa: B018
