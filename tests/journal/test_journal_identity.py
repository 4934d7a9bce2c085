"""Digests of items and accounts, and an input held against those that were recorded."""

import pytest
from attrs import evolve

from contactsdk import InvalidContactError, JournalError
from contactsdk.journal.identity import Digests, check_input, content_of
from tests.examples import a_contact
from tests.journal.journals import ACCOUNT, FIRST, SECOND, WRONG

DIGESTS = Digests.of(b"salt", "secret")


def digest(item: object) -> bytes:
    assert not isinstance(item, bytes)
    return DIGESTS.of_content(content_of(item))  # type: ignore[arg-type]


def test_digest_depends_on_salt_secret_and_content() -> None:
    content = content_of(FIRST)
    made = {
        Digests.of(b"salt", "secret").of_content(content),
        Digests.of(b"other", "secret").of_content(content),
        Digests.of(b"salt", "other").of_content(content),
        Digests.of(b"salt", "secret").of_content(content_of(SECOND)),
    }

    assert len(made) == 4
    assert Digests.of(b"salt", "secret").of_content(content) in made


@pytest.mark.parametrize("change", [{"url": "u"}, {"key": "k"}, {"secret": "s"}])
def test_digest_of_an_account_depends_on_all_of_it(change: dict[str, str]) -> None:
    other = evolve(ACCOUNT, **change)
    made = Digests.of(b"salt", ACCOUNT.secret).of_account(ACCOUNT)

    assert Digests.of(b"salt", other.secret).of_account(other) != made


def test_contacts_with_the_same_key_have_the_same_digest_of_it() -> None:
    assert DIGESTS.of_key(a_contact(phone="1")) == DIGESTS.of_key(a_contact(phone="2"))
    assert DIGESTS.of_key(FIRST) != DIGESTS.of_key(SECOND)


def test_what_utf_8_cannot_hold_has_a_digest() -> None:
    assert digest(InvalidContactError([(("\ud800",), "is not a field of a contact")]))


def test_account_shows_neither_key_nor_secret() -> None:
    assert "key" not in repr(ACCOUNT).replace("Account(url='https://api.example.com')", "")
    assert "secret" not in repr(ACCOUNT)
    assert "secret" not in repr(DIGESTS)


def test_input_may_differ_where_nothing_was_recorded() -> None:
    recorded = [(0, digest(FIRST)), (2, digest(WRONG))]

    check_input(recorded, [FIRST, SECOND, WRONG], DIGESTS)
    check_input(recorded, [FIRST, FIRST, WRONG, SECOND, SECOND], DIGESTS)
    check_input([], [FIRST], DIGESTS)


@pytest.mark.parametrize(
    ("items", "number"),
    [([SECOND, FIRST, WRONG], 0), ([FIRST, FIRST, FIRST], 2), ([FIRST, FIRST], 2), ([], 0)],
)
def test_first_item_that_differs_or_is_missing_is_named(items: list[object], number: int) -> None:
    recorded = [(0, digest(FIRST)), (2, digest(WRONG))]

    with pytest.raises(JournalError, match=f"item {number} ") as raised:
        check_input(recorded, items, DIGESTS)  # type: ignore[arg-type]

    assert raised.value.number == number
