"""`contactsdk journal`."""

from collections.abc import Iterator
from contextlib import ExitStack
from functools import partial
from typing import Annotated, Final

import typer

from contactsdk.cli import again
from contactsdk.cli.account import secret_of
from contactsdk.cli.account_names import account_names
from contactsdk.cli.checking import CheckedInput, InputFile, checked
from contactsdk.cli.env_file import EnvFile
from contactsdk.cli.exits import errors_as_exits, fail
from contactsdk.cli.journal_place import Run, file_of, journal_at, make_tables
from contactsdk.cli.options import (
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
from contactsdk.cli.recorded import check_recorded
from contactsdk.cli.summary import Tally, summary
from contactsdk.cli.text import printable
from contactsdk.cli.written_files import Written
from contactsdk.files import (
    FileError,
    OutputNames,
    Result,
    Row,
    State,
    check_files_differ,
    check_output_names,
    input_options,
    not_started,
    open_outputs,
    result_of_record,
)
from contactsdk.journal import Journal

_SHOWN: Final = 25


def journal(
    context: typer.Context,
    file: Annotated[
        str,
        typer.Argument(
            metavar="FILE|URL",
            help="A journal of `contactsdk import`; or the word `init`, followed by a database in "
            "which to make the tables of journals.",
        ),
    ],
    database: Annotated[
        str | None,
        typer.Argument(
            metavar="[URL]", help="With `init`: the database, postgresql://...", show_default=False
        ),
    ] = None,
    run: Run = None,
    input: Annotated[
        str | None,
        typer.Option(
            help="The file that was imported; --rejects, --uncertain and --merged need it. Repeat "
            "the options with which it was read. The account's secret is needed to check that it "
            "is the same file."
        ),
    ] = None,
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
        str | None, typer.Option(help="Write the result of each recorded row to this file.")
    ] = None,
    merged: Annotated[
        str | None,
        typer.Option(
            help="Write each row of the input to this file, with its contact's id, its state and a "
            "message."
        ),
    ] = None,
    rejects: Annotated[
        str | None,
        typer.Option(help="Write the rows that were refused or invalid to this file."),
    ] = None,
    uncertain: Annotated[
        str | None, typer.Option(help="Write the rows that may have been applied to this file.")
    ] = None,
) -> None:
    """Show what a journal recorded: counts, failures by message, and the uncertain rows.

    To move a journal, move all of its files together while no run uses it: FILE, and the files
    that have its name with an ending such as -wal or -journal. One of them alone cannot be used.

    `contactsdk journal init postgresql://...` makes the tables of journals in a database. Let a
    user of the database do this who may make tables; the users who import then need no such right.
    """
    outputs = OutputNames(results=results, rejects=rejects, uncertain=uncertain, merged=merged)
    tally, uncertain_rows = Tally(), UncertainRows()
    with errors_as_exits(), ExitStack() as stack:
        if database is not None:
            if file != "init":
                fail(f"{printable(database)}: give one journal only, not two")
            typer.echo(make_tables(database))
            return
        check_files_differ(
            outputs=outputs.by_option(),
            inputs={
                "--input": input,
                "--secret-file": secret_file,
                "--env-file": env_file,
                "--map-file": map_file,
            },
            journal=file_of(file),
        )
        if file == "init":
            fail("init needs the database: contactsdk journal init postgresql://...")
        recorded = journal_at(file, run)
        found: CheckedInput | None = None
        if input is None:
            check_output_names(outputs, None)
        else:
            if not (secret := secret_of(secret_file)):
                fail("missing: CONTACTSDK_SECRET (or --secret-file); it is needed for --input")
            names = account_names(url, key, secret_file, can_do_without=True)
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
            source = InputFile(name=input, options=reading)
            found = stack.enter_context(checked(source, outputs))
            check = partial(recorded.check, secret=secret)
            check_recorded(check, recorded.name, found.items, source.shown)
        written = Written.of(outputs)
        opened = stack.enter_context(
            open_outputs(outputs, None if found is None else found.source, resumable=True)
        )
        for result, row in _results(recorded, found, str(input)):
            opened.write(result, row)
            tally.add(result)
            uncertain_rows.add(result)
        look_up = f"This looks them up for you: {again.settle_command(context, file, input)}"
        if input is None:
            look_up += " (add the options with which the import read FILE, such as --map)"
        lines = [
            summary(tally, look_up=look_up),
            *(f"  {printable(line)}" for line in uncertain_rows.lines()),
            *(printable(remark) for remark in recorded.remarks()),
        ]
        typer.echo("\n".join(lines), err=outputs.takes_standard_output)
        stack.close()
        for line in written.lines(tally, has_journal=True):
            typer.echo(printable(line), err=True)


class UncertainRows:
    """Keeps the first 25 uncertain rows, to show each with its message."""

    def __init__(self) -> None:
        self._lines: list[str] = []
        self._more = 0

    def add(self, result: Result) -> None:
        """Keep this row, if it is uncertain and among the first 25."""
        if result.state is not State.UNCERTAIN:
            return
        if len(self._lines) < _SHOWN:
            self._lines.append(f"row {result.row}: {result.message}")
        else:
            self._more += 1

    def lines(self) -> list[str]:
        """A line for each row kept, and a last line if there are more."""
        if not self._more:
            return self._lines
        return [*self._lines, f"and {self._more:,} more; --results FILE writes a line for each row"]


def _results(
    journal: Journal, found: CheckedInput | None, name: str
) -> Iterator[tuple[Result, Row | None]]:
    """The result of each recorded row, and `None`; with an input, of each of its rows, and the row.

    A row of the input that the journal does not have is not started.

    Raises:
        FileError: The journal has another row number at this place than the input.
    """
    records = journal.rows()
    if found is None:
        for recorded in records:
            yield result_of_record(recorded), None
        return
    rows = iter(found.rows)
    recorded_next = next(records, None)
    for index, (line, number, _) in enumerate(found.items):
        row = next(rows, None)
        if recorded_next is None or recorded_next.number != index:
            yield not_started(line, number), row
            continue
        if recorded_next.line not in (None, number):
            raise FileError(
                f"{name}, row {number}: this is not the input that the journal recorded: name the "
                "file that was imported"
            )
        yield result_of_record(recorded_next, line=line), row
        recorded_next = next(records, None)
