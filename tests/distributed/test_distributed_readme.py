"""What the README of distributed runs shows runs as it stands."""

import pytest

from contactsdk import ContactClient
from contactsdk.distributed import SubmittedRun
from contactsdk.distributed.work import open_partitions
from contactsdk.journal.postgres import PostgresJournal
from contactsdk.sandbox import Fault, FaultKind, Sandbox
from tests.background import environment_of
from tests.distributed.fixtures import many, send_part
from tests.readmes import ROOT, Readme

README = Readme(ROOT / "contactsdk" / "distributed" / "README.md")


async def test_run_is_submitted_and_watched_as_shown(
    sandbox: Sandbox,
    client: ContactClient,
    own_database_url: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    for name, value in environment_of(sandbox).items():
        monkeypatch.setenv(name, value)
    await README.module("submit").submit(own_database_url, many(3))
    journal = PostgresJournal(own_database_url, run="spring-2026")
    with journal.database.connect() as connection:
        parts = open_partitions(connection, journal.database)
    sandbox.script(Fault(FaultKind.CLOSE_AFTER_WRITE))
    for _, part in parts:
        await send_part(client, SubmittedRun(journal), part, concurrency=1)

    await README.module("watch").watch(own_database_url)

    shown = capsys.readouterr().out
    assert "3 contacts wait for workers\n2 of 3 succeeded\n" in shown
    assert "sent, but no answer came" in shown


async def test_run_is_sent_here_as_shown(
    sandbox: Sandbox,
    own_database_url: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    for name, value in environment_of(sandbox).items():
        monkeypatch.setenv(name, value)
    await README.module("submit").submit(own_database_url, many(3))

    await README.module("here").send_here(own_database_url)

    assert "3 of 3 succeeded" in capsys.readouterr().out
