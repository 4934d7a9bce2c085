"""Imports into a database, which workers send, or this process where there are none."""

import asyncio
import itertools
import signal
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from contactsdk import (
    Contact,
    ContactClient,
    Credentials,
    InvalidContactError,
    JournalError,
    SetupError,
)
from contactsdk.bulk import Progress
from contactsdk.cli.checking import NumberedItem
from contactsdk.cli.run import Ending, Sending
from contactsdk.cli.submitting import LeftRunningError, Watching, import_by_workers
from contactsdk.distributed import SubmittedRun
from contactsdk.files import Result, State
from contactsdk.journal.postgres import PostgresJournal
from contactsdk.sandbox import Fault, FaultKind, Sandbox
from tests.cli.commanding import ADD, call, emails, sample, started, states, wait_until
from tests.distributed.fixtures import Tables
from tests.postgres.servers import Server


def command(url: str, *more: str) -> list[str]:
    return ["import", "in.csv", "--yes", "--journal", url, "--run", "spring", *more]


def run_in(url: str) -> SubmittedRun:
    return SubmittedRun(PostgresJournal(url, run="spring"))


def succeeded(url: str) -> int:
    return asyncio.run(run_in(url).progress()).succeeded


def rows(count: int) -> list[NumberedItem]:
    return [
        (
            number + 2,
            number + 2,
            Contact(first_name="Ada", last_name="Archer", email=f"a{number}@example.com"),
        )
        for number in range(count)
    ]


class Watched:
    """An import that is called in this process, and what is heard of it."""

    def __init__(
        self,
        sandbox: Sandbox,
        url: str,
        *,
        run: str = "spring",
        reconnect_s: float = 30.0,
        **sending: Any,
    ) -> None:
        self.results: list[Result] = []
        self.progress: list[Progress] = []
        self.said: list[str] = []
        self._client = ContactClient(
            sandbox.url, Credentials(sandbox.key, sandbox.secret), timeout_s=5.0
        )
        self._journal = PostgresJournal(url, run=run, reconnect_s=reconnect_s)
        self._sending = Sending(**{"worker_within_s": 0.0, **sending})

    async def run(self, items: list[NumberedItem]) -> Ending:
        watching = Watching(
            record=self.results.append,
            begin=lambda: None,
            show=self.progress.append,
            say=self.said.append,
        )
        return await import_by_workers(self._client, self._journal, items, self._sending, watching)


def test_workers_send_what_is_imported_and_the_files_are_as_ever(
    sandbox: Sandbox, folder: Path, own_database_url: str
) -> None:
    bad = f"{sample(30)}Ben,Baker,no address\nEva,East,taken@example.com\n"
    Path("in.csv").write_text(bad)
    outputs = ["results.csv", "rejects.csv", "merged.csv", "report.html"]
    options = [option for name in outputs for option in (f"--{Path(name).stem}", name)]
    with started("worker", own_database_url) as worker:
        done = call(*command(own_database_url, *options), code=1)
        worker.send_signal(signal.SIGTERM)
        assert worker.wait(60) == 0

    assert "no worker is there" not in done.output
    assert len(emails(sandbox)) == 31
    assert "31 succeeded" in done.output
    written = {name: Path(name).read_text() for name in outputs}
    call("import", "in.csv", "--yes", *options, code=1)
    assert written["rejects.csv"] == Path("rejects.csv").read_text()
    assert states("results.csv") == {
        int(line.split(",")[0]): line.split(",")[3]
        for line in written["results.csv"].splitlines()[1:]
    }
    assert written["merged.csv"].splitlines()[0] == Path("merged.csv").read_text().splitlines()[0]
    assert len(written["merged.csv"].splitlines()) == 33
    assert "31" in written["report.html"]


def test_this_process_sends_at_once_where_it_is_asked_to(
    sandbox: Sandbox, folder: Path, own_database_url: str
) -> None:
    Path("in.csv").write_text(sample(20))

    done = call(*command(own_database_url, "--here", "--rate", "1000"))

    assert "no worker is there" not in done.output
    assert len(emails(sandbox)) == 20


async def test_this_process_sends_where_no_worker_does(
    sandbox: Sandbox, own_database_url: str
) -> None:
    watched = Watched(sandbox, own_database_url, worker_within_s=0.5)

    ending = await watched.run(rows(20))

    assert ending == Ending()
    assert watched.said == ["no worker sends this run, so this process does"]
    assert [result.state for result in watched.results] == [State.SUCCEEDED] * 20
    assert [result.row for result in watched.results] == list(range(2, 22))
    assert watched.progress[-1].succeeded == 20


