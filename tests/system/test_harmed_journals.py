"""Journals that were harmed in every way we could think of, held against the platform's ledger.

A first run sends half of its adds and is killed, or ends; then its files are harmed; then the same
input is imported again. Whatever happens, no add may be doubled: either nothing is sent, by an
error that says what happened, or what is sent is what was not sent before.
"""

import asyncio
import contextlib
import os
import re
import shutil
import sqlite3
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from contactsdk import (
    Contact,
    ContactClient,
    Credentials,
    JournalError,
    RetryPolicy,
    SqliteJournal,
)
from contactsdk.sandbox import Sandbox
from tests.background import environment_of, sandbox_in_thread
from tests.examples import a_contact
from tests.pragmas import connect_with

COUNT = 60
SENT_FIRST = 40
ONCE = RetryPolicy(attempts=1)


def contacts(count: int = COUNT) -> list[Contact]:
    return [a_contact(external_id=f"x-{n}", email=f"x{n}@example.com") for n in range(count)]


@pytest.fixture(scope="module")
def platform() -> Iterator[Sandbox]:
    with sandbox_in_thread() as sandbox:
        yield sandbox


@pytest.fixture
def sandbox(platform: Sandbox) -> Sandbox:
    platform.ledger.writes.clear()
    return platform


def client_of(sandbox: Sandbox) -> ContactClient:
    return ContactClient(sandbox.url, Credentials(sandbox.key, sandbox.secret), retry=ONCE)


def doubled(sandbox: Sandbox) -> list[str]:
    writes = Counter(write.body["externalId"] for write in sandbox.ledger.writes)
    return [name for name, count in writes.items() if count > 1]


KILLED = """
import asyncio, os, signal, sys
from contactsdk import Contact, ContactClient, SqliteJournal

path, many = sys.argv[1], int(sys.argv[2])
contacts = [
    Contact(first_name="Ada", last_name="Archer", email=f"x{n}@example.com", external_id=f"x-{n}")
    for n in range(60)
]

async def main():
    async with ContactClient.from_env() as client:
        async with client.stream(contacts, journal=SqliteJournal(path), concurrency=4) as outcomes:
            for _ in range(many):
                assert (await anext(outcomes)).ok
            if many < 60:
                os.kill(os.getpid(), signal.SIGKILL)

asyncio.run(main())
"""


def first_run(sandbox: Sandbox, path: Path, *, sends: int) -> None:
    """A run in another process that is killed after so many outcomes, or ends after all."""
    environment = {**os.environ, **environment_of(sandbox)}
    command = [sys.executable, "-c", KILLED, str(path), str(sends)]
    subprocess.run(command, env=environment, check=False, timeout=60)


def imported_again(sandbox: Sandbox, path: Path) -> JournalError | None:
    """Send the same input with the journal; the error that kept it from that."""

    async def run() -> Exception | None:
        async with client_of(sandbox) as client:
            report = await client.add_or_update_many(contacts(), journal=SqliteJournal(path))
            return report.stopped_by

    try:
        stopped_by = asyncio.run(run())
    except JournalError as error:
        return error
    assert stopped_by is None or isinstance(stopped_by, JournalError)
    return stopped_by


def sql(*statements: str) -> Callable[[Path], None]:
    def harm(path: Path) -> None:
        with contextlib.closing(sqlite3.connect(path, isolation_level=None)) as connection:
            for statement in statements:
                connection.execute(statement)

    return harm


def side(path: Path) -> Path:
    return Path(f"{path}-journal")


def overwrite(path: Path, at: int, data: bytes) -> None:
    with path.open("r+b") as file:
        file.seek(at, os.SEEK_SET if at >= 0 else os.SEEK_END)
        file.write(data)


def flip_in_each_page(path: Path) -> None:
    content = bytearray(path.read_bytes())
    for start in range(0, len(content), 4096):
        content[start + 4000] ^= 1
    path.write_bytes(content)


def flip_a_state(path: Path) -> None:
    content = path.read_bytes()
    path.write_bytes(content.replace(b"succeeded", b"rejected\0", 1))


def another_database(path: Path) -> None:
    path.unlink()
    sql("CREATE TABLE other (x)")(path)


def rename_and_back(path: Path) -> None:
    path.rename(path.with_suffix(".tmp"))
    path.with_suffix(".tmp").rename(path)


def copy_and_put_back(path: Path) -> None:
    copy = shutil.copy(path, path.with_suffix(".copy"))
    path.unlink()
    shutil.copy(copy, path)


def remove_both(path: Path) -> None:
    path.unlink()
    side(path).unlink()


def zero_last_page(path: Path) -> None:
    overwrite(path, -4096, bytes(4096))


