"""`contactsdk demo`."""

import asyncio
import time
from typing import Final

import typer

from contactsdk.cli.demo import CONTACTS, import_samples
from contactsdk.cli.exits import Exit, errors_as_exits
from contactsdk.cli.progress import bar
from contactsdk.cli.summary import Tally, summary

_NEXT: Final = """
Some of the contacts are wrong on purpose, to show how errors are reported.
Next, try your own list: contactsdk sandbox starts a stand-in for the platform, and
contactsdk import FILE --dry-run shows how your list is read. See README.md."""


def demo() -> None:
    """Import a thousand invented contacts into a sandbox in this process, over real HTTP."""
    tally = Tally()
    started_at = time.monotonic()
    with errors_as_exits(), bar(CONTACTS, hidden=False) as show:
        ending = asyncio.run(import_samples(tally.add, show))
    elapsed_s = time.monotonic() - started_at
    typer.echo(summary(tally, elapsed_s=elapsed_s, stopped=ending.reason))
    if ending.interrupted:
        raise typer.Exit(Exit.INTERRUPTED)
    typer.echo(_NEXT)
    raise typer.Exit(Exit.OK)  # some contacts fail on purpose
