"""The rules of a durable run: what is recorded, and what a recorded row means for the next run.

The intent, which says that a contact is about to be sent, is written before the contact is sent.
The outcome is written before it is handed to the caller. So a contact whose row says "sent" may or
may not have been applied. A `Store` keeps the rows.
"""

import asyncio
from collections.abc import Awaitable, Callable, Collection, Mapping
from typing import Final, Self

from attrs import evolve

from contactsdk.errors import (
    ContactError,
    JournalError,
    SetupError,
    UnavailableError,
    UncertainError,
)
from contactsdk.journal.group_commit import GroupCommit, OnWritten
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

_NO_PAGE: Final = -1
_IN_DOUBT: Final = (State.SENT, State.UNCERTAIN)
_OPEN: Final = (State.SENT, State.WAITING)
_SENT: Final = State.SENT.value
_SUCCEEDED: Final = State.SUCCEEDED.value


class JournalRun:
    """A journal in use by one run of one account.

    `start` it, keep `write_loop` running, and `close` it. For each item, first `load` its rows if
    `needs_load` says so, and ask `recall` whether to send the item. Then record an intent before
    each attempt, `withdraw` it if the attempt was not applied, and record one outcome at the end.
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
        """Whether another run continues with the contacts that this run leaves open."""
        self._unsent_state = State.WAITING if is_slice else State.NOT_APPLIED
        self.first_unrecorded = store.end
        """The number from which on no item was recorded by an earlier run."""
        self._loading = asyncio.Lock()
        self._page_number = _NO_PAGE
        self._page: dict[int, StoredRow] = {}
        self._last_sent: Mapping[bytes, int] = {}
        self._open_rows: dict[int, StoredRow] = {}
        self._in_doubt: set[int] = set()
        self._keys_in_flight = KeysInFlight()
        self._uncertain_keys: Collection[bytes] = ()
        self._rows = GroupCommit(store)

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
        """Start a run of this account on an opened store; if that fails, the store is closed.

        If the journal belongs to another account, but no contact in it was or may have been
        applied, all of its rows are removed and it belongs to this account from now on. That is the
        case after a run with a wrong secret.

        Args:
            store: The store with the rows; this run closes it.
            account: The account for which the run sends.
            line_of: Returns the line of an item in its file, by its number; `None` for no lines.
            resend_uncertain: Send uncertain contacts again, unless a later item with the same key
                was sent.
            is_slice: Another run continues with the contacts that this run leaves open. So if a
                contact was not sent because this run was stopped, no outcome is recorded for it.

        Raises:
            JournalError: The journal belongs to another account, or cannot be used.
        """
        try:
            digests = Digests.of(store.salt, account.secret)
            mine = digests.of_account(account)
            if mine != store.account:
                if await store.may_be_applied():
                    raise other_account(store.name)
                await store.restart(mine)
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
        """The highest id in the rows that this run does not read; 0 for none."""
        return self._store.highest_id

    def needs_load(self, number: int) -> bool:
        """Whether `load` has to be awaited before this item can be recalled."""
        return number < self.first_unrecorded and number // PAGE_NUMBERS != self._page_number

    async def load(self, number: int) -> None:
        """Load the page of rows that has this number of the input.

        Raises:
            JournalError: The rows cannot be read, or were damaged since the journal was opened.
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
        """The time from which a contact may be sent, by the event loop's clock; `None` for at once.

        Until then an earlier owner of the journal may have a contact with the same key in flight,
        and the platform could apply that one after this one.
        """
        if not self._keys_in_flight:
            return None
        now = asyncio.get_running_loop().time()
        return self._keys_in_flight.not_before(self._digests.of_key(contact), now)

    def recall(self, number: int, item: Item, *, idempotent: bool) -> JournalRow | None:
        """The outcome of this item in an earlier run; `None` if it is to be sent.

        Call it once for each item, in input order, before anything is recorded for the item.
        `idempotent` says whether the contact can be sent twice without harm.

        Raises:
            JournalError: The item differs from the recorded one.
            RuntimeError: The rows are not loaded: call `load` first.
        """
        if number >= self.first_unrecorded:
            return None
        if self.needs_load(number):
            raise RuntimeError(f"the rows around item {number} were not loaded")
        row = self._page.get(number)
        if row is None:
            return None
        content = content_of(item)
        if row.digest != self._digests.of_content(content):
            raise self._changed_item(number)
        recorded = self._final_row(row, idempotent=idempotent)
        if recorded is None:
            self._open_rows[number] = row._replace(content=content)
            if row.state in _IN_DOUBT:
                self._in_doubt.add(number)
        elif row.state in _OPEN:
            # The caller records this outcome next; the row keeps all that is known so far.
            self._open_rows[number] = row._replace(content=content)
        return recorded

    def is_key_uncertain(self, number: int) -> bool:
        """Whether a row that this run does not read is uncertain and has the key of this item.

        The rows near the item must be loaded.
        """
        row = self._page.get(number)
        return row is not None and row.key in self._uncertain_keys

    def is_in_doubt(self, number: int) -> bool:
        """Whether an earlier run may have applied this item, so that it is now being sent again."""
        return number in self._in_doubt

    def batch_of(self, number: int) -> tuple[str, int | None] | None:
        """The batch that last had this item, as (id of the batch, place in it, from 0).

        For an uncertain item that was recalled: the platform may still have the results of the
        batch. `None` if the item was sent alone, or is not open.
        """
        row = self._open_rows.get(number)
        return None if row is None or row.batch_id is None else (row.batch_id, row.batch_position)

    def record_intent(
        self,
        number: int,
        contact: Contact,
        *,
        content: bytes | None = None,
        id_floor: int = 0,
        batch_id: str | None = None,
        batch_position: int | None = None,
    ) -> Awaitable[None]:
        """Record that this contact is about to be sent; await this before sending it.

        A contact of a batch is recorded again when the platform has given the batch an id.
        `content` is the encoded contact, if the caller has it. `id_floor` is the highest id that
        the platform had answered before; the first one that is given for an item is kept.

        Raises:
            JournalError: The intent cannot be written; the contact must not be sent.
        """
        known = self._open_rows.get(number)
        if known is None:
            known = self._new_row(number, contact, content, id_floor)
        elif known.state != _SENT:
            known = _changed(known, _SENT)
        if known.batch_id != batch_id or known.batch_position != batch_position:
            known = known._replace(batch_id=batch_id, batch_position=batch_position)
        self._open_rows[number] = known
        return self._rows.write(known)

    def leave(self, number: int) -> None:
        """Forget an item in memory; in the journal its row stays as it is."""
        self._open_rows.pop(number, None)
        self._in_doubt.discard(number)

    def reopen(self, number: int) -> None:
        """Allow a new outcome for an item whose outcome is recorded already.

        Call it right after `recall`, while the item's page is loaded.
        """
        self._open_rows[number] = self._page[number]

    def check_may_send(self) -> None:
        """Check, right before a contact is sent, that no other process can own the journal.

        Raises:
            LeaseLapsedError: Another process may own it; the contact must not be sent now.
        """
        self._store.check_may_send()

    def withdraw(self, number: int, item: Item) -> None:
        """Take the intent of an item back: its attempt was not applied.

        This is written with the next group. Until then the journal says that the item may have been
        applied.
        """
        known = self._open_rows.get(number) or self._new_row(number, item, None, 0)
        self._rows.add(_changed(known, self._unsent_state.value))

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
        """Record the outcome of an item; await this before the outcome is handed to the caller.

        Args:
            number: The number of the item.
            item: The item.
            id_: The platform's id; `None` if the contact did not succeed.
            error: The final error; `None` if the contact succeeded.
            attempts: How many attempts were made.
            settled: Whether a look-up found the contact.
            is_interrupted: Whether the contact has this error only because the run was stopped.

        Raises:
            JournalError: The outcome cannot be written; the journal may still say "sent".
        """
        row = self._ended_row(number, item, id_, error, attempts, settled, is_interrupted)
        await self._rows.write(row)
        self.leave(number)

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
        on_written: OnWritten | None = None,
    ) -> None:
        """Like `record_outcome`, but without waiting: it is written with the next group, or by
        `close`.

        `on_written` is called once it is written with a group; then `leave` the item. If a run ends
        before that, note the outcome again.
        """
        row = self._ended_row(number, item, id_, error, attempts, settled, is_interrupted)
        self._rows.add(row, on_written)

    async def write_loop(self) -> None:
        """Write the recorded rows, in groups, until this is cancelled.

        Cancel it when nothing more will be recorded; `close` writes the rows that are left.
        """
        await self._rows.write_loop()

    async def close(self) -> None:
        """Write the rows that are left, and release the journal."""
        await self._rows.close()

    def _changed_item(self, number: int) -> JournalError:
        number = self._store.number_in_input(number)
        if not self.is_slice:
            return changed_item(number)
        text = f"row {number} (counted from 0) is not the one that was submitted; submit a new run"
        return JournalError(f"{self._store.name}: {text}", number=number)

    def _may_be_resent(self, row: StoredRow) -> bool:
        """Whether this row may be sent again, if no later row with the same key was sent."""
        return row.state in (*UNSENT, State.SENT) or (
            self._resend_uncertain and row.state == State.UNCERTAIN
        )

    def _final_row(self, row: StoredRow, *, idempotent: bool) -> JournalRow | None:
        """The final outcome in an earlier run's row; `None` if its item is to be sent."""
        was_sent_later = row.key is not None and self._last_sent.get(row.key, -1) > row.number
        match row.state:
            case State.SUCCEEDED | State.REJECTED | State.INVALID:
                return row.public()
            case State.NOT_APPLIED | State.WAITING:
                # An older update must not overwrite a newer one. A plain add, without
                # `update_if_exists`, changes no existing contact.
                if not (idempotent and was_sent_later):
                    return None
                late = "not applied; a later item with the same contact was sent"
                return evolve(row.public(), error=UnavailableError(late))
            case State.SENT if idempotent and not was_sent_later:
                return None
        if self._resend_uncertain and not was_sent_later:
            return None
        recorded = row.public()
        return recorded if recorded.error else evolve(recorded, error=UncertainError(SENT_EARLIER))

    def _ended_row(
        self,
        number: int,
        item: Item,
        id_: int | None,
        error: ContactError | None,
        attempts: int,
        settled: bool,
        is_interrupted: bool,
    ) -> StoredRow:
        """The row of an item that ended in this run.

        In a slice, an item may end without an outcome; the next run continues with it.
        """
        known = self._open_rows.get(number) or self._new_row(number, item, None, 0)
        if self.is_slice and (is_interrupted or isinstance(error, SetupError)):
            is_sent = isinstance(error, UncertainError)
            return _changed(known, _SENT if is_sent else self._unsent_state.value)
        if error is None:
            return _changed(known, _SUCCEEDED, id_, None, attempts, settled)
        return _changed(known, state_of(error).value, id_, pack_error(error), attempts, settled)

    def _new_row(self, number: int, item: Item, content: bytes | None, id_floor: int) -> StoredRow:
        """The row of an item that is recorded for the first time, as about to be sent."""
        if content is None:
            content = content_of(item)
        # Keyword arguments would take twice as long, and this is called for each contact.
        return StoredRow(
            number,
            None if self._line_of is None else self._line_of(number),
            self._digests.of_content(content),
            self._digests.of_key(item) if isinstance(item, Contact) else None,
            _SENT,
            None,
            None,
            0,
            False,
            None,
            None,
            id_floor,
            content,
        )


def _changed(
    known: StoredRow,
    state: str,
    id_: int | None = None,
    error: bytes | None = None,
    attempts: int = 0,
    settled: bool = False,
) -> StoredRow:
    """The same row in another state."""
    # `_replace` would take four times as long, and this is called twice for each contact.
    return StoredRow(
        known.number,
        known.line,
        known.digest,
        known.key,
        state,
        id_,
        error,
        attempts,
        settled,
        known.batch_id,
        known.batch_position,
        known.id_floor,
        known.content,
    )
