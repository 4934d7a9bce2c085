"""`contactsdk import`."""

import math
from pathlib import Path
from typing import Annotated, Final

import typer

from contactsdk.bulk.options import DEFAULT_GIVE_UP_S
from contactsdk.cli import again
from contactsdk.cli.account import address_shown, client_of
from contactsdk.cli.account_names import account_names
from contactsdk.cli.checking import InputFile
from contactsdk.cli.env_file import EnvFile
from contactsdk.cli.exits import errors_as_exits, fail
from contactsdk.cli.importing import ImportOptions, dry_run, send_import
from contactsdk.cli.journal_place import Run, file_of, is_database, journal_at
from contactsdk.cli.options import (
    WRITING,
    DateOrderOption,
    Encoding,
    HeaderRow,
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
from contactsdk.cli.recorded import Recorded
from contactsdk.cli.run import Sending
from contactsdk.files import STANDARD, OutputNames, check_files_differ, input_options

_SENDING: Final = "How it is sent"
_JOURNAL: Final = "Journal"


def import_(
    context: typer.Context,
    file: Annotated[
        str,
        typer.Argument(metavar="FILE", help="An Excel, CSV or JSON file; - for standard input."),
    ],
    url: Url = "",
    key: Key = "",
    secret_file: SecretFile = None,
    env_file: EnvFile = None,
    format: InputFormat = None,
    ignore_columns: IgnoreColumns = None,
    ignore_unknown: IgnoreUnknown = False,
    map_: Map = None,
    map_file: MapFile = None,
    set_: Set = None,
    update_if_exists: UpdateIfExists = False,
    sheet: Sheet = None,
    header_row: HeaderRow = None,
    encoding: Encoding = None,
    date_order: DateOrderOption = None,
    results: Annotated[
        str | None,
        typer.Option(
            help="Write the result of each row to this file: .xlsx, .csv or .jsonl; - for "
            "standard output.",
            rich_help_panel=WRITING,
        ),
    ] = None,
    merged: Annotated[
        str | None,
        typer.Option(
            help="Write each row of the input to this file, with its contact's id, its state and a "
            "message.",
            rich_help_panel=WRITING,
        ),
    ] = None,
    rejects: Annotated[
        str | None,
        typer.Option(
            help="Write the rows that were certainly not applied to this file: .xlsx, .csv or "
            ".jsonl; with --journal, only the rows that were refused or invalid, since the others "
            "are sent when the run goes on.",
            rich_help_panel=WRITING,
        ),
    ] = None,
    uncertain: Annotated[
        str | None,
        typer.Option(
            help="Write the rows that may have been applied to this file.",
            rich_help_panel=WRITING,
        ),
    ] = None,
    report: Annotated[
        Path | None,
        typer.Option(
            help="Write a report of the run to this file, .html; it shows no values of contacts.",
            rich_help_panel=WRITING,
        ),
    ] = None,
    batch_size: Annotated[
        int | None,
        typer.Option(
            min=1,
            max=200,
            help="How many contacts to send in one request; without it, each contact is sent in a "
            "request of its own.",
            show_default=False,
            rich_help_panel=_SENDING,
        ),
    ] = None,
    concurrency: Annotated[
        int | None,
        typer.Option(
            min=1,
            help="How many requests may be in flight at a time; by default 32, or 4 with "
            "--batch-size.",
            show_default=False,
            rich_help_panel=_SENDING,
        ),
    ] = None,
    rate: Annotated[
        float | None,
        typer.Option(
            metavar="PER_SECOND",
            help="The most requests to send per second; without it, only the platform limits them.",
            show_default=False,
            rich_help_panel=_SENDING,
        ),
    ] = None,
    give_up: Annotated[
        float,
        typer.Option(
            metavar="SECONDS",
            help="Stop after this time if the platform accepts nothing.",
            rich_help_panel=_SENDING,
        ),
    ] = DEFAULT_GIVE_UP_S,
    journal: Annotated[
        str | None,
        typer.Option(
            metavar="FILE|URL",
            help="Record the run in this file; if the run stops early, the same command goes on "
            "where it stopped. Move or copy a journal only while no run uses it, and all of its "
            "files together: FILE, and the file that has its name with the ending -journal. "
            "Instead of a file, name a database, postgresql://user:password@host/name; workers "
            "on any machine can then send the run.",
            rich_help_panel=_JOURNAL,
        ),
    ] = None,
    settle: Annotated[
        float | None,
        typer.Option(
            metavar="SECONDS",
            help="If the answer for a new contact is lost, look for the contact on the platform "
            "for this time.",
            show_default=False,
            rich_help_panel=_JOURNAL,
        ),
    ] = None,
    run: Run = None,
    here: Annotated[
        bool,
        typer.Option(
            "--here",
            help="With a journal in a database: send from this process at once. Without it, this "
            "process sends only after no worker (contactsdk worker) has sent for ten seconds.",
            rich_help_panel=_JOURNAL,
        ),
    ] = False,
    resend_uncertain: Annotated[
        bool,
        typer.Option(
            "--resend-uncertain",
            help="Send again the rows that the journal calls uncertain; a contact may then be "
            "added twice. Not with a journal in a database.",
            rich_help_panel=_JOURNAL,
        ),
    ] = False,
    dry_run_: Annotated[
        bool,
        typer.Option(
            "--dry-run", help="Show how the file is read and what is wrong in it; send nothing."
        ),
    ] = False,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask before sending.")] = False,
    quiet: Annotated[
        bool, typer.Option("--quiet", help="Show errors only: no progress and no summary.")
    ] = False,
) -> None:
    """Add or update the contacts of an Excel, CSV or JSON file.

    The whole file is checked before anything is sent. In a terminal, the command then shows what
    it is going to send, and asks you.

    Each file that the command writes has "partial" in its name until the command has finished it.

    Exit code: 0 all rows succeeded, 1 some did not, 2 wrong use or unreadable input, 3 the run was
    stopped or you said no, 130 interrupted.
    """
    for name, value in (("--rate", rate), ("--give-up", give_up), ("--settle", settle)):
        if value is not None and not 0 < value < math.inf:
            raise typer.BadParameter("must be more than 0", param_hint=name)
    in_database = journal is not None and is_database(journal)
    if (run is not None or here) and not in_database:
        fail("--run and --here need a journal in a database: use --journal URL")
    if resend_uncertain and (journal is None or in_database):
        fail("--resend-uncertain needs a journal in a file: use --journal FILE")
    if report is not None and report.suffix.lower() not in (".html", ".htm"):
        fail(f"{report}: --report writes HTML: give it a name that ends in .html")
    outputs = OutputNames(results=results, rejects=rejects, uncertain=uncertain, merged=merged)
    with errors_as_exits():
        check_files_differ(
            outputs={**outputs.by_option(), "--report": report},
            inputs={
                "the input": file,
                "--secret-file": secret_file,
                "--env-file": env_file,
                "--map-file": map_file,
            },
            journal=file_of(journal),
        )
        names = account_names(url, key, secret_file, can_do_without=dry_run_)
        reading = input_options(
            format=format,
            sheet=sheet,
            header_row=header_row,
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
            address=address_shown(url) if url else "",
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
            raise typer.Exit(dry_run(options, None if journal is None else _unread(journal)))
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


def _unread(journal: str) -> Recorded:
    """What a dry run, which opens no journal, says of one."""
    file = file_of(journal)
    return Recorded(name=journal, is_new=file is not None and not file.exists())


def _look_up(context: typer.Context, file: str, journal: str | None, uncertain: str | None) -> str:
    """A sentence that says how uncertain rows can be looked up."""
    if journal is not None:
        command = again.settle_command(context, journal, None if file == STANDARD else file)
        return f"After a minute or more, this looks them up for you: {command} --uncertain left.csv"
    if uncertain is None:
        return (
            "Next time, use --uncertain FILE to write such rows, or --journal FILE: then "
            "contactsdk settle can look them up."
        )
    return "Next time, use --journal FILE: then contactsdk settle can look such rows up."
