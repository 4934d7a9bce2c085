"""Contacts through a client, and what became of each to whoever keeps count of it."""

from collections.abc import AsyncIterable, AsyncIterator, Callable, Iterable
from typing import Final

from attrs import frozen

from contactsdk.bulk import OnProgress, Outcome
from contactsdk.cli.feed import Feed, FileFeed, PipeFeed
from contactsdk.cli.interruption import Interruption
from contactsdk.cli.report import Tally
from contactsdk.client import ContactClient
from contactsdk.errors import InvalidContactError
from contactsdk.files import (
    FileError,
    Input,
    Outputs,
    Result,
    Row,
    State,
    not_started,
    result_of,
)
from contactsdk.journal import SqliteJournal
from contactsdk.models import Item

# What a pipe still holds is there at once; a silent one is not waited for after a second Ctrl-C.
_REST_S: Final = 1.0


@frozen
class Ending:
    """How a run ended: `stopped_by` is what stopped it early, `None` where nothing did.

    `unread` says that there may be more of the input than was told of.
    """

    stopped_by: Exception | None = None
    interrupted: bool = False
    unread: bool = False

    @property
    def reason(self) -> str | None:
        """Why it ended before its input did; `None` where it did not."""
        if self.stopped_by is None and not self.interrupted:
            return None
        why = "interrupted" if self.stopped_by is None else str(self.stopped_by)
        return f"{why} (the rest of the input was not read)" if self.unread else why


async def send(
    client: ContactClient,
    items: Iterable[Item] | AsyncIterable[Item],
    take: Callable[[Outcome], None],
    interruption: Interruption,
    *,
    concurrency: int,
    rate_per_s: float | None = None,
    give_up_s: float = 300.0,
    journal: SqliteJournal | None = None,
    on_progress: OnProgress,
) -> Exception | None:
    """Give `take` the outcome of every item that is read, interrupted or not.

    Returns what stopped the run before its input ended, `None` where nothing did.

    Raises:
        ValueError: `concurrency`, `rate_per_s` or `give_up_s` is out of its range.
        JournalError: The journal cannot be used.
    """

    async def take_all() -> None:
        while (outcome := await outcomes.next()) is not None:
            take(outcome)

    async with client.stream(
        items,
        concurrency=concurrency,
        rate_per_s=rate_per_s,
        give_up_s=give_up_s,
        journal=journal,
        on_progress=on_progress,
    ) as outcomes:
        await interruption.guard(take_all())
    for outcome in outcomes.undelivered:
        take(outcome)
    return outcomes.stopped_by


async def import_rows(
    client: ContactClient,
    source: Input,
    record: Callable[[Row, Result], None],
    *,
    piped: bool,
    record_rest: bool,
    concurrency: int,
    rate_per_s: float | None,
    give_up_s: float,
    journal: SqliteJournal | None,
    on_progress: OnProgress,
    lines: dict[int, int],
    on_interrupt: Callable[[], None],
) -> Ending:
    """Send every row of `source`, `record` what became of it, and close the client.

    `piped` says that reading a row may have to wait. With `record_rest`, a run that ends early also
    reads the rest of its input, to record that none of it was started. `lines` holds the line of
    each contact in flight, by its number.

    Raises:
        ValueError: `concurrency`, `rate_per_s` or `give_up_s` is out of its range.
        JournalError: The journal cannot be used.
    """
    feed: Feed = PipeFeed(source) if piped else FileFeed(source)
    held: dict[int, Row] = {}

    async def items() -> AsyncIterator[Item]:
        index = 0
        while not interruption.happened and (row := await feed.next()) is not None:
            held[index] = row
            lines[index] = row.line
            yield source.item(row)
            index += 1

    def take(outcome: Outcome) -> None:
        row = held.pop(outcome.index)
        del lines[outcome.index]
        record(row, result_of(row.line, outcome))

    async def leave_out_rest() -> None:
        while not feed.exhausted:
            if (row := await feed.next()) is not None:
                record(row, not_started(row.line))

    def stop_reading() -> None:
        feed.wake()
        on_interrupt()

    with Interruption(stop_reading) as interruption:
        async with client:
            stopped_by = await send(
                client,
                items(),
                take,
                interruption,
                concurrency=concurrency,
                rate_per_s=rate_per_s,
                give_up_s=give_up_s,
                journal=journal,
                on_progress=on_progress,
            )
        if record_rest:
            try:
                await interruption.guard(leave_out_rest(), least_s=_REST_S)
            except FileError as exc:
                stopped_by = stopped_by or exc
    return Ending(stopped_by, interruption.happened, unread=not feed.exhausted)


def check_rows(source: Input, outputs: Outputs, tally: Tally) -> None:
    """Tell of every row whether it makes a valid contact; send nothing.

    Raises:
        FileError: The input cannot be read on.
    """
    for row in source:
        item = source.item(row)
        if isinstance(item, InvalidContactError):
            result = Result(line=row.line, state=State.FAILED, message=item.message, refused=True)
            outputs.write(row, result)
        else:
            result = Result(line=row.line, state=State.NOT_STARTED, message="valid; a dry run")
            # Not among the rejects: nothing is to be corrected.
            if outputs.results is not None:
                outputs.results.write(result)
        tally.add(result)
