import asyncio
import contextlib
import csv
import io
import json
import os
import pty
import re
import signal
import socket
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import pytest
from background import environment_of, sandbox_in_thread
from typer.testing import CliRunner

from contactsdk import Contact, ContactClient, Credentials, SqliteJournal
from contactsdk.cli import app
from contactsdk.cli.feed import PipeFeed
from contactsdk.cli.interruption import Interruption
from contactsdk.cli.report import Tally, printable, summary
from contactsdk.cli.run import Ending, import_rows
from contactsdk.files import FileError, Result, State, read_input
from contactsdk.journal import Account, JournalRun
from contactsdk.journal import State as JournalState
from contactsdk.sandbox import Fault, FaultKind, Sandbox

NAMES = "firstName,lastName,email"
ROOT = Path(__file__).parent.parent


@pytest.fixture
def sandbox():
    with sandbox_in_thread(groups=[10, 11]) as running:
        yield running


@pytest.fixture(autouse=True)
def environment(monkeypatch, request):
    for name in ("URL", "KEY", "SECRET"):
        monkeypatch.delenv(f"CONTACTSDK_{name}", raising=False)
    if "sandbox" in request.fixturenames:
        sandbox = request.getfixturevalue("sandbox")
        for name, value in environment_of(sandbox).items():
            monkeypatch.setenv(name, value)


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


def call(*arguments, code=0):
    result = CliRunner().invoke(app, arguments, catch_exceptions=False)
    assert result.exit_code == code, result.output
    assert os.environ.get("CONTACTSDK_SECRET", "no secret") not in result.output
    return result


def sample(count):
    rows = [f"Ada,Archer,ada{number}@example.com" for number in range(count)]
    return "\n".join([NAMES, *rows, ""])


def emails(sandbox):
    return sorted(write.body["email"] for write in sandbox.ledger.writes)


def states(path):
    with open(path, newline="") as file:
        return {int(row["line"]): row["state"] for row in csv.DictReader(file)}


@contextlib.contextmanager
def standard_input(text):
    read, write = os.pipe()
    os.write(write, text.encode())
    os.close(write)
    before = os.dup(0)
    os.dup2(read, 0)
    os.close(read)
    try:
        yield
    finally:
        os.dup2(before, 0)
        os.close(before)


@contextlib.contextmanager
def started(*arguments, **options):
    process = subprocess.Popen(
        [sys.executable, "-W", "error", "-m", "contactsdk", *arguments],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        **options,
    )
    with process:
        try:
            yield process
        finally:
            process.kill()


def wait_until(is_so):
    deadline = time.monotonic() + 20
    while not is_so():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_import_of_a_spreadsheets_file_succeeds(sandbox, folder):
    text = (
        "\ufeffFirst_Name;lastName;email;groups;customFields.5;status;phone\r\n"
        'Ada;"Ar\ncher";ada@example.com;"10;11";No;no marketing;\r\n'
        "Ben;Baker;ben@example.test;;;;1\r\n"
    )
    (folder / "in.csv").write_bytes(text.encode())
    result = call("import", "in.csv", "--concurrency", "1", "--results", "out.csv")
    assert [dict(write.body) for write in sandbox.ledger.writes] == [
        {
            "firstName": "Ada",
            "lastName": "Ar\ncher",
            "email": "ada@example.com",
            "groups": [{"groupId": 10}, {"groupId": 11}],
            "customFields": [{"fieldId": 5, "value": "No"}],
            "status": 5,
        },
        {"firstName": "Ben", "lastName": "Baker", "email": "ben@example.test", "phone": "1"},
    ]
    assert (folder / "out.csv").read_text() == (
        "line,id,state,message,attempts\n2,1001,succeeded,,1\n4,1002,succeeded,,1\n"
    )
    assert re.match(r"2 read\n2 succeeded\n0 failed\n0 uncertain\nin ", result.stdout)
    assert result.stderr == ""


