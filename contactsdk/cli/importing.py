"""The steps of `contactsdk import`: check, preview, ask, send, report the results."""

import asyncio
import sys
import time
from datetime import datetime
from functools import partial
from pathlib import Path

import typer
from attrs import evolve, frozen

from contactsdk.bulk import Progress
from contactsdk.cli.again import command
from contactsdk.cli.checking import CheckedInput, InputFile, checked
from contactsdk.cli.exits import Exit, complain
from contactsdk.cli.html_report import html_report
from contactsdk.cli.interruption import STOPPING
from contactsdk.cli.preview import full_preview, notes, short_preview
from contactsdk.cli.progress import bar
from contactsdk.cli.prompt import terminal
from contactsdk.cli.recorded import Recorded, check_recorded, read_recorded
from contactsdk.cli.recording import Recording
from contactsdk.cli.run import Ending, Sending, import_rows
from contactsdk.cli.submitting import LeftRunningError, Watching, import_by_workers
from contactsdk.cli.summary import Tally, summary
from contactsdk.cli.text import printable
from contactsdk.cli.timeline import Timeline
from contactsdk.cli.written_files import Written, next_lines, rejects_of
from contactsdk.client import ContactClient
from contactsdk.errors import InvalidContactError
from contactsdk.files import (
    FileError,
    Format,
    OutputNames,
    Result,
    State,
    invalid,
    not_started,
    open_outputs,
)
from contactsdk.journal.sqlite import SqliteJournal


@frozen(kw_only=True)
class ImportOptions:
    """What the user asked for with the arguments and options of `contactsdk import`."""

    file: InputFile
    """The file to import."""
    address: str
    """The address that contacts are sent to, as shown to people; empty if it is not known."""
    outputs: OutputNames
    """Which files of rows to write."""
    report: Path | None
    """Where to write the HTML report; `None` writes none."""
    has_journal: bool
    """Whether the run is recorded in a journal, so that it can go on after it stopped."""
    in_batches: bool
    """Whether one request sends many contacts."""
    ask: bool
    """Whether to ask before sending, if there is a terminal."""
    quiet: bool
    """Whether to print nothing but errors."""
    look_up: str
    """A sentence that says how uncertain rows can be looked up."""
    import_rejects: str
    """The command that imports the corrected rejects; empty if none are written."""
    look_at: str = ""
    """The command that shows how far the run of the journal is; empty without a journal."""


def dry_run(options: ImportOptions, recorded: Recorded | None) -> Exit:
    """Check the input and show what would be sent; `recorded` is the journal of the real run.

    Raises:
        FileError: A file cannot be read or written.
    """
    outputs = options.outputs
    keep = outputs != OutputNames()
    written = Written.of(outputs)
    with (
        checked(options.file, outputs, keep_items=keep) as found,
        open_outputs(outputs, found.source) as opened,
    ):
        # A valid row needs no correction, so it does not belong into the rejects.
        for_valid_rows = evolve(opened, rejects=None)
        rows = iter(found.rows)
        for line, number, item in found.items:
            row = next(rows, None)
            if isinstance(item, InvalidContactError):
                opened.write(invalid(line, number, item), row)
            else:
                for_valid_rows.write(not_started(line, number, "valid; not sent: dry run"), row)
        if not options.quiet:
            preview = full_preview(
                options.file.shown,
                options.address,
                found.source,
                found.survey,
                options.file.options.rules.names,
                recorded=recorded,
                in_batches=options.in_batches,
            )
            real = command(word for word in sys.argv[1:] if word != "--dry-run")
            lines = [preview, *written.warnings(), f"To import it: {printable(real)}"]
            typer.echo("\n".join(lines), err=outputs.takes_standard_output)
        return Exit.SOME_FAILED if found.survey.invalid_rows else Exit.OK


def send_import(options: ImportOptions, client: ContactClient, sending: Sending) -> Exit:
    """Check the input, send its contacts, and report the result of each row.

    Raises:
        FileError: A file cannot be read or written.
        JournalError: The journal cannot be used.
    """
    try:
        return _checked_and_sent(options, client, sending)
    except LeftRunningError as left:
        complain(str(left))
        typer.echo(f"To look at the run: {options.look_at}", err=True)
        typer.echo(f"To continue, and to write the output files: {command(sys.argv[1:])}", err=True)
        return Exit.INTERRUPTED


