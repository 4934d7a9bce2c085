"""The interfaces of a journal: for a run, for a client, and for programs that read it."""

from collections.abc import Iterable, Iterator, Sequence
from typing import Final, Protocol

from contactsdk.journal.identity import Account
from contactsdk.journal.rows import JournalRow
from contactsdk.journal.run import JournalRun
from contactsdk.models import Item

DEFAULT_ATTEMPT_TIMEOUT_S: Final = 30.0
"""The default `timeout_s` of a client, in seconds."""


class RunJournal(Protocol):
    """The part of a journal that a run uses."""

    async def open_run(
        self, account: Account, *, attempt_timeout_s: float = DEFAULT_ATTEMPT_TIMEOUT_S
    ) -> JournalRun:
        """Open the journal for one run of this account.

        `attempt_timeout_s` is the longest time that one attempt of the client may take.

        Raises:
            JournalError: The journal cannot be used.
        """
        ...


class Journal(RunJournal, Protocol):
    """A durable record of one run, such as a `SqliteJournal` or a `PostgresJournal`."""

    @property
    def name(self) -> str:
        """The name of the journal in messages; it holds no password."""
        ...

    async def open_to_settle(
        self, account: Account, *, attempt_timeout_s: float = DEFAULT_ATTEMPT_TIMEOUT_S
    ) -> JournalRun:
        """Like `open_run`, for settling: uncertain contacts are looked up, and nothing is sent.

        Raises:
            JournalError: The journal cannot be used.
        """
        ...

    def remarks(self) -> Sequence[str]:
        """Sentences that a reader of the rows should know, such as that the input is not complete.

        Raises:
            JournalError: The journal cannot be read.
        """
        ...

    @property
    def resend_uncertain(self) -> bool:
        """Whether uncertain contacts are sent again."""
        ...

    def exists(self) -> bool:
        """Whether the journal exists.

        Raises:
            JournalError: The journal cannot be read.
        """
        ...

    def rows(self) -> Iterator[JournalRow]:
        """All recorded rows, in input order.

        Raises:
            JournalError: The journal cannot be read.
        """
        ...

    def check(self, contacts: Iterable[Item], *, secret: str) -> None:
        """Check that this is the recorded input; `secret` is the account's.

        Raises:
            JournalError: An item differs or is missing, and `number` is its index; or the journal
                cannot be read.
        """
        ...

    def check_account(self, contacts: Iterable[Item], account: Account) -> None:
        """Check that this account could continue the recorded run with this input.

        Raises:
            JournalError: It could not. If an item differs or is missing, `number` is its index.
        """
        ...
