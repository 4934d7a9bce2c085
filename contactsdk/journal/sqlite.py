"""A journal in a SQLite file, as callers hand it to a run and as they read it."""

import os
import sqlite3
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import closing
from os import PathLike, fspath

from contactsdk.journal.identity import Account, Digests, check_input, other_account
from contactsdk.journal.protocol import DEFAULT_ATTEMPT_TIMEOUT_S
from contactsdk.journal.rows import JournalRow
from contactsdk.journal.run import JournalRun
from contactsdk.journal.sqlite_checks import (
    Head,
    check_surroundings,
    errors_of,
    may_be_applied,
    read_head,
    stored,
    verified_pages,
)
from contactsdk.journal.sqlite_file import Durability, open_to_read
from contactsdk.journal.sqlite_store import SqliteStore
from contactsdk.journal.store import StoredRow
from contactsdk.models import Item


class SqliteJournal:
    """Where a bulk run keeps what it sent and what became of it, in a SQLite file of its own.

    Give it to `add_or_update_many` or `stream`; on the same input again, the run goes on where it
    stopped. Successes, rejections, invalid and uncertain contacts are final: their outcome is
    handed back without sending. What was not applied or never started is sent, but for an update
    when a later one of the same contact was sent. What was in flight when the run ended is sent
    again where that is safe, and uncertain otherwise.

    It holds ids and messages, and digests of the contacts that only the account's secret can
    check (without credentials, whoever has the file can try contacts against them). It is bound to
    the input (rows may be appended), to one run at a time, and to the account; but one in which
    nothing is or may be applied, as after a run with a wrong secret, begins anew with another.

    It proves itself whole whenever it is opened; one that lost a row or has another one than was
    recorded is a `JournalError`, and nothing is sent. An older copy of the whole journal cannot be
    told from it: keep none, or give each a name of its own.

    Args:
        path: The file; it is made where there is none. `FILE-journal` beside it belongs to it.
        durability: `"process"` survives the death of the process, and costs little; `"power"`
            survives a power cut too, and waits for the disk at each of its grouped writes. The
            default is `"process"`, where that of a `PostgresJournal` is `"power"`.
        resend_uncertain: Send uncertain contacts again, for those who looked them up: each but one
            that was sent again later in the same input. An add that was applied is doubled.
        line_of: Gives the line of an item in its file, by its number, to be recorded with it; it
            may return `None`. By default (`None`) there are no lines.

    Raises:
        ValueError: `durability` is not `"process"` or `"power"`.
    """

    def __init__(
        self,
        path: str | PathLike[str],
        durability: Durability = "process",
        *,
        resend_uncertain: bool = False,
        line_of: Callable[[int], int | None] | None = None,
    ) -> None:
        if durability not in ("process", "power"):
            raise ValueError(f"durability must be 'process' or 'power', not {durability!r}")
        self.path = fspath(path)
        """The file, as it was given."""
        self.durability: Durability = durability
        """What the journal survives."""
        self.resend_uncertain = resend_uncertain
        """Whether uncertain contacts are sent again."""
        self.line_of = line_of
        """The line of an item in its file, by its number; `None` where there are no lines."""

    @property
    def name(self) -> str:
        """What messages call it: the file, as it was given."""
        return self.path

    def exists(self) -> bool:
        """Whether there is such a file; looking blocks.

        Raises:
            JournalError: There is none, but a side file of it.
        """
        return check_surroundings(self._real_path)

    def rows(self) -> Iterator[JournalRow]:
        """All that is recorded, in input order, once it has proved whole.

        The file is opened to read only, and nothing is changed. No secret is needed for the proof.
        Reading blocks, and its errors come with the first row (`next`).

        Raises:
            JournalError: The file is not a journal, is damaged, or a run is using it.
        """
        path = self._real_path
        with open_to_read(path) as connection:
            _verify(connection, path)
            with closing(stored(connection, "SELECT * FROM rows ORDER BY number", path)) as found:
                for row in found:
                    yield StoredRow(*row).public()

    def check(self, contacts: Iterable[Item], *, secret: str) -> None:
        """See that this whole input is the recorded one; rows may have been appended since.

        `secret` is that of the account, or an empty string for a client without credentials; which
        account it is, is not looked at, unlike `ContactClient.check_journal`. The file is opened to
        read only. Reading blocks, and consumes an iterator.

        Raises:
            JournalError: It is not, or the secret is another one, and `number` is the index of the
                first item that differs; or the file is not a journal, is damaged, or a run is using
                it.
        """
        path = self._real_path
        with open_to_read(path) as connection:
            head = _verify(connection, path)
            _check(connection, path, contacts, Digests.of(head.salt, secret))

    def check_account(self, contacts: Iterable[Item], account: Account) -> None:
        """See that a run of this account on this whole input would go on with what is recorded.

        That is so of a file that is not there yet, and of one that the run would begin anew. The
        file is opened to read only. Called by `ContactClient.check_journal`.

        Raises:
            JournalError: The input is another one, and `number` is the index of the first item
                that differs; or the file is not a journal, is another account's, is damaged, or a
                run is using it.
        """
        path = self._real_path
        if not check_surroundings(path):
            return
        with open_to_read(path) as connection:
            head = _verify(connection, path)
            digests = Digests.of(head.salt, account.secret)
            if digests.of_account(account) == head.account:
                _check(connection, path, contacts, digests)
                return
            with errors_of(path):
                if may_be_applied(connection):
                    raise other_account(path)

    def remarks(self) -> Sequence[str]:
        """Nothing: what the rows say is all."""
        return ()

    async def open_to_settle(
        self, account: Account, *, attempt_timeout_s: float = DEFAULT_ATTEMPT_TIMEOUT_S
    ) -> JournalRun:
        """As `open_run`, to look for what is uncertain and not to send anything.

        Raises:
            JournalError: As for `open_run`.
        """
        return await self.open_run(account, attempt_timeout_s=attempt_timeout_s)

    async def open_run(
        self, account: Account, *, attempt_timeout_s: float = DEFAULT_ATTEMPT_TIMEOUT_S
    ) -> JournalRun:
        """Open it for one run of this account; it is made where there is none.

        Called by `ContactClient`. How long an attempt may take does not matter, since nobody takes
        the run over.

        Raises:
            JournalError: The file is not a journal, is damaged, in use, or another account's, or
                cannot be written.
        """
        store = await SqliteStore.open(self._lasting_path, self.durability, account)
        return await JournalRun.start(
            store, account, line_of=self.line_of, resend_uncertain=self.resend_uncertain
        )

    @property
    def _real_path(self) -> str:
        # A side file is beside the file that a link leads to.
        return os.path.realpath(self.path) if os.path.islink(self.path) else self.path

    @property
    def _lasting_path(self) -> str:
        # The working folder may change while a run lasts.
        return os.path.abspath(self._real_path)


def _verify(connection: sqlite3.Connection, path: str) -> Head:
    """See that a journal is whole; what it says of itself."""
    for _ in verified_pages(connection, path):
        pass
    return read_head(connection, path)


def _check(
    connection: sqlite3.Connection, path: str, contacts: Iterable[Item], digests: Digests
) -> None:
    query = "SELECT number, digest FROM rows ORDER BY number"
    with closing(stored(connection, query, path)) as recorded:
        check_input(((number, digest) for number, digest in recorded), contacts, digests)
