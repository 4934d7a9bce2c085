"""The journal by itself: what it keeps, whose it is, and how it fails."""

import asyncio
import contextlib
import os
import sqlite3
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from attrs import evolve
from examples import a_contact, an_update

from contactsdk import (
    AuthenticationError,
    ContactError,
    InvalidContactError,
    JournalError,
    RejectedError,
    SqliteJournal,
    UnavailableError,
    UncertainError,
)
from contactsdk.journal import Account, JournalRun, State

ACCOUNT = Account(url="https://api.example.com", key="key", secret="secret")
FIRST, SECOND = a_contact(), a_contact(email="second@example.com")
WRONG = InvalidContactError([(("email",), "must be a valid email address")])


@pytest.fixture
def path(tmp_path: Path) -> str:
    return str(tmp_path / "run.sqlite")


@contextlib.asynccontextmanager
async def running(path: str, **options: Any) -> AsyncIterator[JournalRun]:
    """A run on this journal, with something that writes."""
    run = JournalRun(SqliteJournal(path, **options), ACCOUNT)
    writer = asyncio.create_task(run.write_on())
    try:
        yield run
    finally:
        writer.cancel()
        run.close()


async def test_what_is_settled_is_recalled_and_handed_back(path: str) -> None:
    refused = RejectedError("no", http_status=400, error_code=400, specific_code=7, attempts=1)
    async with running(path) as run:
        await run.settle(0, FIRST, 33884, None, 2)
        await run.settle(1, SECOND, None, refused, 1)
        await run.settle(2, WRONG, None, WRONG, 0)

    async with running(path) as run:
        first = run.recall(0, FIRST, repeat_safe=False)
        second = run.recall(1, SECOND, repeat_safe=False)
        third = run.recall(2, WRONG, repeat_safe=False)

        assert first is not None
        assert (first.state, first.id, first.error, first.attempts) == (
            State.SUCCEEDED, 33884, None, 2,
        )  # fmt: skip
        assert second is not None
        assert isinstance(second.error, RejectedError)
        assert vars(second.error) == vars(refused)
        assert third is not None
        assert third.state is State.INVALID
        assert run.recall(3, FIRST, repeat_safe=False) is None


@pytest.mark.parametrize("repeat_safe", [False, True])
async def test_what_was_in_flight_is_sent_again_only_where_that_is_safe(
    path: str, repeat_safe: bool
) -> None:
    async with running(path) as run:
        await run.intend(0, FIRST)

    async with running(path) as run:
        recalled = run.recall(0, FIRST, repeat_safe=repeat_safe)

    if repeat_safe:
        assert recalled is None
    else:
        assert recalled is not None
        assert isinstance(recalled.error, UncertainError)


async def test_what_was_not_applied_is_sent_again(path: str) -> None:
    async with running(path) as run:
        await run.intend(0, FIRST)
        run.withdraw(0, FIRST)
        await run.intend(1, SECOND)
        await run.settle(1, SECOND, None, UnavailableError("later"), 5)

    async with running(path) as run:
        assert run.recall(0, FIRST, repeat_safe=False) is None
        assert run.recall(1, SECOND, repeat_safe=False) is None


async def test_uncertain_is_final_unless_it_is_to_be_resent(path: str) -> None:
    doubt = UncertainError("sent, but no answer came")
    async with running(path) as run:
        await run.settle(0, FIRST, None, doubt, 1)
        await run.settle(1, SECOND, None, doubt, 1)
        await run.settle(2, SECOND, None, doubt, 1)
        await run.settle(3, WRONG, None, WRONG, 0)

    async with running(path) as run:
        recalled = run.recall(0, FIRST, repeat_safe=True)
        assert recalled is not None
        assert recalled.state is State.UNCERTAIN
    async with running(path, resend_uncertain=True) as run:
        assert run.recall(0, FIRST, repeat_safe=False) is None
        kept = run.recall(1, SECOND, repeat_safe=False)
        assert kept is not None, "it was sent again later in the input"
        assert run.recall(2, SECOND, repeat_safe=False) is None


async def test_many_rows_are_recalled_page_by_page(path: str) -> None:
    contacts = [an_update(id=number) for number in range(1, 2502)]
    async with running(path) as run:
        await asyncio.gather(
            *(run.settle(index, item, item.id, None, 1) for index, item in enumerate(contacts))
        )

    async with running(path) as run:
        for index, item in enumerate(contacts):
            recalled = run.recall(index, item, repeat_safe=True)
            assert recalled is not None
            assert recalled.id == item.id


async def test_another_item_than_the_recorded_one_is_named(path: str) -> None:
    async with running(path) as run:
        await run.settle(0, FIRST, 1, None, 1)
        await run.settle(1, SECOND, 2, None, 1)

    async with running(path) as run:
        assert run.recall(0, FIRST, repeat_safe=True)
        with pytest.raises(JournalError, match="item 1 ") as raised:
            run.recall(1, FIRST, repeat_safe=True)

    assert raised.value.number == 1


async def test_whole_input_is_checked_before_it_is_sent(path: str) -> None:
    async with running(path) as run:
        for index in (0, 1, 3):  # 2 was not started
            await run.settle(index, SECOND, 1, None, 1)

    async with running(path) as run:
        run.check([SECOND] * 4)
        run.check([SECOND, SECOND, FIRST, SECOND, FIRST, FIRST])  # one changed unsent, two appended
        with pytest.raises(JournalError, match="item 1 "):
            run.check([SECOND, FIRST, SECOND, FIRST])
        with pytest.raises(JournalError, match="item 3 "):
            run.check([SECOND] * 3)


