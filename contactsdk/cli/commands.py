"""The commands, their options and their exit codes."""

import asyncio
import math
import os
import shlex
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from enum import IntEnum
from functools import partial
from pathlib import Path
from typing import Annotated, Final, NoReturn

import typer

from contactsdk import __version__
from contactsdk.cli.demo import CONTACTS, import_samples
from contactsdk.cli.interruption import GRACE_S
from contactsdk.cli.record import check_input, tell, tell_rows
from contactsdk.cli.report import Tally, bar, printable, summary
from contactsdk.cli.run import Ending, check_rows, import_rows
from contactsdk.cli.sandbox_command import sandbox
from contactsdk.client import ContactClient
from contactsdk.errors import ContactError, JournalError
from contactsdk.files import (
    STANDARD,
    DateOrder,
    FileError,
    Format,
    Input,
    InputOptions,
    Result,
    Row,
    State,
    input_options,
    open_input,
    open_outputs,
    spooled_standard_input,
)
from contactsdk.journal import SqliteJournal
from contactsdk.signing import Credentials

_PING_S: Final = 20.0
_STOPPING: Final = (
    f"stopping: what is in flight has {GRACE_S:.0f} s to finish; interrupt again to leave at once"
)

app = typer.Typer(
    name="contactsdk",
    help="Add or update contacts on the iVvy platform.",
    no_args_is_help=True,
    add_completion=False,
    # Their local variables would show contacts and the secret.
    pretty_exceptions_enable=False,
)


class Exit(IntEnum):
    """What the exit code of a command says."""

    OK = 0
    SOME_FAILED = 1
    WRONG_USE = 2
    STOPPED = 3
    INTERRUPTED = 130


_Url = Annotated[
    str, typer.Option(envvar="CONTACTSDK_URL", help="The platform's address.", show_default=False)
]
_Key = Annotated[
    str, typer.Option(envvar="CONTACTSDK_KEY", help="The account's key.", show_default=False)
]
_SecretFile = Annotated[
    Path | None,
    typer.Option(help="A file that holds the account's secret; else CONTACTSDK_SECRET is used."),
]


@app.callback(invoke_without_command=True)
def _root(
    version: Annotated[bool, typer.Option("--version", help="Show the version and exit.")] = False,
) -> None:
    if version:
        typer.echo(__version__)
        raise typer.Exit


