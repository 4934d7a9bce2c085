"""The interface of the stores that keep a journal's rows, and the row as a store keeps it."""

from collections.abc import Collection, Mapping, Sequence
from typing import Final, NamedTuple, Protocol

from contactsdk.journal.rows import JournalRow, State, unpack_error

PAGE_NUMBERS: Final = 1000
"""How many numbers of the input one page spans: page 2 has the rows 2000 to 2999."""


class LeaseLapsedError(Exception):
    """The lease of the run has ended or may have ended, so the contact was not sent.

    This is no fault of the platform or of the contact. The contact may be sent when the lease has
    been extended. If another process has taken the lease, the next write raises a `JournalError`.
    """


class StoredRow(NamedTuple):
    """A row as a store keeps it.

    It is a tuple because databases read and write tuples, and each contact is written twice.
    """

    number: int
    """The place of the item in the input, from 0."""
    line: int | None
    """The line of the item in its file; `None` if no line is recorded.

    In a journal of `contactsdk import`, it is the row number that a spreadsheet shows."""
    digest: bytes
    """The digest of the item, 16 bytes."""
    key: bytes | None
    """The digest of `key_of(contact)` (not of the API key), 16 bytes; `None` if the item is not a
    contact."""
    state: str
    """The value of a `State`."""
    id: int | None
    """The platform's id of the contact; `None` unless it has succeeded."""
    error: bytes | None
    """The error as `pack_error` returns it; `None` if there is none."""
    attempts: int
    """How many attempts were made, including those that sent nothing."""
    settled: bool
    """Whether a look-up found the contact on the platform."""
    batch_id: str | None
    """The platform's id of the batch that had the contact; `None` if it was sent alone."""
    batch_position: int | None
    """The place of the contact in that batch, from 0; `None` if it was sent alone."""
    id_floor: int = 0
    """The highest id that the platform had answered before the contact was first sent."""
    content: bytes | None = None
    """The JSON body of the contact, for a store that keeps it until the contact has an outcome.
    `None` if the store does not keep it or it was not read."""

    def __repr__(self) -> str:
        return f"StoredRow(number={self.number}, state={self.state!r})"

    def public(self) -> JournalRow:
        """The row as readers of the journal get it."""
        return JournalRow(
            number=self.number,
            line=self.line,
            state=State(self.state),
            id=self.id,
            error=unpack_error(self.error),
            attempts=self.attempts,
            settled=bool(self.settled),
            batch_id=self.batch_id,
            batch_position=self.batch_position,
            id_floor=self.id_floor,
        )


class Store(Protocol):
    """The rows of one journal; one run owns the store from opening to closing.

    It is the interface that `JournalRun` uses, and decides nothing about a row. Each method raises
    a `JournalError` if the store cannot do its work, or if the run does not own it any more.

    To add one: implement these methods, then a `Journal` whose `open_run` opens the store and
    passes it to `JournalRun.start`. What matters most: `write` is all or nothing, and durable when
    it returns; a store that may lose its rows to another process refuses in `check_may_send`.
    """

    @property
    def name(self) -> str:
        """The name of the journal in messages; it holds no password."""
        ...

    @property
    def salt(self) -> bytes:
        """Random bytes of this journal; all of its digests depend on them."""
        ...

    @property
    def account(self) -> bytes:
        """The digest of the account whose contacts are recorded."""
        ...

    @property
    def end(self) -> int:
        """One more than the highest number that was recorded at opening; 0 if there are no rows."""
        ...

    @property
    def highest_id(self) -> int:
        """The highest id in the rows that this run does not read; 0 for none."""
        ...

    @property
    def renew_every_s(self) -> float | None:
        """The longest time between two calls of `write`, in seconds; a call without rows counts.

        `None` if the store needs no regular calls.
        """
        ...

    def check_may_send(self) -> None:
        """Check that no other process can have taken the run over.

        It is called right before a contact is handed to a connection, and does not wait.

        Raises:
            LeaseLapsedError: Another process may own the run; the contact must not be sent now.
        """
        ...

    async def may_be_applied(self) -> bool:
        """Whether any recorded contact was applied or may have been applied."""
        ...

    async def restart(self, account: bytes) -> None:
        """Remove all rows; from now on the store belongs to the account with this digest."""
        ...

    async def read_page(self, page: int) -> Sequence[StoredRow]:
        """The rows of a page, in input order; numbers without a row are left out."""
        ...

    def number_in_input(self, number: int) -> int:
        """The number of an item in the whole input; a slice of a run counts only its own items."""
        ...

    def in_flight_s(self, number: int) -> float:
        """For how many more seconds an earlier owner's request for this row may be applied.

        0 if no such request is in flight. Only for rows that the last `read_page` returned.
        """
        ...

    async def last_sent(self, keys: Collection[bytes]) -> Mapping[bytes, int]:
        """For each key, the highest number of a row that earlier runs have sent.

        A row was sent if its state is not one of `UNSENT`. Keys without such a row are left out.
        """
        ...

    async def uncertain_among(self, keys: Collection[bytes]) -> Collection[bytes]:
        """Those of the given keys that have uncertain rows which this run does not read."""
        ...

    async def write(self, rows: Sequence[StoredRow]) -> None:
        """Record all of these rows or none; they replace earlier rows of the same numbers.

        The rows are durable when this returns. Each number occurs once in `rows`.
        """
        ...

    async def close(self, rows: Sequence[StoredRow]) -> None:
        """Record these last rows and release the journal, even if the rows cannot be recorded."""
        ...
