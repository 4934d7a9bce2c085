"""The files of one command must be different ones, however each of them is spelled."""

import os
import stat
import unicodedata
from collections.abc import Hashable, Mapping
from contextlib import suppress
from itertools import combinations
from pathlib import Path
from typing import Final, TypeAlias

from contactsdk.files.formats import FileError

STANDARD: Final = "-"
"""In place of a file's name: standard input or output."""

_SIDE_FILES: Final = ("-journal", "-wal", "-shm")

_Use: TypeAlias = tuple[str, str, Hashable]  # what a file is for, its name, which file it is


def check_files_differ(
    *,
    outputs: Mapping[str, str | Path | None],
    inputs: Mapping[str, str | Path | None],
    journal: Path | None = None,
) -> None:
    """See that no output is another output, an input or the journal; nor the journal an input.

    Nothing is opened. Links, hard links and other spellings of a name are seen through. The files
    that SQLite keeps beside a journal belong to it. `outputs` and `inputs` map what a file is for,
    such as `--results`, to its name; `None` where it was not asked for.

    Raises:
        FileError: Two of them are one file; the message says which.
    """
    written = _uses(outputs, standard=1)
    # As long as it is not complete, an output has another name, and that is written to.
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
    """Where an output is written as long as it is not complete, such as `results.partial.csv`."""
    # What a link points to is replaced, not the link.
    path = Path(os.path.realpath(name))
    return path.with_name(f"{path.stem}.partial{path.suffix}")


def kept_as(name: str) -> Path | None:
    """Where the file that an output replaces is kept, such as `results.csv.bak`.

    `None` where there is none, or nothing in it.
    """
    path = Path(os.path.realpath(name))
    if is_special(name) or not path.exists() or not path.stat().st_size:
        return None
    return path.with_name(f"{path.name}.bak")


def is_special(name: str) -> bool:
    """Whether it is standard output, a pipe or a device, which no file can take the place of."""
    return name == STANDARD or (os.path.exists(name) and not os.path.isfile(name))


def _uses(names: Mapping[str, str | Path | None], *, standard: int) -> list[_Use]:
    return [
        (use, str(name), _identity(str(name), standard))
        for use, name in names.items()
        if name is not None
    ]


def _journal_files(name: str) -> list[_Use]:
    # SQLite keeps its side files beside what a link points to; a link that is changed meanwhile, or
    # another version of SQLite, may have them beside the link.
    places = {name, os.path.realpath(name)}
    names = [name, *(f"{place}{suffix}" for place in sorted(places) for suffix in _SIDE_FILES)]
    return [("--journal", file, _identity(file, 0)) for file in names]


def _identity(name: str, standard: int) -> Hashable:
    """Which file a name means; `standard` is the descriptor of standard input or output."""
    path = os.path.realpath(name)
    with suppress(OSError):
        found = os.fstat(standard) if name == STANDARD else os.stat(path)
        if name != STANDARD or stat.S_ISREG(found.st_mode):
            return found.st_dev, found.st_ino
    if name == STANDARD:
        return name, standard
    # Of a file that is not there yet: some file systems fold case and composed characters.
    return unicodedata.normalize("NFC", path).casefold()
