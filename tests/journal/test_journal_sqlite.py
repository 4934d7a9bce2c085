"""A journal in a SQLite file: what is kept, what reading it needs, and what is refused."""

import asyncio
import contextlib
import os
import shutil
import sqlite3
import subprocess
import sys
import tempfile
import tracemalloc
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest
from attrs import evolve

from contactsdk import Contact, JournalError, RejectedError, SqliteJournal, UnavailableError
from contactsdk.journal import State
from contactsdk.journal.sqlite_store import SqliteStore
from contactsdk.journal.store import StoredRow
from tests.examples import a_contact, an_update
from tests.journal.journals import ACCOUNT, FIRST, SECOND, running
from tests.pragmas import connect_with


@pytest.fixture
def path(tmp_path: Path) -> str:
    return str(tmp_path / "run.sqlite")


async def kept(path: str, count: int) -> list[Contact]:
    """A journal of so many updates that succeeded."""
    contacts = [an_update(id=number) for number in range(1, count + 1)]
    async with running(path) as run:
        for start in range(0, count, 500):
            await asyncio.gather(
                *(
                    run.record_outcome(start + n, item, item.id, None, 1)
                    for n, item in enumerate(contacts[start : start + 500])
                )
            )
    return contacts


@pytest.mark.parametrize("durability", ["process", "power"])
async def test_rows_say_what_is_recorded_in_input_order(path: str, durability: Any) -> None:
    async with running(path, durability=durability, line_of={0: 2, 1: 5}.get) as run:
        await asyncio.gather(
            run.record_outcome(1, SECOND, None, RejectedError("no"), 1),
            run.record_intent(0, FIRST, batch_id="b", batch_position=3),
            run.record_outcome(2, FIRST, 7, None, 1, settled=True),
        )

    rows = list(SqliteJournal(path).rows())

    assert [(row.number, row.line, row.state, row.id) for row in rows] == [
        (0, 2, State.SENT, None),
        (1, 5, State.REJECTED, None),
        (2, None, State.SUCCEEDED, 7),
    ]
    assert [row.settled for row in rows] == [False, False, True]
    assert [(row.batch_id, row.batch_position) for row in rows[:2]] == [("b", 3), (None, None)]


@pytest.mark.parametrize("durability", ["process", "power"])
async def test_run_goes_on_with_what_an_earlier_one_recorded(path: str, durability: Any) -> None:
    contacts = await kept(path, 2345)

    async with running(path, durability=durability) as run:
        for number, item in enumerate(contacts):
            if run.needs_load(number):
                await run.load(number)
            recalled = run.recall(number, item, idempotent=True)
            assert recalled is not None
            assert recalled.id == item.id


async def test_row_of_an_earlier_run_is_replaced(path: str) -> None:
    async with running(path) as run:
        for number in range(3):
            await run.record_intent(number, FIRST)
        run.withdraw(1, FIRST)
    for _ in range(2):
        async with running(path) as run:
            assert run.recall(1, FIRST, idempotent=False) is None
            await run.record_intent(1, FIRST)
            await run.record_outcome(1, FIRST, None, UnavailableError("later"), 1)

    states = [row.state for row in SqliteJournal(path).rows()]
    assert states == [State.SENT, State.NOT_APPLIED, State.SENT]


async def test_older_update_is_known_by_the_last_one_that_was_sent(path: str) -> None:
    late = UnavailableError("later")
    one, two = an_update(id=1), an_update(id=2)
    async with running(path) as run:
        await run.record_outcome(0, one, None, late, 1)
        await run.record_outcome(1, two, None, late, 1)
        await run.record_outcome(2, one, 1, None, 1)
        await run.record_outcome(1001, two, None, late, 1)

    async with running(path) as run:
        assert run.recall(0, one, idempotent=True) is not None
        assert run.recall(1, two, idempotent=True) is None
        await run.load(1001)
        assert run.recall(1001, two, idempotent=True) is None


async def test_rows_may_be_read_again_after_the_run_changed_them(path: str) -> None:
    await kept(path, 1500)
    later = an_update(id=2000)
    async with running(path) as run:
        await run.record_intent(3, later)
        await run.load(1200)
        await run.load(3)
        assert run.recall(3, later, idempotent=True) is None


async def test_other_account_begins_anew_in_the_file(path: str) -> None:
    async with running(path) as run:
        await run.record_outcome(0, FIRST, None, UnavailableError("never sent"), 1)

    other = evolve(ACCOUNT, secret="other")
    journal = SqliteJournal(path)
    journal.check_account([SECOND], other)
    assert len(list(journal.rows())) == 1, "checking changes nothing"
    run = await journal.open_run(other)
    await run.close()

    assert list(journal.rows()) == []
    with pytest.raises(JournalError, match="another account"):
        async with running(path) as first:
            await first.record_intent(0, FIRST)
        journal.check_account([FIRST], other)


