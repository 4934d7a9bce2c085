"""Journals for the tests: an account, a run with something that writes, and a store in memory."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Collection, Mapping, Sequence
from typing import Any

from attrs import define, field

from contactsdk import InvalidContactError, JournalError, SqliteJournal
from contactsdk.journal import Account, JournalRun, State
from contactsdk.journal.store import PAGE_NUMBERS, StoredRow
from tests.examples import a_contact

ACCOUNT = Account(url="https://api.example.com", key="key", secret="secret")
FIRST, SECOND = a_contact(), a_contact(email="second@example.com")
WRONG = InvalidContactError([(("email",), "must be a valid email address")])


@contextlib.asynccontextmanager
async def writing(run: JournalRun) -> AsyncIterator[JournalRun]:
    """This run, with something that writes; it is closed at the end."""
    writer = asyncio.create_task(run.write_loop())
    try:
        yield run
    finally:
        writer.cancel()
        await run.close()


@contextlib.asynccontextmanager
async def running(path: str, *, first: int | None = 0, **options: Any) -> AsyncIterator[JournalRun]:
    """A run on this file, with the rows from `first` on at hand."""
    run = await SqliteJournal(path, **options).open_run(ACCOUNT)
    async with writing(run):
        if first is not None:
            await run.load(first)
        yield run


@define
class MemoryStore:
    """A store that is no file: what the rules of a run may rely on, and nothing else."""

    name: str = "memory"
    salt: bytes = b"salt"
    account: bytes = b""
    rows: dict[int, StoredRow] = field(factory=dict)
    end: int = 0
    groups: list[list[int]] = field(factory=list)
    pages_read: list[int] = field(factory=list)
    error: JournalError | None = None
    is_closed: bool = False

    renew_every_s: float | None = None
    highest_id: int = 0
    uncertain_keys: set[bytes] = field(factory=set)
    in_flight_left_s: dict[int, float] = field(factory=dict)

    def check_may_send(self) -> None:
        pass  # nothing else uses it

    async def may_be_applied(self) -> bool:
        held = {State.SENT, State.SUCCEEDED, State.UNCERTAIN}
        return any(row.state in held for row in self.rows.values())

    async def restart(self, account: bytes) -> None:
        self.account, self.rows, self.end = account, {}, 0

    async def read_page(self, page: int) -> Sequence[StoredRow]:
        self.pages_read.append(page)
        return [row for _, row in sorted(self.rows.items()) if row.number // PAGE_NUMBERS == page]

    def number_in_input(self, number: int) -> int:
        return number

    def in_flight_s(self, number: int) -> float:
        return self.in_flight_left_s.get(number, 0.0)

    async def last_sent(self, keys: Collection[bytes]) -> Mapping[bytes, int]:
        sent = [row for _, row in sorted(self.rows.items()) if row.state != State.NOT_APPLIED]
        return {row.key: row.number for row in sent if row.key is not None and row.key in keys}

    async def uncertain_among(self, keys: Collection[bytes]) -> Collection[bytes]:
        return self.uncertain_keys & set(keys)

    async def write(self, rows: Sequence[StoredRow]) -> None:
        if self.error is not None:
            raise self.error
        self.groups.append([row.number for row in rows])
        self.rows.update((row.number, row) for row in rows)

    async def close(self, rows: Sequence[StoredRow]) -> None:
        self.is_closed = True
        await self.write(rows)

    def reopened(self) -> "MemoryStore":
        """As the next run finds it."""
        end = max(self.rows, default=-1) + 1
        return MemoryStore(salt=self.salt, account=self.account, rows=dict(self.rows), end=end)