def _checked_and_sent(options: ImportOptions, client: ContactClient, sending: Sending) -> Exit:
    outputs, journal = options.outputs, sending.journal
    with (
        checked(options.file, outputs) as found,
        Recording(
            outputs, found, report=options.report, resumable=options.has_journal
        ) as recording,
    ):
        written = Written.of(outputs, options.report)
        recorded = None
        if journal is not None:
            check = partial(client.check_journal, journal)
            check_recorded(check, journal.name, found.items, options.file.shown)
            in_database = not isinstance(journal, SqliteJournal)
            recorded = read_recorded(journal, found.items, may_be_sending=in_database)
        if not _is_agreed(options, found, recorded, written):
            complain("nothing was sent")
            return Exit.STOPPED
        tally = Tally(from_journal=0 if recorded is None else recorded.rows)
        started_at = time.monotonic()
        timeline = Timeline(tally.from_journal)
        ending = _sent(options, found, client, sending, tally, timeline, recording)
        recording.finish()
        elapsed_s = time.monotonic() - started_at
        recording.write_report(
            html_report(
                Path(options.file.shown).name,
                options.address,
                tally,
                timeline.spans,
                elapsed_s=elapsed_s,
                ended_at=f"{datetime.now().astimezone():%Y-%m-%d %H:%M %Z}",
                stopped=recording.seen_in(ending).reason,
            )
        )
        is_excel = found.source.description.format is Format.EXCEL
        update_instead = command([*sys.argv[1:], "--update-if-exists"]) if found.survey.adds else ""
    rejected_before = 0 if recorded is None else recorded.rejected + recorded.invalid
    has_new_rejects = (
        outputs.rejects not in written.kept
        or rejects_of(tally, has_journal=options.has_journal) > rejected_before
    )
    ending = recording.seen_in(ending)
    _conclude(options, ending, tally, elapsed_s)
    for line in recording.complaints():
        complain(line)
    if not (options.quiet or recording.has_failed):
        next_steps = next_lines(
            outputs if recording.is_open else OutputNames(),
            tally,
            has_journal=options.has_journal,
            has_new_rejects=has_new_rejects,
            is_excel=is_excel,
            is_stopped=ending.stopped_by is not None,
            is_interrupted=ending.interrupted,
            import_rejects=options.import_rejects,
            update_instead=update_instead,
        )
        files = written.lines(tally, has_journal=options.has_journal) if recording.is_open else ()
        for line in (*files, *next_steps):
            typer.echo(printable(line), err=True)
    return exit_code(ending, tally)


def exit_code(ending: Ending, tally: Tally) -> Exit:
    """The exit code of a run that ended like this."""
    if ending.interrupted:
        return Exit.INTERRUPTED
    if ending.stopped_by is not None:
        return Exit.STOPPED
    is_good = tally.states.total() == tally.states[State.SUCCEEDED]
    return Exit.OK if is_good else Exit.SOME_FAILED


def _sent(
    options: ImportOptions,
    found: CheckedInput,
    client: ContactClient,
    sending: Sending,
    tally: Tally,
    timeline: Timeline,
    recording: Recording,
) -> Ending:
    with bar(found.survey.rows, hidden=options.quiet) as show:

        def record(result: Result) -> None:
            tally.add(result)
            recording.write(result)

        def on_progress(progress: Progress) -> None:
            timeline.add(progress)
            show(progress)

        def say(line: str) -> None:
            if not options.quiet:
                complain(line)

        journal = sending.journal
        if journal is None or isinstance(journal, SqliteJournal):
            run = import_rows(
                client,
                found.items,
                record,
                recording.open,
                evolve(sending, on_progress=on_progress),
                on_interrupt=lambda: say(STOPPING),
                must_stop=lambda: recording.has_failed,
            )
        else:
            watching = Watching(record=record, begin=recording.open, show=on_progress, say=say)
            submitting = evolve(sending, rows=found.survey.rows)
            run = import_by_workers(client, journal, found.items, submitting, watching)
        ending = asyncio.run(run)
        # If an output could not be opened, nothing was sent, and there is nothing to sum up.
        if isinstance(ending.stopped_by, OSError | FileError) and not recording.is_open:
            raise ending.stopped_by
    return ending


def _is_agreed(
    options: ImportOptions, found: CheckedInput, recorded: Recorded | None, written: Written
) -> bool:
    """Show what a person should know before sending, and ask if there is a terminal.

    Returns whether to send: `False` only if the person said no.
    """
    survey = found.survey
    to_send = survey.valid_rows - (0 if recorded is None else recorded.valid_rows)
    preview = short_preview(
        options.file.shown,
        found.source,
        survey,
        recorded=recorded,
        in_batches=options.in_batches,
    )
    with terminal() as person:
        if person is not None:
            preview = "\n".join([preview, *written.warnings()])
        if person is not None and options.ask and to_send > 0:
            person.show(preview)
            is_rest = recorded is not None and recorded.rows > 0
            return person.is_answered_yes(_question(to_send, options.address, is_rest=is_rest))
    if not options.quiet:
        if person is None:
            preview = "\n".join(
                notes(found.source, survey, recorded=recorded, in_batches=options.in_batches)
            )
        if preview:
            typer.echo(preview, err=True)
    return True


def _question(to_send: int, address: str, *, is_rest: bool) -> str:
    other = "the other " if is_rest else ""
    contacts = "contact" if to_send == 1 else "contacts"
    return f"Send {other}{to_send:,} {contacts} to {printable(address)}? [y/N] "


def _conclude(options: ImportOptions, ending: Ending, tally: Tally, elapsed_s: float) -> None:
    outputs = options.outputs
    if not options.quiet:
        text = summary(
            tally,
            elapsed_s=elapsed_s,
            sent_to=options.address,
            stopped=ending.advice,
            look_up=options.look_up,
        )
        typer.echo(text, err=outputs.takes_standard_output)
    elif ending.reason is not None:
        complain(f"stopped: {ending.advice}")
    if options.has_journal and (ending.reason is not None or tally.left):
        again = command(sys.argv[1:])
        typer.echo(f"To send what was not applied: {again}", err=True)
