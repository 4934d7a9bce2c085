"""What a journal has to keep rows in: the interface of every store, and the row it keeps."""

from collections.abc import Collection, Mapping, Sequence
from typing import Final, NamedTuple, Protocol

from contactsdk.journal.rows import JournalRow, State, unpack_error

PAGE_NUMBERS: Final = 1000
"""How many numbers of the input a page of rows spans: page 2 has the rows 2000 to 2999."""


class LeaseLapsedError(Exception):
    """The lease of the run has ended, or may have; nothing was sent.

    That says nothing of the platform or of the contact, which may be sent once the lease is
    extended; if another process has it, the next write says so.
    """


class StoredRow(NamedTuple):
    """A row as a store keeps it.

    It is a tuple because databases take and give tuples, two for each contact that is sent.
    """

    number: int
    """Its place in the input, from 0."""
    line: int | None
    """Its line in a file; `None` where the input was not a file.

    In a journal of `contactsdk import`, it is the row number that a spreadsheet shows."""
    digest: bytes
    """Digest of the item, 16 bytes."""
    key: bytes | None
    """Digest of `key_of(contact)` (not the API key), 16 bytes; `None` if the item is not a contact.
    """
    state: str
    """The value of a `State`."""
    id: int | None
    """The platform's id."""
    error: bytes | None
    """As `pack_error` gives it."""
    attempts: int
    """How many attempts were made for it, those included that sent nothing."""
    settled: bool
    """Whether it succeeded by a look-up."""
    batch_id: str | None
    """The platform's id of the batch it was sent with."""
    batch_position: int | None
    """Its place in that batch, from 0."""
    id_floor: int = 0
    """The highest id that the platform had answered before the contact was first sent."""
    content: bytes | None = None
    """What is sent, for a store that keeps contacts until they are done; never read back."""

    def __repr__(self) -> str:
        return f"StoredRow(number={self.number}, state={self.state!r})"

    def public(self) -> JournalRow:
        """The row as it is shown to whoever reads the journal."""
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
    """The rows of one journal, which one run has to itself from opening to closing.

    What `JournalRun` needs of it; it decides nothing about a row. Each method raises a
    `JournalError` where the store cannot do what it is asked to, or is no longer the run's.
    """

    @property
    def name(self) -> str:
        """What messages call this journal; it holds no password."""
        ...

    @property
    def salt(self) -> bytes:
        """Random bytes of this journal's own, which all its digests depend on."""
        ...

    @property
    def account(self) -> bytes:
        """Digest of the account whose contacts are recorded."""
        ...

    @property
    def end(self) -> int:
        """One more than the last number that was recorded when it was opened; 0 for no rows."""
        ...

    @property
    def highest_id(self) -> int:
        """The highest id that is recorded in rows which this run does not read; 0 for none."""
        ...

    @property
    def renew_every_s(self) -> float | None:
        """How often `write` is to be called at least, if only without rows; `None` for never."""
        ...

    def check_may_send(self) -> None:
        """See that nobody else can have taken the run over so far.

        It is called right before a contact is handed to a connection, and waits for nothing.

        Raises:
            LeaseLapsedError: Somebody may have; the contact must not be sent now.
        """
        ...

    async def may_be_applied(self) -> bool:
        """Whether any recorded contact is, or may be, applied."""
        ...

    async def begin_anew(self, account: bytes) -> None:
        """Forget all rows, and record those of another account from now on."""
        ...

    async def read_page(self, page: int) -> Sequence[StoredRow]:
        """The rows of a page, in input order; numbers that were never recorded are left out."""
        ...

    def in_flight_s(self, number: int) -> float:
        """For how many more seconds a request of an older owner may be applied for this row.

        0 where none can be. It is known of the rows that the last `read_page` returned.
        """
        ...

    async def last_sent(self, keys: Collection[bytes]) -> Mapping[bytes, int]:
        """The last number of each key whose row is not one of `UNSENT`, as earlier runs left it.

        Keys without such a row are left out.
        """
        ...

    async def uncertain_among(self, keys: Collection[bytes]) -> Collection[bytes]:
        """Which of these keys have uncertain rows that this run does not read."""
        ...

    async def write(self, rows: Sequence[StoredRow]) -> None:
        """Record all of these rows or none, in place of older ones of the same numbers.

        They are durable when it returns. No number comes twice.
        """
        ...

    async def close(self, rows: Sequence[StoredRow]) -> None:
        """Record these last rows, and release the journal, even if they cannot be recorded."""
        ...