def test_import_tells_what_became_of_each_row(sandbox, folder):
    rows = ["A,A,a@example.com,10", "B,B,b@example", "C,C,c@example.com,12", "D,D,d@example.com"]
    (folder / "in.csv").write_text("\n".join([f"{NAMES},groups", *rows]))
    sandbox.script(None, None, Fault(FaultKind.CLOSE_AFTER_WRITE))
    files = ("--results", "r.jsonl", "--rejects", "bad.csv", "--uncertain", "unsure.csv")
    result = call("import", "in.csv", "--concurrency", "1", *files, code=1)
    told = [json.loads(line) for line in (folder / "r.jsonl").read_text().splitlines()]
    assert [(row["line"], row["id"], row["state"], row["attempts"]) for row in told] == [
        (2, 1001, "succeeded", 1),
        (3, None, "failed", 0),
        (4, None, "failed", 1),
        (5, None, "uncertain", 1),
    ]
    assert (folder / "bad.csv").read_text().splitlines() == [
        f"{NAMES},groups,contactsdk_message",
        f"B,B,b@example,,{told[1]['message']}",
        f"C,C,c@example.com,12,{told[2]['message']}",
    ]
    assert (folder / "unsure.csv").read_text().splitlines() == [
        f"{NAMES},groups,contactsdk_message",
        f'D,D,d@example.com,,"{told[3]["message"]}"',
    ]
    assert f"Failed:\n  1 x {told[1]['message']}\n  1 x {told[2]['message']}\n" in result.stdout
    assert f"Uncertain:\n  1 x {told[3]['message']}\n" in result.stdout
    assert "look each of them up" in result.stdout


def test_corrected_rejects_can_be_imported(sandbox, folder):
    (folder / "in.csv").write_text(f"{NAMES}\nA,A,a@example\n")
    call("import", "in.csv", "--rejects", "bad.csv", code=1)
    corrected = (folder / "bad.csv").read_text().replace("a@example,", "a@example.com,")
    (folder / "bad.csv").write_text(corrected)
    call("import", "bad.csv")
    assert emails(sandbox) == ["a@example.com"]


def test_import_of_json_lines_succeeds(sandbox, folder):
    (folder / "in.jsonl").write_text(
        '{"firstName": "A", "lastName": "A", "email": "a@example.com", "note": 1}\n'
    )
    call("import", "in.jsonl", "--ignore-columns", "other, Note")
    assert emails(sandbox) == ["a@example.com"]


@pytest.mark.parametrize("count", [1, 300])
def test_import_reads_standard_input(count, sandbox, folder):
    with standard_input(sample(count)):
        call("import", "-", "--format", "csv", "--results", "out.csv")
    assert len(sandbox.ledger.writes) == count
    assert set(states("out.csv").values()) == {"succeeded"}


def test_pipe_that_is_broken_at_its_end_sends_nothing(sandbox, folder):
    with standard_input(sample(2) + 'C,"C,c@example.com'):
        result = call("import", "-", "--results", "out.csv", code=2)
    assert sandbox.ledger.requests == []
    assert "standard input, row 4: " in result.stderr


def test_results_on_standard_output_leave_the_summary_to_standard_error(sandbox, folder):
    (folder / "in.csv").write_text(sample(1))
    result = call("import", "in.csv", "--results", "-")
    assert result.stdout == "line,id,state,message,attempts\n2,1001,succeeded,,1\n"
    assert result.stderr.startswith("1 read\n")


def test_quiet_import_prints_nothing(sandbox, folder):
    (folder / "in.csv").write_text(f"{NAMES}\nA,A,a@example\n")
    assert call("import", "in.csv", "--quiet", code=1).output == ""


def test_wrong_secret_stops_the_run(sandbox, folder, monkeypatch):
    monkeypatch.setenv("CONTACTSDK_SECRET", "wrong-secret")
    (folder / "in.csv").write_text(sample(100))
    files = ("--results", "out.csv", "--rejects", "bad.csv", "--uncertain", "unsure.csv")
    result = call("import", "in.csv", "--concurrency", "2", *files, code=3)
    assert "Stopped: Invalid API key or signature" in result.stdout
    assert sandbox.ledger.writes == []
    assert sorted(states("out.csv")) == list(range(2, 102))
    assert set(states("out.csv").values()) == {"failed", "not_started"}
    assert len((folder / "bad.csv").read_text().splitlines()) == 101
    assert len((folder / "unsure.csv").read_text().splitlines()) == 1
    assert "wrong-secret" not in result.output


def test_quiet_import_still_says_what_stopped_it(sandbox, folder, monkeypatch):
    monkeypatch.setenv("CONTACTSDK_SECRET", "wrong-secret")
    (folder / "in.csv").write_text(sample(2))
    result = call("import", "in.csv", "--quiet", code=3)
    assert result.output == "contactsdk: stopped: Invalid API key or signature\n"


