"""What the cancellation of a call says about its contact."""

import asyncio
import logging
from collections.abc import Callable

import pytest

from contactsdk import ContactClient, Credentials, UnavailableError, UncertainError
from contactsdk.sandbox import Fault, FaultKind, Sandbox
from tests.examples import a_contact


async def cause_of_cancellation(sandbox: Sandbox, moment: Callable[[], object]) -> object:
    """Cancel a call at this moment, and give the cause of its `CancelledError`."""
    async with ContactClient(sandbox.url, Credentials(sandbox.key, sandbox.secret)) as client:
        call = asyncio.create_task(client.add_or_update(a_contact()))
        while not moment():
            await asyncio.sleep(0.001)
        call.cancel()
        with pytest.raises(asyncio.CancelledError) as caught:
            await call
    return caught.value.__cause__


async def test_cancelled_call_whose_request_was_sent_is_uncertain(sandbox: Sandbox) -> None:
    sandbox.script(Fault(FaultKind.HANG_AFTER_WRITE))

    cause = await cause_of_cancellation(sandbox, lambda: sandbox.ledger.writes)

    assert isinstance(cause, UncertainError)
    assert cause.attempts == 1


async def test_cancelled_call_whose_request_was_declined_is_not_applied(
    sandbox: Sandbox, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "contactsdk")
    sandbox.script(Fault(FaultKind.UNAVAILABLE, retry_after_s=20))

    cause = await cause_of_cancellation(sandbox, lambda: "attempt 2 of" in caplog.text)

    assert isinstance(cause, UnavailableError)


async def test_timeout_of_the_callers_leads_to_what_is_known(sandbox: Sandbox) -> None:
    sandbox.script(Fault(FaultKind.HANG_AFTER_WRITE))
    async with ContactClient(sandbox.url, Credentials(sandbox.key, sandbox.secret)) as client:
        with pytest.raises(TimeoutError) as caught:
            async with asyncio.timeout(None) as bound:
                call = asyncio.create_task(client.add_or_update(a_contact()))
                while not sandbox.ledger.writes:
                    await asyncio.sleep(0.001)
                bound.reschedule(0.0)
                await call
    cancellation = caught.value.__cause__
    assert cancellation is not None
    assert isinstance(cancellation.__cause__, UncertainError)
