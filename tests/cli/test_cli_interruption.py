import asyncio
import fcntl
import os
import signal
import struct
import subprocess
import termios
import threading
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from contactsdk import Contact, ContactClient, Credentials
from contactsdk.cli.interruption import Interruption
from contactsdk.cli.run import Sending, import_rows
from contactsdk.files import Result, State
from contactsdk.sandbox import Fault, FaultKind, Sandbox
from tests.cli.commanding import (
    ADD,
    call,
    emails,
    sample,
    started,
    states,
    wait_until,
)


def test_ctrl_c_while_the_file_is_checked_is_an_interruption(
    folder: Path, sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupt(*_args: Any, **_options: Any) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("contactsdk.cli.checking.open_input", interrupt)
    assert call("import", "in.csv", code=130).output == ""


def test_ctrl_c_finishes_what_is_in_flight(sandbox: Sandbox, folder: Path) -> None:
    sandbox.latency_s = 1.0
    (folder / "in.csv").write_text(sample(200))
    files = ("--results", "out.csv", "--rejects", "bad.csv", "--uncertain", "unsure.csv")
    with started("import", "in.csv", "--concurrency", "2", *files) as process:
        wait_until(lambda: len(sandbox.ledger.writes) >= 2)
        process.send_signal(signal.SIGINT)
        out, err = process.communicate()
        assert process.returncode == 130, err
    told = states("out.csv")
    written = len(sandbox.ledger.writes)
    assert sorted(told) == list(range(2, 202))
    assert list(told.values()).count("succeeded") == written
    assert list(told.values()).count("not_started") == 200 - written > 0
    assert len((folder / "bad.csv").read_text().splitlines()) == 1 + 200 - written
    assert len((folder / "unsure.csv").read_text().splitlines()) == 1
    assert out.endswith("Stopped: interrupted\n")
    assert "contactsdk: stopping: " in err
    assert err.endswith("To send the rest: contactsdk import bad.csv\n")


def test_quiet_import_stops_without_a_word_about_it(sandbox: Sandbox, folder: Path) -> None:
    sandbox.latency_s = 0.1
    (folder / "in.csv").write_text(sample(100))

    def interrupt() -> None:
        wait_until(lambda: sandbox.ledger.writes)
        os.kill(os.getpid(), signal.SIGINT)

    interrupting = threading.Thread(target=interrupt)
    interrupting.start()
    result = call("import", "in.csv", "--concurrency", "1", "--quiet", code=130)
    interrupting.join()
    assert 0 < len(sandbox.ledger.writes) < 100
    assert "stopping" not in result.output


@pytest.mark.parametrize("first", [signal.SIGINT, signal.SIGTERM])
def test_second_ctrl_c_leaves_at_once(first: int, sandbox: Sandbox, folder: Path) -> None:
    sandbox.script(*[Fault(FaultKind.HANG_AFTER_WRITE)] * 3, action=ADD)
    (folder / "in.csv").write_text(sample(9))
    files = ("--results", "out.csv", "--rejects", "bad.csv", "--uncertain", "unsure.csv")
    with started("import", "in.csv", "--concurrency", "3", *files) as process:
        wait_until(lambda: len(sandbox.ledger.writes) == 3)
        process.send_signal(first)
        assert any(line.startswith("contactsdk: stopping: ") for line in process.stderr)
        process.send_signal(signal.SIGINT)
        out, err = process.communicate()
        assert process.returncode == 130, err
    told = states("out.csv")
    assert [told[line] for line in range(2, 11)] == ["uncertain"] * 3 + ["not_started"] * 6
    unsure = (folder / "unsure.csv").read_text().splitlines()
    assert sorted(row.split(",")[2] for row in unsure[1:]) == emails(sandbox)
    assert len((folder / "bad.csv").read_text().splitlines()) == 7
    assert "3 uncertain\n6 not started\n" in out
    assert sandbox.secret not in out + err


@pytest.mark.parametrize("signal_", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_signal_finishes_what_is_in_flight_and_writes_every_output(
    signal_: int, sandbox: Sandbox, folder: Path
) -> None:
    sandbox.script(Fault(FaultKind.HANG_AFTER_WRITE), action=ADD)
    (folder / "in.csv").write_text(sample(3))
    files = ("--results", "out.csv", "--report", "run.html")
    with started("import", "in.csv", "--concurrency", "1", *files) as process:
        wait_until(lambda: len(sandbox.ledger.writes) == 1)
        process.send_signal(signal_)
        # Two signals of a kind that wait are one to Python.
        assert any(line.startswith("contactsdk: stopping: ") for line in process.stderr)
        process.send_signal(signal.SIGINT)
        err = process.communicate()[1]
        assert process.returncode == 130, err
    assert list(states("out.csv").values()) == ["uncertain", "not_started", "not_started"]
    assert "The run ended early: interrupted." in (folder / "run.html").read_text()


def test_hang_up_that_is_ignored_stays_ignored(sandbox: Sandbox, folder: Path) -> None:
    sandbox.latency_s = 0.2
    (folder / "in.csv").write_text(sample(5))
    ignore = partial(signal.signal, signal.SIGHUP, signal.SIG_IGN)  # as nohup does
    with started("import", "in.csv", "--concurrency", "1", preexec_fn=ignore) as process:
        wait_until(lambda: sandbox.ledger.writes)
        process.send_signal(signal.SIGHUP)
        err = process.communicate()[1]
        assert process.returncode == 0, err
    assert len(sandbox.ledger.writes) == 5


def test_ctrl_c_while_a_pipe_is_read_sends_nothing(sandbox: Sandbox, folder: Path) -> None:
    arguments = ("import", "-", "--format", "csv", "--results", "out.csv")
    with started(*arguments, stdin=subprocess.PIPE) as process:
        process.stdin.write("id\n7\n")
        process.stdin.flush()
        wait_until(lambda: unread(process.stdin) == 0)
        process.send_signal(signal.SIGINT)
        assert process.stderr.read() == ""
        assert process.wait() == 130
    assert sandbox.ledger.requests == []
    assert not (folder / "out.csv").exists()


def unread(pipe: Any) -> Any:
    """How many bytes nobody has read yet."""
    return struct.unpack("i", fcntl.ioctl(pipe, termios.FIONREAD, b"0000"))[0]


def test_interrupted_run_records_every_row(sandbox: Sandbox) -> None:
    sandbox.script(None, Fault(FaultKind.HANG_AFTER_WRITE), action=ADD)
    items = [
        (line, line, Contact(first_name="A", last_name="A", email=f"a{line}@example.com"))
        for line in range(2, 102)
    ]
    recorded: list[Result] = []
    notices: list[int] = []

    async def run() -> Any:
        client = ContactClient(sandbox.url, Credentials(sandbox.key, sandbox.secret))
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(interrupt_twice())
            return await import_rows(
                client,
                items,
                recorded.append,
                begin=lambda: None,
                sending=Sending(concurrency=1),
                on_interrupt=lambda: notices.append(1),
            )

    async def interrupt_twice() -> None:
        while len(sandbox.ledger.writes) < 2:
            await asyncio.sleep(0.01)
        signal.raise_signal(signal.SIGINT)
        signal.raise_signal(signal.SIGINT)

    ending = asyncio.run(run())
    assert ending.interrupted
    assert ending.reason == "interrupted"
    assert notices == [1]
    assert [result.row for result in recorded] == list(range(2, 102))
    states = [result.state for result in recorded]
    assert states == [State.SUCCEEDED, State.UNCERTAIN, *[State.NOT_STARTED] * 98]


async def test_signal_while_nothing_is_awaited_is_kept_for_later() -> None:
    with Interruption() as interruption:
        signal.raise_signal(signal.SIGINT)
        signal.raise_signal(signal.SIGINT)
        await asyncio.sleep(0.01)
        await interruption.guard(asyncio.Event().wait())
    assert interruption.happened


async def test_first_signal_leaves_time_and_second_does_not() -> None:
    woken = []
    forever = asyncio.Event()
    with Interruption(lambda: woken.append(1)) as interruption:
        assert not interruption.happened
        task = asyncio.create_task(interruption.guard(forever.wait()))
        await asyncio.sleep(0)
        signal.raise_signal(signal.SIGINT)
        await asyncio.sleep(0.05)
        assert interruption.happened
        assert not task.done()
        signal.raise_signal(signal.SIGTERM)
        await task
    assert woken == [1]


async def test_grace_ends_by_itself() -> None:
    with Interruption(grace_s=0.01) as interruption:
        signal.raise_signal(signal.SIGINT)
        await interruption.guard(asyncio.Event().wait())
    assert interruption.happened


async def test_timeout_of_the_work_itself_is_not_swallowed() -> None:
    async def work() -> None:
        raise TimeoutError("its own")

    with Interruption() as interruption, pytest.raises(TimeoutError, match="its own"):
        await interruption.guard(work())


async def test_signal_handlers_are_put_back() -> None:
    before = signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)
    with Interruption():
        assert signal.getsignal(signal.SIGINT) != before[0]
    assert (signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)) == before