def test_import_gives_up_on_a_platform_as_it_is_told_to(sandbox, folder):
    (folder / "in.csv").write_text(sample(2))
    sandbox.script(Fault(FaultKind.UNAVAILABLE, retry_after_s=60))
    result = call("import", "in.csv", "--concurrency", "1", "--give-up", "59", code=3)
    assert re.search("^Stopped: ", result.stdout, re.MULTILINE)
    assert len(sandbox.ledger.requests) == 1


def test_dry_run_needs_no_credentials(folder):
    (folder / "in.csv").write_text(sample(3))
    result = call("import", "in.csv", "--dry-run")
    assert result.stdout.startswith("3 read\n3 valid\n0 invalid\nin ")


def test_dry_run_sends_nothing(sandbox, folder):
    (folder / "in.csv").write_text(f"{sample(1)}B,B,b@example\n")
    files = ("--results", "out.csv", "--rejects", "bad.csv")
    result = call("import", "in.csv", "--dry-run", *files, code=1)
    assert sandbox.ledger.requests == []
    assert states("out.csv") == {2: "not_started", 3: "failed"}
    [row] = (folder / "bad.csv").read_text().splitlines()[1:]
    assert row.startswith("B,B,b@example,email must be a valid email address: ")
    assert "Invalid:\n  1 x email must be" in result.stdout


def test_dry_run_without_results_only_counts(folder):
    (folder / "in.csv").write_text(f"{sample(2)}B,B,b@example\n")
    assert call("import", "in.csv", "--dry-run", code=1).stdout.startswith("3 read\n2 valid\n")


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("fristName,email\nA,b@example.com\n", "unknown column 'fristName'"),
        (f'{sample(50)}A,"B,c@example.com\n', "row 52: "),
        ("", "there is nothing to do"),
    ],
)
def test_unreadable_file_is_found_before_anything_is_sent(text, what, sandbox, folder):
    (folder / "in.csv").write_text(text)
    result = call("import", "in.csv", "--rejects", "bad.csv", code=2)
    assert what in result.stderr
    assert result.stdout == ""
    assert sandbox.ledger.requests == []
    assert not (folder / "bad.csv").exists()


@pytest.mark.parametrize(
    ("arguments", "what"),
    [
        (["import", "none.csv"], "none.csv: there is no such file"),
        (["import", "in.csv", "--map", "Name=nothing"], "'nothing' is no field of a contact"),
        (["import", "in.csv", "--set", "status=new"], '--set "status=new": status must be one'),
        (["import", "in.csv", "--rate", "0"], "--rate"),
        (["import", "in.csv", "--give-up", "0"], "--give-up"),
        (["import", "in.csv", "--concurrency", "0"], "--concurrency"),
        (["import", "in.csv", "--rejects", "in.csv"], "different files"),
        (["import", "in.csv", "--url", "http://example.com"], "plain http"),
        (["import", "in.csv", "--key", "a b"], "key"),
        (["import", "in.csv", "--secret-file", "none"], "none: No such file"),
        (["import", "in.csv", "--secret-file", "odd"], "odd: the secret is not UTF-8 text"),
        (["ping", "--url", "here"], "base_url"),
    ],
)
def test_wrong_use_is_told(arguments, what, sandbox, folder):
    (folder / "in.csv").write_text(sample(1))
    (folder / "odd").write_bytes(b"\xff")
    result = call(*arguments, code=2)
    assert what in result.stderr
    assert result.stdout == ""
    assert sandbox.ledger.requests == []
    assert sandbox.secret not in result.output


def test_missing_settings_are_named(folder):
    (folder / "in.csv").write_text(sample(1))
    for arguments in (["import", "in.csv"], ["ping"]):
        stderr = call(*arguments, code=2).stderr
        assert all(f"CONTACTSDK_{name}" in stderr for name in ("URL", "KEY", "SECRET"))


def test_more_in_flight_than_usual_connections_is_fine(sandbox, folder):
    (folder / "in.csv").write_text(sample(300))
    call("import", "in.csv", "--concurrency", "200")
    assert len(sandbox.ledger.writes) == 300


def test_full_disk_stops_the_run(sandbox, folder):
    (folder / "in.csv").write_text(sample(5))
    result = call("import", "in.csv", "--results", "/dev/full", code=3)
    assert result.stderr == "contactsdk: stopped: No space left on device\n"


def test_ctrl_c_while_the_file_is_checked_is_an_interruption(folder, sandbox, monkeypatch):
    def interrupt(*_args, **_options):
        raise KeyboardInterrupt

    monkeypatch.setattr("contactsdk.cli.commands.open_input", interrupt)
    assert call("import", "in.csv", code=130).output == ""


