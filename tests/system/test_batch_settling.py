"""Batches whose answer is lost, and whose contacts are then found on the platform."""

from contactsdk import Contact, ContactClient, Credentials, RetryPolicy
from contactsdk.sandbox import Fault, FaultKind, Sandbox
from tests.system.unhurried import unhurried


@unhurried
async def test_contacts_of_a_lost_batch_are_found_on_the_platform() -> None:
    contacts = [
        Contact(first_name="Ada", last_name=f"No {number}", email=f"ada{number}@example.com")
        for number in range(12)
    ]
    async with Sandbox() as sandbox:
        credentials = Credentials(sandbox.key, sandbox.secret)
        policy = RetryPolicy(settle_s=60.0)
        async with ContactClient(sandbox.url, credentials, retry=policy) as client:
            # The first batch of a run has one contact; the second one gets no answer.
            lost = Fault(FaultKind.CLOSE_AFTER_WRITE)
            sandbox.script(None, lost, action="batch?action=run")
            report = await client.add_or_update_many(contacts, batch_size=5, concurrency=1)

    assert report.stopped_by is None
    assert [outcome.ok for outcome in report.outcomes] == [True] * 12
    assert [outcome.index for outcome in report.outcomes if outcome.settled] == [1, 2, 3, 4, 5]
    assert sorted(report.ids) == sorted(sandbox.contacts)
    assert len(sandbox.ledger.writes) == 12
