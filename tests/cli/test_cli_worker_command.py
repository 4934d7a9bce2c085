import asyncio
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from typing import Any

import pytest

from contactsdk import ContactClient, Credentials
from contactsdk.distributed import SubmittedRun
from contactsdk.journal.postgres import PostgresJournal
from contactsdk.sandbox import Fault, FaultKind, Sandbox
from contactsdk.workers.worker import Worker
from tests.cli.commanding import ADD, call, contact_requests, started
from tests.distributed.samples import contacts


def submit(sandbox: Sandbox, url: str, count: int = 400) -> SubmittedRun:
    async def submitted() -> SubmittedRun:
        credentials = Credentials(sandbox.key, sandbox.secret)
        async with ContactClient(sandbox.url, credentials) as client:
            journal = PostgresJournal(url, run="spring")
            return await client.submit(contacts(count), journal=journal, partitions=2)

    return asyncio.run(submitted())


def until(is_true: Callable[[], bool]) -> None:
    ends = time.monotonic() + 60
    while not is_true():
        assert time.monotonic() < ends
        time.sleep(0.01)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_worker_that_is_asked_to_stop_leaves_nothing_uncertain(
    number: signal.Signals, sandbox: Sandbox, own_database_url: str
) -> None:
    sandbox.latency_s = 0.05
    run = submit(sandbox, own_database_url)
    with started("worker", own_database_url, "--concurrency", "4") as worker:
        until(lambda: len(contact_requests(sandbox)) > 8)
        worker.send_signal(number)
        _, said = worker.communicate(timeout=60)
    progress = asyncio.run(run.progress())
    assert worker.returncode == 0, said
    assert progress.succeeded == len(sandbox.ledger.writes) < 400
    assert (progress.uncertain, progress.workers) == (0, 0)
    lines = [line.split(" ", 1)[1] for line in said.splitlines()]
    assert lines[0].startswith("ready: sending the runs in postgresql://")
    assert lines[1].startswith("run spring, part ")
    assert lines[-1] == "stopped"


def test_second_signal_has_the_worker_leave_at_once(
    sandbox: Sandbox, own_database_url: str
) -> None:
    sandbox.script(*[Fault(FaultKind.HANG_BEFORE_WRITE)] * 8, action=ADD)
    submit(sandbox, own_database_url)
    with started("worker", own_database_url, "--concurrency", "4") as worker:
        until(lambda: len(contact_requests(sandbox)) > 0)
        worker.send_signal(signal.SIGTERM)
        with pytest.raises(subprocess.TimeoutExpired):
            worker.wait(timeout=1)
        worker.send_signal(signal.SIGTERM)
        worker.communicate(timeout=60)
    assert worker.returncode == 130


@pytest.fixture
def made(monkeypatch: pytest.MonkeyPatch) -> list[dict[str, Any]]:
    """How workers were made, which do nothing."""
    made: list[dict[str, Any]] = []

    async def nothing(self: Worker) -> None:
        await asyncio.sleep(0)

    def init(self: Worker, client: ContactClient, url: str, **options: Any) -> None:
        made.append({"url": url, **options})

    monkeypatch.setattr(Worker, "__init__", init)
    monkeypatch.setattr(Worker, "work", nothing)
    monkeypatch.setattr(Worker, "stop", lambda self: None)
    return made


def test_options_are_those_of_the_worker(sandbox: Sandbox, made: list[dict[str, Any]]) -> None:
    call("worker", "postgresql://here/there", "--concurrency", "7", "--lease-s", "12.5")
    (options,) = made
    assert options["url"] == "postgresql://here/there"
    assert (options["concurrency"], options["lease_s"]) == (7, 12.5)


def test_defaults_are_those_of_the_worker(sandbox: Sandbox, made: list[dict[str, Any]]) -> None:
    call("worker", "postgresql://here/there")
    (options,) = made
    assert (options["concurrency"], options["lease_s"]) == (None, 30.0)


def test_key_without_the_right_to_ping_is_no_reason_to_stop(
    sandbox: Sandbox, made: list[dict[str, Any]]
) -> None:
    sandbox.script(Fault(FaultKind.ERROR_BEFORE_WRITE), action="test?action=ping")
    call("worker", "postgresql://here/there")


def test_wrong_address_is_found_before_any_job_is_taken(
    sandbox: Sandbox, made: list[dict[str, Any]]
) -> None:
    sandbox.script(Fault(FaultKind.REDIRECT), action="test?action=ping")
    result = call("worker", "postgresql://here/there", code=3)
    assert "302" in result.stderr


@pytest.mark.parametrize(
    ("arguments", "what"),
    [
        (("run.sqlite",), "a worker needs a database"),
        (("postgresql://user:p@ss@here/there",), "write @ as %40"),
        (("postgresql://here/there", "--lease-s", "0"), "must be more than 0"),
        (("postgresql://here/there", "--lease-s", "nan"), "must be more than 0"),
        (("postgresql://here/there", "--concurrency", "0"), "--concurrency"),
    ],
)
def test_wrong_use_is_reported(arguments: tuple[str, ...], what: str, sandbox: Sandbox) -> None:
    result = call("worker", *arguments, code=2)
    assert what in " ".join(result.stderr.replace("│", " ").split())
    assert "p@ss" not in result.output


def test_database_that_cannot_be_reached_is_reported(sandbox: Sandbox) -> None:
    result = call("worker", "postgresql://user:hidden@127.0.0.1:1/there", code=2)
    assert "postgresql://127.0.0.1:1/there: connection failed" in result.stderr
    assert "hidden" not in result.output


def test_missing_extra_is_named(sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "contactsdk.workers.worker", None)
    result = call("worker", "postgresql://here/there", code=2)
    assert "pip install 'contactsdk[cli,workers]'" in result.stderr
