"""The rules of a durable run: what a recorded row means for the next run, and group commit.

That a contact is about to be sent (its intent) is written before its bytes leave, and what became
of it before that is handed out. So a row that says "sent" is one that may or may not have been
applied. Where rows are kept is a store's business, see `Store`.
"""

import asyncio
import logging
from collections.abc import Callable, Collection, Mapping
from typing import Final, Self

from attrs import evolve

from contactsdk.errors import (
    ContactError,
    JournalError,
    SetupError,
    UnavailableError,
    UncertainError,
)
from contactsdk.journal.identity import Account, Digests, changed_item, content_of, other_account
from contactsdk.journal.keys_in_flight import KeysInFlight
from contactsdk.journal.rows import (
    SENT_EARLIER,
    UNSENT,
    JournalRow,
    State,
    pack_error,
    state_of,
)
from contactsdk.journal.store import PAGE_NUMBERS, Store, StoredRow
from contactsdk.models import Contact, Item

_logger: Final = logging.getLogger("contactsdk")

_NO_PAGE: Final = -1
_IN_DOUBT: Final = (State.SENT, State.UNCERTAIN)
_OPEN: Final = (State.SENT, State.WAITING)


class JournalRun:
    """A journal in use by one run of one account.

    `start` it, keep `write_loop` running, and `close` it. Of each item, `recall` tells first if it
    is to be sent, after a `load` where one is needed. Then come an intent for each attempt, which
    is withdrawn where it was not applied, and one outcome.
    """

    def __init__(
        self,
        store: Store,
        digests: Digests,
        *,
        line_of: Callable[[int], int | None] | None = None,
        resend_uncertain: bool = False,
        is_slice: bool = False,
    ) -> None:
        self._store = store
        self._digests = digests
        self._line_of = line_of
        self._resend_uncertain = resend_uncertain
        self.is_slice = is_slice
        """Whether another run goes on with what this one leaves open."""
        self._unsent_state = State.WAITING if is_slice else State.NOT_APPLIED
        self.end = store.end
        """Items from this number on were not recorded by an earlier run."""
        self._loading = asyncio.Lock()
        self._page_number = _NO_PAGE
        self._page: dict[int, StoredRow] = {}
        self._last_sent: Mapping[bytes, int] = {}
        self._open_rows: dict[int, StoredRow] = {}
        self._in_doubt: set[int] = set()
        self._keys_in_flight = KeysInFlight()
        self._uncertain_keys: Collection[bytes] = ()
        self._group = _Group()
        self._wanted = asyncio.Event()

    @classmethod
    async def start(
        cls,
        store: Store,
        account: Account,
        *,
        line_of: Callable[[int], int | None] | None = None,
        resend_uncertain: bool = False,
        is_slice: bool = False,
    ) -> Self:
        """Begin a run of this account on an opened store, which is closed where that fails.

        A journal of another account is begun anew where nothing in it is or may be applied, as
        after a run with a wrong secret.

        Args:
            line_of: The line of an item in its file, by its number.
            resend_uncertain: Send uncertain contacts again, but one that was sent again later.
            is_slice: Another run goes on with what this one leaves open, such as what it stopped
                before: that is not on record as an outcome.

        Raises:
            JournalError: It belongs to another account, or cannot be used.
        """
        try:
            digests = Digests.of(store.salt, account.secret)
            mine = digests.of_account(account)
            if mine != store.account:
                if await store.may_be_applied():
                    raise other_account(store.name)
                await store.begin_anew(mine)
        except BaseException:
            await store.close(())
            raise
        return cls(
            store,
            digests,
            line_of=line_of,
            resend_uncertain=resend_uncertain,
            is_slice=is_slice,
        )

    @property
    def highest_id(self) -> int:
        """The highest id that is recorded in rows which this run does not read; 0 for none."""
        return self._store.highest_id

    def needs_load(self, number: int) -> bool:
        """Whether `load` has to be awaited before this item can be recalled."""
        return number < self.end and number // PAGE_NUMBERS != self._page_number

    async def load(self, number: int) -> None:
        """Load the rows near this number of the input.

        Raises:
            JournalError: They cannot be read, or were damaged since the journal was opened.
        """
        async with self._loading:
            if not self.needs_load(number):
                return
            page = number // PAGE_NUMBERS
            rows = await self._store.read_page(page)
            keys = {row.key for row in rows if row.key is not None and self._may_be_resent(row)}
            self._last_sent = await self._store.last_sent(keys) if keys else {}
            self._uncertain_keys = await self._store.uncertain_among(keys) if keys else ()
            self._page = {row.number: row for row in rows}
            self._page_number = page
            now = asyncio.get_running_loop().time()
            self._keys_in_flight.note(rows, self._store.in_flight_s, now)

    def not_before(self, contact: Contact) -> float | None:
        """When a contact may be sent, by the clock of the event loop; `None` for at once.

        Until then a request of an older owner of the journal, for a contact with the same key, may
        still be applied, and the platform would apply it after this one.
        """
        if not self._keys_in_flight:
            return None
        now = asyncio.get_running_loop().time()
        return self._keys_in_flight.not_before(self._digests.of_key(contact), now)

    def recall(self, number: int, item: Item, *, idempotent: bool) -> JournalRow | None:
        """What became of this item in an earlier run; `None` if it is to be sent.

        Each item is recalled before anything of it is recorded, in input order.

        Raises:
            JournalError: It is another item than the recorded one.
            RuntimeError: Its rows are not at hand: `load` comes first.
        """
        if number >= self.end:
            return None
        if self.needs_load(number):
            raise RuntimeError(f"the rows around item {number} were not loaded")
        row = self._page.get(number)
        if row is None:
            return None
        content = content_of(item)
        if row.digest != self._digests.of_content(content):
            raise changed_item(number)
        recorded = self._what_stands(row, idempotent=idempotent)
        if recorded is None:
            self._open_rows[number] = row._replace(content=content)
            if row.state in _IN_DOUBT:
                self._in_doubt.add(number)
        elif row.state in _OPEN:
            # Its outcome is recorded next, with all that is known of it so far.
            self._open_rows[number] = row._replace(content=content)
        return recorded

    def is_key_uncertain(self, number: int) -> bool:
        """Whether a contact with the key of this item is uncertain that this run does not read.

        After a `load`, where one is needed.
        """
        row = self._page.get(number)
        return row is not None and row.key in self._uncertain_keys

    def is_in_doubt(self, number: int) -> bool:
        """Whether what is sent now may have been applied by an earlier run."""
        return number in self._in_doubt

    def batch_of(self, number: int) -> tuple[str, int | None] | None:
        """The batch that this item was last sent with, as its id and the place in it, from 0.

        After `recall`, of an item that is uncertain: the platform may still have the batch's
        results. `None` where it was sent alone, and where it is not open.
        """
        row = self._open_rows.get(number)
        return None if row is None or row.batch_id is None else (row.batch_id, row.batch_position)

    async def record_intent(
        self,
        number: int,
        contact: Contact,
        *,
        id_floor: int = 0,
        batch_id: str | None = None,
        batch_position: int | None = None,
    ) -> None:
        """Record, before its bytes leave, that this contact is being sent.

        It is recorded again once the platform has given the batch it went with an id. `id_floor` is
        the highest id that the platform had answered before; that of the first intent is kept.

        Raises:
            JournalError: It cannot be written; nothing must be sent.
        """
        known = self._known(number, contact, id_floor)
        if (batch_id, batch_position) != (known.batch_id, known.batch_position):
            known = known._replace(batch_id=batch_id, batch_position=batch_position)
            self._open_rows[number] = known
        await self._durable(_changed(known, State.SENT))

    def leave(self, number: int) -> None:
        """Leave an item on record as sent, and keep nothing of it in memory any more."""
        self._open_rows.pop(number, None)
        self._in_doubt.discard(number)

    def reopen(self, number: int) -> None:
        """Have another outcome than the recorded one of this item recorded next.

        To be called right after `recall`.
        """
        self._open_rows[number] = self._page[number]

    def check_may_send(self) -> None:
        """See that this run still has its journal to itself, right before a contact is sent.

        Raises:
            LeaseLapsedError: It may not have; what was intended is not to be sent now.
        """
        self._store.check_may_send()

    def withdraw(self, number: int, item: Item) -> None:
        """Note that what was sent was not applied.

        That is written with the next group; until then it counts as one that may be applied.
        """
        self._add(_changed(self._known(number, item), self._unsent_state))

    async def record_outcome(
        self,
        number: int,
        item: Item,
        id_: int | None,
        error: ContactError | None,
        attempts: int,
        *,
        settled: bool = False,
        is_interrupted: bool = False,
    ) -> None:
        """Record what became of an item, before that is handed out.

        `settled` says that it was found by a look-up, `is_interrupted` that it ended so only since
        the run was stopped.

        Raises:
            JournalError: It cannot be written; it may count as in flight from here on.
        """
        if self.is_slice and (is_interrupted or isinstance(error, SetupError)):
            await self._durable(self._open_row(number, item, error))
        else:
            await self._durable(self._outcome_row(number, item, id_, error, attempts, settled))

    def note_outcome(
        self,
        number: int,
        item: Item,
        id_: int | None,
        error: ContactError | None,
        attempts: int,
        *,
        settled: bool = False,
        is_interrupted: bool = False,
    ) -> None:
        """Have an outcome written with the next group, at the latest when this is closed.

        For a run that ends while an outcome is being recorded: to record it again does no harm.
        """
        if self.is_slice and (is_interrupted or isinstance(error, SetupError)):
            self._add(self._open_row(number, item, error))
        else:
            self._add(self._outcome_row(number, item, id_, error, attempts, settled))

    async def write_loop(self) -> None:
        """Write what is to be written, much at a time, until it is cancelled.

        To be cancelled once nobody records anything any more; `close` writes what is left.
        """
        while True:
            if not self._wanted.is_set():
                await self._wait_to_write()
            self._wanted.clear()
            group, self._group = self._group, _Group()
            try:
                await self._store.write(tuple(group.rows.values()))
            except JournalError as error:
                if not group.waiting:
                    _logger.warning("the journal was not written: %s", error)
                group.end(error)
            except BaseException:
                group.end(JournalError(f"{self._store.name}: the run ended while this was written"))
                raise
            else:
                group.end(None)

    async def _wait_to_write(self) -> None:
        """Wait until there is something to write, or the store needs a sign of life."""
        every_s = self._store.renew_every_s
        if every_s is None:
            await self._wanted.wait()
            return
        timer = asyncio.get_running_loop().call_later(every_s, self._wanted.set)
        try:
            await self._wanted.wait()
        finally:
            timer.cancel()

    async def close(self) -> None:
        """Write what is left, and let go of the journal."""
        try:
            await self._store.close(tuple(self._group.rows.values()))
        except JournalError as error:
            # What was not applied counts as in flight then; nothing that was promised is lost.
            _logger.warning("the end of the journal was not written: %s", error)

    def _may_be_resent(self, row: StoredRow) -> bool:
        """Whether it matters for this row if a later one of the same contact was sent."""
        return row.state in (*UNSENT, State.SENT) or (
            self._resend_uncertain and row.state == State.UNCERTAIN
        )

    def _what_stands(self, row: StoredRow, *, idempotent: bool) -> JournalRow | None:
        """What an earlier run's row says for good; `None` where it is to be sent."""
        was_sent_later = row.key is not None and self._last_sent.get(row.key, -1) > row.number
        match row.state:
            case State.SUCCEEDED | State.REJECTED | State.INVALID:
                return row.public()
            case State.NOT_APPLIED | State.WAITING:
                # An older update must not win over a newer one. A plain add, which has no
                # `update_if_exists`, changes no other contact.
                if not (idempotent and was_sent_later):
                    return None
                late = "not applied, and a later one of the same contact was sent"
                return evolve(row.public(), error=UnavailableError(late))
            case State.SENT if idempotent and not was_sent_later:
                return None
        if self._resend_uncertain and not was_sent_later:
            return None
        recorded = row.public()
        return recorded if recorded.error else evolve(recorded, error=UncertainError(SENT_EARLIER))

    def _outcome_row(
        self,
        number: int,
        item: Item,
        id_: int | None,
        error: ContactError | None,
        attempts: int,
        settled: bool,
    ) -> StoredRow:
        known = self._known(number, item)
        self._open_rows.pop(number, None)
        self._in_doubt.discard(number)
        return _changed(known, state_of(error), id_, pack_error(error), attempts, settled)

    def _open_row(self, number: int, item: Item, error: ContactError | None) -> StoredRow:
        """The row of an item with which the next run goes on."""
        known = self._known(number, item)
        self._open_rows.pop(number, None)
        self._in_doubt.discard(number)
        is_sent = isinstance(error, UncertainError)
        return _changed(known, State.SENT if is_sent else self._unsent_state)

    def _known(self, number: int, item: Item, id_floor: int = 0) -> StoredRow:
        """The open row of this item; its digest is computed once."""
        row = self._open_rows.get(number)
        if row is None:
            content = content_of(item)
            row = self._open_rows[number] = StoredRow(
                number=number,
                line=None if self._line_of is None else self._line_of(number),
                digest=self._digests.of_content(content),
                key=self._digests.of_key(item) if isinstance(item, Contact) else None,
                state="",
                id=None,
                error=None,
                attempts=0,
                settled=False,
                batch_id=None,
                batch_position=None,
                id_floor=id_floor,
                content=content,
            )
        return row

    def _add(self, row: StoredRow) -> "_Group":
        self._group.rows[row.number] = row
        self._wanted.set()
        return self._group

    async def _durable(self, row: StoredRow) -> None:
        written = asyncio.get_running_loop().create_future()
        self._add(row).waiting.append(written)
        if (error := await written) is not None:
            raise error


def _changed(
    known: StoredRow,
    state: State,
    id_: int | None = None,
    error: bytes | None = None,
    attempts: int = 0,
    settled: bool = False,
) -> StoredRow:
    """The same row in another state."""
    # Not _replace, which takes four times as long, twice for each contact.
    return StoredRow(
        known.number,
        known.line,
        known.digest,
        known.key,
        state.value,
        id_,
        error,
        attempts,
        settled,
        known.batch_id,
        known.batch_position,
        known.id_floor,
        known.content,
    )


class _Group:
    """What is written together, the last row of each number, and who waits for that."""

    def __init__(self) -> None:
        self.rows: dict[int, StoredRow] = {}
        self.waiting: list[asyncio.Future[JournalError | None]] = []

    def end(self, error: JournalError | None) -> None:
        for written in self.waiting:
            if not written.done():  # else its task was cancelled
                written.set_result(error)
