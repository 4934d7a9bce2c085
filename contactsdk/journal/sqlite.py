"""`SqliteJournal`: a journal in a SQLite file, to give to a run and to read."""

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
    """The journal of a bulk run in a SQLite file: what was sent, and each outcome.

    Give it to `add_or_update_many` or `stream`. If the same input is sent again with the same
    journal, the run continues where it stopped:

    - The outcomes of contacts that succeeded, were rejected, are invalid or are uncertain are
      final. They are handed out again, and nothing is sent.
    - Contacts that were not applied, or not started, are sent. An update is not sent if a later
      item with the same contact was sent.
    - Contacts that were in flight when the run ended are sent again if that is safe. Otherwise they
      are uncertain.

    The journal holds ids, messages and digests of the contacts. Checking a digest needs the
    account's secret. If the client has no credentials, anybody who has the file can compare guessed
    contacts with the digests. A journal belongs to one input, to which items may be appended, and
    to one account, and one run at a time can use it. If no contact in it was or may have been
    applied, as after a run with a wrong secret, another account may use it: then all rows are
    removed.

    The checksum is verified whenever the journal is opened. If a row is missing or differs from
    what was recorded, a `JournalError` is raised and nothing is sent. An older copy of the whole
    journal passes this check: keep no copies, or give each copy a name of its own.

    Args:
        path: The file; it is created if it does not exist. `FILE-journal` beside it belongs to it.
        durability: `"process"` survives the death of the process, and costs little. `"power"` also
            survives a power cut, and waits for the disk at each group of writes. The default is
            `"process"`, unlike that of `PostgresJournal`.
        resend_uncertain: Send uncertain contacts again; use it after you have looked them up on the
            platform. A contact is not sent again if a later item with the same contact was sent. If
            an uncertain add was applied after all, sending it again makes a second contact.
        line_of: A function that is given the number of an item, from 0, and returns its line in its
            file, or `None`. The line is recorded with the item. `None` records no lines.

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
        """The path of the file, as it was given."""
        self.durability: Durability = durability
        """What the journal survives: `"process"` or `"power"`."""
        self.resend_uncertain = resend_uncertain
        """Whether uncertain contacts are sent again."""
        self.line_of = line_of
        """Returns the line of an item in its file, by its number; `None` if there are no lines."""

    @property
    def name(self) -> str:
        """The name of the journal in messages: the path of the file, as it was given."""
        return self.path

    def exists(self) -> bool:
        """Whether the file exists; this call blocks.

        Raises:
            JournalError: The file does not exist, but a side file of it does; or another program's
                side file is there.
        """
        return check_surroundings(self._real_path)

    def rows(self) -> Iterator[JournalRow]:
        """All recorded rows, in input order, after the checksum was verified.

        The file is opened for reading only, and nothing is changed. No secret is needed. Reading
        blocks. Errors are raised when the first row is read, not by this call.

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
        """Check that this is the recorded input; items may have been appended since.

        `secret` is the account's secret, or an empty string for a client without credentials. The
        account itself is not checked; `ContactClient.check_journal` does that. The file is opened
        for reading only. This call blocks, and consumes `contacts` if that is an iterator.

        Raises:
            JournalError: An item differs or is missing, or the secret is not the right one; then
                `number` is the index of the first such item. Or the file is not a journal, is
                damaged, or a run is using it.
        """
        path = self._real_path
        with open_to_read(path) as connection:
            head = _verify(connection, path)
            _check(connection, path, contacts, Digests.of(head.salt, secret))

    def check_account(self, contacts: Iterable[Item], account: Account) -> None:
        """Check that this account could continue the recorded run with this input.

        The check also passes if the file does not exist yet, and if the run would start from the
        beginning. The file is opened for reading only. `ContactClient.check_journal` calls this.

        Raises:
            JournalError: An item of the input differs or is missing; then `number` is the index of
                the first such item. Or the file is not a journal, belongs to another account, is
                damaged, or a run is using it.
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
        """Always empty: everything about a run in a file is in its rows."""
        return ()

    async def open_to_settle(
        self, account: Account, *, attempt_timeout_s: float = DEFAULT_ATTEMPT_TIMEOUT_S
    ) -> JournalRun:
        """Like `open_run`, for settling: uncertain contacts are looked up, and nothing is sent.

        Raises:
            JournalError: As for `open_run`.
        """
        return await self.open_run(account, attempt_timeout_s=attempt_timeout_s)

    async def open_run(
        self, account: Account, *, attempt_timeout_s: float = DEFAULT_ATTEMPT_TIMEOUT_S
    ) -> JournalRun:
        """Open the file for one run of this account; it is created if it does not exist.

        `ContactClient` calls this. `attempt_timeout_s` is not used here: it matters only for a
        takeover by another process, and a file has no lease.

        Raises:
            JournalError: The file is not a journal, is damaged or in use, belongs to another
                account, or cannot be written.
        """
        store = await SqliteStore.open(self._lasting_path, self.durability, account)
        return await JournalRun.start(
            store, account, line_of=self.line_of, resend_uncertain=self.resend_uncertain
        )

    @property
    def _real_path(self) -> str:
        # SQLite puts the side file beside the target of a symbolic link.
        return os.path.realpath(self.path) if os.path.islink(self.path) else self.path

    @property
    def _lasting_path(self) -> str:
        # An absolute path: the working directory may change during a run.
        return os.path.abspath(self._real_path)


def _verify(connection: sqlite3.Connection, path: str) -> Head:
    """Verify the checksum of a journal; returns its head."""
    for _ in verified_pages(connection, path):
        pass
    return read_head(connection, path)


def _check(
    connection: sqlite3.Connection, path: str, contacts: Iterable[Item], digests: Digests
) -> None:
    query = "SELECT number, digest FROM rows ORDER BY number"
    with closing(stored(connection, query, path)) as recorded:
        check_input(((number, digest) for number, digest in recorded), contacts, digests)
