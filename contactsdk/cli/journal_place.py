"""Finds a journal by its name on the command line: a file, or a run in a database."""

from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final, TypeAlias

import typer

from contactsdk.cli.exits import fail
from contactsdk.journal.sqlite import SqliteJournal

if TYPE_CHECKING:  # at run time it needs an extra
    from contactsdk.journal.postgres import PostgresJournal

Run: TypeAlias = Annotated[
    str | None,
    typer.Option(
        "--run",
        metavar="NAME",
        help="The name of the run, if the journal is in a database (postgresql://...).",
    ),
]

_SCHEMES: Final = ("postgresql://", "postgres://")


def is_database(place: str) -> bool:
    """Whether a journal of this name is in a database, and not a file."""
    return place.startswith(_SCHEMES)


def file_of(place: str | None) -> Path | None:
    """The file of a journal of this name; `None` for a database and for `None`."""
    return None if place is None or is_database(place) else Path(place)


def journal_at(
    place: str,
    run: str | None,
    *,
    resend_uncertain: bool = False,
    line_of: Callable[[int], int | None] | None = None,
) -> "SqliteJournal | PostgresJournal":
    """The journal of this name; it is not opened yet.

    `line_of` gives the row number for a position in the input, from 0, to be recorded with the row.

    Raises:
        typer.Exit: The name is a database and `run` is `None`, or it is a file and `run` is given,
            or the URL is wrong, or the extra `postgres` is not installed.
    """
    if not is_database(place):
        if run is not None:
            fail(f"{place} is a file: --run is for a journal in a database")
        return SqliteJournal(place, resend_uncertain=resend_uncertain, line_of=line_of)
    if run is None:
        fail("a database holds the journals of many runs: name one with --run NAME")
    try:
        # Imported here: it is an extra, and takes longer to load than all the rest of a command.
        from contactsdk.journal.postgres import PostgresJournal
    except ImportError:
        fail("a journal in a database needs more: pip install 'contactsdk[postgres]'")
    try:
        return PostgresJournal(place, run=run, resend_uncertain=resend_uncertain, line_of=line_of)
    except ValueError as exc:
        fail(f"the journal: {exc}")


def make_tables(place: str) -> str:
    """Make the tables of journals in a database, and return a message for the user.

    If the extra `workers` is installed, the tables that workers need are made as well.

    Raises:
        typer.Exit: `place` is not a database, or the extra `postgres` is not installed.
        JournalError: The tables cannot be made.
    """
    if not is_database(place):
        fail("init needs a database: contactsdk journal init postgresql://...")
    try:
        from contactsdk.journal.postgres import make_tables as make  # an extra, as above
    except ImportError:
        fail("a journal in a database needs more: pip install 'contactsdk[postgres]'")
    if find_spec("procrastinate") is not None:  # the extra `workers` is installed
        from contactsdk.distributed.engine import make_tables as make
    try:
        return f"{make(place)}: ready for journals"
    except ValueError as exc:
        fail(f"the journal: {exc}")