def test_output_that_nobody_reads_stops_the_run(sandbox, folder):
    (folder / "in.csv").write_text(sample(2000))
    with started("import", "in.csv", "--results", "-") as process:
        process.stdout.close()
        assert process.stderr.read() == "contactsdk: nobody reads the output any more\n"
        assert process.wait() == 3


def test_ctrl_c_finishes_what_is_in_flight(sandbox, folder):
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
    assert err.startswith("contactsdk: stopping: ")


@pytest.mark.parametrize("first", [signal.SIGINT, signal.SIGTERM])
def test_second_ctrl_c_leaves_at_once(first, sandbox, folder):
    sandbox.script(*[Fault(FaultKind.HANG_AFTER_WRITE)] * 3)
    (folder / "in.csv").write_text(sample(9))
    files = ("--results", "out.csv", "--rejects", "bad.csv", "--uncertain", "unsure.csv")
    with started("import", "in.csv", "--concurrency", "3", *files) as process:
        wait_until(lambda: len(sandbox.ledger.writes) == 3)
        process.send_signal(first)
        assert process.stderr.readline().startswith("contactsdk: stopping: ")
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


def test_ctrl_c_does_not_wait_for_a_silent_pipe(sandbox, folder, monkeypatch):
    monkeypatch.setenv("TMPDIR", str(folder))
    with started("import", "-", stdin=subprocess.PIPE) as process:
        process.stdin.write(sample(1))
        process.stdin.flush()
        wait_until(lambda: any(folder.glob("contactsdk-*/standard-input")))
        process.send_signal(signal.SIGINT)
        err = process.stderr.read()
        assert process.wait() == 130, err
    assert sandbox.ledger.requests == []


def test_progress_is_shown_on_a_terminal(sandbox, folder):
    (folder / "in.csv").write_text(sample(20))
    ours, its = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-m", "contactsdk", "import", "in.csv", "--results", "-"],
        env={**os.environ, "PYTHONPATH": str(ROOT), "TERM": "xterm", "COLUMNS": "100"},
        stdout=subprocess.PIPE,
        stderr=its,
    )
    os.close(its)
    shown = b""
    with contextlib.suppress(OSError):  # EIO, once nobody has the other end
        while part := os.read(ours, 4096):
            shown += part
    os.close(ours)
    with process:
        assert process.stdout.read().startswith(b"line,id,")
    assert process.returncode == 0
    assert b"20/20" in shown
    assert b"20 succeeded" in shown


def test_ping_says_that_all_works(sandbox):
    result = call("ping")
    assert result.stdout.splitlines() == [
        "Address, key and secret work.",
        "The platform's clock is less than a second from this machine's.",
    ]


@pytest.mark.parametrize(
    ("off_s", "what"), [(60, "60 s ahead of"), (-60, "60 s behind"), (3600, "3600 s ahead of")]
)
def test_ping_says_how_far_the_clocks_are_apart(off_s, what, sandbox, monkeypatch):
    # Both clocks stand still, so that nothing depends on the speed of the machine.
    now = 1_800_000_000.5
    monkeypatch.setattr(time, "time", lambda: now)
    sandbox.clock = lambda: now + off_s
    assert f"clock is {what} this machine's" in call("ping").stdout


def test_ping_with_a_wrong_secret_fails(sandbox, folder):
    (folder / "secret").write_text("wrong-secret\n")
    result = call("ping", "--secret-file", "secret", code=3)
    assert result.output == "contactsdk: Invalid API key or signature\n"


def test_secret_file_goes_before_the_environment(sandbox, folder, monkeypatch):
    (folder / "secret").write_text(f"{sandbox.secret}\n")
    monkeypatch.setenv("CONTACTSDK_SECRET", "wrong-secret")
    call("ping", "--secret-file", "secret")


def test_options_go_before_the_environment(sandbox, monkeypatch):
    monkeypatch.setenv("CONTACTSDK_URL", "https://example.test")
    monkeypatch.setenv("CONTACTSDK_KEY", "wrong")
    call("ping", "--url", sandbox.url, "--key", sandbox.key)