@pytest.mark.parametrize(
    "change", [{"url": "https://other.example.com"}, {"key": "other"}, {"secret": "other"}]
)
async def test_another_account_is_refused(path: str, change: dict[str, str]) -> None:
    async with running(path) as run:
        await run.intend(0, FIRST)

    with pytest.raises(JournalError, match="another account"):
        JournalRun(SqliteJournal(path), evolve(ACCOUNT, **change))


@pytest.mark.parametrize("error", [None, UncertainError("sent, but no answer came")])
async def test_another_account_is_refused_where_anything_may_be_applied(
    path: str, error: ContactError | None
) -> None:
    async with running(path) as run:
        await run.settle(0, FIRST, None if error else 7, error, 1)

    with pytest.raises(JournalError, match="another account"):
        JournalRun(SqliteJournal(path), evolve(ACCOUNT, secret="other"))


async def test_another_account_begins_anew_where_nothing_was_applied(path: str) -> None:
    async with running(path) as run:
        await run.settle(0, FIRST, None, AuthenticationError("wrong secret"), 1)
        await run.settle(1, WRONG, None, WRONG, 0)

    taken = evolve(ACCOUNT, secret="other")
    with contextlib.closing(JournalRun(SqliteJournal(path), taken)) as run:
        assert run.recall(0, FIRST, repeat_safe=False) is None
        assert run.recall(1, WRONG, repeat_safe=False) is None
        run._write([run._row(0, FIRST, State.SENT)])

    with pytest.raises(JournalError, match="another account"):
        JournalRun(SqliteJournal(path), ACCOUNT)


async def test_second_run_on_the_same_journal_is_refused_at_once(path: str) -> None:
    async with running(path):
        with pytest.raises(JournalError, match="another run is using it"):
            JournalRun(SqliteJournal(path), ACCOUNT)
        with pytest.raises(JournalError, match="another run is using it"):
            next(SqliteJournal(path).rows())

    async with running(path):
        pass


async def test_journal_of_another_version_is_refused(path: str) -> None:
    async with running(path):
        pass
    with contextlib.closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA user_version = 2")

    with pytest.raises(JournalError, match="version 2"):
        JournalRun(SqliteJournal(path), ACCOUNT)


def test_database_of_another_program_is_refused(path: str) -> None:
    with contextlib.closing(sqlite3.connect(path)) as connection:
        connection.execute("CREATE TABLE other (x)")

    with pytest.raises(JournalError, match="no journal"):
        JournalRun(SqliteJournal(path), ACCOUNT)


def test_file_that_is_no_database_is_refused(path: str) -> None:
    Path(path).write_text("not a database, and longer than its header " * 9)

    with pytest.raises(JournalError, match="no journal of contactsdk, and no SQLite file"):
        JournalRun(SqliteJournal(path), ACCOUNT)


def test_folder_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(JournalError, match="unable to open"):
        JournalRun(SqliteJournal(tmp_path / "no" / "run.sqlite"), ACCOUNT)


def test_rows_of_a_journal_that_is_not_there_are_refused(path: str) -> None:
    with pytest.raises(JournalError, match="there is no such file"):
        next(SqliteJournal(path).rows())
    assert not os.path.exists(path)


def test_unknown_durability_is_refused(path: str) -> None:
    with pytest.raises(ValueError, match="durability"):
        SqliteJournal(path, "ram")  # type: ignore[arg-type]


@pytest.mark.parametrize("durability", ["process", "power"])
async def test_rows_tell_what_is_recorded_in_input_order(path: str, durability: str) -> None:
    journal = SqliteJournal(path, durability)  # type: ignore[arg-type]
    journal.lines = {0: 2, 1: 5}
    run = JournalRun(journal, ACCOUNT)
    writer = asyncio.create_task(run.write_on())
    await asyncio.gather(run.settle(1, SECOND, None, RejectedError("no"), 1), run.intend(0, FIRST))
    writer.cancel()
    run.close()

    rows = list(journal.rows())

    assert [(row.number, row.line, row.state) for row in rows] == [
        (0, 2, State.SENT),
        (1, 5, State.REJECTED),
    ]


async def test_write_error_is_told_to_all_that_wait_for_it(path: str) -> None:
    async with running(path) as run:
        await run.intend(0, FIRST)
        run._connection.execute("DROP TABLE rows")
        results = await asyncio.gather(
            run.intend(1, FIRST), run.settle(0, FIRST, 1, None, 1), return_exceptions=True
        )

    assert [type(result) for result in results] == [JournalError, JournalError]


async def test_read_error_is_a_journal_error(path: str) -> None:
    async with running(path) as run:
        run._connection.execute("DROP TABLE rows")
        with pytest.raises(JournalError, match="rows"):
            run.recall(0, FIRST, repeat_safe=True)


async def test_end_that_cannot_be_written_is_logged(
    path: str, caplog: pytest.LogCaptureFixture
) -> None:
    run = JournalRun(SqliteJournal(path), ACCOUNT)
    run.withdraw(0, FIRST)
    run._connection.execute("DROP TABLE rows")

    run.close()

    assert "was not written" in caplog.text


async def test_what_is_left_is_written_when_it_is_closed(path: str) -> None:
    run = JournalRun(SqliteJournal(path), ACCOUNT)
    run.withdraw(0, FIRST)
    run.close()

    assert [row.state for row in SqliteJournal(path).rows()] == [State.NOT_APPLIED]


async def test_holds_no_personal_data_and_no_secret(path: str) -> None:
    contact = a_contact(first_name="Markedfirst", email="marked@example.com", phone="marked-phone")
    async with running(path) as run:
        await run.intend(0, contact)
        await run.settle(0, contact, 5, None, 1)
        on_disk = b"".join(file.read_bytes() for file in Path(path).parent.iterdir())

    on_disk += Path(path).read_bytes()
    assert b"arked" not in on_disk
    assert b"secret" not in on_disk
