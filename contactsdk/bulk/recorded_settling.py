"""Settling of contacts that a journal records as uncertain, some time after the run."""

import asyncio
import concurrent.futures
import threading
from collections.abc import Awaitable, Callable, Iterable, Sequence
from typing import Final, TypeAlias

from attrs import frozen

from contactsdk.bulk.outcomes import Outcome
from contactsdk.errors import ContactError, SetupError, UncertainError, converted
from contactsdk.journal import JournalRow, JournalRun, State
from contactsdk.models import Contact, Item, key_of
from contactsdk.settling import (
    Ambiguous,
    Found,
    KeysInDoubt,
    Several,
    filter_for,
    judge,
)
from contactsdk.wire import ContactFilter, ListedContact

Find: TypeAlias = Callable[[ContactFilter], Awaitable[Sequence[ListedContact]]]
"""Returns the contacts that match a filter, or raises a `ContactError`."""

Confirm: TypeAlias = Callable[[Sequence[Outcome]], bool]
"""Called in a thread with all outcomes, in input order, before any of them is recorded. If it
returns `False`, none is recorded."""

_MOST_AT_A_TIME: Final = 8


@frozen
class _Uncertain:
    """An add that the journal records as uncertain, or as sent without an outcome."""

    number: int
    contact: Contact
    row: JournalRow


async def settle_recorded(
    run: JournalRun, items: Iterable[Item], find: Find, confirm: Confirm | None
) -> tuple[Outcome, ...]:
    """Look up the adds that a journal records as uncertain, and record those that are found.

    Returns the outcomes of these adds, in input order: each has an id, or an error that says what
    the look-up has found.

    Raises:
        SetupError: Contacts cannot be looked up at all.
        JournalError: The items differ from the recorded ones, or the journal cannot be used.
    """
    try:
        async with asyncio.TaskGroup() as tasks:
            # It runs from the start, since it also renews the journal's lease during the look-ups.
            writing = tasks.create_task(run.write_loop())
            try:
                return await _settle(run, items, find, confirm)
            finally:
                writing.cancel()
    except ExceptionGroup as group:
        error = _first(group)
        raise error from error.__cause__


async def _settle(
    run: JournalRun, items: Iterable[Item], find: Find, confirm: Confirm | None
) -> tuple[Outcome, ...]:
    recorded = _Recorded()
    for number, item in enumerate(items):
        await recorded.add(run, number, item)
    # A contact that is still in flight would be looked up too early.
    await asyncio.sleep(recorded.in_flight_until - asyncio.get_running_loop().time())
    outcomes = await _look_for_all(recorded, find)
    if confirm is None or await _is_confirmed(confirm, outcomes):
        found = [outcome for outcome in outcomes if outcome.contact is not None and outcome.ok]
        await asyncio.gather(*(_record(run, outcome) for outcome in found))
    return outcomes


async def _is_confirmed(confirm: Confirm, outcomes: Sequence[Outcome]) -> bool:
    """Call `confirm` in a thread, since it may wait for a person's answer."""
    given: concurrent.futures.Future[bool] = concurrent.futures.Future()
    given.set_running_or_notify_cancel()

    def ask() -> None:
        try:
            given.set_result(confirm(outcomes))
        except BaseException as exc:
            given.set_exception(exc)

    # A daemon thread, not `asyncio.to_thread`: that would keep the process from ending while the
    # person does not answer.
    threading.Thread(target=ask, daemon=True).start()
    return await asyncio.wrap_future(given)


def _first(error: Exception) -> Exception:
    """The error itself, or the first one in a group of errors."""
    while isinstance(error, ExceptionGroup):
        error = error.exceptions[0]
    return error


class _Recorded:
    """The information of a journal that settling needs, collected item by item."""

    def __init__(self) -> None:
        self.uncertain: list[_Uncertain] = []
        """The adds that are uncertain, in input order."""
        self.ids: set[int] = set()
        """The recorded ids; an uncertain add cannot have one of these."""
        self.in_flight_until = 0.0
        """Until when one of the uncertain adds may be in flight, by the event loop's clock."""
        self.keys = KeysInDoubt()
        """The keys of all uncertain contacts, updates included."""

    async def add(self, run: JournalRun, number: int, item: Item) -> None:
        """Add the recorded row of the next item."""
        if run.needs_load(number):
            await run.load(number)
        row = run.recall(number, item, idempotent=False)
        if row is None or not isinstance(item, Contact):
            return
        if row.id is not None:
            self.ids.add(row.id)
        if row.state in (State.SENT, State.UNCERTAIN):
            self.keys.enter(key_of(item))
            if item.id is None and not item.update_if_exists:
                run.reopen(number)
                self.in_flight_until = max(self.in_flight_until, run.not_before(item) or 0.0)
                self.uncertain.append(_Uncertain(number, item, row))


async def _look_for_all(recorded: _Recorded, find: Find) -> tuple[Outcome, ...]:
    outcomes: list[Outcome] = []
    left = iter(recorded.uncertain)

    async def look() -> None:
        for one in left:
            outcomes.append(await _look_for(one, recorded, find))

    async with asyncio.TaskGroup() as tasks:
        for _ in range(_MOST_AT_A_TIME):
            tasks.create_task(look())
    return tuple(sorted(outcomes, key=lambda outcome: outcome.index))


async def _look_for(one: _Uncertain, recorded: _Recorded, find: Find) -> Outcome:
    try:
        # The filter has no date: the time of sending is not recorded, and the id tells whether a
        # contact is older.
        listed = await find(filter_for(one.contact, None))
    except SetupError:
        raise
    except ContactError as error:
        return _still_uncertain(one, f"it could not be looked up: {error.message}")

    def is_ruled_out(contact_id: int) -> bool:
        return contact_id <= one.row.id_floor or contact_id in recorded.ids

    is_shared = recorded.keys.is_shared(key_of(one.contact))
    verdict = judge(one.contact, listed, is_ruled_out, is_key_shared=is_shared)
    match verdict:
        case Found(contact_id):
            attempts = one.row.attempts
            return Outcome(one.number, one.contact, contact_id, None, attempts, 0.0, True)
        case Several() as several:
            return _still_uncertain(one, f"looked up: it may be any of {several}")
        case Ambiguous():
            what = "found one contact that is either this one or another uncertain row"
            return _still_uncertain(one, f"looked up: {what}")
    return _still_uncertain(one, "looked up and not found")


def _still_uncertain(one: _Uncertain, result: str) -> Outcome:
    before = one.row.error or UncertainError("sent by a run that ended before an answer came")
    error = converted(before, UncertainError, f"{before.message}; {result}")
    return Outcome(one.number, one.contact, None, error, one.row.attempts, 0.0)


async def _record(run: JournalRun, outcome: Outcome) -> None:
    assert outcome.contact is not None  # noqa: S101  # the caller has checked it
    await run.record_outcome(
        outcome.index, outcome.contact, outcome.id, None, outcome.attempts, settled=True
    )
