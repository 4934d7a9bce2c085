"""The rules of a durable run, by themselves: a store in memory keeps the rows."""

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator
from typing import Any

import pytest
from attrs import evolve

from contactsdk import (
    AuthenticationError,
    ContactError,
    JournalError,
    RejectedError,
    UnavailableError,
    UncertainError,
)
from contactsdk.journal import Account, JournalRun, State
from contactsdk.journal.store import StoredRow
from tests.examples import an_update
from tests.journal.journals import ACCOUNT, FIRST, SECOND, WRONG, MemoryStore, writing

DOUBT = UncertainError("sent, but no answer came")


@pytest.fixture
def store() -> MemoryStore:
    return MemoryStore()


@contextlib.asynccontextmanager
async def run_on(
    store: MemoryStore, account: Account = ACCOUNT, **options: Any
) -> AsyncIterator[JournalRun]:
    """A run on this store, with its first rows at hand."""
    run = await JournalRun.start(store, account, **options)
    async with writing(run):
        await run.load(0)
        yield run


async def test_outcome_is_recalled_by_the_next_run(store: MemoryStore) -> None:
    refused = RejectedError("no", http_status=400, error_code=400, specific_code=7, attempts=1)
    async with run_on(store) as run:
        await run.record_outcome(0, FIRST, 33884, None, 2)
        await run.record_outcome(1, SECOND, None, refused, 1)
        await run.record_outcome(2, WRONG, None, WRONG, 0)

    async with run_on(store.reopened()) as run:
        first = run.recall(0, FIRST, idempotent=False)
        second = run.recall(1, SECOND, idempotent=False)
        third = run.recall(2, WRONG, idempotent=False)

        assert first is not None
        assert (first.state, first.id, first.error, first.attempts, first.settled) == (
            State.SUCCEEDED, 33884, None, 2, False,
        )  # fmt: skip
        assert second is not None
        assert isinstance(second.error, RejectedError)
        assert vars(second.error) == vars(refused)
        assert third is not None
        assert third.state is State.INVALID
        assert run.recall(3, FIRST, idempotent=False) is None


async def test_settled_outcome_is_marked_as_such(store: MemoryStore) -> None:
    async with run_on(store) as run:
        await run.record_outcome(0, FIRST, 7, None, 1, settled=True)

    async with run_on(store.reopened()) as run:
        recalled = run.recall(0, FIRST, idempotent=False)

    assert recalled is not None
    assert recalled.settled


@pytest.mark.parametrize("idempotent", [False, True])
async def test_contact_in_flight_is_sent_again_only_where_it_is_idempotent(
    store: MemoryStore, idempotent: bool
) -> None:
    async with run_on(store) as run:
        await run.record_intent(0, FIRST)

    async with run_on(store.reopened()) as run:
        recalled = run.recall(0, FIRST, idempotent=idempotent)

        assert run.is_in_doubt(0) is idempotent
    if idempotent:
        assert recalled is None
    else:
        assert recalled is not None
        assert isinstance(recalled.error, UncertainError)


async def test_item_that_was_not_applied_is_sent_again(store: MemoryStore) -> None:
    async with run_on(store) as run:
        await run.record_intent(0, FIRST)
        run.withdraw(0, FIRST)
        await run.record_intent(1, SECOND)
        await run.record_outcome(1, SECOND, None, UnavailableError("later"), 5)

    async with run_on(store.reopened()) as run:
        assert run.recall(0, FIRST, idempotent=False) is None
        assert run.recall(1, SECOND, idempotent=False) is None
        assert not run.is_in_doubt(0)


async def test_older_update_is_not_sent_after_a_newer_one(store: MemoryStore) -> None:
    older, newer = an_update(id=5, phone="1"), an_update(id=5, phone="2")
    async with run_on(store) as run:
        await run.record_outcome(0, older, None, UnavailableError("later"), 1)
        await run.record_outcome(1, newer, 5, None, 1)

    async with run_on(store.reopened()) as run:
        recalled = run.recall(0, older, idempotent=True)
        assert run.recall(0, older, idempotent=False) is None

    assert recalled is not None
    assert isinstance(recalled.error, UnavailableError)


