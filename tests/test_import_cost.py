"""What the package and its command line load; benchmarks/ measures how long that takes."""

import os
import subprocess
import sys

import pytest

FOREIGN = {"fastapi", "psycopg", "pydantic", "pytest", "rich", "starlette", "typer", "uvicorn"}


def modules_after(statement: str) -> set[str]:
    """The modules that a new interpreter has after this statement."""
    code = f"{statement}; import sys; print(*sys.modules)"
    # Measuring coverage would load modules of its own, sqlite3 among them.
    environment = {key: value for key, value in os.environ.items() if not key.startswith("COV")}
    done = subprocess.run(
        [sys.executable, "-c", code], check=True, capture_output=True, text=True, env=environment
    )
    return set(done.stdout.split())


@pytest.fixture(scope="module")
def loaded() -> set[str]:
    return modules_after("import contactsdk")


def test_no_framework_no_command_line_and_no_server_is_loaded(loaded: set[str]) -> None:
    assert "aiohttp" in loaded
    assert not loaded & {*FOREIGN, "aiohttp.web"}


def test_of_its_own_only_the_core_is_loaded(loaded: set[str]) -> None:
    ours = {name.split(".")[1] for name in loaded if name.startswith("contactsdk.")}

    assert "client" in ours
    assert not ours & {"cli", "files", "integrations", "pytest_plugin", "sandbox"}


def test_what_single_calls_can_do_without_is_not_loaded(loaded: set[str]) -> None:
    assert "contactsdk.attempt" in loaded
    assert not loaded & {"contactsdk.bulk.run", "contactsdk.naming", "sqlite3"}


def test_commands_start_without_a_server() -> None:
    loaded = modules_after("import contactsdk.cli.commands")

    assert "contactsdk.cli.sandbox_command" in loaded
    assert not loaded & {"aiohttp.web", "contactsdk.sandbox.server"}