def test_sandbox_prints_what_a_client_needs(monkeypatch, folder):
    monkeypatch.setenv("CONTACTSDK_KEY", "a-key")
    with started("sandbox", "--port", "0") as process:
        lines = [process.stdout.readline().strip() for _ in range(3)]
        settings = dict(line.split("=", 1) for line in lines)
        assert list(settings) == ["CONTACTSDK_URL", "CONTACTSDK_KEY", "CONTACTSDK_SECRET"]
        assert settings["CONTACTSDK_KEY"] == "a-key"
        for name, value in settings.items():
            monkeypatch.setenv(name, value)
        call("ping")
        (folder / "in.csv").write_text(sample(3))
        call("import", "in.csv")
        process.send_signal(signal.SIGTERM)
        assert process.communicate() == ("", "")
        assert process.returncode == 0


def test_sandbox_takes_its_secret_from_the_environment(monkeypatch):
    monkeypatch.setenv("CONTACTSDK_SECRET", "a-secret")
    with started("sandbox", "--port", "0") as process:
        assert "CONTACTSDK_SECRET=a-secret\n" in [process.stdout.readline() for _ in range(3)]


def test_interrupted_sandbox_exits_well(monkeypatch):
    class Interrupting(Sandbox):
        async def start(self):
            await super().start()
            signal.raise_signal(signal.SIGINT)

    monkeypatch.setattr("contactsdk.cli.sandbox_command.Sandbox", Interrupting)
    result = CliRunner().invoke(app, ["sandbox", "--port", "0"])
    assert result.exit_code == 0
    assert result.stdout.count("\n") == 3


def test_port_that_is_taken_is_an_error():
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = str(taken.getsockname()[1])
        result = CliRunner().invoke(app, ["sandbox", "--port", port])
    assert result.exit_code == 2
    assert f"cannot listen on 127.0.0.1 port {port}: Address already in use" in result.stderr


def test_host_that_cannot_be_listened_on_is_an_error(monkeypatch):
    async def fail(_sandbox):
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr(Sandbox, "start", fail)
    result = CliRunner().invoke(app, ["sandbox", "--host", "nowhere.example"])
    assert result.exit_code == 2
    assert "nowhere.example port 8080: Name or service not known" in result.stderr


def test_demo_shows_the_same_every_time():
    one, two = (re.sub(r"in .*\n", "", CliRunner().invoke(app, ["demo"]).stdout) for _ in "12")
    assert one == two
    assert one.startswith("1,000 read\n  979 succeeded\n   21 failed\n    0 uncertain\n")
    assert len(re.findall(r"^  \d+ x ", one, re.MULTILINE)) == 4


def test_demo_succeeds_whatever_failed():
    assert CliRunner().invoke(app, ["demo"]).exit_code == 0


def test_demo_can_be_interrupted(monkeypatch):
    class Interrupted(Interruption):
        def __enter__(self):
            self.happened = True
            return super().__enter__()

    monkeypatch.setattr("contactsdk.cli.demo.Interruption", Interrupted)
    result = CliRunner().invoke(app, ["demo"])
    assert result.exit_code == 130
    assert result.stdout.startswith("0 read\n")


def test_no_command_shows_the_help():
    assert "import" in CliRunner().invoke(app, []).output


@pytest.mark.parametrize("piped", [False, True])
def test_interrupted_run_tells_of_every_row(piped, sandbox):
    sandbox.script(None, Fault(FaultKind.HANG_AFTER_WRITE))
    stack = contextlib.ExitStack()
    reading = read_input(io.BytesIO(sample(100).encode()), "x.csv")
    source = stack.enter_context(reading)
    told = {}
    notices = []

    def record(row, result):
        told[row.line] = result.state
        if result.state is State.SUCCEEDED:
            wait_until_written.set()

    async def run():
        client = ContactClient(sandbox.url, Credentials(sandbox.key, sandbox.secret))
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(interrupt_twice())
            return await import_rows(
                client,
                source,
                record,
                piped=piped,
                record_rest=True,
                concurrency=1,
                give_up_s=300.0,
                rate_per_s=None,
                journal=None,
                on_progress=lambda progress: None,
                on_interrupt=lambda: notices.append(1),
            )

    async def interrupt_twice():
        await wait_until_written.wait()
        while len(sandbox.ledger.writes) < 2:
            await asyncio.sleep(0.01)
        signal.raise_signal(signal.SIGINT)
        signal.raise_signal(signal.SIGINT)

    wait_until_written = asyncio.Event()
    ending = asyncio.run(run())
    assert ending.interrupted
    assert ending.reason == "interrupted"
    assert notices == [1]
    assert [told[line] for line in range(2, 102)] == [
        State.SUCCEEDED,
        State.UNCERTAIN,
        *[State.NOT_STARTED] * 98,
    ]


