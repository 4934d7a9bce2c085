"""A run that was submitted, as whoever submitted it, or anybody else, watches and stops it."""

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
"""Why a run is stopped that `SubmittedRun.stop` has stopped."""

_ROWS_AT_A_TIME: Final = 2000
_WAIT_S: Final = 0.5


@frozen(kw_only=True)
class RunProgress:
    """How far a submitted run has come."""

    read: int
    """How many items of the input are in the database."""
    succeeded: int
    """How many contacts were added or updated."""
    failed: int
    """How many were refused or are invalid, which is final."""
    uncertain: int
    """How many may or may not have been applied."""
    not_applied: int
    """How many were tried as often as the policy says and were not applied; `resume` tries again.
    """
    workers: int
    """How many workers send it now."""
    is_sealed: bool
    """Whether the whole input is in the database; only then it is sent."""
    stopped_for: str | None
    """Why it was stopped; `None` where it was not."""
    partitions: int
    """Into how many parts it is divided."""

    @property
    def open(self) -> int:
        """How many wait to be sent, or are in flight."""
        ended = self.succeeded + self.failed + self.uncertain + self.not_applied
        return self.read - ended

    @property
    def is_done(self) -> bool:
        """Whether all of the input has its outcome."""
        return self.is_sealed and not self.open


class SubmittedRun:
    """A run that was submitted to a database, by this process or by another.

    `await client.submit(...)` returns one; `SubmittedRun(journal)` is that of a run that was
    submitted earlier. Nothing is connected between calls, so it need not be closed. Each method
    raises a `JournalError` where there is no such run, or the database cannot be used.
    """

    def __init__(self, journal: PostgresJournal) -> None:
        self.journal = journal
        """The journal that it was submitted to."""

    def __repr__(self) -> str:
        return f"SubmittedRun({self.journal!r})"

    async def settings(self) -> RunSettings:
        """How it is to be sent."""
        return await self._ask(lambda c: RunSettings.from_json(self._options(c)))

    async def progress(self) -> RunProgress:
        """How far it has come."""

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
        """Its rows in input order, of one state or of all, each as it is when it is read."""
        after = -1
        while page := await self._ask(partial(self._page, state=state, after=after)):
            for row in page:
                yield row.public()
            after = page[-1].number

    async def wait(
        self, *, sleep: Callable[[float], Awaitable[object]] = asyncio.sleep
    ) -> RunProgress:
        """Wait until it is done, or stopped."""
        while True:
            progress = await self.progress()
            if progress.is_done or progress.stopped_for is not None:
                return progress
            await sleep(_WAIT_S)

    async def stop(self, reason: str = STOPPED) -> None:
        """Have all workers stop it gently: what is in flight is finished, nothing more is sent."""
        query = submitted.stop_run(self.journal.database)
        values = {"name": self.journal.run, "reason": reason}

        def stop(connection: Connection) -> None:
            self._options(connection)
            connection.execute(query, values)

        await self._ask(stop)

    async def resume(self) -> None:
        """Have it sent again after it was stopped, and what was not applied tried again."""
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
        """The options with which it was submitted."""
        query = submitted.find_submitted(self.journal.database)
        found = connection.execute(query, {"name": self.journal.run}).fetchone()
        if found is None or found[6] is None:
            raise self._not_submitted()
        options: dict[str, Any] = found[6]
        return options

    async def _ask(self, step: Callable[[Connection], _T]) -> _T:
        """Do something with a connection of its own, in a thread."""
        return await asyncio.to_thread(self._asked, step)

    def _asked(self, step: Callable[[Connection], _T]) -> _T:
        database = self.journal.database
        with errors_of(self.journal.name), database.connect() as connection:
            if not is_ready(connection, database):
                raise self._not_submitted()
            return step(connection)

    def _not_submitted(self) -> JournalError:
        return JournalError(f"{self.journal.name}: no such run was submitted")
