"""One partition of a submitted run: a stream takes it both as its input and as its journal."""

from collections.abc import AsyncIterator

import orjson

from contactsdk.journal import DEFAULT_ATTEMPT_TIMEOUT_S, Account, JournalRun
from contactsdk.journal.postgres import PostgresJournal
from contactsdk.journal.postgres_partition import OnRelease, PartitionStore
from contactsdk.models import Contact
from contactsdk.wire import contact_from


class Partition:
    """The open contacts of one partition, in input order, and their journal.

    `client.stream(partition, journal=partition, **settings.bulk_options)` takes the partition's
    lease, sends the open contacts, and releases the lease at the end. If the stream is stopped
    early, the contacts that it did not send stay open. A `Partition` can be used for one stream
    only: make a new one for the next slice.

    Entering the stream raises a `PartitionTakenError` if another worker sends the partition, or if
    the run is stopped or not sealed.

    Args:
        journal: The journal that the run was submitted to; its `lease_s`, `durability` and
            `reconnect_s` apply.
        part: The number of the partition, from 0.
        on_release: Called when the lease is released, for example to queue the next slice. Its
            arguments are the connection and the number of rows that are still open. It is called in
            a thread, in the transaction that releases the lease. It is not called if another worker
            has taken over.
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
        """The name of the partition in messages, without user and password."""
        return f"{self.journal.name}, part {self.part}"

    @property
    def stopped_for(self) -> str | None:
        """Why the whole run was stopped; `None` if it was not.

        It is updated by each write of this worker. A worker that finds a reason here should call
        `stop` of its stream.
        """
        return None if self._store is None else self._store.stopped_for

    async def open_run(
        self, account: Account, *, attempt_timeout_s: float = DEFAULT_ATTEMPT_TIMEOUT_S
    ) -> JournalRun:
        """Take the lease; the stream that sends the partition calls this.

        `attempt_timeout_s` is the longest time that one attempt of the stream may take.

        Raises:
            PartitionTakenError: Another worker holds the lease, or the run is stopped or not
                sealed.
            JournalError: The run belongs to another account, or the database cannot be used.
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
        """The open contacts, read page by page; `open_run` must have taken the lease."""
        assert self._store is not None  # noqa: S101  # a stream opens its journal first
        while page := await self._store.next_page():
            for row in page:
                assert row.content is not None  # noqa: S101  # an open row keeps its content
                yield contact_from(orjson.loads(row.content))
