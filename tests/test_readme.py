"""What the READMEs show runs as it stands, and what they name exists."""

import csv
import inspect
import itertools
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
from typing import Any

import attrs
import pytest
import typer
from typer.core import TyperGroup

from contactsdk import (
    Contact,
    ContactClient,
    ContactError,
    EmailStatus,
    RateLimitedError,
    RejectedError,
    RetryPolicy,
    SetupError,
    SmsStatus,
    UnavailableError,
    UncertainError,
)
from contactsdk.bulk import BulkOptions
from contactsdk.cli.commands import app
from contactsdk.errors import StaleDateError
from contactsdk.sandbox import Sandbox
from contactsdk.wire import read_id
from tests.background import environment_of, sandbox_in_thread
from tests.files.made import workbook
from tests.readmes import BENCHMARKS, BULK, LISTS, MAIN, READMES, ROOT, Readme

SANDBOX = "contactsdk sandbox "
"""How the one command begins that runs until it is interrupted."""

LISTS_TO_IMPORT = {"contacts.csv": LISTS.only("csv"), "contacts.jsonl": LISTS.only("json")}


def examples(readme: Readme, blocks: list[str]) -> list[Any]:
    """A parameter for each block, named after its README and its section."""
    return [pytest.param(block, id=f"{readme}: {readme.heading_of(block)}") for block in blocks]


def first_column(title: str) -> list[str]:
    """The cells below the title of the first column of a table of the main README."""
    rows = MAIN.text.partition(f"\n| {title} | ")[2].partition("\n\n")[0].splitlines()
    return [row.split("|")[1] for row in rows[2:]]


SCRIPTS = [case for readme in READMES for case in examples(readme, readme.scripts)]
COMMANDS = [
    case
    for readme in READMES
    for case in examples(readme, [it for it in readme.commands if SANDBOX not in it])
]


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The reader's folder: it has the files that the READMEs show, and the command is installed."""
    shown = {name: text for readme in READMES for name, text in readme.files.items()}
    for name, text in {**shown, **LISTS_TO_IMPORT}.items():
        (tmp_path / name).write_text(text)
    rows = csv.reader(LISTS_TO_IMPORT["contacts.csv"].splitlines())
    (tmp_path / "contacts.xlsx").write_bytes(workbook([list(row) for row in rows]))
    commands = tmp_path / "bin"
    commands.mkdir()
    python = shlex.quote(sys.executable)
    # Of pip and pytest only the words are tried: they would install and run what runs this test.
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
    """A sandbox that the examples find by their environment."""
    with sandbox_in_thread() as sandbox:
        for name, value in environment_of(sandbox).items():
            monkeypatch.setenv(name, value)
        yield sandbox


