import builtins
import runpy
import sys
from typing import Any

import pytest

from contactsdk import __main__, __version__


def without(monkeypatch: pytest.MonkeyPatch, missing: str) -> None:
    real = builtins.__import__

    def refuse(name: str, *args: Any, **options: Any) -> object:
        if name == "contactsdk.cli":
            raise ModuleNotFoundError(f"No module named {missing!r}", name=missing)
        return real(name, *args, **options)

    monkeypatch.setattr(builtins, "__import__", refuse)


@pytest.mark.parametrize("missing", ["typer", "rich"])
def test_without_the_extra_it_says_what_to_install(
    missing: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    without(monkeypatch, missing)
    with pytest.raises(SystemExit) as caught:
        __main__.main()
    assert caught.value.code == 2
    assert capsys.readouterr() == (
        "",
        f"{missing} is missing: pip install 'contactsdk[cli]'\n",
    )


def test_another_missing_module_is_not_about_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    without(monkeypatch, "orjson")
    with pytest.raises(ModuleNotFoundError, match="orjson"):
        __main__.main()


def test_module_runs_as_the_command_does(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", ["contactsdk", "--version"])
    monkeypatch.delitem(sys.modules, "contactsdk.__main__")
    with pytest.raises(SystemExit) as caught:
        runpy.run_module("contactsdk", run_name="__main__")
    assert caught.value.code == 0
    assert capsys.readouterr().out == f"{__version__}\n"