@pytest.mark.parametrize("resend_uncertain", [False, True])
async def test_older_update_in_flight_is_uncertain_where_a_newer_one_was_sent(
    store: MemoryStore, resend_uncertain: bool
) -> None:
    older, newer = an_update(id=5, phone="1"), an_update(id=5, phone="2")
    async with run_on(store) as run:
        await run.record_intent(0, older, batch_id="b-1", batch_position=0)
        await run.record_outcome(1, newer, 5, None, 1)

    async with run_on(store.reopened(), resend_uncertain=resend_uncertain) as run:
        recalled = run.recall(0, older, idempotent=True)

    assert recalled is not None
    assert isinstance(recalled.error, UncertainError)
    assert (recalled.state, recalled.batch_id) == (State.SENT, "b-1")


async def test_older_update_in_flight_is_sent_again_where_no_newer_one_was_sent(
    store: MemoryStore,
) -> None:
    older, newer = an_update(id=5, phone="1"), an_update(id=5, phone="2")
    async with run_on(store) as run:
        await run.record_intent(0, older)
        await run.record_outcome(1, newer, None, UnavailableError("later"), 1)

    async with run_on(store.reopened()) as run:
        assert run.recall(0, older, idempotent=True) is None
        assert run.recall(1, newer, idempotent=True) is None


async def test_uncertain_contact_is_sent_again_only_on_request(store: MemoryStore) -> None:
    async with run_on(store) as run:
        await run.record_outcome(0, FIRST, None, DOUBT, 1)
        await run.record_outcome(1, SECOND, None, DOUBT, 1)
        await run.record_outcome(2, SECOND, None, DOUBT, 1)
        await run.record_outcome(3, WRONG, None, WRONG, 0)

    async with run_on(store.reopened()) as run:
        recalled = run.recall(0, FIRST, idempotent=True)
        assert recalled is not None
        assert recalled.state is State.UNCERTAIN
    async with run_on(store.reopened(), resend_uncertain=True) as run:
        assert run.recall(0, FIRST, idempotent=False) is None
        kept = run.recall(1, SECOND, idempotent=False)
        assert kept is not None, "it was sent again later in the input"
        assert run.recall(2, SECOND, idempotent=False) is None


async def test_resent_contact_leaves_nothing_of_its_former_outcome(store: MemoryStore) -> None:
    async with run_on(store) as run:
        await run.record_outcome(0, FIRST, None, DOUBT, 3)

    later = store.reopened()
    async with run_on(later, resend_uncertain=True) as run:
        run.recall(0, FIRST, idempotent=False)
        await run.record_intent(0, FIRST)

    row = later.rows[0].public()
    assert (row.state, row.error, row.attempts) == (State.SENT, None, 0)


async def test_batch_of_a_contact_in_flight_is_known_to_the_next_run(store: MemoryStore) -> None:
    async with run_on(store) as run:
        await run.record_intent(0, FIRST)
        await run.record_intent(1, SECOND)
        await run.record_intent(1, SECOND, batch_id="b-1", batch_position=4)

    later = store.reopened()
    async with run_on(later) as run:
        assert run.batch_of(1) is None, "before it is recalled"
        assert run.recall(0, FIRST, idempotent=True) is None
        assert run.recall(1, SECOND, idempotent=True) is None
        assert run.batch_of(0) is None
        assert run.batch_of(1) == ("b-1", 4)
        await run.record_outcome(1, SECOND, 9, None, 1)

    row = later.rows[1].public()
    assert (row.batch_id, row.batch_position) == ("b-1", 4)


async def test_add_in_flight_that_becomes_uncertain_keeps_what_was_known_of_it(
    store: MemoryStore,
) -> None:
    async with run_on(store, line_of=lambda number: number + 2) as run:
        await run.record_intent(0, FIRST, id_floor=33884, batch_id="a", batch_position=7)
    before = store.rows[0]

    following = store.reopened()
    async with run_on(following) as run:
        recalled = run.recall(0, FIRST, idempotent=False)
        assert recalled is not None
        await run.record_outcome(0, FIRST, None, recalled.error, recalled.attempts)

    after = following.rows[0]
    assert after.state == State.UNCERTAIN
    kept = ("line", "id_floor", "batch_id", "batch_position", "content")
    assert [getattr(after, name) for name in kept] == [getattr(before, name) for name in kept]
    assert after.line == 2


