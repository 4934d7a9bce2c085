"""Checks that the files of one command are different files, even if their names are not alike."""

import os
import stat
import unicodedata
from collections.abc import Hashable, Mapping
from contextlib import suppress
from itertools import chain, combinations, count
from pathlib import Path
from typing import Final, TypeAlias

from contactsdk.files.formats import FileError

STANDARD: Final = "-"
"""The name that means standard input or standard output."""

_SIDE_FILES: Final = ("-journal", "-wal", "-shm")

_Use: TypeAlias = tuple[str, str, Hashable]  # the purpose of a file, its name, its identity


def check_files_differ(
    *,
    outputs: Mapping[str, str | Path | None],
    inputs: Mapping[str, str | Path | None],
    journal: Path | None = None,
) -> None:
    """Check that each output is a file of its own, and that the journal is not an input.

    Nothing is opened. Names are compared by the file that they lead to, so links and other
    spellings are recognised. The files that SQLite keeps beside a journal belong to the journal.
    `outputs` and `inputs` map the purpose of a file, such as `--results`, to its name; `None` if it
    is not used.

    Raises:
        FileError: Two of them are one file; the message says which.
    """
    written = _uses(outputs, standard=1)
    # An output is written under another name until it is complete; that file counts as well.
    written += _uses(
        {
            use: partial_name(str(name))
            for use, name in outputs.items()
            if name is not None and not is_special(str(name))
        },
        standard=1,
    )
    written += _uses(
        {
            f"the file that {use} replaces": kept_as(str(name))
            for use, name in outputs.items()
            if name is not None
        },
        standard=1,
    )
    read = _uses(inputs, standard=0)
    recorded = [] if journal is None else _journal_files(str(journal))
    clashes = [
        *combinations(written, 2),
        *((output, other) for output in written for other in (*read, *recorded)),
        *((file, other) for file in read for other in recorded),
    ]
    for (use, name, identity), (other_use, _, other_identity) in clashes:
        if identity == other_identity:
            raise FileError(f"{name}: {use} and {other_use} must be different files")


def partial_name(name: str) -> Path:
    """The name of an output until it is complete, such as `results.partial.csv`."""
    # If the name is a link, the file that it points to is replaced, not the link.
    path = Path(os.path.realpath(name))
    return path.with_name(f"{path.stem}.partial{path.suffix}")


def kept_as(name: str) -> Path | None:
    """The name under which the file that an output replaces is kept, such as `results.bak.csv`.

    It is a free name, so each older file is kept: the next is `results.bak2.csv`. `None` if there
    is no such file, or if it is empty.
    """
    path = Path(os.path.realpath(name))
    if is_special(name) or not path.exists() or not path.stat().st_size:
        return None
    numbers = chain(("",), count(2))
    places = (path.with_name(f"{path.stem}.bak{number}{path.suffix}") for number in numbers)
    return next(place for place in places if not os.path.lexists(place))


def is_special(name: str) -> bool:
    """Whether it is standard output, a pipe or a device, which a new file cannot replace."""
    return name == STANDARD or (os.path.exists(name) and not os.path.isfile(name))


def _uses(names: Mapping[str, str | Path | None], *, standard: int) -> list[_Use]:
    return [
        (use, str(name), _identity(str(name), standard))
        for use, name in names.items()
        if name is not None
    ]


def _journal_files(name: str) -> list[_Use]:
    # SQLite keeps its side files beside the file that a link points to. They may be beside the link
    # if the link was changed meanwhile, or with another version of SQLite.
    places = {name, os.path.realpath(name)}
    names = [name, *(f"{place}{suffix}" for place in sorted(places) for suffix in _SIDE_FILES)]
    return [("--journal", file, _identity(file, 0)) for file in names]


def _identity(name: str, standard: int) -> Hashable:
    """A value that is the same for all names of one file.

    `standard` is the descriptor of standard input or output, for the name `-`.
    """
    path = os.path.realpath(name)
    with suppress(OSError):
        found = os.fstat(standard) if name == STANDARD else os.stat(path)
        if name != STANDARD or stat.S_ISREG(found.st_mode):
            return found.st_dev, found.st_ino
    if name == STANDARD:
        return name, standard
    # For a file that does not exist yet: some file systems fold case and composed characters.
    return unicodedata.normalize("NFC", path).casefold()
