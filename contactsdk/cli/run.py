"""Contacts through a client, and what became of each to whoever keeps count of it."""

from collections.abc import AsyncIterable, Callable, Iterable, Iterator
from typing import TYPE_CHECKING, Final

from attrs import Factory, frozen

from contactsdk.bulk import OnProgress, Outcome
from contactsdk.bulk.options import DEFAULT_GIVE_UP_S
from contactsdk.cli.advice import with_advice
from contactsdk.cli.checking import NumberedItem
from contactsdk.cli.in_order import InOrder
from contactsdk.cli.interruption import Interruption
from contactsdk.cli.spool import Spool
from contactsdk.client import ContactClient
from contactsdk.errors import ContactError, SetupError
from contactsdk.files import Result, not_started, result_of
from contactsdk.journal import SqliteJournal
from contactsdk.models import Item

if TYPE_CHECKING:  # at run time it needs an extra
    from contactsdk.journal.postgres import PostgresJournal

_PING_S: Final = 5.0

_NO_MORE: Final = (0, (0, 0, None))


@frozen
class Ending:
    """How a run ended."""

    stopped_by: Exception | None = None
    """What stopped it before its input ended; `None` where nothing did."""
    interrupted: bool = False
    """Whether a signal stopped it."""

    @property
    def reason(self) -> str | None:
        """Why it ended before its input did; `None` where it did not."""
        if self.stopped_by is not None:
            return str(self.stopped_by)
        return "interrupted" if self.interrupted else None

    @property
    def advice(self) -> str | None:
        """The reason, and what a person at a command line can do about it."""
        if isinstance(self.stopped_by, ContactError):
            return with_advice(self.stopped_by)
        return self.reason


@frozen(kw_only=True)
class Sending:
    """How contacts are sent; see the options of `ContactClient.stream`."""

    concurrency: int | None = None
    """Requests in flight at a time."""
    batch_size: int | None = None
    """Contacts in one request."""
    rate_per_s: float | None = None
    """Requests in any second, at most."""
    give_up_s: float = DEFAULT_GIVE_UP_S
    """How long a platform that does not answer is tried."""
    journal: "SqliteJournal | PostgresJournal | None" = None
    """Where the run is recorded."""
    lines: dict[int, int] = Factory(dict)
    """The row number of each contact in flight, by its place in the input, for the journal."""
    on_progress: OnProgress | None = None
    """Called with the progress of the run."""
    rows: int = 0
    """How many rows the input has."""
    here: bool = False
    """Whether this process sends a run in a database at once, and not only where no worker does."""
    worker_within_s: float = 10.0
    """For how many seconds nobody may send a run in a database, until this process does."""


async def send(
    client: ContactClient,
    items: Iterable[Item] | AsyncIterable[Item],
    take: Callable[[Outcome], None],
    interruption: Interruption,
    sending: Sending,
    must_stop: Callable[[], bool] = lambda: False,
) -> Exception | None:
    """Give `take` the outcome of every item that is read, interrupted or not.

    The run is stopped gently once `must_stop` says so.

    Returns what stopped the run before its input ended, `None` where nothing did.

    Raises:
        ValueError: An option is out of its range.
        JournalError: The journal cannot be used.
    """

    async def take_all() -> None:
        while (outcome := await outcomes.next()) is not None:
            take(outcome)
            if must_stop():
                outcomes.stop()

    async with client.stream(
        items,
        concurrency=sending.concurrency,
        batch_size=sending.batch_size,
        rate_per_s=sending.rate_per_s,
        give_up_s=sending.give_up_s,
        journal=sending.journal,
        on_progress=sending.on_progress,
    ) as outcomes:
        await interruption.guard(take_all())
    for outcome in outcomes.undelivered:
        take(outcome)
    return outcomes.stopped_by


async def import_rows(
    client: ContactClient,
    numbered: Iterable[NumberedItem],
    record: Callable[[Result], None],
    begin: Callable[[], None],
    sending: Sending,
    on_interrupt: Callable[[], None],
    must_stop: Callable[[], bool] = lambda: False,
) -> Ending:
    """Send every row of an input, `record` what became of each, and close the client.

    `begin` is called once nothing can be in the way of sending any more: the journal, if there is
    one, is locked then. Results are recorded in the order of the rows, each as soon as all before
    it are known; a run that ends early also records that the rest was not started. The run ends
    early, too, once `must_stop` says so, which is asked after each result.

    Raises:
        ValueError: An option is out of its range.
        JournalError: The journal cannot be used.
    """
    lines = sending.lines
    numbers: dict[int, tuple[int, int]] = {}  # line and number of the rows in flight
    rows = enumerate(numbered)

    def items() -> Iterator[Item]:
        begin()
        while not interruption.happened:
            index, (line, number, item) = next(rows, _NO_MORE)
            if item is None:
                return
            numbers[index] = line, number
            # As the rows of an input are numbered everywhere else.
            lines[index] = number
            yield item

    with Spool[tuple[int, Result]]() as spool, Interruption(on_interrupt) as interruption:
        in_order = InOrder(record, spool)

        def take(outcome: Outcome) -> None:
            line, number = numbers.pop(outcome.index)
            lines.pop(outcome.index, None)
            in_order.put(outcome.index, result_of(line, number, outcome))

        async with client:
            stopped_by: Exception | None = await find_wrong_setup(client)
            if stopped_by is None:
                stopped_by = await send(client, items(), take, interruption, sending, must_stop)
        for index, (line, number, _) in rows:
            in_order.put(index, not_started(line, number))
    return Ending(stopped_by, interruption.happened)


async def find_wrong_setup(client: ContactClient) -> SetupError | None:
    """What is wrong with the address or the way to it, so that no contact has to find it.

    What the platform itself refuses is passed over: a key may have no right to ping and yet to add
    contacts. The first contact then goes alone. So does it where the platform is away for now.
    """
    try:
        await client.ping(deadline_s=_PING_S)
    except SetupError as error:
        return error if error.error_code is None else None
    except ContactError:
        return None
    return None
