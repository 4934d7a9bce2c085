"""The file of a journal: made whole, locked against everybody, and left alone by forks."""

import asyncio
import contextlib
import os
import sqlite3
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from contactsdk import JournalError, SqliteJournal
from contactsdk.journal import State
from tests.journal.journals import ACCOUNT, FIRST, running

FORKED_WHILE_IT_WRITES = """
import asyncio, gc, os, signal, sqlite3, sys, threading
from contactsdk import Contact, SqliteJournal
from contactsdk.journal import Account
from contactsdk.journal.integrity import Checksum

account = Account(url="https://api.example.com", key="key", secret="secret")
path, durability = sys.argv[1:]
is_writing, go_on = threading.Event(), threading.Event()
changed, connect = Checksum.changed, sqlite3.connect

def fork(child):
    process = os.fork()
    if process == 0:
        child()
        sys.exit(0)
    os.waitpid(process, 0)

def in_the_middle(*args):
    if durability == "process":
        fork(lambda: None)  # as by the handler of a signal, and what unwinds is this very write
    is_writing.set()
    if durability == "power":
        go_on.wait()
    return changed(*args)

def connect_with_a_small_cache(*args, **options):
    connection = connect(*args, **options)
    connection.execute("PRAGMA cache_size = 5")  # so that pages are written before the commit
    return connection

Checksum.changed, sqlite3.connect = in_the_middle, connect_with_a_small_cache

async def main(child):
    run = await SqliteJournal(path, durability).open_run(account)
    writer = asyncio.create_task(run.write_loop())
    intents = [run.record_intent(number, Contact(id=number + 1)) for number in range(2000)]
    recording = asyncio.gather(*intents)
    while not is_writing.is_set():
        await asyncio.sleep(0.001)
    if durability == "power":
        fork(lambda: child(run))
        go_on.set()
    while not recording.done():
        await asyncio.sleep(0.001)  # the fork's end may have taken what wakes a waiting loop
    os.kill(os.getpid(), signal.SIGKILL)
"""


@pytest.mark.parametrize(
    ("durability", "child"),
    [
        ("process", "lambda run: None"),
        ("power", "lambda run: None"),
        ("power", "lambda run: (run.__dict__.clear(), gc.collect())"),
        ("power", "lambda run: asyncio.new_event_loop().run_until_complete(run.close())"),
    ],
    ids=["unwinds the write", "leaves", "collects garbage", "closes it"],
)
def test_fork_that_ends_leaves_the_journal_to_its_parent(
    durability: str, child: str, tmp_path: Path
) -> None:
    script = f"{FORKED_WHILE_IT_WRITES}\nasyncio.run(main({child}))"
    path = str(tmp_path / "run.sqlite")
    command = [sys.executable, "-W", "ignore", "-c", script, path, durability]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)

    assert done.returncode == -9, done.stderr
    assert [row.number for row in SqliteJournal(path).rows()] == list(range(2000))


USE_IN_A_FORK = """
import asyncio, os, sys
from contactsdk import Contact, JournalError, SqliteJournal
from contactsdk.journal import Account

account = Account(url="https://api.example.com", key="key", secret="secret")

async def use(run):
    writer = asyncio.create_task(run.write_loop())
    try:
        await run.record_intent(0, Contact(id=1))
    except JournalError as error:
        print(error, flush=True)
    writer.cancel()
    await run.close()

async def main(path):
    run = await SqliteJournal(path).open_run(account)
    if os.fork() == 0:
        asyncio.new_event_loop().run_until_complete(use(run))
        sys.stdin.read()  # it outlives its parent
    os._exit(0)

asyncio.run(main(sys.argv[1]))
"""