async def test_signal_while_nothing_is_awaited_is_kept_for_later():
    with Interruption() as interruption:
        signal.raise_signal(signal.SIGINT)
        signal.raise_signal(signal.SIGINT)
        await asyncio.sleep(0.01)
        await interruption.guard(asyncio.Event().wait())
    assert interruption.happened


async def test_first_signal_leaves_time_and_second_does_not(monkeypatch):
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


async def test_grace_ends_by_itself(monkeypatch):
    monkeypatch.setattr("contactsdk.cli.interruption.GRACE_S", 0.01)
    with Interruption() as interruption:
        signal.raise_signal(signal.SIGINT)
        await interruption.guard(asyncio.Event().wait())
    assert interruption.happened


async def test_timeout_of_the_work_itself_is_not_swallowed():
    async def work():
        raise TimeoutError("its own")

    with Interruption() as interruption, pytest.raises(TimeoutError, match="its own"):
        await interruption.guard(work())


async def test_signal_handlers_are_put_back():
    before = signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)
    with Interruption():
        assert signal.getsignal(signal.SIGINT) != before[0]
    assert (signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)) == before


async def test_error_of_a_piped_input_comes_after_its_rows():
    def rows():
        raise FileError("broken")
        yield

    feed = PipeFeed(rows())
    with pytest.raises(FileError, match="broken"):
        await feed.next()
    assert feed.exhausted


def a_tally(state, messages):
    tally = Tally()
    for message in messages:
        tally.add(Result(line=1, state=state, message=message))
    return tally


def test_most_frequent_message_comes_first():
    text = summary(a_tally(State.FAILED, ["a", "b", "c", "b"] + ["c"] * 10))
    assert "Failed:\n  11 x c\n   2 x b\n   1 x a" in text


def test_many_messages_are_cut_short():
    text = summary(a_tally(State.FAILED, [f"no {number}" for number in range(2000)]))
    assert "  1,000 x other messages\n" in text
    assert text.count(" x no ") == 24
    assert text.endswith("  and 976 with 976 other messages")


def test_message_cannot_steer_the_terminal():
    assert printable("a\x1b[31m [red]b\r\nc") == "a?[31m [red]b c"


def test_long_run_is_told_in_minutes(monkeypatch):
    tally = a_tally(State.SUCCEEDED, [""] * 2)
    monkeypatch.setattr(time, "monotonic", lambda: tally._started + 125)
    assert "in 2 min 5 s, 0 contacts per second" in summary(tally)