@app.command("import")
def import_(
    file: Annotated[
        str,
        typer.Argument(metavar="FILE", help="An Excel, CSV or JSON file; - for standard input."),
    ],
    url: _Url = "",
    key: _Key = "",
    secret_file: _SecretFile = None,
    format: Annotated[
        Format | None, typer.Option(help="The input's format, where its name does not tell.")
    ] = None,
    ignore_columns: Annotated[
        list[str] | None,
        typer.Option(help="Columns to leave out, separated by commas; may be given repeatedly."),
    ] = None,
    ignore_unknown: Annotated[
        bool, typer.Option("--ignore-unknown", help="Leave out all columns that are unknown.")
    ] = False,
    map_: Annotated[
        list[str] | None,
        typer.Option(
            "--map",
            help='What a column holds, such as "E-mail 1 - Value=email" or "Full name=firstName '
            'lastName"; may be given repeatedly.',
        ),
    ] = None,
    map_file: Annotated[
        Path | None, typer.Option(help='A TOML file of such lines: "E-mail 1 - Value" = "email".')
    ] = None,
    set_: Annotated[
        list[str] | None,
        typer.Option(
            "--set",
            help='A value for each row that has none, such as "groups=10;11"; may be given '
            "repeatedly.",
        ),
    ] = None,
    update_if_exists: Annotated[
        bool,
        typer.Option(
            "--update-if-exists",
            help="Update the contact that has the same names and email, instead of adding another.",
        ),
    ] = False,
    sheet: Annotated[
        str | None, typer.Option(help="The sheet of a workbook; else the first that has rows.")
    ] = None,
    encoding: Annotated[
        str | None, typer.Option(help="The encoding of the text; else it is recognised.")
    ] = None,
    date_order: Annotated[
        DateOrder | None, typer.Option(help="In which order dates name day, month and year.")
    ] = None,
    results: Annotated[
        str | None,
        typer.Option(help="Write what became of each row here: CSV, or .jsonl; - for output."),
    ] = None,
    rejects: Annotated[
        str | None,
        typer.Option(
            help="Write the rows here that are known not to be applied; with --journal, only those "
            "that were refused or invalid, since the others are sent when the run goes on."
        ),
    ] = None,
    uncertain: Annotated[
        str | None, typer.Option(help="Write the rows here that may have been applied.")
    ] = None,
    concurrency: Annotated[int, typer.Option(min=1, help="Contacts in flight at a time.")] = 32,
    rate: Annotated[
        float | None, typer.Option(help="Requests per second, at most.", show_default=False)
    ] = None,
    give_up: Annotated[
        float,
        typer.Option(help="For how many seconds a platform that does not answer is tried."),
    ] = 300.0,
    journal: Annotated[
        Path | None,
        typer.Option(help="Record the run here; the same command then goes on where it stopped."),
    ] = None,
    resend_uncertain: Annotated[
        bool,
        typer.Option("--resend-uncertain", help="Send what the journal calls uncertain again."),
    ] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Validate; send nothing.")] = False,
    quiet: Annotated[
        bool, typer.Option("--quiet", help="No progress and no summary; errors still.")
    ] = False,
) -> None:
    """Add or update the contacts of an Excel, CSV or JSON file.

    Exit code: 0 all succeeded, 1 some did not, 2 wrong use or unreadable input, 3 the run was
    stopped, 130 interrupted.
    """
    for name, value in (("--rate", rate), ("--give-up", give_up)):
        if value is not None and not 0 < value < math.inf:
            raise typer.BadParameter("must be more than 0", param_hint=name)
    if resend_uncertain and journal is None:
        _fail("--resend-uncertain is about what a journal recorded: use --journal")
    ending = Ending()
    record_of_run = None
    lines: dict[int, int] = {}
    if journal is not None and not dry_run:
        record_of_run = SqliteJournal(journal, resend_uncertain=resend_uncertain, line_of=lines.get)
    with _errors_as_exits():
        options = input_options(
            format=format,
            sheet=sheet,
            encoding=encoding,
            maps=map_ or (),
            map_file=map_file,
            ignored=ignore_columns or (),
            ignore_unknown=ignore_unknown,
            sets=set_ or (),
            update_if_exists=update_if_exists,
            date_order=date_order,
        )
        client = None if dry_run else _client(url, key, secret_file, concurrency)
        if client is not None and record_of_run is not None and file != STANDARD:
            with open_input(file, options) as source:
                check = partial(client.check_journal, record_of_run)
                check_input(check, record_of_run.path, source, file)
        with (
            _opened(file, options) as (source, total),
            open_outputs(
                source,
                file,
                results=results,
                rejects=rejects,
                uncertain=uncertain,
                resumable=record_of_run is not None,
            ) as outputs,
            # Made last: what went before is no part of the time that the run took.
            bar(tally := Tally(), total, hidden=quiet or dry_run) as show,
        ):

            def record(row: Row, result: Result) -> None:
                outputs.write(row, result)
                tally.add(result)

            if client is None:
                check_rows(source, outputs, tally)
            else:
                ending = asyncio.run(
                    import_rows(
                        client,
                        source,
                        record,
                        piped=total is None,
                        # A pipe may never end: its rest is read only for a file that needs it.
                        record_rest=total is not None
                        or bool(results or (rejects and not outputs.resumable)),
                        concurrency=concurrency,
                        rate_per_s=rate,
                        give_up_s=give_up,
                        journal=record_of_run,
                        on_progress=show,
                        lines=lines,
                        on_interrupt=lambda: None if quiet else _complain(_STOPPING),
                    )
                )
        if not quiet:
            text = summary(tally, stopped=ending.reason, checked=dry_run)
            typer.echo(text, err=STANDARD in (results, rejects, uncertain))
        elif ending.reason is not None:
            _complain(f"stopped: {ending.reason}")
        if record_of_run is not None and (ending.reason is not None or tally.left):
            again = shlex.join(["contactsdk", *sys.argv[1:]])
            typer.echo(f"To send what was not applied: {again}", err=True)
            if rejects is not None:
                typer.echo("Correct the rejects after that: it writes them anew.", err=True)
    raise typer.Exit(_exit_code(ending, tally, checked=dry_run))


@app.command()
def journal(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="A journal of `contactsdk import`.")],
    input: Annotated[
        str | None,
        typer.Option(
            help="The file that was imported, for --rejects and --uncertain; that it is the one is "
            "checked with the account's secret."
        ),
    ] = None,
    secret_file: _SecretFile = None,
    format: Annotated[
        Format | None, typer.Option(help="The input's format, where its name does not tell.")
    ] = None,
    ignore_columns: Annotated[
        list[str] | None, typer.Option(help="Columns of the input to let pass.")
    ] = None,
    results: Annotated[
        str | None, typer.Option(help="Write what became of each recorded row here.")
    ] = None,
    rejects: Annotated[
        str | None, typer.Option(help="Write the rows here that were refused or invalid.")
    ] = None,
    uncertain: Annotated[
        str | None, typer.Option(help="Write the rows here that may have been applied.")
    ] = None,
) -> None:
    """Tell what a journal recorded: counts, failures by message, and the uncertain rows."""
    recorded = SqliteJournal(file)
    tally = Tally()
    with _errors_as_exits(), ExitStack() as stack:
        source = None
        if input is not None:
            options = input_options(format=format, ignored=ignore_columns or ())
            if not (secret := _secret(secret_file)):
                _fail("missing: CONTACTSDK_SECRET (or --secret-file), to check the input with")
            with open_input(input, options) as source:
                check_input(partial(recorded.check, secret=secret), recorded.path, source, input)
            source = stack.enter_context(open_input(input, options))
        outputs = stack.enter_context(
            open_outputs(
                source,
                input or STANDARD,
                results=results,
                rejects=rejects,
                uncertain=uncertain,
                resumable=True,
            )
        )
        unsure = tell(recorded, outputs, tally)
        if source is not None:
            tell_rows(recorded, source, outputs, str(input))
        lines = [summary(tally, timed=False), *(f"  {printable(line)}" for line in unsure)]
        typer.echo("\n".join(lines), err=STANDARD in (results, rejects, uncertain))


