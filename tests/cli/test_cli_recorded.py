from collections.abc import Iterable
from pathlib import Path

import pytest
from examples import an_update

from contactsdk import JournalError, SqliteJournal
from contactsdk.cli.recorded import check_recorded, count_recorded
from contactsdk.files import FileError
from contactsdk.models import Item

ITEMS = [(2, 2, an_update(id=1)), (4, 3, an_update(id=2))]


def test_row_from_which_the_input_differs_is_named() -> None:
    def differs(items: Iterable[Item]) -> None:
        for number, _ in enumerate(items):
            if number == 1:
                raise JournalError("another", number=number)

    with pytest.raises(FileError, match=r"in\.csv, row 3: from here on it is not the input"):
        check_recorded(differs, "run.sqlite", ITEMS, "in.csv")


def test_input_that_is_too_short_differs_after_its_last_row() -> None:
    def wants_more(items: Iterable[Item]) -> None:
        raise JournalError("shorter", number=len(list(items)))

    with pytest.raises(FileError, match=r"in\.csv, row 4: from here on it is not the input"):
        check_recorded(wants_more, "run.sqlite", ITEMS, "in.csv")


def test_journal_that_cannot_be_used_is_no_matter_of_a_row() -> None:
    def fails(items: Iterable[Item]) -> None:
        raise JournalError("no journal")

    with pytest.raises(JournalError, match="no journal"):
        check_recorded(fails, "run.sqlite", ITEMS, "in.csv")


def test_journal_that_is_not_there_yet_has_no_rows(tmp_path: Path) -> None:
    assert count_recorded(SqliteJournal(tmp_path / "run.sqlite")) == 0
    assert list(tmp_path.iterdir()) == []
