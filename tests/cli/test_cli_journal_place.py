"""Journals as the command line names them: files, and runs in a database."""

import asyncio
import sys
from pathlib import Path

import psycopg
import pytest

from contactsdk import Contact, ContactClient, Credentials
from contactsdk.cli import journal_place
from contactsdk.cli.journal_place import file_of
from contactsdk.distributed import Partition, SubmittedRun
from contactsdk.journal.postgres import PostgresJournal
from contactsdk.sandbox import Fault, FaultKind, Sandbox
from tests.cli.commanding import ADD, call, emails, sample, states

ABSENT = "postgresql://user:hidden@127.0.0.1:1/none"


def test_import_with_a_database_goes_on_where_it_stopped(
    sandbox: Sandbox, folder: Path, own_database_url: str
) -> None:
    Path("in.csv").write_text(sample(5))
    journal = ["--journal", own_database_url, "--run", "spring", "--here"]
    command = ["import", "in.csv", "--yes", *journal]
    sandbox.script(None, Fault(FaultKind.CLOSE_AFTER_WRITE), action=ADD)
    call(*command, "--concurrency", "1", code=1)
    written = emails(sandbox)

    again = call(*command, "--results", "out.csv", code=1)

    assert emails(sandbox) == written
    assert len(written) == 5
    (uncertain,) = [row for row, state in states("out.csv").items() if state == "uncertain"]
    assert "came from the journal and were not sent again" in again.output
    told = call("journal", own_database_url, "--run", "spring").output
    assert "1 uncertain" in told
    assert f"row {uncertain}" in told
    call(
        *("settle", own_database_url, "--run", "spring", "--input", "in.csv", "--yes"),
    )
    assert PostgresJournal(own_database_url, run="spring").status().succeeded == 5


def test_input_that_changed_is_refused_by_its_row(
    sandbox: Sandbox, folder: Path, own_database_url: str
) -> None:
    Path("in.csv").write_text(sample(2))
    journal = ["--journal", own_database_url, "--run", "spring", "--here"]
    command = ["import", "in.csv", "--yes", *journal]
    call(*command)
    Path("in.csv").write_text(sample(2).replace("ada1", "bob1"))

    refused = call(*command, code=2)

    assert "row 3" in refused.output
    assert "run spring recorded" in refused.output
    assert len(emails(sandbox)) == 2


def test_tables_are_made_without_workers_where_those_are_not_installed(
    own_database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(journal_place, "find_spec", lambda name: None)
    call("journal", "init", own_database_url)
    assert "contactsdk.run" in tables(own_database_url)
    assert "contactsdk.procrastinate_jobs" not in tables(own_database_url)


def tables(url: str) -> set[str]:
    with psycopg.connect(url) as connection:
        found = connection.execute("SELECT schemaname || '.' || tablename FROM pg_tables")
        return {name for (name,) in found}


def test_tables_are_made_by_init(own_database_url: str) -> None:
    assert "ready for journals" in call("journal", "init", own_database_url).output
    assert {"contactsdk.run", "contactsdk.procrastinate_jobs"} <= tables(own_database_url)
    assert "there is no run" in call("journal", own_database_url, "--run", "x", code=2).output


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["journal", ABSENT], "name one with --run NAME"),
        (["journal", ABSENT, "--run", "spring"], "refused"),
        (["journal", ABSENT, "--run", "\n"], "run must be a name"),
        (["journal", "run.sqlite", "--run", "spring"], "for a journal in a database"),
        (["journal", "init"], "init needs the database: contactsdk journal init postgresql://"),
        (["journal", "init", "run.sqlite"], "init needs a database"),
        (["journal", "init", "postgresql://user:hid@den@host/name"], "url must look like"),
        (["journal", "init", ABSENT], "refused"),
        (["journal", "run.sqlite", "other.sqlite"], "give one journal only"),
        (["import", "in.csv", "--run", "spring"], "use --journal URL"),
        (["import", "in.csv", "--here"], "use --journal URL"),
        (["import", "in.csv", "--journal", "f", "--here"], "use --journal URL"),
        (["import", "in.csv", "--journal", ABSENT], "name one with --run NAME"),
        (
            ["import", "in.csv", "--journal", ABSENT, "--run", "x", "--resend-uncertain"],
            "use --journal FILE",
        ),
        (["settle", ABSENT, "--input", "in.csv"], "name one with --run NAME"),
    ],
)
def test_wrong_use_is_one_line_without_the_password(
    arguments: list[str], message: str, sandbox: Sandbox, folder: Path
) -> None:
    Path("in.csv").write_text(sample(1))

    output = call(*arguments, code=2).output

    assert message in " ".join(output.split())
    assert "hid" not in output
    assert not sandbox.ledger.requests


@pytest.mark.parametrize(
    "arguments", [["journal", ABSENT, "--run", "x"], ["journal", "init", ABSENT]]
)
def test_what_reads_a_database_is_asked_for_where_it_is_not_installed(
    arguments: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "contactsdk.journal.postgres", None)

    assert "pip install 'contactsdk[postgres]'" in call(*arguments, code=2).output


def test_file_of_a_database_is_none() -> None:
    assert file_of(ABSENT) is None
    assert file_of(None) is None
    assert file_of("run.sqlite") == Path("run.sqlite")


def test_submitted_run_is_shown_and_settled(
    sandbox: Sandbox, folder: Path, own_database_url: str
) -> None:
    Path("in.csv").write_text(sample(3))
    journal = PostgresJournal(own_database_url, run="spring")
    contacts = [
        Contact(first_name="Ada", last_name="Archer", email=f"ada{number}@example.com")
        for number in range(3)
    ]

    async def submit_and_send() -> None:
        credentials = Credentials(sandbox.key, sandbox.secret)
        async with ContactClient(sandbox.url, credentials) as client:
            await client.submit(contacts, journal=journal, partitions=1)
            partition = Partition(journal, 0)
            stream = client.stream(partition, journal=partition, concurrency=1)
            async with stream as outcomes:
                await anext(outcomes)
                await anext(outcomes)
                await SubmittedRun(journal).stop("the secret is wrong")
                outcomes.stop()
                async for _ in outcomes:
                    pass

    faults = [None, Fault(FaultKind.CLOSE_AFTER_WRITE), *[Fault(FaultKind.UNAVAILABLE)] * 100]
    sandbox.script(*faults, action=ADD)
    asyncio.run(submit_and_send())
    run = [own_database_url, "--run", "spring"]

    shown = call("journal", *run, "--results", "out.csv").output
    call("settle", *run, "--input", "in.csv", "--yes")

    assert "1 uncertain" in shown
    assert "1 not started" in shown
    assert "Stopped: the secret is wrong" in shown
    assert list(states("out.csv").values()) == ["succeeded", "uncertain", "not_started"]
    assert journal.status().succeeded == 2
