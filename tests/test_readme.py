"""The README's Python examples run as they stand."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from background import environment_of, sandbox_in_thread

from contactsdk.sandbox import Sandbox

README = Path(__file__).parent.parent / "README.md"
EXAMPLES = re.findall(r"```python\n(.*?)```", README.read_text("utf-8"), re.DOTALL)


@pytest.fixture
def sandbox_in_environment(monkeypatch: pytest.MonkeyPatch) -> Iterator[Sandbox]:
    """A sandbox where an example finds it."""
    with sandbox_in_thread() as sandbox:
        for name, value in environment_of(sandbox).items():
            monkeypatch.setenv(name, value)
        yield sandbox


def test_there_are_examples() -> None:
    assert len(EXAMPLES) >= 3


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda code: code.split("\n")[0])
def test_example_runs(
    example: str,
    sandbox_in_environment: Sandbox,
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)  # where an example may leave its files
    exec(compile(example, str(README), "exec"), {"__name__": "__main__"})

    assert capsys.readouterr().out
