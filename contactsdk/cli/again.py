"""Commands that a person may want to run next, with the options of the current command.

Each function gives one line that can be pasted into a shell.
"""

import re
import shlex
import subprocess
import sys
from collections.abc import Iterable
from itertools import chain, count
from pathlib import Path
from typing import Final

import typer

_ACCOUNT: Final = ("url", "key", "secret_file", "env_file")
_COLUMNS: Final = (
    "ignore_columns",
    "ignore_unknown",
    "map_",
    "map_file",
    "set_",
    "update_if_exists",
    "date_order",
)
_FILE: Final = ("format", "sheet", "header_row", "encoding")
_PASSWORD: Final = re.compile(r"(?<=:)[^:/@]*(?=@)|(?<=[?&]password=)[^&]*")


def command(words: Iterable[str]) -> str:
    """`contactsdk` with these arguments, quoted for the shell of this system.

    The word PASSWORD replaces the password in the URL of a database.
    """
    shown = ["contactsdk", *map(_without_password, words)]
    # Windows has other rules for quotes than a POSIX shell.
    return subprocess.list2cmdline(shown) if sys.platform == "win32" else shlex.join(shown)


def import_command(context: typer.Context, name: str) -> str:
    """The command that imports `name`, a file that the current command writes from its input.

    The file has the columns of the input, so the options about columns are repeated. If the current
    command has a journal, this one has a new journal, so that it adds nothing twice when it is
    repeated. It then writes rejects of its own, since rows that a journal has cannot be corrected
    in their file.
    """
    words = ["import", name, *_words(context, (*_ACCOUNT, *_COLUMNS))]
    journal = context.params.get("journal")
    if journal is not None:
        words += _new_journal(name, journal, context.params.get("run"))
        words += ["--rejects", _free_name(Path(name), Path(name).suffix, Path(name))]
    return command(words)


def settle_command(context: typer.Context, journal: str, input: str | None) -> str:
    """The command that looks up the uncertain rows of a journal on the platform.

    `input` is the name of the file that was imported; if it is `None`, the command has the word
    FILE in its place.
    """
    options = _words(context, (*_ACCOUNT, *_FILE, *_COLUMNS, "run"))
    return command(["settle", journal, "--input", input or "FILE", *options])


def journal_command(context: typer.Context, journal: str) -> str:
    """The command that shows how far the run of a journal has come."""
    return command(["journal", journal, *_words(context, ("run",))])


def merged_command(context: typer.Context, journal: str, input: str) -> str:
    """The command that writes the rows of an input together with the ids that a journal has."""
    options = _words(context, (*_ACCOUNT, *_FILE, *_COLUMNS, "run"))
    return command(["journal", journal, "--input", input, "--merged", "FILE", *options])


def _new_journal(name: str, journal: str, run: str | None) -> list[str]:
    """The options for a journal with the name of an input, of the same kind as another journal."""
    path = Path(name)
    if "://" in journal:
        return ["--journal", journal, "--run", f"{run}-{path.stem}"]
    return ["--journal", _free_name(path, ".sqlite", Path(journal))]


def _free_name(path: Path, suffix: str, taken: Path) -> str:
    """The name of `path` with this suffix, with a number if a file has it or it is `taken`."""
    places = (path.with_name(f"{path.stem}{number}{suffix}") for number in chain(("",), count(2)))
    return str(next(place for place in places if place != taken and not place.exists()))


def _without_password(word: str) -> str:
    return _PASSWORD.sub("PASSWORD", word) if "postgres" in word else word


def _words(context: typer.Context, names: tuple[str, ...]) -> list[str]:
    """Those of the options with these names that were given on the command line."""
    words: list[str] = []
    for option in context.command.params:
        name = str(option.name)
        source = context.get_parameter_source(name)
        # Compared by name: only some versions of Typer bring the class of the source along.
        if name not in names or source is None or source.name != "COMMANDLINE":
            continue
        value = context.params[name]
        if value is True:
            words.append(option.opts[0])
            continue
        for each in value if isinstance(value, list | tuple) else [value]:
            words += [option.opts[0], str(each)]
    return words