def test_import_without_the_extra_for_workers_sends_here(
    sandbox: Sandbox, folder: Path, own_database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "contactsdk.distributed.engine", None)
    Path("in.csv").write_text(sample(3))

    call(*command(own_database_url, "--here"))

    assert len(emails(sandbox)) == 3


def test_interrupted_import_leaves_the_run_to_the_workers(
    sandbox: Sandbox, folder: Path, own_database_url: str
) -> None:
    sandbox.latency_s = 0.1
    Path("in.csv").write_text(sample(300))
    with started("worker", own_database_url) as worker:
        with started(*command(own_database_url, "--results", "out.csv")) as importing:
            wait_until(lambda: len(emails(sandbox)) > 20)
            importing.send_signal(signal.SIGINT)
            _, errors = importing.communicate(timeout=60)
        assert importing.returncode == 130
        assert "workers go on with the others" in errors
        assert f"contactsdk journal {own_database_url} --run spring" in errors
        assert not Path("out.csv").exists()
        sandbox.latency_s = 0.0

        again = call(*command(own_database_url, "--results", "out.csv"))

        worker.send_signal(signal.SIGTERM)
        assert worker.wait(60) == 0
    assert len(emails(sandbox)) == 300 == len(set(emails(sandbox)))
    assert list(states("out.csv").values()) == ["succeeded"] * 300
    assert "300 succeeded" in again.output


def test_interrupted_import_that_sends_itself_finishes_what_is_in_flight(
    sandbox: Sandbox, folder: Path, own_database_url: str
) -> None:
    sandbox.latency_s = 0.1
    Path("in.csv").write_text(sample(300))
    with started(*command(own_database_url, "--here")) as importing:
        wait_until(lambda: len(emails(sandbox)) > 20)
        importing.send_signal(signal.SIGINT)
        _, errors = importing.communicate(timeout=60)

    assert importing.returncode == 130
    assert "requests in flight have 10 s to finish" in errors
    progress = asyncio.run(run_in(own_database_url).progress())
    assert (progress.uncertain, progress.failed) == (0, 0)
    assert progress.succeeded == len(emails(sandbox)) < 300
    assert progress.workers == 0


async def test_interrupt_while_the_input_is_submitted_sends_nothing(
    sandbox: Sandbox, own_database_url: str
) -> None:
    class Interrupting(list[NumberedItem]):
        def __iter__(self) -> Iterator[NumberedItem]:
            yield from rows(10)
            signal.raise_signal(signal.SIGINT)
            yield from itertools.repeat(rows(1)[0])

    with pytest.raises(LeftRunningError, match="nothing was sent"):
        await Watched(sandbox, own_database_url).run(Interrupting())

    assert not (await run_in(own_database_url).progress()).is_sealed
    assert not emails(sandbox)


async def test_interrupted_command_says_whether_workers_go_on(
    sandbox: Sandbox, own_database_url: str
) -> None:
    watched = Watched(sandbox, own_database_url, worker_within_s=600.0)
    run = asyncio.create_task(watched.run(rows(3)))
    while not watched.progress:
        await asyncio.sleep(0.05)
    lease = "UPDATE {lease} SET owner = 'a worker', until = clock_timestamp() + interval '1 hour'"
    Tables(own_database_url, "contactsdk").execute(lease)
    seen = len(watched.progress)
    while len(watched.progress) < seen + 2:
        await asyncio.sleep(0.05)
    signal.raise_signal(signal.SIGINT)

    with pytest.raises(LeftRunningError, match="0 of 3 rows are done, and workers go on"):
        await run


def test_another_process_goes_on_when_the_one_that_sends_is_killed(
    sandbox: Sandbox, folder: Path, own_database_url: str
) -> None:
    sandbox.latency_s = 0.05
    Path("in.csv").write_text(sample(200))
    with started(*command(own_database_url, "--here")) as first:
        wait_until(lambda: len(emails(sandbox)) > 20)
        first.kill()
    sandbox.latency_s = 0.0
    Tables(own_database_url, "contactsdk").let_the_leases_end()

    done = call(*command(own_database_url, "--here", "--results", "out.csv"), code=1)

    written = emails(sandbox)
    assert len(written) == len(set(written))
    found = list(states("out.csv").values())
    assert set(found) == {"succeeded", "uncertain"}
    assert 0 < found.count("uncertain") <= 32
    assert "may have been applied" in done.output


def test_run_that_was_given_up_goes_on_by_the_same_command(
    sandbox: Sandbox, folder: Path, own_database_url: str
) -> None:
    Path("in.csv").write_text(sample(5))
    sandbox.mix(1, 1.0, (Fault(FaultKind.UNAVAILABLE),))
    stopped = call(
        *command(own_database_url, "--here", "--give-up", "0.5", "--results", "out.csv"), code=3
    )
    assert "Stopped:" in stopped.output
    assert "To send what was not applied: contactsdk" in stopped.output
    assert set(states("out.csv").values()) <= {"not_started", "failed"}
    sandbox.mix(1, 0.0, ())

    call(*command(own_database_url, "--here", "--results", "out.csv"))

    assert len(emails(sandbox)) == 5


