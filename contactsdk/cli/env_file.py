"""A file with address, key and secret, in place of variables of the environment."""

import codecs
import os
from collections.abc import Iterable
from pathlib import Path
from typing import Annotated, Final, TypeAlias

import typer

from contactsdk.cli.exits import fail

VARIABLES: Final = ("CONTACTSDK_URL", "CONTACTSDK_KEY", "CONTACTSDK_SECRET")
"""The variables by which the commands know an account."""


def _use(path: Path | None) -> Path | None:
    """Set the variables of a file for the rest of this process, which is one command.

    Raises:
        typer.Exit: The file cannot be read, or does not set all three.
    """
    if path is not None:
        os.environ.update(read_env_file(path))
    return path


EnvFile: TypeAlias = Annotated[
    Path | None,
    typer.Option(
        "--env-file",
        metavar="FILE",
        help="A file that sets CONTACTSDK_URL, CONTACTSDK_KEY and CONTACTSDK_SECRET, such as "
        "`contactsdk sandbox --env-file` writes; it comes before the environment.",
        callback=_use,
        # Before --url and --key, which look into the environment.
        is_eager=True,
        rich_help_panel="Account",
    ),
]


def read_env_file(path: Path) -> dict[str, str]:
    """The variables that a file sets, a line such as `CONTACTSDK_KEY=...` for each.

    Raises:
        typer.Exit: It cannot be read, or does not set all three.
    """
    try:
        content = path.read_bytes()
    except OSError as exc:
        fail(f"{path}: {exc.strerror}")
    # What PowerShell redirects into a file is UTF-16.
    is_wide = content.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE))
    try:
        lines = content.decode("utf-16" if is_wide else "utf-8-sig").splitlines()
    except UnicodeDecodeError:
        fail(f"{path}: this is no text")  # the error's own text shows a byte of a secret
    found = {name: value for name, value in map(_setting, lines) if name in VARIABLES}
    if missing := [name for name in VARIABLES if not found.get(name)]:
        fail(f"{path}: it does not set {', '.join(missing)}")
    return found


def env_text(values: Iterable[str]) -> str:
    """The lines of such a file; the values in the order of `VARIABLES`."""
    return "".join(f"{name}={value}\n" for name, value in zip(VARIABLES, values, strict=True))


def _setting(line: str) -> tuple[str, str]:
    name, _, value = line.strip().removeprefix("export ").partition("=")
    return name.strip(), value.strip().strip("\"'")
