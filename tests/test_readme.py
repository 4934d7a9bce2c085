"""All that the README shows runs as it stands: its scripts, its files and its commands."""

import os
import re
import shlex
import signal
import subprocess
import sys
import time
import tomllib
from collections.abc import Iterator
from pathlib import Path

import aiohttp
import pytest
from background import environment_of, sandbox_in_thread
from integrations.serving import serve

from contactsdk import ContactError, EmailStatus, SmsStatus
from contactsdk.errors import StaleDateError
from contactsdk.sandbox import Sandbox

ROOT = Path(__file__).parent.parent
TEXT = (ROOT / "README.md").read_text("utf-8")
BLOCKS = re.findall(r"^```(\w*)\n(.*?)^```$", TEXT, re.DOTALL | re.MULTILINE)


def blocks(language: str) -> list[str]:
    return [block for its, block in BLOCKS if its == language]


(TREE,) = blocks("")
(CSV,) = blocks("csv")
(JSON_LINES,) = blocks("json")
COMMANDS = blocks("sh")

# A block of Python that begins with a file's name is that file, and any other a script.
FILE_NAME = re.compile(r"# (\w+\.py)\n")
SCRIPTS = [block for block in blocks("python") if not FILE_NAME.match(block)]
FILES = {match[1]: match.string for match in map(FILE_NAME.match, blocks("python")) if match}
FILES |= {"contacts.csv": CSV, "contacts.jsonl": JSON_LINES}

SANDBOX = "contactsdk sandbox "
"""How the one command begins that runs until it is ended."""


def heading_of(block: str) -> str:
    """What the section is called that a block is in."""
    return TEXT[: TEXT.index(block)].rpartition("\n## ")[2].split("\n")[0]


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where the reader is: the README's files are there, and the package is installed."""
    for name, text in FILES.items():
        (tmp_path / name).write_text(text)
    commands = tmp_path / "bin"
    commands.mkdir()
    python = shlex.quote(sys.executable)
    # What pip and pytest would do here is what runs this test.
    installed = {"contactsdk": f'exec {python} -m contactsdk "$@"', "pip": "", "pytest": ""}
    for name, what in installed.items():
        (commands / name).write_text(f"#!/bin/sh\n{what}\n")
        (commands / name).chmod(0o755)
    monkeypatch.setenv("PATH", f"{commands}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def sandbox(monkeypatch: pytest.MonkeyPatch) -> Iterator[Sandbox]:
    """A sandbox where an example finds it."""
    with sandbox_in_thread() as sandbox:
        for name, value in environment_of(sandbox).items():
            monkeypatch.setenv(name, value)
        yield sandbox


def test_each_block_is_of_a_kind_that_is_tried() -> None:
    assert {language for language, _ in BLOCKS} == {"", "csv", "json", "python", "sh"}
    python_files = {name for name in FILES if name.endswith(".py")}
    assert python_files == {"conftest.py", "service.py", "test_contacts.py"}
    assert len(SCRIPTS) >= 3


@pytest.mark.parametrize("script", SCRIPTS, ids=heading_of)
def test_script_runs(
    script: str, sandbox: Sandbox, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    exec(compile(script, "README.md", "exec"), {"__name__": "__main__"})

    assert capsys.readouterr().out


async def test_service_takes_a_contact(sandbox: Sandbox) -> None:
    service: dict[str, object] = {"__name__": "service"}
    exec(compile(FILES["service.py"], "service.py", "exec"), service)
    ada = {"firstName": "Ada", "lastName": "Archer", "email": "ada@example.com"}

    async with (
        serve(service["app"]) as served,
        aiohttp.ClientSession() as http,
        http.post(f"{served.url}/contacts", json=ada) as one,
        http.post(f"{served.url}/contacts/bulk", json=[ada, ada]) as many,
    ):
        assert await one.json() in sandbox.contacts
        assert len((await many.text()).splitlines()) == 2


@pytest.mark.parametrize("mode", ["auto", "strict"])
def test_tests_pass(mode: str, folder: Path) -> None:
    command = [sys.executable, "-m", "pytest", "-q", "-o", f"asyncio_mode={mode}"]
    # The options of the run that this test is in are not for this one.
    clean = {**os.environ, "PYTEST_ADDOPTS": ""}
    done = subprocess.run(command, env=clean, capture_output=True, text=True)

    assert "1 passed" in done.stdout, done.stdout + done.stderr


@pytest.mark.parametrize("commands", [it for it in COMMANDS if SANDBOX not in it], ids=heading_of)
def test_commands_succeed(commands: str, sandbox: Sandbox, folder: Path) -> None:
    done = subprocess.run(["sh", "-ec", commands], capture_output=True, text=True)

    assert done.returncode == 0, done.stdout + done.stderr


def test_sandbox_is_found_from_another_terminal(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("URL", "KEY", "SECRET"):
        monkeypatch.delenv(f"CONTACTSDK_{name}", raising=False)
    (commands,) = (it for it in COMMANDS if SANDBOX in it)
    start, in_yours = commands.split("\n", 1)
    assert start.startswith(SANDBOX)

    (folder / "sandbox.env").touch()  # so that it can be read before the shell makes it
    with subprocess.Popen(["sh", "-c", start], start_new_session=True) as terminal:
        try:
            deadline = time.monotonic() + 20
            while (folder / "sandbox.env").read_text().count("\n") < 3:
                assert time.monotonic() < deadline
                time.sleep(0.01)
            done = subprocess.run(["sh", "-ec", in_yours], capture_output=True, text=True)
        finally:
            os.killpg(terminal.pid, signal.SIGINT)

    assert "Address, key and secret work." in done.stdout, done.stderr


@pytest.mark.parametrize("name", ["contacts.csv", "contacts.jsonl"])
def test_file_is_imported_whole(name: str, sandbox: Sandbox, folder: Path) -> None:
    done = subprocess.run(["contactsdk", "import", name], capture_output=True, text=True)

    assert done.returncode == 0, done.stdout + done.stderr
    (ada,) = (it.body for it in sandbox.ledger.writes if it.body["email"] == "ada@example.com")
    assert ada["groups"] == [{"groupId": 10}, {"groupId": 11}]
    assert ada["status"] == EmailStatus.NO_MARKETING
    assert ada["customFields"] == [{"fieldId": 33443, "value": "No"}]
    assert [link["ref"] for link in ada["externalUrls"]] == ["crm"]


def test_extras_exist() -> None:
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"][
        "optional-dependencies"
    ]

    assert set(re.findall(r"pip install -e '\.\[(\w+)\]'", TEXT)) == set(extras)


def test_tree_of_errors_is_theirs() -> None:
    def lines_of(kind: type[ContactError], depth: int = 0) -> Iterator[tuple[int, str]]:
        yield depth, kind.__name__
        for child in kind.__subclasses__():
            if child.__module__ == kind.__module__ and child is not StaleDateError:
                yield from lines_of(child, depth + 1)

    shown = re.findall(r"^([│├└─ ]*)(\w+)", TREE, re.MULTILINE)

    assert [(len(lead) // 4, name) for lead, name in shown] == list(lines_of(ContactError))


@pytest.mark.parametrize("kind", [EmailStatus, SmsStatus])
def test_statuses_are_numbered_as_they_are(kind: type[EmailStatus | SmsStatus]) -> None:
    (row,) = re.findall(rf"^\| `{kind.__name__}` \|(.*)\|$", TEXT, re.MULTILINE)
    names = [cell.strip(" `") for cell in row.split("|")]

    assert {name: number for number, name in enumerate(names, 1) if name} == {
        status.name: status.value for status in kind
    }