async def test_check_holds_the_input_against_the_record(path: str) -> None:
    async with running(path) as run:
        for index in (0, 1, 3):  # 2 was not started
            await run.record_outcome(index, SECOND, 1, None, 1)
    journal = SqliteJournal(path)

    def account(items: Iterable[Contact]) -> None:
        journal.check_account(items, ACCOUNT)

    def secret(items: Iterable[Contact]) -> None:
        journal.check(items, secret=ACCOUNT.secret)

    for check in (account, secret):
        check([SECOND] * 4)
        check([SECOND, SECOND, FIRST, SECOND, FIRST, FIRST])  # one changed unsent, two appended
        with pytest.raises(JournalError, match="item 1 "):
            check([SECOND, FIRST, SECOND, FIRST])
        with pytest.raises(JournalError, match="item 3 "):
            check([SECOND] * 3)
    with pytest.raises(JournalError, match="item 0 "):
        journal.check([SECOND] * 4, secret="other")


async def test_errors_of_the_input_are_not_taken_for_the_journals(path: str) -> None:
    await kept(path, 1)

    def input_of(error: Exception) -> Iterable[Contact]:
        yield an_update(id=1)
        raise error

    for error in (OSError("input"), sqlite3.OperationalError("input")):
        with pytest.raises(type(error), match="input"):
            SqliteJournal(path).check_account(input_of(error), ACCOUNT)


def test_check_of_a_journal_that_is_not_there_makes_none(path: str) -> None:
    SqliteJournal(path).check_account([FIRST], ACCOUNT)

    with pytest.raises(JournalError, match="there is no such file"):
        SqliteJournal(path).check([FIRST], secret="secret")
    with pytest.raises(JournalError, match="there is no such file"):
        next(SqliteJournal(path).rows())
    assert not os.listdir(os.path.dirname(path))


async def test_second_user_of_a_journal_is_refused_at_once(path: str) -> None:
    async with running(path):
        with pytest.raises(JournalError, match="another run is using it"):
            await SqliteJournal(path).open_run(ACCOUNT)
        with pytest.raises(JournalError, match="another run is using it"):
            next(SqliteJournal(path).rows())
        with pytest.raises(JournalError, match="another run is using it"):
            SqliteJournal(path).check_account([], ACCOUNT)

    async with running(path):
        pass


async def test_run_is_refused_while_rows_are_read(path: str) -> None:
    await kept(path, 2)
    first, second = SqliteJournal(path).rows(), SqliteJournal(path).rows()
    assert next(first).number == next(second).number == 0

    with pytest.raises(JournalError, match="a program reads it"):
        await SqliteJournal(path).open_run(ACCOUNT)

    first.close()  # type: ignore[attr-defined]
    second.close()  # type: ignore[attr-defined]
    async with running(path):
        pass


async def test_link_leads_to_the_journal_and_its_side_file(path: str) -> None:
    link = f"{path}.link"
    os.symlink(path, link)
    async with running(link) as run:
        await run.record_intent(0, FIRST)

    assert sorted(os.listdir(os.path.dirname(path))) == [
        "run.sqlite", "run.sqlite-journal", "run.sqlite.link",
    ]  # fmt: skip
    assert len(list(SqliteJournal(link).rows())) == 1


async def test_run_goes_on_in_its_file_when_the_working_folder_changes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "other").mkdir()
    async with running("run.sqlite") as run:
        monkeypatch.chdir(tmp_path / "other")
        await run.record_intent(0, FIRST)

    assert len(list(SqliteJournal(tmp_path / "run.sqlite").rows())) == 1


async def test_opening_lets_other_tasks_run(path: str) -> None:
    await kept(path, 3000)
    turns = 0

    async def count() -> None:
        nonlocal turns
        while True:
            turns += 1
            await asyncio.sleep(0)

    counting = asyncio.create_task(count())
    run = await SqliteJournal(path).open_run(ACCOUNT)
    counting.cancel()
    await run.close()

    assert turns >= 3


async def test_opening_that_is_cancelled_lets_go_of_the_file(path: str) -> None:
    await kept(path, 3000)
    opening = asyncio.create_task(SqliteJournal(path).open_run(ACCOUNT))
    await asyncio.sleep(0)
    opening.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await opening

    async with running(path):
        pass


