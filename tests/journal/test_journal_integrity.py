"""The checksum: it follows from the rows alone, and every change of a row changes it."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contactsdk.journal.integrity import Checksum, RowHash
from contactsdk.journal.store import StoredRow

ROW = StoredRow(3, 5, b"d" * 16, b"k" * 16, "sent", None, None, 0, False, None, None)
NONE = Checksum.of_no_rows(b"salt", b"account")
HASHES = st.lists(st.integers(0, 2**128 - 1), max_size=8)


@pytest.mark.parametrize(
    "change",
    [
        {"number": 4},
        {"line": None},
        {"digest": b"e" * 16},
        {"key": None},
        {"key": b"l" * 16},
        {"state": "succeeded"},
        {"id": 0},
        {"error": b"{}"},
        {"attempts": 1},
        {"settled": True},
        {"batch_id": "None"},
        {"batch_position": 0},
    ],
)
def test_hash_changes_with_every_column(change: dict[str, Any]) -> None:
    row_hash = RowHash(b"salt")

    assert row_hash(ROW._replace(**change)) != row_hash(ROW)


def test_hash_is_the_same_for_a_row_as_sqlite_gives_it_back() -> None:
    row_hash = RowHash(b"salt")

    assert row_hash(ROW._replace(settled=0, content=b"x")) == row_hash(ROW)  # type: ignore[arg-type]


def test_hash_depends_on_the_salt() -> None:
    assert RowHash(b"salt")(ROW) != RowHash(b"other")(ROW)


def test_checksum_of_no_rows_proves_whose_they_are() -> None:
    assert Checksum.of_no_rows(b"salt", b"other") != NONE
    assert Checksum.of_no_rows(b"other", b"account") != NONE
    assert NONE.count == 0


@given(before=HASHES, removed=HASHES, added=HASHES)
def test_checksum_that_is_changed_is_that_of_the_rows_there_are(
    before: list[int], removed: list[int], added: list[int]
) -> None:
    changed = NONE.plus(Checksum.of([*before, *removed])).changed(removed, added)

    assert changed == NONE.plus(Checksum.of(added)).plus(Checksum.of(before))
    assert changed.stored() == (len(before) + len(added), changed.total.to_bytes(16, "big"))