def test_wrong_secret_stops_the_run_and_leaves_all_rows_to_be_sent(
    sandbox: Sandbox, folder: Path, own_database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    Path("in.csv").write_text(sample(5))
    monkeypatch.setenv("CONTACTSDK_SECRET", "another")

    stopped = call(*command(own_database_url, "--here", "--results", "out.csv"), code=3)

    assert "check CONTACTSDK_KEY and CONTACTSDK_SECRET" in stopped.output
    assert set(states("out.csv").values()) == {"not_started"}


async def test_address_that_is_not_a_platform_is_found_before_anything_is_submitted(
    sandbox: Sandbox, own_database_url: str
) -> None:
    sandbox.script(Fault(FaultKind.REDIRECT))
    watched = Watched(sandbox, own_database_url)

    ending = await watched.run(rows(2))

    assert isinstance(ending.stopped_by, SetupError)
    assert [result.state for result in watched.results] == [State.NOT_STARTED] * 2
    assert not PostgresJournal(own_database_url, run="spring").exists()


def test_batches_and_settling_are_what_workers_do_too(
    sandbox: Sandbox, folder: Path, own_database_url: str
) -> None:
    Path("in.csv").write_text(sample(60))
    sandbox.script(Fault(FaultKind.CLOSE_AFTER_WRITE), action=ADD)
    call(*command(own_database_url, "--here", "--settle", "5", "--results", "out.csv"))
    assert list(states("out.csv").values()) == ["succeeded"] * 60
    assert len(emails(sandbox)) == 60

    batches = command(own_database_url, "--here", "--batch-size", "50")
    batches[batches.index("spring")] = "autumn"
    call(*batches)

    assert len(emails(sandbox)) == 120


async def test_database_that_comes_back_in_time_changes_nothing(
    sandbox: Sandbox, server: Server
) -> None:
    sandbox.latency_s = 0.2

    def crash() -> None:
        with server.away():
            pass

    watched = Watched(sandbox, server.url, run="back", concurrency=2)
    run = asyncio.create_task(watched.run(rows(30)))
    while len(emails(sandbox)) < 10:
        await asyncio.sleep(0.05)
    await asyncio.to_thread(crash)

    assert await run == Ending()
    assert len(emails(sandbox)) == 30


async def test_database_that_goes_away_for_too_long_ends_the_command(
    sandbox: Sandbox, server: Server
) -> None:
    sandbox.latency_s = 0.2
    watched = Watched(sandbox, server.url, run="away", reconnect_s=0.01, worker_within_s=600.0)
    run = asyncio.create_task(watched.run(rows(5)))
    while not watched.progress:
        await asyncio.sleep(0.05)
    await asyncio.to_thread(server.stop, "immediate")
    try:
        with pytest.raises(JournalError):
            await run
    finally:
        await asyncio.to_thread(server.start)


async def test_contact_that_is_in_flight_when_the_run_stops_is_uncertain(
    sandbox: Sandbox, own_database_url: str
) -> None:
    tables = Tables(own_database_url, "contactsdk")
    watched = Watched(sandbox, own_database_url, worker_within_s=600.0)
    run = asyncio.create_task(watched.run(rows(3)))
    while not watched.progress:
        await asyncio.sleep(0.05)
    tables.execute("UPDATE {row} SET state = 'sent' WHERE number = 1")

    await run_in(own_database_url).stop("enough")

    ending = await run
    assert (ending.reason, len(emails(sandbox))) == ("enough", 0)
    states = [result.state for result in watched.results]
    assert states == [State.NOT_STARTED, State.UNCERTAIN, State.NOT_STARTED]


async def test_database_that_stays_away_is_an_error(
    sandbox: Sandbox, own_database_url: str
) -> None:
    watched = Watched(sandbox, "postgresql://user:hidden@127.0.0.1:1/none")

    with pytest.raises(JournalError) as caught:
        await watched.run(rows(1))

    assert "hidden" not in str(caught.value)


async def test_row_that_is_not_a_contact_is_refused(
    sandbox: Sandbox, own_database_url: str
) -> None:
    watched = Watched(sandbox, own_database_url)
    invalid: NumberedItem = (2, 2, InvalidContactError([(("email",), "is required")]))

    await watched.run([invalid, *rows(3)[1:]])

    assert [result.state for result in watched.results] == [
        State.FAILED,
        State.SUCCEEDED,
        State.SUCCEEDED,
    ]
    assert watched.results[0].refused
    assert watched.results[0].message == "email is required"