class TestJournal:
    def test_same_command_again_hands_back_what_is_final(self, sandbox, folder):
        rows = [f"Ada,Archer,a{n}@example.com,10" for n in range(5)]
        wrong = ["Ada,,b@example.com,10", "Ada,Archer,c@example.com,99"]
        (folder / "in.csv").write_text("\n".join([f"{NAMES},groups", *rows, *wrong, ""]))
        sandbox.script(Fault(FaultKind.CLOSE_AFTER_WRITE))
        arguments = ("import", "in.csv", "--journal", "run.sqlite", "--results", "out.csv")

        call(*arguments, "--concurrency", "1", code=1)
        first, requests = states("out.csv"), len(sandbox.ledger.requests)
        call(*arguments, code=1)

        assert Counter(first.values()) == {"succeeded": 4, "uncertain": 1, "failed": 2}
        assert states("out.csv") == first
        assert len(sandbox.ledger.requests) == requests

    def test_appended_rows_are_sent_and_changed_ones_are_named(self, sandbox, folder):
        (folder / "in.csv").write_text(sample(3))
        call("import", "in.csv", "--journal", "run.sqlite")
        (folder / "in.csv").write_text(sample(5))
        call("import", "in.csv", "--journal", "run.sqlite")
        assert emails(sandbox) == [f"ada{n}@example.com" for n in range(5)]

        (folder / "in.csv").write_text(sample(5).replace("ada3@", "eda3@"))
        changed = call("import", "in.csv", "--journal", "run.sqlite", code=2)
        (folder / "in.csv").write_text(sample(4))
        shorter = call("import", "in.csv", "--journal", "run.sqlite", code=2)

        assert "in.csv, line 5: from here on it is not the input" in changed.stderr
        assert "in.csv, line 6: from here on it is not the input" in shorter.stderr
        assert len(sandbox.ledger.writes) == 5

    def test_piped_input_that_changed_stops_where_it_differs(self, sandbox, folder):
        arguments = ("import", "-", "--format", "csv", "--journal", "run.sqlite")
        with standard_input(sample(3)):
            call(*arguments)
        with standard_input(sample(5).replace("ada1@", "eda1@")):
            call(*arguments, code=3)

        assert len(sandbox.ledger.requests) == 3

    def test_uncertain_rows_are_sent_again_on_request(self, sandbox, folder):
        (folder / "in.csv").write_text(sample(2))
        sandbox.script(Fault(FaultKind.CLOSE_BEFORE_READ))
        call("import", "in.csv", "--journal", "run.sqlite", "--concurrency", "1", code=1)

        call("import", "in.csv", "--journal", "run.sqlite", "--resend-uncertain")

        assert emails(sandbox) == ["ada0@example.com", "ada1@example.com"]

    def test_resending_needs_a_journal(self, sandbox, folder):
        (folder / "in.csv").write_text(sample(1))

        assert "--journal" in call("import", "in.csv", "--resend-uncertain", code=2).stderr

    def test_journal_of_another_account_is_refused(self, sandbox, folder, monkeypatch):
        (folder / "in.csv").write_text(sample(1))
        call("import", "in.csv", "--journal", "run.sqlite")
        monkeypatch.setenv("CONTACTSDK_SECRET", "not-the-same")

        refused = call("import", "in.csv", "--journal", "run.sqlite", code=2)

        assert "another account" in refused.stderr

    def test_run_with_a_wrong_secret_goes_on_with_the_right_one(self, sandbox, folder, monkeypatch):
        (folder / "in.csv").write_text(sample(3).replace("ada1@example.com", "nobody"))
        with monkeypatch.context() as wrong:
            wrong.setenv("CONTACTSDK_SECRET", "wrong-secret")
            call("import", "in.csv", "--journal", "run.sqlite", "--concurrency", "1", code=3)

        call("import", "in.csv", "--journal", "run.sqlite", code=1)

        assert emails(sandbox) == ["ada0@example.com", "ada2@example.com"]

    def test_stopped_run_prints_how_to_go_on(self, sandbox, folder, monkeypatch):
        (folder / "in.csv").write_text(sample(1))
        monkeypatch.setattr(sys, "argv", ["contactsdk", "import", "in.csv"])
        sandbox.script(Fault(FaultKind.REDIRECT))

        files = ("--journal", "run.sqlite", "--rejects", "bad.csv")
        stopped = call("import", "in.csv", *files, code=3)

        assert "To send what was not applied: contactsdk import in.csv\n" in stopped.stderr
        assert "Correct the rejects after that" in stopped.stderr

    @pytest.mark.parametrize(("refused", "hints"), [(False, 1), (True, 0)])
    def test_run_that_ended_prints_how_to_send_what_it_could_not(
        self, refused, hints, sandbox, folder, monkeypatch
    ):
        async def fail(_client, source, record, **_options):
            for row in source:
                record(row, Result(line=row.line, state=State.FAILED, refused=refused))
            return Ending()

        (folder / "in.csv").write_text(sample(1))
        monkeypatch.setattr("contactsdk.cli.commands.import_rows", fail)

        ended = call("import", "in.csv", "--journal", "run.sqlite", code=1)

        assert ended.stderr.count("To send what was not applied: ") == hints

    def test_rejects_and_going_on_add_no_row_twice(self, sandbox, folder):
        (folder / "in.csv").write_text(sample(6).replace("ada1@example.com", "nobody"))
        sandbox.script(None, Fault(FaultKind.REDIRECT))
        files = ("--journal", "run.sqlite", "--results", "out.csv", "--rejects", "bad.csv")
        call("import", "in.csv", *files, "--concurrency", "1", code=3)
        told, rejects = states("out.csv"), (folder / "bad.csv").read_text()

        call("import", "in.csv", *files, code=1)
        (folder / "bad.csv").write_text(rejects.replace("nobody", "ada1@example.com"))
        call("import", "bad.csv")

        assert list(told.values()) == ["succeeded", "failed", "failed", *["not_started"] * 3]
        assert emails(sandbox) == [f"ada{n}@example.com" for n in range(6)]

    @pytest.fixture
    def recorded(self, sandbox, folder):
        """A journal with a row of each kind, of which two were never started."""
        (folder / "in.csv").write_text(sample(7).replace("ada2@example.com", "nobody"))
        sandbox.script(None, Fault(FaultKind.CLOSE_AFTER_WRITE), Fault(FaultKind.REDIRECT))
        call("import", "in.csv", "--journal", "run.sqlite", "--concurrency", "1", code=3)
        return "run.sqlite"

    def test_shows_counts_failures_and_uncertain_rows(self, recorded):
        shown = call("journal", recorded).stdout

        assert "1 succeeded" in shown
        assert "1 x email must be a valid email address" in shown
        assert "line 3: sent, but no answer came" in shown
        assert "per second" not in shown

    @pytest.mark.parametrize(("count", "last"), [(25, "line 25: "), (1226, "and 1,201 more; ")])
    def test_says_how_many_uncertain_rows_it_does_not_show(self, count, last, folder):
        run = JournalRun(SqliteJournal("run.sqlite"), Account(url="u", key="k", secret="s"))
        for number in range(count):
            run._add(run._row(number, Contact(id=number + 1), JournalState.SENT))
        run.close()

        shown = call("journal", "run.sqlite").stdout.splitlines()

        assert shown[-1].startswith(f"  {last}")
        assert sum(line.startswith("  line ") for line in shown) == 25

    def test_results_are_written_from_it_alone(self, recorded):
        call("journal", recorded, "--results", "out.csv")

        assert states("out.csv") == {2: "succeeded", 3: "uncertain", 4: "failed", 5: "failed"}

    def test_rejects_and_uncertain_rows_are_written_from_it_and_its_input(self, recorded):
        files = ("--rejects", "bad.csv", "--uncertain", "unsure.csv")
        call("journal", recorded, "--input", "in.csv", *files)

        bad = Path("bad.csv").read_text().splitlines()
        assert [row.split(",")[2] for row in bad[1:]] == ["nobody"]
        assert "ada1@example.com" in Path("unsure.csv").read_text()

    def test_rejects_without_the_input_are_refused(self, recorded):
        assert "name it" in call("journal", recorded, "--rejects", "bad.csv", code=2).stderr

    @pytest.mark.parametrize(
        "other",
        [
            lambda rows: rows[:1] + rows[:0:-1],
            lambda rows: rows[:3],
            lambda rows: [row.replace("nobody", "ada2@example.com") for row in rows],
        ],
        ids=["in another order", "shorter", "corrected"],
    )
    def test_another_input_is_refused_and_nothing_is_written(self, recorded, other):
        rows = Path("in.csv").read_text().splitlines(keepends=True)
        Path("other.csv").write_text("".join(other(rows)))

        files = ("--input", "other.csv", "--rejects", "bad.csv")
        refused = call("journal", recorded, *files, code=2)

        assert "from here on it is not the input that run.sqlite recorded" in refused.stderr
        assert not Path("bad.csv").exists()

    def test_input_is_checked_with_the_secret_and_nothing_is_lost_by_a_wrong_one(
        self, recorded, monkeypatch
    ):
        files = ("--input", "in.csv", "--rejects", "bad.csv")
        monkeypatch.setenv("CONTACTSDK_SECRET", "wrong-secret")
        call("journal", recorded, *files, code=2)
        monkeypatch.delenv("CONTACTSDK_SECRET")
        missing = call("journal", recorded, *files, code=2)

        assert "missing: CONTACTSDK_SECRET (or --secret-file)" in missing.stderr
        assert len(list(SqliteJournal(recorded).rows())) == 4

    def test_input_with_other_lines_is_refused(self, recorded):
        Path("in.csv").write_text("\n" + Path("in.csv").read_text())

        refused = call("journal", recorded, "--input", "in.csv", "--rejects", "bad.csv", code=2)

        assert "in.csv, line 3: not the input that was recorded" in refused.stderr

    def test_what_was_in_flight_is_shown_as_uncertain(self, folder):
        run = JournalRun(SqliteJournal("run.sqlite"), Account(url="u", key="k", secret="s"))
        contact = Contact(first_name="Ada", last_name="Archer", email="ada@example.com")
        run._add(run._row(0, contact, JournalState.SENT))
        run.close()

        assert "line 1: in flight when the run ended" in call("journal", "run.sqlite").stdout

    def test_file_that_is_no_journal_is_refused(self, folder):
        Path("in.csv").write_text(sample(1))
        assert "no journal of contactsdk" in call("journal", "in.csv", code=2).stderr

    def test_file_that_is_not_there_is_named(self, folder):
        refused = call("journal", "none.sqlite", code=2)

        assert refused.stderr == "contactsdk: none.sqlite: there is no such file\n"