HARMS: dict[str, tuple[Callable[[Path], object], str]] = {
    "emptied": (lambda path: path.write_bytes(b""), "is empty"),
    "removed beside its side file": (Path.unlink, "moved or removed"),
    "cut in half": (lambda path: os.truncate(path, path.stat().st_size // 2), "damaged"),
    "cut by a page": (lambda path: os.truncate(path, path.stat().st_size - 4096), "damaged"),
    "cut to a page": (lambda path: os.truncate(path, 4096), "damaged"),
    "cut in its header": (lambda path: os.truncate(path, 50), "not a journal|damaged"),
    "garbage": (lambda path: path.write_bytes(os.urandom(9000)), "and not an SQLite file"),
    "garbage at its start": (lambda path: overwrite(path, 0, os.urandom(200)), "and not an SQLite"),
    "garbage after its header": (lambda path: overwrite(path, 100, os.urandom(3000)), "damaged"),
    "zeros at its end": (zero_last_page, "damaged"),
    "a byte flipped in each page": (flip_in_each_page, "damaged"),
    "one state overwritten": (flip_a_state, "damaged"),
    "another database": (
        another_database,
        "not a journal of contactsdk",
    ),
    "rows deleted": (sql("DELETE FROM rows WHERE number % 3 = 0"), "damaged: it has"),
    "all rows deleted": (sql("DELETE FROM rows"), "damaged: it has 0 rows"),
    "rows set back": (
        sql("UPDATE rows SET state = 'not applied'"), "differ from what was recorded",
    ),
    "a row's number changed": (
        sql("UPDATE rows SET number = 999 WHERE number = 1"), "differ from what was recorded",
    ),
    "rows of another type": (sql("UPDATE rows SET digest = 'text'"), "changed its rows"),
    "a text that is none": (sql("UPDATE rows SET state = CAST(x'ff' AS TEXT)"), "decode"),
    "its table dropped": (sql("DROP TABLE rows"), "changed its tables"),
    "a trigger that drops writes": (
        sql("CREATE TRIGGER t BEFORE INSERT ON rows BEGIN SELECT RAISE(IGNORE); END"),
        "changed its tables",
    ),
    "a column added": (sql("ALTER TABLE rows ADD COLUMN more"), "changed its tables"),
    "what it says of itself deleted": (sql("DELETE FROM head"), "does not have exactly one row"),
    "its salt changed": (sql("UPDATE head SET salt = zeroblob(16)"), "damaged|another account"),
    "its salt of another type": (sql("UPDATE head SET salt = 5"), "changed its rows"),
    "its account changed": (sql("UPDATE head SET account = zeroblob(16)"), "damaged"),
    "its checksum changed": (sql("UPDATE head SET total = zeroblob(16)"), "damaged"),
    "its count changed": (sql("UPDATE head SET count = 'many'"), "damaged"),
    "an older version": (sql("PRAGMA user_version = 1"), "this journal has version 1"),
    "switched to a write-ahead log": (sql("PRAGMA journal_mode = WAL"), "write-ahead log"),
    "a foreign log beside it": (
        lambda path: Path(f"{path}-wal").write_bytes(os.urandom(5000)), "did not close it properly",
    ),
}  # fmt: skip


@pytest.mark.parametrize("sends", [SENT_FIRST, COUNT], ids=["killed", "ended"])
@pytest.mark.parametrize("way", HARMS)
def test_harmed_journal_is_refused_and_nothing_is_sent(
    way: str, sends: int, sandbox: Sandbox, tmp_path: Path, template: Callable[[int, Path], Path]
) -> None:
    path = template(sends, tmp_path)
    harm, message = HARMS[way]
    harm(path)

    error = imported_again(sandbox, path)

    assert error is not None
    assert re.search(message, str(error)), str(error)
    assert not sandbox.ledger.writes
    with pytest.raises(JournalError):
        list(SqliteJournal(path).rows())


SPARED: dict[str, Callable[[Path], object]] = {
    "its side file removed": lambda path: os.unlink(side(path)),
    "its side file emptied": lambda path: side(path).write_bytes(b""),
    "garbage as side file": lambda path: side(path).write_bytes(b"\1" + os.urandom(9000)),
    "renamed and back": rename_and_back,
    "copied and put back": copy_and_put_back,
    "garbage appended": lambda path: overwrite(path, path.stat().st_size, os.urandom(4096)),
    "rewritten by another client": sql("VACUUM"),
    "written by another client": sql("UPDATE rows SET state = state"),
    "switched to a log and back": sql("PRAGMA journal_mode = WAL", "PRAGMA journal_mode = DELETE"),
}  # fmt: skip


@pytest.mark.parametrize("way", SPARED)
def test_journal_whose_rows_are_whole_goes_on(
    way: str, sandbox: Sandbox, tmp_path: Path, template: Callable[[int, Path], Path]
) -> None:
    path = template(SENT_FIRST, tmp_path)
    recorded = sum(1 for _ in SqliteJournal(path).rows())
    SPARED[way](path)

    error = imported_again(sandbox, path)

    assert error is None, str(error)
    assert len(sandbox.ledger.writes) == COUNT - recorded, "what had no row was sent"
    assert not doubled(sandbox)


@pytest.fixture(scope="module")
def template(
    platform: Sandbox, tmp_path_factory: pytest.TempPathFactory
) -> Callable[[int, Path], Path]:
    """A copy of the journal of a run that sent so many, in a folder; each is made once."""
    made: dict[int, Path] = {}

    def copied(sends: int, folder: Path) -> Path:
        if sends not in made:
            made[sends] = tmp_path_factory.mktemp("made") / "run.sqlite"
            first_run(platform, made[sends], sends=sends)
            assert sum(1 for _ in SqliteJournal(made[sends]).rows()) >= sends
            platform.ledger.writes.clear()
        for file in made[sends].parent.iterdir():
            shutil.copy(file, folder)
        return folder / "run.sqlite"

    return copied


def move_away(path: Path) -> None:
    path.rename(path.with_suffix(".away"))


def replace_by_a_copy(path: Path) -> None:
    shutil.copy(path, path.with_suffix(".copy"))
    path.with_suffix(".copy").replace(path)


HARMS_MEANWHILE: dict[str, tuple[Callable[[Path], object], str]] = {
    "removed": (Path.unlink, "moved, removed or replaced"),
    "removed with its side file": (
        remove_both, "moved, removed or replaced",
    ),
    "moved away": (move_away, "moved, removed or replaced"),
    "replaced by a copy": (replace_by_a_copy, "moved, removed or replaced"),
    "emptied": (lambda path: os.truncate(path, 0), "was truncated"),
    "cut": (lambda path: os.truncate(path, 8192), "was truncated"),
}  # fmt: skip


@pytest.mark.parametrize("way", HARMS_MEANWHILE)
def test_run_stops_when_its_journal_is_harmed_under_its_hands(
    way: str, sandbox: Sandbox, tmp_path: Path
) -> None:
    path = tmp_path / "run.sqlite"
    harm, message = HARMS_MEANWHILE[way]

    async def run() -> tuple[int, Exception | None]:
        async with client_of(sandbox) as client:
            journal = SqliteJournal(path)
            async with client.stream(contacts(), journal=journal, concurrency=2) as outcomes:
                for _ in range(10):
                    await anext(outcomes)
                harm(path)
                sent = len(sandbox.ledger.writes)
                while await outcomes.next() is not None:
                    pass
            return sent, outcomes.stopped_by

    sent, stopped_by = asyncio.run(run())

    assert isinstance(stopped_by, JournalError)
    assert re.search(message, str(stopped_by)), str(stopped_by)
    assert len(sandbox.ledger.writes) <= sent + 2, "what was in flight when it was harmed"
    assert not doubled(sandbox)


@pytest.mark.parametrize(
    "harmed",
    [
        lambda content: content[:-40_000] + bytes(40_000),
        lambda content: content.replace(b"succeeded", b"succeeDed"),
    ],
    ids=["zeroed", "changed"],
)
def test_rows_ahead_that_are_harmed_meanwhile_are_not_taken_for_unsent(
    harmed: Callable[[bytes], bytes],
    sandbox: Sandbox,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    connect_with(monkeypatch, "cache_size = 5")  # else it reads no row twice
    items = contacts(1400)
    path = tmp_path / "run.sqlite"

    async def run(harm: Callable[[bytes], bytes]) -> Exception | None:
        async with client_of(sandbox) as client:
            stream = client.stream(items, journal=SqliteJournal(path), concurrency=32)
            async with stream as outcomes:
                await anext(outcomes)
                overwrite(path, 0, harm(path.read_bytes()))
                while await outcomes.next() is not None:
                    pass
            return outcomes.stopped_by

    assert asyncio.run(run(bytes)) is None
    assert isinstance(asyncio.run(run(harmed)), JournalError)
    assert not doubled(sandbox)


def test_half_written_change_without_what_would_undo_it_is_refused(
    sandbox: Sandbox, tmp_path: Path, template: Callable[[int, Path], Path]
) -> None:
    """As of a run that was killed while it wrote, and whose side file was lost then."""
    path = template(COUNT, tmp_path)
    before = path.read_bytes()
    asyncio.run(record_more(path, sandbox))
    after = path.read_bytes()
    pages = range(0, len(after), 4096)
    changed = [at for at in pages if before[at : at + 4096] != after[at : at + 4096]]
    assert len(changed) > 1

    refused = 0
    for choice in range(1, 2 ** len(changed) - 1):
        mixed = bytearray(after)
        for bit, at in enumerate(changed):
            if choice >> bit & 1 and at < len(before):
                mixed[at : at + 4096] = before[at : at + 4096]
        path.write_bytes(mixed)
        side(path).unlink(missing_ok=True)
        if bytes(mixed) not in (before, after):
            refused += isinstance(imported_again(sandbox, path), JournalError)

    assert refused > 0
    assert not sandbox.ledger.writes


async def record_more(path: Path, sandbox: Sandbox) -> None:
    """Let a run add rows that are in flight when it ends."""
    async with client_of(sandbox) as client:
        account_run = client.stream(contacts(COUNT + 40), journal=SqliteJournal(path))
        async with account_run as outcomes:
            while await outcomes.next() is not None:
                pass
    sandbox.ledger.writes.clear()
