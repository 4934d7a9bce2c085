"""Commands that a person may want to run next, with the options that this one was given."""

import re
import shlex
from collections.abc import Iterable
from typing import Final

import typer

_ACCOUNT: Final = ("url", "key", "secret_file")
_COLUMNS: Final = (
    "ignore_columns",
    "ignore_unknown",
    "map_",
    "map_file",
    "set_",
    "update_if_exists",
    "date_order",
)
_FILE: Final = ("format", "sheet", "encoding")
_PASSWORD: Final = re.compile(r"(?<=:)[^:/@]*(?=@)|(?<=[?&]password=)[^&]*")


def command(words: Iterable[str]) -> str:
    """This command with these words; the word PASSWORD stands for that of a database."""
    return shlex.join(["contactsdk", *map(_without_password, words)])


def import_command(context: typer.Context, name: str) -> str:
    """Imports a file that this command wrote from its input, with the same columns."""
    return command(["import", name, *_words(context, (*_ACCOUNT, *_COLUMNS))])


def settle_command(context: typer.Context, journal: str, input: str | None) -> str:
    """Looks for the uncertain rows of a journal, in the input that this command reads.

    Where that has no name, the command says FILE in its place.
    """
    options = _words(context, (*_ACCOUNT, *_FILE, *_COLUMNS, "run"))
    return command(["settle", journal, "--input", input or "FILE", *options])


def journal_command(context: typer.Context, journal: str) -> str:
    """Shows how far the run of a journal has come."""
    return command(["journal", journal, *_words(context, ("run",))])


def merged_command(context: typer.Context, journal: str, input: str) -> str:
    """Writes the rows of an input with the ids that are in a journal."""
    options = _words(context, (*_FILE, *_COLUMNS, "run"))
    return command(["journal", journal, "--input", input, "--merged", "FILE", *options])


def _without_password(word: str) -> str:
    return _PASSWORD.sub("PASSWORD", word) if "postgres" in word else word


def _words(context: typer.Context, names: tuple[str, ...]) -> list[str]:
    """The options of these names, as far as they were given on the command line."""
    words: list[str] = []
    for option in context.command.params:
        name = str(option.name)
        source = context.get_parameter_source(name)
        # By its name, since Typer brings the class along in some versions and not in others.
        if name not in names or source is None or source.name != "COMMANDLINE":
            continue
        value = context.params[name]
        if value is True:
            words.append(option.opts[0])
            continue
        for each in value if isinstance(value, list | tuple) else [value]:
            words += [option.opts[0], str(each)]
    return words
