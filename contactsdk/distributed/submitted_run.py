"""A submitted run, for any process that wants to watch it, stop it or resume it."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from functools import partial
from typing import Any, Final, TypeVar

from attrs import frozen

from contactsdk.distributed.settings import RunSettings
from contactsdk.errors import JournalError
from contactsdk.journal import JournalRow, State
from contactsdk.journal import postgres_submitted as submitted
from contactsdk.journal.postgres import PostgresJournal
from contactsdk.journal.postgres_connection import Connection, errors_of
from contactsdk.journal.postgres_schema import is_ready
from contactsdk.journal.store import StoredRow

_T = TypeVar("_T")

STOPPED: Final = "stop() was called"
"""The default reason of `SubmittedRun.stop`."""

_ROWS_AT_A_TIME: Final = 2000
_WAIT_S: Final = 0.5


@frozen(kw_only=True)
class RunProgress:
    """The progress of a submitted run, as counts of its items."""

    read: int
    """How many items of the input are in the database."""
    succeeded: int
    """How many contacts were added or updated."""
    failed: int
    """How many items have failed for good: the contact was refused or is invalid."""
    uncertain: int
    """How many contacts may or may not have been applied."""
    not_applied: int
    """How many contacts were not applied after all attempts of the policy; `SubmittedRun.resume`
    tries them again."""
    workers: int
    """How many workers are sending the run now."""
    is_sealed: bool
    """Whether the whole input is in the database; workers send a run only when it is sealed."""
    stopped_for: str | None
    """Why the run was stopped; `None` if it was not."""
    partitions: int
    """How many partitions the run has."""

    @property
    def open(self) -> int:
        """How many contacts wait to be sent or are in flight."""
        ended = self.succeeded + self.failed + self.uncertain + self.not_applied
        return self.read - ended

    @property
    def is_done(self) -> bool:
        """Whether the run is sealed and each of its items has an outcome."""
        return self.is_sealed and not self.open


class SubmittedRun:
    """A run that was submitted to a database, by this process or by another.

    `await client.submit(...)` returns one. `SubmittedRun(journal)` opens a run that was submitted
    earlier. It keeps no connection between two calls, so there is nothing to close. Each method
    raises a `JournalError` if there is no such run, or if the database cannot be used.
    """

    def __init__(self, journal: PostgresJournal) -> None:
        self.journal = journal
        """The journal that the run was submitted to."""

    def __repr__(self) -> str:
        return f"SubmittedRun({self.journal!r})"

    async def settings(self) -> RunSettings:
        """The settings with which workers send the run."""
        return await self._ask(lambda c: RunSettings.from_json(self._options(c)))

    async def progress(self) -> RunProgress:
        """The progress of the run at this moment."""

        def read(connection: Connection) -> RunProgress:
            found = submitted.progress_of(connection, self.journal.database, self.journal.run)
            if found is None or not found.is_submitted:
                raise self._not_submitted()
            return RunProgress(
                read=found.items,
                succeeded=found.succeeded,
                failed=found.failed,
                uncertain=found.uncertain,
                not_applied=found.not_applied,
                workers=len(found.owners),
                is_sealed=found.is_sealed,
                stopped_for=found.stopped_for,
                partitions=found.partitions,
            )

        return await self._ask(read)

    async def rows(self, state: State | None = None) -> AsyncIterator[JournalRow]:
        """The rows of the run in input order; with `state`, only the rows in that state.

        Rows are read page by page. Workers may change the run meanwhile, so each row is as it was
        when its page was read.
        """
        after = -1
        while page := await self._ask(partial(self._page, state=state, after=after)):
            for row in page:
                yield row.public()
            after = page[-1].number

    async def wait(
        self, *, sleep: Callable[[float], Awaitable[object]] = asyncio.sleep
    ) -> RunProgress:
        """Wait until the run is done or stopped; returns its progress then."""
        while True:
            progress = await self.progress()
            if progress.is_done or progress.stopped_for is not None:
                return progress
            await sleep(_WAIT_S)

    async def stop(self, reason: str = STOPPED) -> None:
        """Stop the run for all workers: they send nothing more, and finish what is in flight.

        `reason` is what `RunProgress.stopped_for` then says.
        """
        query = submitted.stop_run(self.journal.database)
        values = {"name": self.journal.run, "reason": reason}

        def stop(connection: Connection) -> None:
            self._options(connection)
            connection.execute(query, values)

        await self._ask(stop)

    async def resume(self) -> None:
        """Let workers send the run again after a stop, and try its `not_applied` contacts again."""
        database, name = self.journal.database, {"name": self.journal.run}
        statements = (submitted.lock_leases, submitted.reopen_rows, submitted.reopen_run)

        def reopen(connection: Connection) -> None:
            self._options(connection)
            with connection.transaction():
                for statement in statements:
                    connection.execute(statement(database), name)

        await self._ask(reopen)

    def _page(
        self, connection: Connection, *, state: State | None, after: int
    ) -> Sequence[StoredRow]:
        self._options(connection)
        query = submitted.read_rows_of_state(self.journal.database)
        values = {
            "name": self.journal.run,
            "after": after,
            "state": None if state is None else state.value,
            "limit": _ROWS_AT_A_TIME,
        }
        return [StoredRow(*row) for row in connection.execute(query, values, binary=True)]

    def _options(self, connection: Connection) -> dict[str, Any]:
        """The settings of the run, as `RunSettings.to_json` wrote them."""
        query = submitted.find_submitted(self.journal.database)
        found = connection.execute(query, {"name": self.journal.run}).fetchone()
        if found is None or found[6] is None:
            raise self._not_submitted()
        options: dict[str, Any] = found[6]
        return options

    async def _ask(self, step: Callable[[Connection], _T]) -> _T:
        """Call `step` in a thread, with a connection for this one call."""
        return await asyncio.to_thread(self._ask_blocking, step)

    def _ask_blocking(self, step: Callable[[Connection], _T]) -> _T:
        database = self.journal.database
        with errors_of(self.journal.name), database.connect() as connection:
            if not is_ready(connection, database):
                raise self._not_submitted()
            return step(connection)

    def _not_submitted(self) -> JournalError:
        return JournalError(f"{self.journal.name}: no such run was submitted")
