"""A file with an account's address, key and secret, instead of environment variables."""

import codecs
import os
from collections.abc import Iterable
from pathlib import Path
from typing import Annotated, Final, TypeAlias

import typer

from contactsdk.cli.exits import fail

VARIABLES: Final = ("CONTACTSDK_URL", "CONTACTSDK_KEY", "CONTACTSDK_SECRET")
"""The environment variables that name an account."""


def _use(path: Path | None) -> Path | None:
    """Set the variables of a file in the environment of this process, which runs one command.

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
        "`contactsdk sandbox --env-file` writes; it takes precedence over the environment.",
        callback=_use,
        # It is read before --url and --key, which take their defaults from the environment.
        is_eager=True,
        rich_help_panel="Account",
    ),
]


def read_env_file(path: Path) -> dict[str, str]:
    """The variables that a file sets by lines such as `CONTACTSDK_KEY=...`: name -> value.

    Raises:
        typer.Exit: The file cannot be read, or does not set all three.
    """
    try:
        content = path.read_bytes()
    except OSError as exc:
        fail(f"{path}: {exc.strerror}")
    # When PowerShell redirects output into a file, it writes UTF-16.
    is_wide = content.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE))
    try:
        lines = content.decode("utf-16" if is_wide else "utf-8-sig").splitlines()
    except UnicodeDecodeError:
        # The text of `exc` would show a byte of the secret.
        fail(f"{path}: this is not a text file: give the one that contactsdk sandbox wrote")
    found = {name: value for name, value in map(_setting, lines) if name in VARIABLES}
    if missing := [name for name in VARIABLES if not found.get(name)]:
        fail(f"{path}: the file does not set {', '.join(missing)}: add a line NAME=value for each")
    return found


def env_text(values: Iterable[str]) -> str:
    """The text of such a file; `values` are in the order of `VARIABLES`."""
    return "".join(f"{name}={value}\n" for name, value in zip(VARIABLES, values, strict=True))


def _setting(line: str) -> tuple[str, str]:
    name, _, value = line.strip().removeprefix("export ").partition("=")
    return name.strip(), value.strip().strip("\"'")
