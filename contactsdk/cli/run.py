"""Sends contacts through a client and reports the result of each."""

from collections.abc import AsyncIterable, Callable, Iterable, Iterator
from typing import TYPE_CHECKING, Final

from attrs import Factory, frozen

from contactsdk.bulk import OnProgress, Outcome
from contactsdk.bulk.options import DEFAULT_GIVE_UP_S
from contactsdk.cli.advice import is_refused_here, with_advice
from contactsdk.cli.checking import NumberedItem
from contactsdk.cli.in_order import InOrder
from contactsdk.cli.interruption import Interruption
from contactsdk.cli.spool import Spool
from contactsdk.client import ContactClient
from contactsdk.errors import ContactError, SetupError
from contactsdk.files import Result, not_started, result_of
from contactsdk.journal.sqlite import SqliteJournal
from contactsdk.models import Item

if TYPE_CHECKING:  # at run time it needs an extra
    from contactsdk.journal.postgres import PostgresJournal

PING_S: Final = 5.0
"""For how many seconds the platform is pinged before contacts are sent."""

_NO_MORE: Final = (0, (0, 0, None))


@frozen
class Ending:
    """How a run ended."""

    stopped_by: Exception | None = None
    """The error that stopped the run before its input ended; `None` if no error did."""
    interrupted: bool = False
    """Whether a signal stopped the run."""

    @property
    def reason(self) -> str | None:
        """Why the run ended before its input did; `None` if it sent the whole input."""
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
    """The most requests in flight at a time; `None` is the default of `ContactClient.stream`."""
    batch_size: int | None = None
    """The most contacts in one request; `None` sends each contact in a request of its own."""
    rate_per_s: float | None = None
    """The most requests in any second; `None` for no limit."""
    give_up_s: float = DEFAULT_GIVE_UP_S
    """After how many seconds in which the platform accepts nothing the run stops."""
    journal: "SqliteJournal | PostgresJournal | None" = None
    """The journal that records the run; `None` for none."""
    lines: dict[int, int] = Factory(dict)
    """Position in the input -> row number, for each contact in flight; the journal records it."""
    on_progress: OnProgress | None = None
    """Called with the progress of the run; `None` for nobody."""
    rows: int = 0
    """How many rows the input has."""
    here: bool = False
    """Whether this process sends a run in a database at once, even if workers do as well."""
    worker_within_s: float = 10.0
    """After how many seconds in which no worker sends a run in a database this process sends it."""


async def send(
    client: ContactClient,
    items: Iterable[Item] | AsyncIterable[Item],
    take: Callable[[Outcome], None],
    interruption: Interruption,
    sending: Sending,
    must_stop: Callable[[], bool] = lambda: False,
) -> Exception | None:
    """Send `items`, and give `take` the outcome of every item that was read, even if interrupted.

    `must_stop` is asked after each outcome; once it is true, the run finishes what is in flight and
    ends.

    Returns the error that stopped the run before its input ended; `None` if none did.

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
    """Send every row of an input, give `record` the result of each, and close the client.

    `begin` is called right before the first row is taken; a journal is open and locked by then.
    Results are recorded in the order of the rows, each as soon as all earlier ones are known. If
    the run ends early, the remaining rows are recorded as not started. `must_stop` is asked after
    each result; once it is true, the run ends early. `on_interrupt` is called at the first signal.

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
            lines[index] = number  # so the journal has the same row numbers as all messages
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


async def find_wrong_setup(client: ContactClient) -> ContactError | None:
    """Ping the platform, and return the error if the address or the way to it is wrong.

    So a wrong set-up is found before any contact is sent: also an address of this machine at which
    nothing listens, since a sandbox that was not started is no outage to wait for. `None` if
    nothing is wrong, and also if the platform itself refuses the ping, since a key may have the
    right to add contacts and none to ping, or if the platform is not available. In these cases the
    first contact is sent alone.
    """
    try:
        await client.ping(deadline_s=PING_S)
    except SetupError as error:
        return error if error.error_code is None else None
    except ContactError as error:
        return error if is_refused_here(error) else None
    return None
