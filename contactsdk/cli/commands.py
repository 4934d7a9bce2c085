"""The commands by name."""

from pathlib import Path
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from contactsdk import __version__
from contactsdk.cli.again import command
from contactsdk.cli.demo_command import demo
from contactsdk.cli.exits import fail
from contactsdk.cli.fields_command import fields
from contactsdk.cli.import_command import import_
from contactsdk.cli.journal_command import journal
from contactsdk.cli.ping_command import ping
from contactsdk.cli.probe_command import probe_
from contactsdk.cli.sandbox_command import sandbox
from contactsdk.cli.settle_command import settle
from contactsdk.cli.worker_command import worker


class _Commands(TyperGroup):
    """The commands; if a file is named in place of a command, the message says how to import it."""

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        """The command that the first argument names.

        Raises:
            UsageError: There is no such command; the message names a similar one.
            typer.Exit: The argument is a file.
        """
        if args[0] not in self.commands and Path(args[0]).is_file():
            fail(f"{args[0]} is not a command; to import it: {command(['import', *args])}")
        return super().resolve_command(ctx, args)


app = typer.Typer(
    cls=_Commands,
    name="contactsdk",
    help="Add or update contacts on the iVvy platform.",
    no_args_is_help=True,
    add_completion=False,
    context_settings={"help_option_names": ["--help", "-h"]},
    # In other modes, the help keeps the docstrings' line breaks, whatever the terminal's width.
    rich_markup_mode="markdown",
    # Such a traceback shows local variables, and with them contacts and the secret.
    pretty_exceptions_enable=False,
)
app.command("import")(import_)
app.command()(journal)
app.command()(settle)
app.command()(worker)
app.command()(fields)
app.command()(ping)
app.command("probe")(probe_)
app.command()(demo)
app.command()(sandbox)


@app.callback(invoke_without_command=True)
def _root(
    version: Annotated[bool, typer.Option("--version", help="Show the version and exit.")] = False,
) -> None:
    if version:
        typer.echo(__version__)
        raise typer.Exit