async def test_uncertain_row_of_a_batch_names_the_batch(store: MemoryStore) -> None:
    async with run_on(store) as run:
        await run.record_intent(0, FIRST, batch_id="b-1", batch_position=0)

    async with run_on(store.reopened()) as run:
        recalled = run.recall(0, FIRST, idempotent=False)

    assert recalled is not None
    assert (recalled.state, recalled.batch_id, recalled.batch_position) == (State.SENT, "b-1", 0)


async def test_contact_that_is_sent_alone_after_a_batch_belongs_to_no_batch(
    store: MemoryStore,
) -> None:
    async with run_on(store) as run:
        await run.record_intent(0, FIRST, batch_id="b-1", batch_position=0)
        await run.record_intent(0, FIRST)

    assert store.rows[0].batch_id is None


async def test_rows_are_loaded_page_by_page(store: MemoryStore) -> None:
    contacts = [an_update(id=number) for number in range(1, 2502)]
    async with run_on(store) as run:
        await asyncio.gather(
            *(run.record_outcome(n, item, item.id, None, 1) for n, item in enumerate(contacts))
        )

    later = store.reopened()
    async with run_on(later) as run:
        for number, item in enumerate(contacts):
            if run.needs_load(number):
                await asyncio.gather(run.load(number), run.load(number))
            recalled = run.recall(number, item, idempotent=True)
            assert recalled is not None
            assert recalled.id == item.id
        assert not run.needs_load(2501)

    assert later.pages_read == [0, 1, 2]


async def test_recalling_without_loading_is_an_error(store: MemoryStore) -> None:
    async with run_on(store) as run:
        await run.record_outcome(0, FIRST, 1, None, 1)

    run = await JournalRun.start(store.reopened(), ACCOUNT)
    with pytest.raises(RuntimeError, match="not loaded"):
        run.recall(0, FIRST, idempotent=True)


async def test_item_that_was_never_started_is_sent(store: MemoryStore) -> None:
    async with run_on(store) as run:
        await run.record_outcome(1, SECOND, 1, None, 1)

    async with run_on(store.reopened()) as run:
        assert run.recall(0, FIRST, idempotent=False) is None


async def test_another_item_than_the_recorded_one_is_named(store: MemoryStore) -> None:
    async with run_on(store) as run:
        await run.record_outcome(0, FIRST, 1, None, 1)
        await run.record_outcome(1, SECOND, 2, None, 1)

    async with run_on(store.reopened()) as run:
        assert run.recall(0, FIRST, idempotent=True)
        with pytest.raises(JournalError, match="item 1 ") as raised:
            run.recall(1, FIRST, idempotent=True)

    assert raised.value.number == 1


@pytest.mark.parametrize(
    "change", [{"url": "https://other.example.com"}, {"key": "other"}, {"secret": "other"}]
)
async def test_another_account_is_refused(store: MemoryStore, change: dict[str, str]) -> None:
    async with run_on(store) as run:
        await run.record_intent(0, FIRST)

    later = store.reopened()
    with pytest.raises(JournalError, match="another account"):
        await JournalRun.start(later, evolve(ACCOUNT, **change))
    assert later.is_closed


@pytest.mark.parametrize("error", [None, DOUBT])
async def test_another_account_is_refused_where_anything_may_be_applied(
    store: MemoryStore, error: ContactError | None
) -> None:
    async with run_on(store) as run:
        await run.record_outcome(0, FIRST, None if error else 7, error, 1)

    with pytest.raises(JournalError, match="another account"):
        await JournalRun.start(store.reopened(), evolve(ACCOUNT, secret="other"))


async def test_another_account_begins_anew_where_nothing_was_applied(store: MemoryStore) -> None:
    async with run_on(store) as run:
        await run.record_outcome(0, FIRST, None, AuthenticationError("wrong secret"), 1)
        await run.record_outcome(1, WRONG, None, WRONG, 0)

    later = store.reopened()
    async with run_on(later, evolve(ACCOUNT, secret="other")) as run:
        assert run.recall(0, FIRST, idempotent=False) is None
        assert run.recall(1, WRONG, idempotent=False) is None
        await run.record_intent(0, FIRST)

    with pytest.raises(JournalError, match="another account"):
        await JournalRun.start(later.reopened(), ACCOUNT)


async def test_rows_of_one_turn_of_the_loop_are_written_together(store: MemoryStore) -> None:
    async with run_on(store) as run:
        await asyncio.gather(*(run.record_intent(number, FIRST) for number in range(5)))

    assert store.groups[0] == [0, 1, 2, 3, 4]


