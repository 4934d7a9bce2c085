"""What every kind of journal offers to a client, to a run, and to whoever reads it."""

from collections.abc import Iterable, Iterator, Sequence
from typing import Final, Protocol

from contactsdk.journal.identity import Account
from contactsdk.journal.rows import JournalRow
from contactsdk.journal.run import JournalRun
from contactsdk.models import Item

DEFAULT_ATTEMPT_TIMEOUT_S: Final = 30.0
"""The `timeout_s` of a client that has no other."""


class RunJournal(Protocol):
    """What a run needs of its journal."""

    async def open_run(
        self, account: Account, *, attempt_timeout_s: float = DEFAULT_ATTEMPT_TIMEOUT_S
    ) -> JournalRun:
        """Open it for one run of this account, with a client whose attempts take so long at most.

        Raises:
            JournalError: It cannot be used.
        """
        ...


class Journal(RunJournal, Protocol):
    """A durable record of one run, such as a `SqliteJournal` or a `PostgresJournal`."""

    @property
    def name(self) -> str:
        """What messages call it; it holds no password."""
        ...

    async def open_to_settle(
        self, account: Account, *, attempt_timeout_s: float = DEFAULT_ATTEMPT_TIMEOUT_S
    ) -> JournalRun:
        """As `open_run`, to look for what is uncertain and not to send anything.

        Raises:
            JournalError: It cannot be used.
        """
        ...

    def remarks(self) -> Sequence[str]:
        """What else whoever reads it should know, such as that its input is not whole.

        Raises:
            JournalError: It cannot be read.
        """
        ...

    @property
    def resend_uncertain(self) -> bool:
        """Whether uncertain contacts are sent again."""
        ...

    def exists(self) -> bool:
        """Whether there is anything to read.

        Raises:
            JournalError: It cannot be read.
        """
        ...

    def rows(self) -> Iterator[JournalRow]:
        """All that is recorded, in input order.

        Raises:
            JournalError: It cannot be read.
        """
        ...

    def check(self, contacts: Iterable[Item], *, secret: str) -> None:
        """See that this whole input is the recorded one, given the account's secret.

        Raises:
            JournalError: It is not, and `number` is the index of the first item that differs; or
                it cannot be read.
        """
        ...

    def check_account(self, contacts: Iterable[Item], account: Account) -> None:
        """See that a run of this account on this whole input would go on with what is recorded.

        Raises:
            JournalError: It would not; `number` is the index of the first item that differs.
        """
        ...
