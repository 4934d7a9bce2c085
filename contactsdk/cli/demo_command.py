"""`contactsdk demo`."""

import asyncio
import time

import typer

from contactsdk.cli.demo import CONTACTS, import_samples
from contactsdk.cli.exits import Exit, errors_as_exits
from contactsdk.cli.progress import bar
from contactsdk.cli.summary import Tally, summary


def demo() -> None:
    """Import a thousand invented contacts into a sandbox in this process, over real HTTP."""
    tally = Tally()
    started_at = time.monotonic()
    with errors_as_exits(), bar(CONTACTS, hidden=False) as show:
        ending = asyncio.run(import_samples(tally.add, show))
    elapsed_s = time.monotonic() - started_at
    typer.echo(summary(tally, elapsed_s=elapsed_s, stopped=ending.reason))
    # What failed is part of the show.
    raise typer.Exit(Exit.INTERRUPTED if ending.interrupted else Exit.OK)