@pytest.mark.parametrize("durability", ["process", "power"])
async def test_write_that_fails_is_an_error_and_the_run_may_go_on(
    path: str, durability: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    connect_with(monkeypatch, "max_page_count = 9")
    async with running(path, durability=durability) as run:
        await run.record_intent(0, FIRST)
        with pytest.raises(JournalError, match="full"):
            await run.record_outcome(0, FIRST, None, RejectedError("long" * 9999), 1)
        await run.record_intent(1, SECOND)

    assert [row.state for row in SqliteJournal(path).rows()] == [State.SENT, State.SENT]


async def test_cancelled_write_is_done_nevertheless(path: str) -> None:
    run = await SqliteJournal(path, "power").open_run(ACCOUNT)
    writer = asyncio.create_task(run.write_loop())
    run.withdraw(0, FIRST)
    for _ in range(3):
        await asyncio.sleep(0)
    writer.cancel()
    await run.close()

    assert [row.state for row in SqliteJournal(path).rows()] == [State.NOT_APPLIED]


async def test_run_is_closed_while_its_event_loop_is_torn_down(path: str) -> None:
    run = await SqliteJournal(path, "power").open_run(ACCOUNT)
    run.withdraw(0, FIRST)
    closing = run.close()
    with pytest.raises(StopIteration):
        closing.send(None)  # without a loop: nothing may be waited for

    assert len(list(SqliteJournal(path).rows())) == 1


async def test_journal_holds_no_personal_data_and_no_secret(path: str) -> None:
    contact = a_contact(first_name="Markedfirst", email="marked@example.com", phone="marked-phone")
    async with running(path) as run:
        await run.record_intent(0, contact)
        await run.record_outcome(0, contact, 5, None, 1)

    on_disk = b"".join(file.read_bytes() for file in Path(path).parent.iterdir())
    assert len(on_disk) > 4096
    assert b"arked" not in on_disk
    assert b"secret" not in on_disk


def test_unknown_durability_is_refused(path: str) -> None:
    with pytest.raises(ValueError, match="durability"):
        SqliteJournal(path, "ram")  # type: ignore[arg-type]


async def test_killed_run_is_read_without_a_change(path: str, tmp_path: Path) -> None:
    """What a killed run was writing is in the side file; reading undoes it in a copy."""
    await kept(path, 2000)
    killed = tmp_path / "killed"
    killed.mkdir()
    with contextlib.closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute("PRAGMA synchronous = OFF")
        connection.execute("PRAGMA cache_size = 5")
        connection.execute("BEGIN")
        connection.execute("UPDATE rows SET attempts = 9")
        for name in ("run.sqlite", "run.sqlite-journal"):
            shutil.copy(tmp_path / name, killed)
        connection.execute("ROLLBACK")
    files = {file.name: file.read_bytes() for file in killed.iterdir()}
    assert files["run.sqlite"] != Path(path).read_bytes()

    rows = list(SqliteJournal(killed / "run.sqlite").rows())

    assert {row.attempts for row in rows} == {1}
    assert {file.name: file.read_bytes() for file in killed.iterdir()} == files
    async with running(str(killed / "run.sqlite")) as run:
        assert run.recall(0, an_update(id=1), idempotent=True) is not None
        with pytest.raises(JournalError, match="another run is using it"):
            await SqliteJournal(killed / "run.sqlite").open_run(ACCOUNT)


READ_ONLY = """
import asyncio, os, sys
from contactsdk import JournalError, SqliteJournal
from contactsdk.journal import Account
journal = SqliteJournal(sys.argv[1])
account = Account(url="https://api.example.com", key="key", secret="secret")
user = os.geteuid()
if user == 0:
    os.seteuid(65534)  # to root, nothing is read-only
print(len(list(journal.rows())))
try:
    asyncio.run(journal.open_run(account))
except JournalError as error:
    print(error)
os.seteuid(user)
"""


@pytest.mark.parametrize("with_side_file", [True, False])
def test_journal_in_a_read_only_folder_is_read_and_not_written(with_side_file: bool) -> None:
    with tempfile.TemporaryDirectory() as name:
        path, folder = f"{name}/run.sqlite", Path(name)
        asyncio.run(kept(path, 3))
        if not with_side_file:
            Path(f"{path}-journal").unlink()
        for file in folder.iterdir():
            file.chmod(0o444)
        folder.chmod(0o555)
        command = [sys.executable, "-c", READ_ONLY, path]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        folder.chmod(0o700)

    assert done.stderr == ""
    count, error = done.stdout.splitlines()
    assert count == "3"
    assert "Permission denied" in error


def stored(number: int, state: State) -> StoredRow:
    return StoredRow(
        number, None, bytes(16), None, state.value, None, None, 1, False, "batch", number
    )


async def test_memory_does_not_grow_with_rows_that_are_left_as_sent(path: str) -> None:
    store = await SqliteStore.open(path, "process", ACCOUNT)
    held = []

    for start in range(0, 30_000, 5_000):
        await store.write([stored(start + n, State.SENT) for n in range(5_000)])
        if start == 5_000:
            tracemalloc.start()
        held.append(tracemalloc.get_traced_memory()[0])
    tracemalloc.stop()
    await store.close([stored(number, State.UNCERTAIN) for number in range(0, 30_000, 1_000)])

    assert max(held) < 2_000_000
    async with running(path):
        pass  # it is whole
