import contextlib
import os
import re
import signal
import subprocess
import sys
from collections.abc import Coroutine, Iterator
from pathlib import Path
from typing import Any, ClassVar

import pytest
from typer.testing import CliRunner, Result

import contactsdk
from contactsdk import Contact, ContactClient
from contactsdk.cli import app
from contactsdk.sandbox import Fault, FaultKind, FieldType, Guesses, RateLimit, Sandbox

ADA = Contact(first_name="Ada", last_name="Archer", email="ada@example.com")
ROOT = Path(contactsdk.__file__).parents[1]


@pytest.fixture(autouse=True)
def no_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("URL", "KEY", "SECRET"):
        monkeypatch.delenv(f"CONTACTSDK_{name}", raising=False)
    # As wide as no message is, so that none is broken into lines.
    monkeypatch.setenv("COLUMNS", "1000")


class Stopped(Sandbox):
    """A sandbox that is stopped as soon as it runs, and shows how it was made."""

    made: ClassVar[list[dict[str, Any]]] = []
    shares: ClassVar[list[Any]] = []

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self.made.append(options)

    def mix_shares(self, seed: int, shares: Any, **options: Any) -> None:
        super().mix_shares(seed, shares, **options)
        self.shares.append(shares)

    async def start(self) -> None:
        await super().start()
        signal.raise_signal(signal.SIGINT)


@pytest.fixture
def stopped(monkeypatch: pytest.MonkeyPatch) -> type[Stopped]:
    monkeypatch.setattr(Stopped, "made", [])
    monkeypatch.setattr(Stopped, "shares", [])
    monkeypatch.setattr("contactsdk.sandbox.server.Sandbox", Stopped)
    return Stopped


def call(*arguments: str, code: int = 0) -> Result:
    result = CliRunner().invoke(app, ["sandbox", "--port", "0", *arguments])
    assert result.exit_code == code, result.output
    return result


@contextlib.contextmanager
def started(*arguments: str) -> Iterator["subprocess.Popen[str]"]:
    process = subprocess.Popen(
        [sys.executable, "-W", "error", "-m", "contactsdk", "sandbox", "--port", "0", *arguments],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    with process:
        try:
            yield process
        finally:
            process.kill()


def settings_of(process: "subprocess.Popen[str]") -> dict[str, str]:
    assert process.stdout
    lines = [process.stdout.readline().strip() for _ in range(3)]
    return dict(line.split("=", 1) for line in lines)


async def test_first_lines_are_the_settings_of_a_client(monkeypatch: pytest.MonkeyPatch) -> None:
    with started() as process:
        settings = settings_of(process)
        assert list(settings) == ["CONTACTSDK_URL", "CONTACTSDK_KEY", "CONTACTSDK_SECRET"]
        for name, value in settings.items():
            monkeypatch.setenv(name, value)
        async with ContactClient.from_env() as client:
            assert await client.add_or_update(ADA) == 1001
        process.send_signal(signal.SIGTERM)
        assert process.communicate() == ("", "")
        assert process.returncode == 0


async def test_verbose_sandbox_prints_a_line_for_each_request_without_its_values(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with started("--verbose") as process:
        for name, value in settings_of(process).items():
            monkeypatch.setenv(name, value)
        async with ContactClient.from_env() as client:
            await client.add_or_update(ADA)
        process.send_signal(signal.SIGTERM)
        out, err = process.communicate()
    hint, line = err.splitlines()
    assert hint == f"Open {os.environ['CONTACTSDK_URL']} in a browser to see what arrives."
    pattern = r"\d\d:\d\d:\d\d contact\?action=addOrUpdateContact: 200, contact 1001"
    assert re.fullmatch(pattern, line)
    assert out == ""


def test_key_and_secret_come_from_the_environment(
    monkeypatch: pytest.MonkeyPatch, stopped: type[Stopped]
) -> None:
    monkeypatch.setenv("CONTACTSDK_KEY", "a-key")
    monkeypatch.setenv("CONTACTSDK_SECRET", "a-secret")
    lines = call().stdout.splitlines()
    assert lines[1:] == ["CONTACTSDK_KEY=a-key", "CONTACTSDK_SECRET=a-secret"]


def test_interrupted_sandbox_exits_well(stopped: type[Stopped]) -> None:
    assert call().stdout.count("\n") == 3


def test_options_make_the_sandbox(stopped: type[Stopped], tmp_path: Path) -> None:
    fields = tmp_path / "fields.json"
    fields.write_text('[{"fieldId": 5, "fieldType": 5, "displayName": "Birthday"}]')
    options = [
        "--latency",
        "0.5",
        "--rate-limit",
        "10",
        "--groups",
        "10=News, 11",
        "--groups",
        "12",
    ]
    options += ["--fields", str(fields), "--batch-rate", "3", "--list-lag", "2"]
    call(*options, "--guess", "null_text=keep", "--guess", "empty_groups=keep")
    [made] = stopped.made
    assert made["latency_s"] == 0.5
    assert made["rate_limit"] == RateLimit(per_s=10)
    assert made["groups"] == {10: "News", 11: "Group 11", 12: "Group 12"}
    assert made["custom_fields"][5].field_type is FieldType.DATE
    assert (made["batch_rate_per_s"], made["list_lag_s"]) == (3, 2)
    assert made["guesses"] == Guesses(null_text="keep", empty_groups="keep")


def test_sandbox_takes_anything_where_nothing_is_declared(stopped: type[Stopped]) -> None:
    call()
    [made] = stopped.made
    assert (made["groups"], made["custom_fields"], made["rate_limit"]) == (None, None, None)
    assert made["guesses"] == Guesses()
    assert stopped.shares == [{}]


def test_each_fault_has_its_share(stopped: type[Stopped]) -> None:
    faults = ("throttled=0.03", "close-after-write=0.1", "clock-off=0.2")
    call(*(part for fault in faults for part in ("--fault", fault)))
    assert stopped.shares == [
        {
            Fault(FaultKind.THROTTLED): 0.03,
            Fault(FaultKind.CLOSE_AFTER_WRITE): 0.1,
            Fault(FaultKind.CLOCK_OFF, clock_off_s=3600): 0.2,
        }
    ]


def test_throttles_may_say_when_to_come_again(stopped: type[Stopped]) -> None:
    call("--fault", "throttled=0.03", "--rate-limit", "10", "--retry-after", "2")
    assert stopped.shares == [{Fault(FaultKind.THROTTLED, retry_after_s=2): 0.03}]
    assert stopped.made[0]["rate_limit"] == RateLimit(per_s=10, retry_after=True)


def test_guesses_are_listed_with_their_answers() -> None:
    lines = call("--list-guesses").stdout.splitlines()
    assert "custom_fields=merge (or replace)" in lines
    assert len(lines) == 2 * len([line for line in lines if line.startswith("    ")])


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--latency", "-1"], "--latency: must be at least 0"),
        (["--list-lag", "nan"], "--list-lag: must be at least 0"),
        (["--rate-limit", "0"], "--rate-limit: must be more than 0"),
        (["--batch-rate", "inf"], "--batch-rate: must be more than 0"),
        (["--retry-after", "-1"], "--retry-after: must be at least 0"),
        (
            ["--fault", "nothing=1"],
            "--fault: 'nothing' is not a kind of fault; the kinds are throttled, ",
        ),
        (["--fault", "html"], "--fault: 'html' must end in a share, such as html=0.1"),
        (["--fault", "html=1", "--fault", "raced=1"], "--fault: shares must be at least 0"),
        (["--groups", "news"], "--groups: 'news' must begin with an id"),
        (["--guess", "null_text=maybe"], "--guess: null_text must be refuse, clear or keep"),
    ],
)
def test_wrong_option_is_refused(
    stopped: type[Stopped], arguments: list[str], message: str
) -> None:
    assert message in call(*arguments, code=2).stderr


