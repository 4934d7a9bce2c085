"""One partition of a submitted run, as a worker hands it to a stream: input and journal in one."""

from collections.abc import AsyncIterator

import orjson

from contactsdk.journal import DEFAULT_ATTEMPT_TIMEOUT_S, Account, JournalRun
from contactsdk.journal.postgres import PostgresJournal
from contactsdk.journal.postgres_partition import OnRelease, PartitionStore
from contactsdk.models import Contact
from contactsdk.wire import contact_from


class Partition:
    """The open contacts of one partition, in input order, and their journal.

    `client.stream(partition, journal=partition, **settings.bulk_options)` takes its lease, sends
    the contacts that are open, and lets go of it at the end. What a slice does not come to, since
    it was stopped, stays open for the next one. It is used once: make another for the next slice.

    Entering the stream raises a `PartitionTakenError` where another worker sends the partition, or
    the run is stopped or not sealed.

    Args:
        journal: The journal that the run was submitted to; its `lease_s` and `durability` count.
        part: The number of the partition, from 0.
        on_release: Is called when the lease is let go, in that very transaction and in a thread,
            with its connection and with how many rows are open, such as to queue the next slice. It
            is not called where another worker has taken over.
    """

    def __init__(
        self, journal: PostgresJournal, part: int, *, on_release: OnRelease | None = None
    ) -> None:
        self.journal = journal
        """The journal that the run was submitted to."""
        self.part = part
        """The number of the partition, from 0."""
        self._on_release = on_release
        self._store: PartitionStore | None = None

    @property
    def name(self) -> str:
        """What messages call it; it holds no password."""
        return f"{self.journal.name}, part {self.part}"

    @property
    def stopped_for(self) -> str | None:
        """Why the whole run was stopped, as this worker's last write found; `None` if it was not.

        The worker that sees it calls `stop` of its stream.
        """
        return None if self._store is None else self._store.stopped_for

    async def open_run(
        self, account: Account, *, attempt_timeout_s: float = DEFAULT_ATTEMPT_TIMEOUT_S
    ) -> JournalRun:
        """Take the lease, for a stream of this account.

        Raises:
            PartitionTakenError: Another worker has it, or the run is stopped or not sealed.
            JournalError: The run is another account's, or the database cannot be used.
        """
        journal = self.journal
        self._store = PartitionStore(
            journal.database,
            journal.run,
            part=self.part,
            attempt_timeout_s=attempt_timeout_s,
            durability=journal.durability,
            lease_s=journal.lease_s,
            reconnect_s=journal.reconnect_s,
            on_release=self._on_release,
        )
        await self._store.open(account)
        return await JournalRun.start(self._store, account, is_slice=True)

    async def __aiter__(self) -> AsyncIterator[Contact]:
        """The open contacts, read page by page once the lease was taken."""
        assert self._store is not None  # noqa: S101  # a stream opens its journal first
        while page := await self._store.next_page():
            for row in page:
                assert row.content is not None  # noqa: S101  # kept as long as the row is open
                yield contact_from(orjson.loads(row.content))
