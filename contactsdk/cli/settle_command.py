"""`contactsdk settle`."""

import asyncio
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import Annotated, Final

import typer

from contactsdk.bulk import Outcome
from contactsdk.cli import again
from contactsdk.cli.account import client_of
from contactsdk.cli.account_names import account_names
from contactsdk.cli.advice import with_advice
from contactsdk.cli.checking import CheckedInput, InputFile, checked
from contactsdk.cli.env_file import EnvFile
from contactsdk.cli.exits import Exit, errors_as_exits, fail
from contactsdk.cli.journal_place import Run, file_of, journal_at
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
from contactsdk.cli.prompt import answer_is_yes, drop_typed_ahead, is_terminal
from contactsdk.cli.recorded import check_recorded
from contactsdk.cli.summary import Tally
from contactsdk.cli.text import printable
from contactsdk.cli.written_files import Written
from contactsdk.client import ContactClient
from contactsdk.errors import ContactError
from contactsdk.files import OutputNames, check_files_differ, input_options, open_outputs, result_of
from contactsdk.journal import Journal
from contactsdk.journal import State as JournalState
from contactsdk.models import Item

_SHOWN: Final = 25
_UNCERTAIN: Final = (JournalState.SENT, JournalState.UNCERTAIN)


def settle(
    context: typer.Context,
    file: Annotated[
        str, typer.Argument(metavar="FILE|URL", help="A journal of `contactsdk import`.")
    ],
    input: Annotated[
        str,
        typer.Option(help="The file that was imported; repeat the options with which it was read."),
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
    uncertain: Annotated[
        str | None, typer.Option(help="Write the rows that are still uncertain to this file.")
    ] = None,
    run: Run = None,
    yes: Annotated[
        bool, typer.Option("--yes", help="Do not ask before recording what was found.")
    ] = False,
) -> None:
    """Look for the uncertain rows of an import on the platform, and record those that are there.

    Nothing is sent again. In a terminal, the command shows what it found, and asks you before it
    records that. Wait a minute or so after the import: the platform's lists may show new contacts
    late.

    Exit code: 0 no row is uncertain any longer, 1 some still are, 2 wrong use or unreadable input,
    3 contacts cannot be looked up or you said no, 130 interrupted.
    """
    outputs = OutputNames(uncertain=uncertain)
    with errors_as_exits():
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
        recorded = journal_at(file, run)
        if not recorded.exists():
            fail(f"{recorded.name}: there is no such journal: name the one of the import")
        names = account_names(url, key, secret_file)
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
        client = client_of(url, key, secret_file)
        code = _settle_rows(
            source,
            outputs,
            client,
            recorded,
            is_asked=not yes,
            write_ids=again.merged_command(context, file, input),
        )
        raise typer.Exit(code)


def _settle_rows(
    source: InputFile,
    outputs: OutputNames,
    client: ContactClient,
    journal: Journal,
    *,
    is_asked: bool,
    write_ids: str,
) -> Exit:
    written = Written.of(outputs)
    with checked(source, outputs) as found, open_outputs(outputs, found.source) as opened:
        check = partial(client.check_journal, journal)
        check_recorded(check, journal.name, found.items, source.shown)
        rows = _Rows(found)
        confirm = _Confirmation(rows, is_asked=is_asked)
        if any(row.state in _UNCERTAIN for row in journal.rows()):
            typer.echo("Looking for the uncertain rows on the platform ...", err=True)
        try:
            outcomes = asyncio.run(_settled(client, journal, rows.items, confirm))
        except ContactError as error:
            fail(f"contacts cannot be looked up: {with_advice(error)}", Exit.STOPPED)
        if not confirm.is_given:
            fail("nothing was recorded", Exit.STOPPED)
        left = {outcome.index: outcome for outcome in outcomes if not outcome.ok}
        written_back = iter(found.rows)
        tally = Tally()
        for index, (line, number, _) in enumerate(found.items):
            row = next(written_back, None)
            if index in left:
                result = result_of(line, number, left[index])
                opened.write(result, row)
                tally.add(result)
        typer.echo(_summary(outcomes), err=outputs.takes_standard_output)
        if len(left) < len(outcomes):
            typer.echo(f"To write the ids that were found: {printable(write_ids)}", err=True)
    for text in written.lines(tally, has_journal=True):
        typer.echo(printable(text), err=True)
    return Exit.SOME_FAILED if left else Exit.OK


async def _settled(
    client: ContactClient,
    journal: Journal,
    items: Iterator[Item],
    confirm: Callable[[Sequence[Outcome]], bool],
) -> tuple[Outcome, ...]:
    async with client:
        return await client.settle(journal, items, confirm=confirm)


class _Rows:
    """Gives the items of an input, and remembers the row number of each."""

    def __init__(self, found: CheckedInput) -> None:
        self._found = found
        self._numbers: list[int] = []

    @property
    def items(self) -> Iterator[Item]:
        """The contact of each row, or what is wrong with it, in order; to be read once."""
        for _, number, item in self._found.items:
            self._numbers.append(number)
            yield item

    def number(self, outcome: Outcome) -> int:
        """The number of the row that an outcome is about."""
        return self._numbers[outcome.index]


class _Confirmation:
    """Shows what was found, and asks whether to record it."""

    def __init__(self, rows: _Rows, *, is_asked: bool) -> None:
        self.is_given = True
        """Whether what was found is to be recorded."""
        self._rows = rows
        self._is_asked = is_asked

    def __call__(self, outcomes: Sequence[Outcome]) -> bool:
        for outcome in outcomes[:_SHOWN]:
            what = f"found, id {outcome.id}" if outcome.ok else printable(outcome.message)
            typer.echo(f"row {self._rows.number(outcome)}: {what}", err=True)
        if len(outcomes) > _SHOWN:
            typer.echo(f"and {len(outcomes) - _SHOWN:,} more", err=True)
        if self._is_asked and is_terminal() and any(outcome.ok for outcome in outcomes):
            drop_typed_ahead()
            self.is_given = answer_is_yes("Record what was found? [y/N] ")
        return self.is_given


def _summary(outcomes: Sequence[Outcome]) -> str:
    found = sum(outcome.ok for outcome in outcomes)
    left = len(outcomes) - found
    if not outcomes:
        return "No row is uncertain."
    text = f"{found:,} were uncertain and then found; {left:,} are still uncertain."
    if left:
        text += " Look those up yourself before you import them again, or there may be two of each."
    return text
