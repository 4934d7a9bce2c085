"""A sandbox in a thread, its address in the environment, and a folder to work in."""

import pytest
from background import environment_of, sandbox_in_thread


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
