from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import pytest

from contactsdk import JournalError, SqliteJournal
from contactsdk.cli.recorded import check_recorded, read_recorded
from contactsdk.files import FileError
from contactsdk.journal import JournalRow, State
from contactsdk.models import Item
from tests.examples import a_contact, an_update

ITEMS = [(2, 2, an_update(id=1)), (4, 3, an_update(id=2))]


def test_row_from_which_the_input_differs_is_named() -> None:
    def differs(items: Iterable[Item]) -> None:
        for number, _ in enumerate(items):
            if number == 1:
                raise JournalError("another", number=number)

    with pytest.raises(FileError, match=r"in\.csv, row 3: from here on, this is not the .* --map"):
        check_recorded(differs, "run.sqlite", ITEMS, "in.csv")


def test_input_that_is_too_short_differs_after_its_last_row() -> None:
    def wants_more(items: Iterable[Item]) -> None:
        raise JournalError("shorter", number=len(list(items)))

    with pytest.raises(FileError, match=r"in\.csv, row 4: from here on, this is not the input"):
        check_recorded(wants_more, "run.sqlite", ITEMS, "in.csv")


def test_journal_that_cannot_be_used_is_not_about_a_row() -> None:
    def fails(items: Iterable[Item]) -> None:
        raise JournalError("no journal")

    with pytest.raises(JournalError, match="no journal"):
        check_recorded(fails, "run.sqlite", ITEMS, "in.csv")


def test_journal_that_is_not_there_yet_has_no_rows(tmp_path: Path) -> None:
    recorded = read_recorded(SqliteJournal(tmp_path / "run.sqlite"), ITEMS)
    assert recorded.rows == 0
    assert recorded.is_new
    assert list(tmp_path.iterdir()) == []


class StoredRows:
    """A journal that has these rows."""

    name = "run.sqlite"

    def __init__(self, *states: State, resend_uncertain: bool = False) -> None:
        self._states = states
        self.resend_uncertain = resend_uncertain

    def exists(self) -> bool:
        return True

    def rows(self) -> Iterator[JournalRow]:
        for number, state in enumerate(self._states):
            yield JournalRow(number=number, line=None, state=state, id=None, error=None, attempts=1)


def recorded_of(
    *states: State, resend_uncertain: bool = False, may_be_sending: bool = False
) -> Any:
    """What is read of a journal of two adds and an update that have these states."""
    journal: Any = StoredRows(*states, resend_uncertain=resend_uncertain)
    items = [(2, 2, a_contact()), (3, 3, a_contact()), (4, 4, an_update(id=1))]
    return read_recorded(journal, items, may_be_sending=may_be_sending)


def test_rows_that_are_not_sent_again_are_counted_by_state() -> None:
    recorded = recorded_of(State.SUCCEEDED, State.NOT_APPLIED, State.REJECTED)
    assert (recorded.succeeded, recorded.rejected, recorded.rows) == (1, 1, 2)


def test_add_that_was_in_flight_is_uncertain_and_an_update_is_sent_again() -> None:
    recorded = recorded_of(State.UNCERTAIN, State.SENT, State.SENT)
    assert (recorded.uncertain, recorded.rows) == (2, 2)


def test_what_others_may_be_sending_now_is_not_counted() -> None:
    recorded = recorded_of(State.UNCERTAIN, State.SENT, State.SENT, may_be_sending=True)
    assert (recorded.uncertain, recorded.rows) == (1, 1)


def test_uncertain_rows_that_are_sent_again_are_not_counted() -> None:
    recorded = recorded_of(State.UNCERTAIN, State.SENT, State.SUCCEEDED, resend_uncertain=True)
    assert (recorded.uncertain, recorded.rows) == (0, 1)


def test_journal_is_new_until_it_has_a_row() -> None:
    assert recorded_of().is_new
    assert not recorded_of(State.NOT_APPLIED).is_new
