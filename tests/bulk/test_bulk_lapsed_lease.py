"""Runs whose journal has a lease that lapses for a while, in held time."""

import asyncio
from typing import Any

import pytest
from attrs import define

from contactsdk import RetryPolicy
from contactsdk.bulk import Run, RunOptions, outcome_stream
from contactsdk.journal import JournalRun, LeaseLapsedError
from contactsdk.pacing import BreakerState, Pacer
from tests.bulk.held import HeldPlatform, errors, in_held_time, many, now, read_all
from tests.bulk.held_batches import HeldBatches
from tests.journal.journals import ACCOUNT, MemoryStore


@define
class LapsingStore(MemoryStore):
    """A store whose lease has lapsed until this time."""

    lapsed_until: float = 0.0
    refused: int = 0

    def check_may_send(self) -> None:
        if now() < self.lapsed_until:
            self.refused += 1
            raise LeaseLapsedError("never sent")


@in_held_time
@pytest.mark.parametrize("batch_size", [None, 10])
async def test_lapsed_lease_delays_contacts_and_is_not_an_outage_of_the_platform(
    batch_size: int | None,
) -> None:
    store, platform, batches = LapsingStore(lapsed_until=4.5), HeldPlatform(), HeldBatches()
    pacer = Pacer(base_s=0.5, max_wait_s=30.0, clock=asyncio.get_running_loop().time)
    policy = RetryPolicy(attempts=2, deadline_s=3.0)
    options: Any = {"policy": policy, "concurrency": 8, "give_up_s": 2.0}
    run = Run(
        many(9),
        platform.send,
        batches,
        pacer,
        RunOptions(batch_size=batch_size, **options),
        open_journal=lambda: JournalRun.start(store, ACCOUNT),
        is_proven=True,
    )
    stream = outcome_stream(run)
    seen: list[BreakerState] = []
    asyncio.get_running_loop().call_later(4.0, lambda: seen.append(pacer.breaker_state))

    outcomes, _ = await read_all(stream)

    assert store.refused >= 4
    assert seen == [BreakerState.CLOSED]
    assert errors(outcomes) == [None] * 9
    assert {outcome.attempts for outcome in outcomes} == {1}
    assert stream.stopped_by is None
