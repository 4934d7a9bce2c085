"""The commands by name."""

import asyncio
import os
from typing import Annotated

import typer

from contactsdk import __version__
from contactsdk.cli.demo_command import demo
from contactsdk.cli.exits import errors_as_exits, fail
from contactsdk.cli.import_command import import_
from contactsdk.cli.interruption import Interruption
from contactsdk.cli.journal_command import journal
from contactsdk.cli.ping_command import ping
from contactsdk.sandbox import Sandbox

app = typer.Typer(
    name="contactsdk",
    help="Add or update contacts on the iVvy platform.",
    no_args_is_help=True,
    add_completion=False,
    # Their local variables would show contacts and the secret.
    pretty_exceptions_enable=False,
)
app.command("import")(import_)
app.command()(journal)
app.command()(ping)
app.command()(demo)


@app.callback(invoke_without_command=True)
def _root(
    version: Annotated[bool, typer.Option("--version", help="Show the version and exit.")] = False,
) -> None:
    if version:
        typer.echo(__version__)
        raise typer.Exit


@app.command()
def sandbox(
    port: Annotated[int, typer.Option(min=0, max=65535, help="0 takes a free one.")] = 8080,
    host: Annotated[str, typer.Option(help="Where to listen.")] = "127.0.0.1",
) -> None:
    """Play the platform on this machine until Ctrl-C.

    Key and secret come from CONTACTSDK_KEY and CONTACTSDK_SECRET; without them, new ones are made.
    """

    async def run() -> None:
        stop = asyncio.Event()
        platform = Sandbox(
            host=host,
            port=port,
            key=os.environ.get("CONTACTSDK_KEY") or None,
            secret=os.environ.get("CONTACTSDK_SECRET") or None,
        )
        with Interruption(stop.set):
            async with platform:
                lines = (
                    f"CONTACTSDK_URL={platform.url}",
                    f"CONTACTSDK_KEY={platform.key}",
                    f"CONTACTSDK_SECRET={platform.secret}",
                )
                print(*lines, sep="\n", flush=True)
                await stop.wait()

    with errors_as_exits():
        try:
            asyncio.run(run())
        except OSError as exc:
            # asyncio's own text repeats the address; a name that is not found has no such number.
            why = os.strerror(exc.errno) if exc.errno and exc.errno > 0 else exc.strerror
            fail(f"cannot listen on {host} port {port}: {why}")