def test_file_of_fields_that_cannot_be_read_is_refused(
    stopped: type[Stopped], tmp_path: Path
) -> None:
    missing, wrong = tmp_path / "missing.json", tmp_path / "wrong.json"
    wrong.write_text('[{"fieldId": 1}]')
    assert "No such file" in call("--fields", str(missing), code=2).stderr
    stderr = call("--fields", str(wrong), code=2).stderr
    assert "field 1: fieldType must be one of 0 (small text), 1 (large text)" in stderr


def test_name_that_is_not_found_is_an_error() -> None:
    assert "cannot listen on nowhere.invalid" in call("--host", "nowhere.invalid", code=2).stderr


def test_settings_that_nobody_reads_end_the_sandbox() -> None:
    read, write = os.pipe()
    os.close(read)
    process = subprocess.Popen(
        [sys.executable, "-m", "contactsdk", "sandbox", "--port", "0"],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdout=write,
        stderr=subprocess.PIPE,
        text=True,
    )
    os.close(write)
    with process:
        assert (
            process.communicate()[1] == "contactsdk: the program that read the output has ended\n"
        )
        assert process.returncode == 3


def test_interruption_before_the_sandbox_runs_causes_no_traceback(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def interrupt(work: Coroutine[Any, Any, None]) -> None:
        work.close()
        raise KeyboardInterrupt

    monkeypatch.setattr("contactsdk.cli.sandbox_command.asyncio.run", interrupt)
    assert call(code=130).output == ""


def test_file_for_the_other_commands_is_written(
    stopped: type[Stopped], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.stderr.isatty", lambda: True, raising=False)
    result = call("--env-file", str(tmp_path / "sandbox.env"), "--verbose")
    assert (tmp_path / "sandbox.env").read_text() == result.stdout
    assert f"contactsdk ping --env-file {tmp_path / 'sandbox.env'}" in result.stderr


def test_file_that_cannot_be_written_is_named(stopped: type[Stopped], tmp_path: Path) -> None:
    result = call("--env-file", str(tmp_path / "none" / "sandbox.env"), code=2)
    assert "sandbox.env: No such file or directory" in result.stderr


def test_fields_may_be_given_in_short_and_in_files(stopped: type[Stopped], tmp_path: Path) -> None:
    file = tmp_path / "a=b.json"
    file.write_text('[{"fieldId": 5, "fieldType": 8, "displayName": "Seats"}]')
    call("--fields", "101=Diet, 102=Birthday:date", "--fields", str(file))
    fields = stopped.made[0]["custom_fields"]
    assert {number: (it.display_name, it.field_type) for number, it in fields.items()} == {
        101: ("Diet", FieldType.SMALL_TEXT),
        102: ("Birthday", FieldType.DATE),
        5: ("Seats", FieldType.WHOLE_NUMBER),
    }


def test_wrong_field_in_short_is_refused() -> None:
    stderr = call("--fields", "101=Diet:food", code=2).stderr
    assert "the types are small-text, large-text" in stderr