async def test_last_row_of_a_number_wins_in_a_group(store: MemoryStore) -> None:
    async with run_on(store) as run:
        await run.record_intent(0, FIRST)
        run.withdraw(0, FIRST)
        await run.record_intent(0, FIRST)

    assert store.groups[:2] == [[0], [0]]
    assert store.rows[0].state == State.SENT


async def test_line_is_recorded_and_kept_by_a_run_that_knows_of_none(store: MemoryStore) -> None:
    async with run_on(store, line_of={0: 2}.get) as run:
        await run.record_intent(0, FIRST)
        await run.record_intent(1, SECOND)

    later = store.reopened()
    async with run_on(later) as run:
        run.recall(0, FIRST, idempotent=True)
        await run.record_outcome(0, FIRST, 1, None, 1)

    assert [later.rows[number].line for number in (0, 1)] == [2, None]


async def test_content_is_handed_to_the_store_and_never_shown(store: MemoryStore) -> None:
    async with run_on(store) as run:
        await run.record_intent(0, FIRST)
        await run.record_outcome(0, FIRST, 1, None, 1)

    row = store.rows[0]
    assert isinstance(row, StoredRow)
    assert row.content is not None
    assert b"@" in row.content
    assert "@" not in repr(row)


async def test_write_error_is_raised_to_all_that_wait_for_it(store: MemoryStore) -> None:
    async with run_on(store) as run:
        await run.record_intent(0, FIRST)
        store.error = JournalError("full")
        results = await asyncio.gather(
            run.record_intent(1, FIRST),
            run.record_outcome(0, FIRST, 1, None, 1),
            return_exceptions=True,
        )
        store.error = None
        await run.record_intent(1, FIRST)

    assert [type(result) for result in results] == [JournalError, JournalError]


async def test_cancelled_task_does_not_disturb_those_that_wait_with_it(store: MemoryStore) -> None:
    run = await JournalRun.start(store, ACCOUNT)
    cancelled = asyncio.ensure_future(run.record_intent(0, FIRST))
    other = asyncio.ensure_future(run.record_intent(1, SECOND))
    await asyncio.sleep(0)
    cancelled.cancel()
    async with writing(run):
        await other

    assert cancelled.cancelled()
    assert sorted(store.rows) == [0, 1]


async def test_write_that_is_cut_off_is_an_error_to_those_who_wait(
    store: MemoryStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def hang(_: object) -> None:
        await asyncio.Event().wait()

    monkeypatch.setattr(MemoryStore, "write", hang)
    run = await JournalRun.start(store, ACCOUNT)
    writer = asyncio.create_task(run.write_loop())
    waiting = asyncio.ensure_future(run.record_intent(0, FIRST))
    for _ in range(3):
        await asyncio.sleep(0)
    writer.cancel()

    with pytest.raises(JournalError, match="the run ended"):
        await waiting


async def test_row_that_is_left_is_written_by_closing(store: MemoryStore) -> None:
    run = await JournalRun.start(store, ACCOUNT)
    run.withdraw(0, FIRST)
    await run.close()

    assert store.rows[0].state == State.NOT_APPLIED
    assert store.is_closed


async def test_end_that_cannot_be_written_is_logged(
    store: MemoryStore, caplog: pytest.LogCaptureFixture
) -> None:
    run = await JournalRun.start(store, ACCOUNT)
    run.withdraw(0, FIRST)
    store.error = JournalError("full")

    with caplog.at_level(logging.WARNING, "contactsdk"):
        await run.close()

    assert "were not written" in caplog.text


async def test_item_that_is_left_stays_on_record_as_sent_and_is_kept_in_memory_no_longer(
    store: MemoryStore,
) -> None:
    async with run_on(store) as run:
        await run.record_intent(0, FIRST)
        await run.record_intent(0, FIRST, batch_id="batch-7", batch_position=3)
        assert run.batch_of(0) == ("batch-7", 3)

        run.leave(0)

        assert run.batch_of(0) is None

    async with run_on(store.reopened()) as run:
        run.recall(0, FIRST, idempotent=True)
        assert run.batch_of(0) == ("batch-7", 3)
        assert run.is_in_doubt(0)
        run.leave(0)
        assert not run.is_in_doubt(0)
