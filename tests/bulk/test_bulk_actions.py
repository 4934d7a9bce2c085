"""What a run asks of the platform, asked of the sandbox."""

from collections.abc import AsyncIterator

import pytest

from contactsdk import Credentials, wire
from contactsdk.attempt import Requester
from contactsdk.bulk.actions import RequestedBatchActions
from contactsdk.sandbox import Sandbox
from tests.examples import a_contact


@pytest.fixture
async def requester(sandbox: Sandbox) -> AsyncIterator[Requester]:
    made = Requester(
        sandbox.url,
        Credentials(sandbox.key, sandbox.secret),
        session=None,
        timeout_s=10.0,
        connect_timeout_s=10.0,
        max_connections=1,
        keepalive_s=4.0,
        trace_configs=(),
    )
    yield made
    await made.aclose()


async def test_batch_that_is_not_completed_has_a_progress_and_no_results(
    sandbox: Sandbox, requester: Requester
) -> None:
    sandbox.batch_rate_per_s = 0.001
    actions = RequestedBatchActions(requester)
    handed_over: list[str] = []

    async_id = await actions.run(
        [wire.encode(a_contact())], before_send=lambda: handed_over.append("now")
    )

    assert handed_over == ["now"]
    assert list(sandbox.batches) == [async_id]
    assert await actions.results(async_id) is None
    assert await actions.progress(async_id) == 0


async def test_batch_that_is_completed_has_a_result_for_each_contact(
    sandbox: Sandbox, requester: Requester
) -> None:
    actions = RequestedBatchActions(requester)
    bodies = [wire.encode(a_contact(external_id=str(number))) for number in range(3)]

    async_id = await actions.run(bodies, before_send=lambda: None)
    results = await actions.results(async_id)

    assert results is not None
    ids = [wire.job_outcome(*pair) for pair in zip(results, bodies, strict=True)]
    assert ids == [write.contact_id for write in sandbox.ledger.writes]
    assert await actions.progress(async_id) == 100
