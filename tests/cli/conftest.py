"""A sandbox in a thread, its address in the environment, and a folder to work in."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from contactsdk.sandbox import Sandbox
from tests.background import environment_of, sandbox_in_thread


@pytest.fixture
def sandbox() -> Iterator[Sandbox]:
    with sandbox_in_thread(groups=[10, 11], companies=[10, 11]) as running:
        yield running


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> None:
    for name in ("URL", "KEY", "SECRET"):
        monkeypatch.delenv(f"CONTACTSDK_{name}", raising=False)
    if "sandbox" in request.fixturenames:
        sandbox = request.getfixturevalue("sandbox")
        for name, value in environment_of(sandbox).items():
            monkeypatch.setenv(name, value)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path
