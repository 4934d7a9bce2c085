from pathlib import Path

import pytest

from contactsdk.sandbox import Sandbox
from tests.background import environment_of
from tests.cli.commanding import call, sample


@pytest.fixture
def env_file(sandbox: Sandbox, folder: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A file with what the sandbox needs, beside variables that lead elsewhere."""
    text = "".join(f"{name}={value}\n" for name, value in environment_of(sandbox).items())
    (folder / "sandbox.env").write_text(text)
    for name in ("URL", "KEY", "SECRET"):
        monkeypatch.setenv(f"CONTACTSDK_{name}", "https://live.example.com")
    return folder / "sandbox.env"


def test_file_comes_before_the_environment(env_file: Path, sandbox: Sandbox) -> None:
    Path("in.csv").write_text(sample(3))
    call("import", "in.csv", "--env-file", str(env_file))
    assert len(sandbox.ledger.writes) == 3


def test_option_comes_before_the_file(env_file: Path, sandbox: Sandbox) -> None:
    said = call("ping", "--env-file", str(env_file), "--key", "another", code=3).stderr
    assert "check CONTACTSDK_KEY" in said


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16"])
def test_file_that_powershell_wrote_is_read(
    encoding: str, env_file: Path, sandbox: Sandbox
) -> None:
    env_file.write_text(env_file.read_text(), encoding, newline="\r\n")
    assert "work" in call("ping", "--env-file", str(env_file)).stdout


def test_quotes_export_and_other_lines_do_no_harm(env_file: Path, sandbox: Sandbox) -> None:
    settings = (line.partition("=") for line in env_file.read_text().split())
    lines = [f'export {name}="{value}"' for name, _, value in settings]
    env_file.write_text("\n".join(["# the sandbox", "", "PATH=nowhere", *lines]))
    assert "work" in call("ping", "--env-file", str(env_file)).stdout


@pytest.mark.parametrize(
    ("content", "what"),
    [
        (None, "No such file"),
        (b"", "the file does not set CONTACTSDK_URL, CONTACTSDK_KEY, CONTACTSDK_SECRET"),
        (b"CONTACTSDK_URL=https://a.example\nCONTACTSDK_KEY=\n", "CONTACTSDK_KEY, CONTACTSDK_SEC"),
        (b"\xff\xfe\xff", "this is not a text file"),
        (b"CONTACTSDK_SECRET=\xe4", "this is not a text file"),
    ],
)
def test_file_that_says_too_little_is_named(
    content: bytes | None, what: str, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if content is not None:
        (folder / "some.env").write_bytes(content)
    said = call("ping", "--env-file", "some.env", code=2).stderr
    assert said.startswith("contactsdk: some.env: ")
    assert what in said


def test_file_is_in_the_command_that_imports_the_rejects(env_file: Path, sandbox: Sandbox) -> None:
    Path("in.csv").write_text(f"{sample(1)}B,B,b@example\n")
    arguments = ("--env-file", "sandbox.env", "--rejects", "bad.csv")
    said = call("import", "in.csv", *arguments, code=1).stderr
    assert "contactsdk import bad.csv --env-file sandbox.env\n" in said


def test_file_is_not_written_to(env_file: Path, sandbox: Sandbox) -> None:
    Path("in.csv").write_text(sample(1))
    arguments = ("--env-file", "sandbox.env", "--results", "sandbox.env")
    assert "different files" in call("import", "in.csv", *arguments, code=2).stderr
