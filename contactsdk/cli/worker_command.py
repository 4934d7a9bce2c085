"""`contactsdk worker`."""

import asyncio
import logging
import math
from datetime import datetime
from typing import TYPE_CHECKING, Annotated, Final

import typer

from contactsdk.cli.account import client_of
from contactsdk.cli.advice import with_advice
from contactsdk.cli.env_file import EnvFile
from contactsdk.cli.exits import Exit, errors_as_exits, fail
from contactsdk.cli.interruption import Interruption
from contactsdk.cli.journal_place import is_database
from contactsdk.cli.options import Key, SecretFile, Url
from contactsdk.cli.run import find_wrong_setup
from contactsdk.cli.text import printable
from contactsdk.client import ContactClient
from contactsdk.errors import SetupError

if TYPE_CHECKING:
    from contactsdk.workers.worker import Worker

GRACE_S: Final = 45.0
"""For how many seconds requests in flight may go on after the first signal.

It is enough for one attempt and for recording its outcome.
"""


def worker(
    database: Annotated[
        str,
        typer.Argument(
            metavar="DATABASE",
            help="The database to which runs are submitted: postgresql://user:password@host/name.",
        ),
    ],
    url: Url = "",
    key: Key = "",
    secret_file: SecretFile = None,
    env_file: EnvFile = None,
    concurrency: Annotated[
        int | None,
        typer.Option(
            min=1,
            help="How many requests may be in flight at a time; by default 32, or 4 if the run "
            "uses batches.",
            show_default=False,
        ),
    ] = None,
    lease_s: Annotated[
        float,
        typer.Option(
            metavar="SECONDS",
            help="If this worker dies, other workers take over its contacts after this time.",
        ),
    ] = 30.0,
) -> None:
    """Send the contacts of the runs that were submitted to a database, until stopped.

    Any number of workers, on any machines, share the work. Start and stop each at any time.

    Ctrl-C or SIGTERM stops a worker gently: it sends no new contact, and finishes the requests in
    flight. Give it a minute for that. A second signal ends it at once.

    Exit code: 0 it was stopped, 2 wrong use or a database that cannot be used, 3 the address, key
    or secret does not work from here, 130 it ended at once.
    """
    if not 0 < lease_s < math.inf:
        raise typer.BadParameter("must be more than 0", param_hint="--lease-s")
    with errors_as_exits():
        client = client_of(url, key, secret_file, concurrency or 1)
        made = _worker(client, database, concurrency, lease_s)
        # The worker itself reports each error in one line; the engine would log a traceback.
        logging.getLogger("procrastinate").setLevel(logging.CRITICAL)
        try:
            has_ended = asyncio.run(_work(client, made))
        except SetupError as error:
            fail(with_advice(error), Exit.STOPPED)
        if not has_ended:
            raise typer.Exit(Exit.INTERRUPTED)


def _worker(
    client: ContactClient, database: str, concurrency: int | None, lease_s: float
) -> "Worker":
    if not is_database(database):
        fail("a worker needs a database: contactsdk worker postgresql://...")
    try:
        # Imported here: it is an extra, and takes longer to load than all the rest of a command.
        from contactsdk.workers.worker import Worker
    except ImportError:
        fail("a worker needs more: pip install 'contactsdk[cli,workers]'")
    try:
        return Worker(client, database, concurrency=concurrency, lease_s=lease_s, say=_say)
    except ValueError as exc:
        fail(f"the database: {exc}")


async def _work(client: ContactClient, made: "Worker") -> bool:
    """Work until a signal comes; returns whether everything in flight was finished."""
    from contactsdk.workers.engine_loop import pass_over_lost_jobs  # needs an extra, as above

    asyncio.get_running_loop().set_exception_handler(pass_over_lost_jobs)
    with Interruption(made.stop, grace_s=GRACE_S) as interruption:
        async with client:
            wrong = await find_wrong_setup(client)
            if isinstance(wrong, SetupError):  # a worker waits for a platform that is not there
                raise wrong
            has_ended = False

            async def work() -> None:
                nonlocal has_ended
                await made.work()
                has_ended = True

            await interruption.guard(work())
            return has_ended


def _say(line: str) -> None:
    typer.echo(f"{datetime.now():%H:%M:%S} {printable(line)}", err=True)
