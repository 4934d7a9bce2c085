import re
from typing import Any

import pytest
from typer.testing import CliRunner

from contactsdk.cli import app
from contactsdk.cli.interruption import Interruption


def test_demo_shows_the_same_every_time() -> None:
    one, two = (re.sub(r"in .*\n", "", CliRunner().invoke(app, ["demo"]).stdout) for _ in "12")
    assert one == two
    assert one.startswith("1,000 read\n  979 succeeded\n   21 failed\n    0 uncertain\n")
    assert "wrong on purpose" in one
    assert "contactsdk sandbox starts" in one
    assert len(re.findall(r"^  \d+ x ", one, re.MULTILINE)) == 4


def test_demo_succeeds_whatever_failed() -> None:
    assert CliRunner().invoke(app, ["demo"]).exit_code == 0


def test_demo_can_be_interrupted(monkeypatch: pytest.MonkeyPatch) -> None:
    class Interrupted(Interruption):
        def __enter__(self) -> Any:
            self.happened = True
            return super().__enter__()

    monkeypatch.setattr("contactsdk.cli.demo.Interruption", Interrupted)
    result = CliRunner().invoke(app, ["demo"])
    assert result.exit_code == 130
    assert result.stdout.startswith("0 read\n")
