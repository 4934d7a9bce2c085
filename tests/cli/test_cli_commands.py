import signal
import socket
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from contactsdk.cli import app
from contactsdk.sandbox import Sandbox
from tests.cli.commanding import call, sample, started


def test_sandbox_prints_what_a_client_needs(monkeypatch: pytest.MonkeyPatch, folder: Path) -> None:
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


def test_sandbox_takes_its_secret_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CONTACTSDK_SECRET", "a-secret")
    with started("sandbox", "--port", "0") as process:
        assert "CONTACTSDK_SECRET=a-secret\n" in [process.stdout.readline() for _ in range(3)]


def test_interrupted_sandbox_exits_well(monkeypatch: pytest.MonkeyPatch) -> None:
    class Interrupting(Sandbox):
        async def start(self) -> None:
            await super().start()
            signal.raise_signal(signal.SIGINT)

    monkeypatch.setattr("contactsdk.sandbox.server.Sandbox", Interrupting)
    result = CliRunner().invoke(app, ["sandbox", "--port", "0"])
    assert result.exit_code == 0
    assert result.stdout.count("\n") == 3


def test_port_that_is_taken_is_an_error() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = str(taken.getsockname()[1])
        result = CliRunner().invoke(app, ["sandbox", "--port", port])
    assert result.exit_code == 2
    assert f"cannot listen on 127.0.0.1 port {port}: Address already in use" in result.stderr


def test_host_that_cannot_be_listened_on_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    async def fail(_sandbox: Any) -> None:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr(Sandbox, "start", fail)
    result = CliRunner().invoke(app, ["sandbox", "--host", "nowhere.example"])
    assert result.exit_code == 2
    assert "nowhere.example port 8080: Name or service not known" in result.stderr


def test_no_command_shows_the_help() -> None:
    assert "import" in CliRunner().invoke(app, []).output


def test_file_in_place_of_a_command_is_answered_with_how_to_import_it(folder: Path) -> None:
    (folder / "my list.csv").write_text(sample(1))
    said = call("my list.csv", "--dry-run", code=2).stderr
    assert said == (
        "contactsdk: my list.csv is not a command; to import it: contactsdk import 'my list.csv' "
        "--dry-run\n"
    )
    assert "No such command 'nothing.csv'" in call("nothing.csv", code=2).stderr


def test_help_has_a_short_option() -> None:
    assert call("-h").stdout == call("--help").stdout
    assert call("import", "-h").stdout == call("import", "--help").stdout


def test_options_of_an_import_are_in_groups() -> None:
    text = call("import", "--help").stdout
    titles = ("Account", "How the file is read", "Files that are written", "How it is sent")
    assert all(f" {title} " in text for title in (*titles, "Journal"))
