"""Where a journal is, as it is named on the command line: a file, or a run in a database."""

from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final, TypeAlias

import typer

from contactsdk.cli.exits import fail
from contactsdk.journal import SqliteJournal

if TYPE_CHECKING:  # at run time it needs an extra
    from contactsdk.journal.postgres import PostgresJournal

Run: TypeAlias = Annotated[
    str | None,
    typer.Option(
        "--run",
        metavar="NAME",
        help="The name of the run, where the journal is a database (postgresql://...).",
    ),
]

_SCHEMES: Final = ("postgresql://", "postgres://")


def is_database(place: str) -> bool:
    """Whether a journal of this name is in a database, and not a file."""
    return place.startswith(_SCHEMES)


def file_of(place: str | None) -> Path | None:
    """The file of a journal of this name; `None` where there is none."""
    return None if place is None or is_database(place) else Path(place)


def journal_at(
    place: str,
    run: str | None,
    *,
    resend_uncertain: bool = False,
    line_of: Callable[[int], int | None] | None = None,
) -> "SqliteJournal | PostgresJournal":
    """The journal of this name; nothing is opened.

    Raises:
        typer.Exit: The name is that of a database and no run is named, or the other way round; or
            the URL is wrong; or what reads the database is not installed.
    """
    if not is_database(place):
        if run is not None:
            fail(f"{place} is a file: --run is for a journal in a database")
        return SqliteJournal(place, resend_uncertain=resend_uncertain, line_of=line_of)
    if run is None:
        fail("a database holds the journals of many runs: name one with --run NAME")
    try:
        # Here, since it is an extra, and takes longer to load than all else that a command needs.
        from contactsdk.journal.postgres import PostgresJournal
    except ImportError:
        fail("a journal in a database needs more: pip install 'contactsdk[postgres]'")
    try:
        return PostgresJournal(place, run=run, resend_uncertain=resend_uncertain, line_of=line_of)
    except ValueError as exc:
        fail(f"the journal: {exc}")


def make_tables(place: str) -> str:
    """Make the tables of journals in a database; a line that says so.

    Raises:
        typer.Exit: It is no database, or what reads it is not installed.
        JournalError: They cannot be made.
    """
    if not is_database(place):
        fail("only a database is prepared: contactsdk journal init postgresql://...")
    try:
        from contactsdk.journal.postgres import make_tables as make  # an extra, as above
    except ImportError:
        fail("a journal in a database needs more: pip install 'contactsdk[postgres]'")
    if find_spec("procrastinate") is not None:  # those of workers, too, where their extra is
        from contactsdk.distributed.engine import make_tables as make
    try:
        return f"{make(place)}: ready for journals"
    except ValueError as exc:
        fail(f"the journal: {exc}")
