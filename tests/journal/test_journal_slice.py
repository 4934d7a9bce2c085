"""A run that is one slice of many: what it does not finish is left open for the next."""

import pytest

from contactsdk import (
    AuthenticationError,
    ContactError,
    RejectedError,
    UnavailableError,
    UncertainError,
)
from contactsdk.journal import JournalRun, State
from tests.examples import an_update
from tests.journal.journals import ACCOUNT, FIRST, SECOND, MemoryStore, writing

STOPPED = UnavailableError("never sent: the run was stopped before")
UNHEARD = UncertainError("sent, but the run was stopped before an answer came")


@pytest.mark.parametrize(
    ("error", "is_interrupted", "state"),
    [
        (STOPPED, True, State.WAITING),
        (UNHEARD, True, State.SENT),
        (AuthenticationError("no"), False, State.WAITING),
        (UnavailableError("declined"), False, State.NOT_APPLIED),
        (UncertainError("no answer"), False, State.UNCERTAIN),
        (RejectedError("no"), False, State.REJECTED),
        (None, False, State.SUCCEEDED),
    ],
)
@pytest.mark.parametrize("is_noted", [False, True])
async def test_what_ends_only_by_a_stop_or_by_the_set_up_is_left_open(
    error: ContactError | None, is_interrupted: bool, state: State, is_noted: bool
) -> None:
    store = MemoryStore()
    async with writing(await JournalRun.start(store, ACCOUNT, is_slice=True)) as run:
        await run.record_intent(0, FIRST)
        outcome = 0, FIRST, 7 if error is None else None, error, 1
        if is_noted:
            run.note_outcome(*outcome, is_interrupted=is_interrupted)
        else:
            await run.record_outcome(*outcome, is_interrupted=is_interrupted)

    assert store.rows[0].state == state
    assert (store.rows[0].error is None) is (state not in _WITH_AN_ERROR)
    assert store.rows[0].content is not None


_WITH_AN_ERROR = (State.NOT_APPLIED, State.UNCERTAIN, State.REJECTED)


async def test_what_is_to_be_sent_again_waits(store: MemoryStore) -> None:
    async with writing(await JournalRun.start(store, ACCOUNT, is_slice=True)) as run:
        await run.record_intent(0, FIRST)
        run.withdraw(0, FIRST)
    assert store.rows[0].state == State.WAITING

    async with writing(await JournalRun.start(store.reopened(), ACCOUNT, is_slice=True)) as run:
        await run.load(0)
        assert run.recall(0, FIRST, idempotent=False) is None
        assert not run.is_in_doubt(0)


async def test_older_update_that_waits_is_superseded_by_a_newer_one_that_was_sent(
    store: MemoryStore,
) -> None:
    older, newer = an_update(phone="1"), an_update(phone="2")
    async with writing(await JournalRun.start(store, ACCOUNT, is_slice=True)) as run:
        await run.record_intent(0, older)
        run.withdraw(0, older)
        await run.record_outcome(1, newer, 7, None, 1)

    async with writing(await JournalRun.start(store.reopened(), ACCOUNT, is_slice=True)) as run:
        await run.load(0)
        recalled = run.recall(0, older, idempotent=True)

    assert recalled is not None
    assert recalled.state is State.WAITING
    assert "a later item with the same contact was sent" in str(recalled.error)


async def test_key_that_is_uncertain_in_rows_that_are_not_read_is_known(store: MemoryStore) -> None:
    async with writing(await JournalRun.start(store, ACCOUNT, is_slice=True)) as run:
        for number, contact in enumerate((FIRST, SECOND)):
            await run.record_intent(number, contact)
    following = store.reopened()
    following.uncertain_keys = {store.rows[1].key or b""}

    async with writing(await JournalRun.start(following, ACCOUNT, is_slice=True)) as run:
        await run.load(0)

        assert [run.is_key_uncertain(number) for number in range(3)] == [False, True, False]


async def test_highest_id_is_that_of_the_store(store: MemoryStore) -> None:
    store.highest_id = 33884
    async with writing(await JournalRun.start(store, ACCOUNT)) as run:
        assert run.highest_id == 33884
        assert not run.is_slice


@pytest.fixture
def store() -> MemoryStore:
    return MemoryStore()