@pytest.mark.parametrize("script", SCRIPTS)
def test_every_script_of_a_readme_runs(
    script: str, sandbox: Sandbox, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    exec(compile(script, "README.md", "exec"), {"__name__": "__main__"})

    assert capsys.readouterr().out


@pytest.mark.parametrize("commands", COMMANDS)
def test_every_command_of_a_readme_succeeds(commands: str, sandbox: Sandbox, folder: Path) -> None:
    done = subprocess.run(["sh", "-ec", commands], capture_output=True, text=True)

    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("mode", ["auto", "strict"])
def test_tests_for_users_pass(mode: str, folder: Path) -> None:
    command = [sys.executable, "-m", "pytest", "-q", "-p", "asyncio", "-o", f"asyncio_mode={mode}"]
    # Neither the options nor the plug-ins of the run that this test is in are for this one.
    clean = {**os.environ, "PYTEST_ADDOPTS": "", "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}
    done = subprocess.run(command, env=clean, capture_output=True, text=True)

    assert "2 passed" in done.stdout, done.stdout + done.stderr


def test_sandbox_is_found_from_another_terminal(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("URL", "KEY", "SECRET"):
        monkeypatch.delenv(f"CONTACTSDK_{name}", raising=False)
    (commands,) = (it for it in MAIN.commands if SANDBOX in it)
    start, in_yours = commands.split("\n", 1)
    assert start.startswith(SANDBOX)
    start = start.replace(SANDBOX, f"exec {SANDBOX}--port 0 ")  # for 8080 may be in use here

    with subprocess.Popen(["sh", "-c", start], start_new_session=True) as terminal:
        try:
            deadline = time.monotonic() + 120
            env_file = folder / "sandbox.env"
            while not env_file.exists() or env_file.read_text().count("\n") < 3:
                assert terminal.poll() is None
                assert time.monotonic() < deadline
                time.sleep(0.01)
            done = subprocess.run(["sh", "-ec", in_yours], capture_output=True, text=True)
        finally:
            terminal.send_signal(signal.SIGINT)

    assert "Address, key and secret work." in done.stdout, done.stderr
    assert "This was a dry run: nothing was sent." in done.stdout
    assert "2 succeeded" in done.stdout
    assert "Wrote merged.xlsx: 2 rows." in done.stderr


@pytest.mark.parametrize("name", LISTS_TO_IMPORT)
def test_list_is_imported_whole(name: str, sandbox: Sandbox, folder: Path) -> None:
    done = subprocess.run(["contactsdk", "import", name], capture_output=True, text=True)

    assert done.returncode == 0, done.stdout + done.stderr
    (ada,) = (it.body for it in sandbox.ledger.writes if it.body["email"] == "ada@example.com")
    assert ada["groups"] == [{"groupId": 10}, {"groupId": 11}]
    assert ada["status"] == EmailStatus.NO_MARKETING
    assert ada["customFields"] == [{"fieldId": 33443, "value": "No"}]
    assert [link["ref"] for link in ada["externalUrls"]] == ["crm"]


@pytest.mark.parametrize("readme", READMES, ids=str)
def test_every_block_of_a_readme_is_of_a_kind_that_is_run(readme: Readme) -> None:
    languages = {language for language, _ in readme.blocks}

    assert languages <= {"", "csv", "json", "mermaid", "python", "sh"}


@pytest.mark.parametrize("readme", READMES, ids=str)
def test_links_lead_to_files_and_headings(readme: Readme) -> None:
    by_path = {other.path: other for other in READMES}
    for target in re.findall(r"\]\(([^)\s]+)\)", readme.prose):
        if target.startswith("https://"):
            continue
        name, _, anchor = target.partition("#")
        path = (readme.path.parent / name).resolve() if name else readme.path
        assert path.exists(), target
        assert not anchor or anchor in by_path[path].anchors, target


def test_main_readme_is_short() -> None:
    assert len(MAIN.text.splitlines()) <= 350


@pytest.mark.parametrize("readme", [MAIN, BULK, LISTS], ids=str)
def test_options_of_commands_exist(readme: Readme) -> None:
    group = typer.main.get_command(app)
    assert isinstance(group, TyperGroup)
    existing = {
        name
        for command in group.commands.values()
        for parameter in command.params
        for name in parameter.opts
    }
    named = set(re.findall(r"(?<![\w-])--[a-z][a-z-]*", readme.text))

    assert named
    assert named <= existing | {"--help"}


def test_every_extra_is_named() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    named = {
        extra
        for readme in READMES
        for extra in re.findall(r"pip install -e ['\"]\.\[(\w+)\]['\"]", readme.text)
    }

    assert set(project["optional-dependencies"]) == named


def map_of_modules() -> list[str]:
    """The modules and packages in the map, from the first that is imported to the last."""
    cells = " ".join(first_column("module"))
    return [name.removesuffix("/") for name in re.findall(r"`(\w+(?:\.py|/))`", cells)]


def test_map_of_modules_is_complete() -> None:
    package = {
        path.name
        for path in (ROOT / "contactsdk").iterdir()
        if path.name not in ("__init__.py", "__pycache__", "py.typed")
    }

    assert sorted(map_of_modules()) == sorted(package)


def test_imports_go_the_way_that_the_map_shows() -> None:
    order = {name.removesuffix(".py"): place for place, name in enumerate(map_of_modules())}
    imports = re.compile(r"^\s*from contactsdk(?:\.| import )(\w+)", re.MULTILINE)
    against = [
        f"{path} imports {imported}"
        for path in (ROOT / "contactsdk").rglob("*.py")
        for imported in imports.findall(path.read_text("utf-8"))
        for importer in [path.relative_to(ROOT / "contactsdk").parts[0].removesuffix(".py")]
        if order.get(imported, -1) > order.get(importer, len(order))
    ]

    assert not against


def test_every_benchmark_is_named() -> None:
    named = {
        name
        for readme in READMES
        for name in re.findall(r"python\s-m\sbenchmarks\.(\w+)", readme.text)
    }
    commands = {
        path.stem
        for path in (ROOT / "benchmarks").glob("*.py")
        if '__name__ == "__main__"' in path.read_text("utf-8") and path.stem != "__main__"
    }

    assert named == commands == set(re.findall(r"benchmarks\.(\w+)", BENCHMARKS.text))


@pytest.mark.parametrize(
    ("table", "options"),
    [
        ("`ContactClient`", set(inspect.signature(ContactClient).parameters)),
        ("`RetryPolicy`", set(attrs.fields_dict(RetryPolicy))),
        ("`stream`, `add_or_update_many`", set(BulkOptions.__annotations__)),
    ],
)
def test_every_option_is_named(table: str, options: set[str]) -> None:
    named = {name for cell in first_column(table) for name in re.findall(r"`(\w+)`", cell)}

    assert options - {"base_url", "credentials"} == named


def test_fields_of_a_contact_are_named() -> None:
    section = MAIN.text.partition("\n## Contacts\n")[2].partition("\n## ")[0]
    named = set(re.findall(r"\b[a-z_]+\b", section))

    assert set(attrs.fields_dict(Contact)) <= named


def test_places_that_a_new_field_needs_are_listed() -> None:
    package = ROOT / "contactsdk"
    listing = (package / "models" / "contact.py").read_text("utf-8")
    places = {
        path.relative_to(package).as_posix()
        for path in package.rglob("*.py")
        if re.search("privacy_consent|privacyConsent", path.read_text("utf-8"))
    }

    # A probe sends a few fields on purpose, and no others.
    unlisted = places - set(re.findall(r"\b\w+/\w+\.py", listing)) - {"probe/writing.py"}
    assert unlisted == {"models/contact.py"}


def codes(cell: str, name: str) -> set[int]:
    """The numbers that a cell lists after a name."""
    listed = re.search(rf"{name} ([0-9]+(?:, [0-9]+)*)", cell)
    return set(map(int, listed[1].split(", "))) if listed else set()


def test_answers_mean_what_the_table_of_guarantees_says() -> None:
    said: dict[tuple[str, int], type[ContactError]] = {}
    for row in re.findall(r"^\| (.+?) \| (.+?) \| .+ \|$", MAIN.text, re.MULTILINE):
        what, add = row
        kind = {
            "`RejectedError`": RejectedError,
            "`SetupError`": SetupError,
            "sent again, after the wait that was asked for": UnavailableError,
        }.get(add)
        if kind is not None:
            said |= {("HTTP", code): kind for code in codes(what, "HTTP")}
            said |= {("errorCode", code): kind for code in codes(what, "errorCode")}
    said |= {("HTTP", status): SetupError for status in range(300, 400)}  # "a redirect"

    for name, code in itertools.product(("HTTP", "errorCode"), range(300, 600)):
        status, body = (code, b"") if name == "HTTP" else (200, b'{"errorCode": %d}' % code)
        with pytest.raises(ContactError) as caught:
            read_id(status, {}, body)
        kind = said.get((name, code), UncertainError)
        kinds = (UnavailableError, RateLimitedError) if kind is UnavailableError else kind
        assert isinstance(caught.value, kinds), (name, code)


def test_tree_of_errors_is_complete() -> None:
    def lines_of(kind: type[ContactError], depth: int = 0) -> Iterator[tuple[int, str]]:
        yield depth, kind.__name__
        for child in kind.__subclasses__():
            # A call never ends with a StaleDateError, so no caller meets one.
            if child.__module__ == kind.__module__ and child is not StaleDateError:
                yield from lines_of(child, depth + 1)

    shown = re.findall(r"^([│├└─ ]*)(\w+)", MAIN.only(""), re.MULTILINE)

    assert [(len(lead) // 4, name) for lead, name in shown] == list(lines_of(ContactError))


@pytest.mark.parametrize("kind", [EmailStatus, SmsStatus])
def test_statuses_have_the_numbers_that_are_shown(kind: type[EmailStatus | SmsStatus]) -> None:
    (row,) = re.findall(rf"^\| `{kind.__name__}` \|(.*)\|$", LISTS.text, re.MULTILINE)
    names = [cell.strip(" `") for cell in row.split("|")]

    assert {name: number for number, name in enumerate(names, 1) if name} == {
        status.name: status.value for status in kind
    }
