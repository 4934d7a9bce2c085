"""`contactsdk import`."""

import math
from pathlib import Path
from typing import Annotated

import typer

from contactsdk.bulk.options import DEFAULT_GIVE_UP_S
from contactsdk.cli import again
from contactsdk.cli.account import client_of
from contactsdk.cli.account_names import account_names
from contactsdk.cli.checking import InputFile
from contactsdk.cli.exits import errors_as_exits, fail
from contactsdk.cli.importing import ImportOptions, dry_run, send_import
from contactsdk.cli.journal_place import Run, file_of, is_database, journal_at
from contactsdk.cli.options import (
    DateOrderOption,
    Encoding,
    IgnoreColumns,
    IgnoreUnknown,
    InputFormat,
    Key,
    Map,
    MapFile,
    SecretFile,
    Set,
    Sheet,
    UpdateIfExists,
    Url,
)
from contactsdk.cli.run import Sending
from contactsdk.files import STANDARD, OutputNames, check_files_differ, input_options


def import_(
    context: typer.Context,
    file: Annotated[
        str,
        typer.Argument(metavar="FILE", help="An Excel, CSV or JSON file; - for standard input."),
    ],
    url: Url = "",
    key: Key = "",
    secret_file: SecretFile = None,
    format: InputFormat = None,
    ignore_columns: IgnoreColumns = None,
    ignore_unknown: IgnoreUnknown = False,
    map_: Map = None,
    map_file: MapFile = None,
    set_: Set = None,
    update_if_exists: UpdateIfExists = False,
    sheet: Sheet = None,
    encoding: Encoding = None,
    date_order: DateOrderOption = None,
    results: Annotated[
        str | None,
        typer.Option(help="Write what became of each row here: .csv or .jsonl; - for output."),
    ] = None,
    merged: Annotated[
        str | None,
        typer.Option(help="Write each row here with its contact's id, its state and a message."),
    ] = None,
    rejects: Annotated[
        str | None,
        typer.Option(
            help="Write the rows here that are known not to be applied, as .csv or .jsonl; with "
            "--journal, only those that were refused or invalid, since the others are sent when "
            "the run goes on."
        ),
    ] = None,
    uncertain: Annotated[
        str | None, typer.Option(help="Write the rows here that may have been applied.")
    ] = None,
    report: Annotated[
        Path | None,
        typer.Option(help="Write a page about the run here, .html; it holds no contact."),
    ] = None,
    batch_size: Annotated[
        int | None,
        typer.Option(
            min=1,
            max=200,
            help="Contacts in one request; without it, each is sent by itself.",
            show_default=False,
        ),
    ] = None,
    concurrency: Annotated[
        int | None,
        typer.Option(
            min=1,
            help="Requests in flight at a time; 32 contacts by default, or 4 batches.",
            show_default=False,
        ),
    ] = None,
    rate: Annotated[
        float | None,
        typer.Option(
            metavar="PER_SECOND", help="Requests per second, at most.", show_default=False
        ),
    ] = None,
    give_up: Annotated[
        float,
        typer.Option(
            metavar="SECONDS",
            help="For how long a platform that lets nothing through is tried.",
        ),
    ] = DEFAULT_GIVE_UP_S,
    journal: Annotated[
        str | None,
        typer.Option(
            metavar="FILE|URL",
            help="Record the run here; the same command then goes on where it stopped. Move or "
            "copy a journal only while no run is using it, and all of its files together: FILE and "
            "those that have its name with an ending such as -wal or -journal. Or a database, "
            "postgresql://user:password@host/name, from where workers on any machines send it.",
        ),
    ] = None,
    settle: Annotated[
        float | None,
        typer.Option(
            metavar="SECONDS",
            help="For how long a contact whose answer was lost is looked for on the platform.",
            show_default=False,
        ),
    ] = None,
    run: Run = None,
    here: Annotated[
        bool,
        typer.Option(
            "--here",
            help="With a journal in a database: send in this process, too, and not only where no "
            "worker (contactsdk worker) sends for ten seconds.",
        ),
    ] = False,
    resend_uncertain: Annotated[
        bool,
        typer.Option(
            "--resend-uncertain",
            help="Send what the journal calls uncertain again; not with one in a database.",
        ),
    ] = False,
    dry_run_: Annotated[
        bool,
        typer.Option(
            "--dry-run", help="Show how the file is read and what is wrong; send nothing."
        ),
    ] = False,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask before sending.")] = False,
    quiet: Annotated[
        bool, typer.Option("--quiet", help="No progress and no summary; errors still.")
    ] = False,
) -> None:
    """Add or update the contacts of an Excel, CSV or JSON file.

    The whole file is checked before anything is sent. In a terminal, what is going to be sent is
    shown then, and you are asked.

    The files that are written have "partial" in their names until the command has ended in order.

    Exit code: 0 all succeeded, 1 some did not, 2 wrong use or unreadable input, 3 the run was
    stopped or you said no, 130 interrupted.
    """
    for name, value in (("--rate", rate), ("--give-up", give_up), ("--settle", settle)):
        if value is not None and not 0 < value < math.inf:
            raise typer.BadParameter("must be more than 0", param_hint=name)
    in_database = journal is not None and is_database(journal)
    if (run is not None or here) and not in_database:
        fail("--run and --here are about a journal in a database: use --journal URL")
    if resend_uncertain and (journal is None or in_database):
        fail("--resend-uncertain is about what a journal in a file recorded: use --journal FILE")
    if report is not None and report.suffix.lower() not in (".html", ".htm"):
        fail(f"{report}: --report writes a page: give it a name that ends in .html")
    outputs = OutputNames(results=results, rejects=rejects, uncertain=uncertain, merged=merged)
    with errors_as_exits():
        check_files_differ(
            outputs={**outputs.by_option(), "--report": report},
            inputs={"the input": file, "--secret-file": secret_file, "--map-file": map_file},
            journal=file_of(journal),
        )
        names = account_names(url, key, secret_file, can_do_without=dry_run_)
        reading = input_options(
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
            ask_groups=names.groups,
            ask_custom_fields=names.custom_fields,
        )
        options = ImportOptions(
            file=InputFile(name=file, options=reading),
            outputs=outputs,
            report=report,
            has_journal=journal is not None,
            in_batches=batch_size is not None,
            ask=not yes,
            quiet=quiet,
            look_up=_look_up(context, file, journal, uncertain),
            look_at="" if journal is None else again.journal_command(context, journal),
            import_rejects="" if rejects is None else again.import_command(context, rejects),
        )
        if dry_run_:
            raise typer.Exit(dry_run(options))
        client = client_of(url, key, secret_file, concurrency or 1, settle_s=settle)
        lines: dict[int, int] = {}
        recorded_in = None
        if journal is not None:
            recorded_in = journal_at(
                journal,
                run,
                resend_uncertain=resend_uncertain,
                line_of=lines.get,
            )
        sending = Sending(
            concurrency=concurrency,
            batch_size=batch_size,
            rate_per_s=rate,
            give_up_s=give_up,
            journal=recorded_in,
            lines=lines,
            here=here,
        )
        raise typer.Exit(send_import(options, client, sending))


def _look_up(context: typer.Context, file: str, journal: str | None, uncertain: str | None) -> str:
    """How rows that are uncertain can be looked up, in a sentence; empty if nothing helps."""
    if journal is not None:
        command = again.settle_command(context, journal, None if file == STANDARD else file)
        return f"In a minute or more, this looks them up for you: {command} --uncertain left.csv"
    if uncertain is None:
        return (
            "--uncertain FILE writes them; with --journal FILE, contactsdk settle can look them up."
        )
    return "With --journal FILE, contactsdk settle can look them up."
