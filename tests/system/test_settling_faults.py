"""Uncertain adds that are looked for, beside other clients that write and lists that lag."""

import asyncio
import os
import random
import time
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any

import pytest

from contactsdk import ContactClient, Credentials, RetryPolicy, UncertainError
from contactsdk.sandbox import Sandbox
from tests.examples import a_contact
from tests.system.reconcile import (
    MIX_FOR_STREAMS,
    End,
    Kind,
    Sent,
    calls_of,
    populate,
    reconcile,
    settled,
    singly,
    streamed,
)
from tests.system.unhurried import unhurried

SEED = int(os.environ.get("CONTACTSDK_SEED", "1"))
POLICY = RetryPolicy(settle_s=60.0, deadline_s=None)
NAMES = ("firstName", "lastName", "email")


class Lagging(Sandbox):
    """Lists show a write at once, or up to five seconds later, in the order of the writes."""

    @property
    def list_lag_s(self) -> float:
        self._lags = getattr(self, "_lags", None) or random.Random(SEED)
        return self._lags.choice((0.0, 0.5, 5.0)) * self._lags.random()

    @list_lag_s.setter
    def list_lag_s(self, value: float) -> None:
        pass


@asynccontextmanager
async def connected(**options: Any) -> AsyncIterator[tuple[Sandbox, ContactClient, list[Sent]]]:
    """A sandbox where every third contact that is to be added has an older namesake."""
    loop, began = asyncio.get_running_loop(), time.time()
    start = loop.time()

    def platform_time() -> float:
        return began + loop.time() - start

    async with Lagging(groups=(10, 11), clock=platform_time, **options) as sandbox:
        adds = [call for call in calls_of(SEED, 400, ()) if call.kind is Kind.ADD]
        for call in adds[::3]:
            names = NAMES if call.number % 2 else (*NAMES, "externalId", "customFields")
            sandbox.write_as_rival({name: call.body[name] for name in call.body if name in names})
        credentials = Credentials(sandbox.key, sandbox.secret)
        async with ContactClient(sandbox.url, credentials, retry=POLICY) as client:
            populate(sandbox, 200)
            # A client that was answered no id yet cannot tell an older namesake from its contact.
            await client.add_or_update(a_contact())
            sandbox.ledger.clear()
            yield sandbox, client, calls_of(SEED, 400, ())


def twins_of(call: Sent, contacts: Mapping[int, Mapping[str, Any]], hidden: Sequence[str]) -> int:
    """How many contacts a list shows as equal to what was sent, and a filter lets through."""
    shown = (*NAMES, "phone", "externalId", "customFields", "groups", "companies")
    compared = [name for name in call.body if name in shown]
    compared = [name for name in compared if name not in hidden or name == "externalId"]
    return sum(
        all((contact.get(name) or None) == (call.body[name] or None) for name in compared)
        for contact in contacts.values()
    )


@pytest.mark.parametrize("drive", [singly, streamed])
@pytest.mark.parametrize("hidden", [(), ("externalId", "groups", "customFields")])
@unhurried
async def test_settled_adds_have_their_own_id_and_nearly_all_are_found(
    drive: Callable[..., Any], hidden: Sequence[str]
) -> None:
    async with connected(hidden_in_lists=hidden) as (sandbox, client, calls):
        sandbox.mix(SEED, 0.35, MIX_FOR_STREAMS)
        sandbox.mix_rivals(SEED, 0.3)
        old = max(sandbox.contacts)

        ends: dict[int, End] = await drive(client, calls, concurrency=24)

        await settled(sandbox)
        reconcile(sandbox, calls, ends, seed=SEED, settling=True)
        new = {id_: contact for id_, contact in sandbox.contacts.items() if id_ > old}
        written = {write.body["externalId"] for write in sandbox.ledger.writes}
        clear = [
            call
            for call in calls
            if call.kind is Kind.ADD
            and call.body["externalId"] in written
            and twins_of(call, new, hidden) == 1
        ]
        uncertain = [call for call in clear if isinstance(ends[call.number], UncertainError)]
        assert len(uncertain) <= len(clear) / 100, [ends[call.number] for call in uncertain]
        answered = {r.contact_id for r in sandbox.ledger.requests if r.status == 200}
        found = [call for call in clear if ends[call.number] not in answered]
        assert len(found) > 10