@app.command()
def ping(url: _Url = "", key: _Key = "", secret_file: _SecretFile = None) -> None:
    """Say whether address, key and secret work, and how far the clocks are apart."""

    async def measure(client: ContactClient) -> float:
        async with client:
            before = time.time()
            platform_now = await client.ping(deadline_s=_PING_S)
            middle = (before + time.time()) / 2
        # The platform cuts its time to whole seconds, so on average it is half a second later.
        return platform_now.timestamp() + 0.5 - middle

    with _errors_as_exits():
        client = _client(url, key, secret_file)
        try:
            ahead_s = asyncio.run(measure(client))
        except ContactError as exc:
            _fail(exc.message, Exit.STOPPED)
    typer.echo("Address, key and secret work.")
    typer.echo(f"The platform's clock is {_apart(ahead_s)} this machine's.")


app.command()(sandbox)


@app.command()
def demo() -> None:
    """Import a thousand invented contacts into a sandbox in this process, over real HTTP."""
    tally = Tally()
    with _errors_as_exits(), bar(tally, CONTACTS, hidden=False) as show:
        ending = asyncio.run(import_samples(tally.add, show))
    typer.echo(summary(tally, stopped=ending.reason))
    # What failed is part of the show.
    raise typer.Exit(_exit_code(ending, Tally(), checked=False))


def _client(url: str, key: str, secret_file: Path | None, concurrency: int = 1) -> ContactClient:
    secret = _secret(secret_file)
    needed = {
        "CONTACTSDK_URL (or --url)": url,
        "CONTACTSDK_KEY (or --key)": key,
        "CONTACTSDK_SECRET (or --secret-file)": secret,
    }
    if missing := [name for name, value in needed.items() if not value]:
        _fail(f"missing: {', '.join(missing)}")
    try:
        credentials = Credentials(key, secret)
        return ContactClient(url, credentials, max_connections=max(100, concurrency))
    except ValueError as exc:
        _fail(str(exc))


def _secret(file: Path | None) -> str:
    if file is None:
        return os.environ.get("CONTACTSDK_SECRET", "")
    try:
        return file.read_text("utf-8").removesuffix("\n")
    except OSError as exc:
        _fail(f"{file}: {exc.strerror}")
    except UnicodeDecodeError:
        _fail(f"{file}: the secret is not UTF-8 text")  # the error's own text shows a byte of it


@contextmanager
def _opened(file: str, options: InputOptions) -> Iterator[tuple[Input, int]]:
    """The input, and how many rows it has."""
    with ExitStack() as stack:
        shown = None
        if file == STANDARD:
            file, shown = stack.enter_context(spooled_standard_input()), "standard input"
        # The whole file is read once before anything is sent: it may be broken at its end.
        with open_input(file, options, shown=shown) as source:
            total = sum(1 for _ in source)
        yield stack.enter_context(open_input(file, options, shown=shown)), total


def _exit_code(ending: Ending, tally: Tally, *, checked: bool) -> Exit:
    if ending.interrupted:
        return Exit.INTERRUPTED
    if isinstance(ending.stopped_by, FileError):
        return Exit.WRONG_USE
    if ending.stopped_by is not None:
        return Exit.STOPPED
    good = State.NOT_STARTED if checked else State.SUCCEEDED
    return Exit.OK if tally.states.total() == tally.states[good] else Exit.SOME_FAILED


def _apart(ahead_s: float) -> str:
    if abs(ahead_s) < 1.0:
        return "less than a second from"
    return f"{abs(ahead_s):.0f} s {'ahead of' if ahead_s > 0 else 'behind'}"


@contextmanager
def _errors_as_exits() -> Iterator[None]:
    try:
        yield
    except (FileError, JournalError) as exc:
        _fail(str(exc))
    except BrokenPipeError:
        # Else the interpreter complains when it flushes what nobody reads any more.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        _fail("nobody reads the output any more", Exit.STOPPED)
    except OSError as exc:
        _fail(f"stopped: {exc.strerror or exc}", Exit.STOPPED)
    except KeyboardInterrupt:
        raise typer.Exit(Exit.INTERRUPTED) from None


def _fail(message: str, code: Exit = Exit.WRONG_USE) -> NoReturn:
    _complain(message)
    raise typer.Exit(code)


def _complain(message: str) -> None:
    typer.echo(f"contactsdk: {printable(message)}", err=True)