def test_fork_cannot_write_and_does_not_keep_the_journal_locked(tmp_path: Path) -> None:
    path = str(tmp_path / "run.sqlite")
    process = subprocess.Popen(
        [sys.executable, "-c", USE_IN_A_FORK, path],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    with process:
        assert process.stdin is not None
        assert process.stdout is not None
        said = process.stdout.readline()
        process.wait()

        assert "and this process is a fork of it" in said
        assert list(SqliteJournal(path).rows()) == [], "while the fork is still there"

        async def use() -> None:
            async with running(path) as run:
                await run.record_intent(0, FIRST)

        asyncio.run(use())
        process.stdin.close()


@pytest.mark.parametrize("durability", ["process", "power"])
async def test_fork_gets_an_error_for_what_it_would_record(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, durability: Any
) -> None:
    path = str(tmp_path / "run.sqlite")
    async with running(path, durability=durability) as run:
        await run.record_intent(0, FIRST)
        with monkeypatch.context() as forked:
            forked.setattr(os, "getpid", lambda: 1)
            with pytest.raises(JournalError, match="and this process is a fork of it"):
                await run.record_outcome(0, FIRST, 1, None, 1)
            run.withdraw(0, FIRST)
            await run.close()

    assert [row.state for row in SqliteJournal(path).rows()] == [State.NOT_APPLIED]


SECOND_RUN = """
import asyncio, sys
from contactsdk import JournalError, SqliteJournal
from contactsdk.journal import Account
account = Account(url="https://api.example.com", key="key", secret="secret")
for use in (lambda j: asyncio.run(j.open_run(account)), lambda j: list(j.rows())):
    try:
        use(SqliteJournal(sys.argv[1]))
    except JournalError as error:
        print(error)
"""


async def said_by_another_process(path: str) -> str:
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", SECOND_RUN, path, stdout=asyncio.subprocess.PIPE
    )
    said, _ = await process.communicate()
    return said.decode()


async def test_journal_that_was_copied_while_it_is_in_use_stays_locked(tmp_path: Path) -> None:
    path = tmp_path / "run.sqlite"
    async with running(str(path)) as run:
        await run.record_intent(0, FIRST)
        path.read_bytes()  # which undoes the locks that SQLite has in this process

        said = await said_by_another_process(str(path))

    assert said.count("another run is using it") == 2


async def test_journal_is_locked_when_its_side_file_is_removed(tmp_path: Path) -> None:
    path = tmp_path / "run.sqlite"
    async with running(str(path)) as run:
        await run.record_intent(0, FIRST)
        Path(f"{path}-journal").unlink()

        said = await said_by_another_process(str(path))
        await run.record_outcome(0, FIRST, 1, None, 1)

    assert said.count("another run is using it") == 2
    assert [row.state for row in SqliteJournal(path).rows()] == [State.SUCCEEDED]


async def test_another_sqlite_client_can_neither_read_nor_write_meanwhile(tmp_path: Path) -> None:
    path = tmp_path / "run.sqlite"
    async with running(str(path)):
        with contextlib.closing(sqlite3.connect(path, timeout=0)) as connection:
            for statement in ("SELECT * FROM rows", "DELETE FROM rows"):
                with pytest.raises(sqlite3.OperationalError, match="locked"):
                    connection.execute(statement)


async def test_journal_is_as_private_as_its_file(tmp_path: Path) -> None:
    path = tmp_path / "run.sqlite"
    async with running(str(path)):
        pass
    path.chmod(0o600)
    Path(f"{path}-journal").unlink()
    async with running(str(path)) as run:
        await run.record_intent(0, FIRST)

    assert Path(f"{path}-journal").stat().st_mode & 0o777 == 0o600


async def test_journal_is_made_where_there_are_no_links(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise OSError(95, "Operation not supported")

    monkeypatch.setattr(os, "link", refuse)
    async with running(str(tmp_path / "run.sqlite")):
        pass

    assert sorted(os.listdir(tmp_path)) == ["run.sqlite", "run.sqlite-journal"]


@pytest.mark.parametrize("has_links", [True, False])
async def test_journal_that_another_process_has_just_made_is_used(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, has_links: bool
) -> None:
    path = tmp_path / "run.sqlite"
    link = os.link

    def late(new: str, name: str) -> None:
        monkeypatch.undo()
        link(new, name)  # by the other one
        if not has_links:
            raise OSError(95, "Operation not supported")
        link(new, name)

    monkeypatch.setattr(os, "link", late)
    async with running(str(path)) as run:
        await run.record_intent(0, FIRST)

    assert sorted(os.listdir(tmp_path)) == ["run.sqlite", "run.sqlite-journal"]
    assert len(list(SqliteJournal(path).rows())) == 1


async def test_folder_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(JournalError, match="unable to open"):
        await SqliteJournal(tmp_path / "no" / "run.sqlite").open_run(ACCOUNT)


async def test_closing_twice_is_like_closing_once(tmp_path: Path) -> None:
    run = await SqliteJournal(tmp_path / "run.sqlite").open_run(ACCOUNT)
    await run.close()
    await run.close()
