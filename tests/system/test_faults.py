"""Thousands of calls through every fault: what the client says of each is what the ledger shows."""

import asyncio
import hashlib
import os
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest
from attrs import evolve

from contactsdk import (
    Contact,
    ContactClient,
    Credentials,
    RejectedError,
    RetryPolicy,
    UnavailableError,
    UncertainError,
    wire,
)
from contactsdk.sandbox import DEFAULT_MIX, Answer, Fault, FaultKind, Request, Sandbox
from tests.system.reconcile import (
    MIX_FOR_STREAMS,
    End,
    Kind,
    Sent,
    calls_of,
    counts,
    populate,
    reconcile,
    restarting,
    sandbox_for_calls,
    settled,
    singly,
    streamed,
)
from tests.system.unhurried import unhurried

SEED = int(os.environ.get("CONTACTSDK_SEED", "1"))
SHARE = 0.4
CONCURRENCY = 24


@asynccontextmanager
async def connected(**options: Any) -> AsyncIterator[tuple[Sandbox, ContactClient]]:
    """A sandbox with contacts to update, and a client of it."""
    async with sandbox_for_calls(**options) as sandbox:
        credentials = Credentials(sandbox.key, sandbox.secret)
        async with ContactClient(sandbox.url, credentials) as client:
            populate(sandbox, 400)
            yield sandbox, client


@pytest.mark.parametrize("errors_at_200", [False, True])
@unhurried
async def test_single_calls_through_every_fault_lose_nothing_and_double_nothing(
    errors_at_200: bool,
) -> None:
    async with connected(errors_at_200=errors_at_200) as (sandbox, client):
        calls = calls_of(SEED, 500, sandbox.contacts.values())
        sandbox.mix(SEED, SHARE, DEFAULT_MIX)

        ends = await singly(client, calls, concurrency=CONCURRENCY)

        await settled(sandbox)
        reconcile(sandbox, calls, ends, seed=SEED)
        assert {call.kind for call in calls} == set(Kind)
        faults = {request.fault.kind for request in sandbox.ledger.requests if request.fault}
        assert faults == {fault.kind for fault in DEFAULT_MIX}
        assert counts(ends).keys() >= {
            "success",
            "RejectedError",
            "SetupError",
            "AuthenticationError",
            "UncertainError",
        }


@pytest.mark.parametrize("errors_at_200", [False, True])
@unhurried
async def test_stream_through_every_fault_that_does_not_end_it_loses_nothing(
    errors_at_200: bool,
) -> None:
    async with connected(errors_at_200=errors_at_200) as (sandbox, client):
        calls = calls_of(SEED, 450, sandbox.contacts.values())
        sandbox.mix(SEED, 0.3, MIX_FOR_STREAMS)

        ends = await streamed(client, calls, concurrency=CONCURRENCY)

        await settled(sandbox)
        reconcile(sandbox, calls, ends, seed=SEED)
        assert counts(ends).keys() >= {"success", "RejectedError", "UncertainError"}


@pytest.mark.parametrize("drive", [singly, streamed])
@pytest.mark.parametrize("away_s", [0.01, 3.0])
@unhurried
async def test_server_that_is_restarted_in_the_middle_loses_nothing(
    drive: Callable[..., Any], away_s: float
) -> None:
    async with connected() as (sandbox, _):
        credentials = Credentials(sandbox.key, sandbox.secret)
        calls = calls_of(SEED, 800, sandbox.contacts.values())
        sandbox.latency_s = 0.01
        sandbox.mix(SEED, 0.1, MIX_FOR_STREAMS)
        async with (
            ContactClient(sandbox.url, credentials, retry=RetryPolicy(attempts=3)) as client,
            restarting(sandbox, every=60, away_s=away_s) as stops,
        ):
            ends = await drive(client, calls, concurrency=CONCURRENCY)

        await settled(sandbox)
        reconcile(sandbox, calls, ends, seed=SEED, unseen=CONCURRENCY * len(stops))
        assert len(stops) >= 2
        assert Answer.GONE in {request.answer for request in sandbox.ledger.requests}
        if drive is singly and away_s > 1:
            assert any("never sent" in str(end) for end in ends.values())
        if drive is streamed:
            assert not any(isinstance(end, UnavailableError) for end in ends.values())


@unhurried
async def test_connections_that_the_server_closes_while_idle_double_nothing() -> None:
    async with sandbox_for_calls(keepalive_timeout_s=2.0) as sandbox:
        credentials = Credentials(sandbox.key, sandbox.secret)
        async with ContactClient(sandbox.url, credentials, keepalive_s=600) as client:
            populate(sandbox, 100)
            calls = calls_of(SEED, 200, sandbox.contacts.values())
            sandbox.mix(SEED, 0.1, MIX_FOR_STREAMS)
            ends: dict[int, End] = {}
            waves = [calls[at : at + 10] for at in range(0, len(calls), 10)]
            # Shorter than the server waits, longer, and to the moment, when both act at once.
            for wave, pause_s in zip(waves, [1.9, 2.0, 2.5, 2.0, 3.0] * 4, strict=True):
                ends |= await singly(client, wave, concurrency=8)
                await asyncio.sleep(pause_s)

        await settled(sandbox)
        reconcile(sandbox, calls, ends, seed=SEED, unseen=8 * len(waves))
        assert counts(ends)["success"] > 150


class Wavering(Sandbox):
    """Answers about when the client's patience ends: a little before, to the moment, after."""

    waits = (0.4, 0.5, 0.5, 0.6)

    @property
    def latency_s(self) -> float:
        return self.waits[len(self.ledger.requests) % len(self.waits)]

    @latency_s.setter
    def latency_s(self, value: float) -> None:
        pass


@pytest.mark.parametrize("drive", [singly, streamed])
@unhurried
async def test_answers_that_come_as_the_attempt_times_out_are_reported_right(
    drive: Callable[..., Any],
) -> None:
    async with Wavering(groups=[10, 11]) as sandbox:
        credentials = Credentials(sandbox.key, sandbox.secret)
        async with ContactClient(sandbox.url, credentials, timeout_s=0.5) as client:
            calls = calls_of(SEED, 200, ())

            ends = await drive(client, calls, concurrency=8)

        await settled(sandbox)
        reconcile(sandbox, calls, ends, seed=SEED, hasty=True)
        assert counts(ends)["success"] > 20
        assert counts(ends)["UncertainError"] > 20


class TestReconciliationFails:
    """Where the client reports anything but the truth, it fails and says so."""

    @staticmethod
    async def fails(
        what: str, is_meant: Callable[[Sent, End, Sandbox], bool], lie: Callable[[End], End]
    ) -> None:
        """Change the end of the first call that `is_meant`, and see that this fails the rest."""
        async with connected() as (sandbox, client):
            calls = calls_of(SEED, 150, sandbox.contacts.values())
            sandbox.mix(SEED, 0.3, DEFAULT_MIX)
            ends = await singly(client, calls, concurrency=8)
            await settled(sandbox)
            reconcile(sandbox, calls, ends, seed=SEED)

            victim = next(c for c in calls if is_meant(c, ends[c.number], sandbox))
            ends[victim.number] = lie(ends[victim.number])
            with pytest.raises(AssertionError, match=f"seed {SEED}: 1 problems") as raised:
                reconcile(sandbox, calls, ends, seed=SEED)

        assert f"call {victim.number} " in str(raised.value)
        assert what in str(raised.value)

    @unhurried
    async def test_where_a_written_contact_is_said_not_to_be_applied(self) -> None:
        await self.fails(
            "said not to be applied, but written",
            lambda call, end, sandbox: uncertain(end) and was_written(call, sandbox),
            lambda end: UnavailableError("not applied"),
        )

    @unhurried
    async def test_where_a_success_is_said_to_be_refused(self) -> None:
        await self.fails(
            "said not to be applied, but written",
            lambda call, end, sandbox: (
                isinstance(end, int) and len(requests_of(call, sandbox)) == 1
            ),
            lambda end: RejectedError("refused"),
        )

    @unhurried
    async def test_where_nobody_could_know_that_it_was_not_applied(self) -> None:
        await self.fails(
            "said not to be applied, which nobody could know",
            lambda call, end, sandbox: uncertain(end) and not was_written(call, sandbox),
            lambda end: UnavailableError("not applied"),
        )

    @unhurried
    async def test_where_a_success_is_called_uncertain(self) -> None:
        await self.fails(
            "uncertain, but every answer told",
            lambda call, end, sandbox: (
                isinstance(end, int) and len(requests_of(call, sandbox)) == 1
            ),
            lambda end: UncertainError("perhaps", attempts=1),
        )

    @unhurried
    async def test_where_a_refusal_is_called_uncertain(self) -> None:
        await self.fails(
            "uncertain, but every answer told",
            lambda call, end, sandbox: isinstance(end, RejectedError),
            lambda end: UncertainError("perhaps", attempts=1),
        )

    @unhurried
    async def test_where_a_write_without_an_answer_is_called_a_success(self) -> None:
        async with connected() as (sandbox, client):
            calls = [c for c in calls_of(SEED, 50, ()) if c.kind is Kind.ADD][:1]
            sandbox.script(Fault(FaultKind.ERROR_AFTER_WRITE))
            ends = await singly(client, calls, concurrency=1)
            assert uncertain(ends[calls[0].number])
            ends[calls[0].number] = sandbox.ledger.writes[0].contact_id

            with pytest.raises(AssertionError, match="a success that the sandbox did not answer"):
                reconcile(sandbox, calls, ends, seed=SEED)

    @unhurried
    async def test_where_a_success_names_another_contact(self) -> None:
        async with connected() as (sandbox, client):
            calls = calls_of(SEED, 20, ())
            ends = await singly(client, calls, concurrency=4)
            one, other = [number for number, end in ends.items() if isinstance(end, int)][:2]
            ends[one], ends[other] = ends[other], ends[one]

            with pytest.raises(AssertionError, match="does not hold what was sent"):
                reconcile(sandbox, calls, ends, seed=SEED)

    @unhurried
    async def test_where_a_contact_holds_something_else_than_was_sent(self) -> None:
        async with connected() as (sandbox, client):
            calls = calls_of(SEED, 1, ())
            other = [evolve(calls[0], body={**calls[0].body, "phone": "0"})]
            ends = await singly(client, calls, concurrency=1)

            with pytest.raises(AssertionError, match="does not hold what was sent") as raised:
                reconcile(sandbox, other, ends, seed=SEED)

        assert "what was written is not what was to be sent" in str(raised.value)

    @unhurried
    async def test_where_a_contact_is_missing(self) -> None:
        async with connected() as (sandbox, client):
            calls = calls_of(SEED, 20, ())
            ends = await singly(client, calls, concurrency=4)
            del ends[7]

            with pytest.raises(AssertionError, match=r"call 7 .*: missing"):
                reconcile(sandbox, calls, ends, seed=SEED)

    @unhurried
    async def test_where_there_is_a_write_that_nobody_asked_for(self) -> None:
        async with connected() as (sandbox, client):
            calls = calls_of(SEED, 20, ())
            ends = await singly(client, calls, concurrency=4)

            with pytest.raises(AssertionError, match=r"request \d+ is of no call"):
                reconcile(sandbox, calls[1:], {n: ends[n] for n in ends if n}, seed=SEED)

    @unhurried
    async def test_where_what_never_left_is_called_uncertain(self) -> None:
        async with connected() as (sandbox, client):
            await sandbox.stop()
            calls = calls_of(SEED, 10, ())
            ends = await singly(client, calls, concurrency=4)
            reconcile(sandbox, calls, ends, seed=SEED)
            assert counts(ends) == {"UnavailableError": 10}
            lies: dict[int, End] = {n: UncertainError("perhaps", attempts=5) for n in ends}

            with pytest.raises(AssertionError, match=r"10 problems.*\n.*never saw what was sent"):
                reconcile(sandbox, calls, lies, seed=SEED)

    @unhurried
    async def test_where_adds_are_sent_again_after_an_answer_that_does_not_tell(self) -> None:
        async with connected() as (sandbox, _):
            calls = [call for call in calls_of(SEED, 90, ()) if call.kind is Kind.ADD]
            sandbox.mix(SEED, 0.3, [Fault(FaultKind.ERROR_AFTER_WRITE)])
            credentials = Credentials(sandbox.key, sandbox.secret)
            policy = RetryPolicy(replay_adds=True)
            async with ContactClient(sandbox.url, credentials, retry=policy) as client:
                ends = await singly(client, calls, concurrency=4)

            with pytest.raises(AssertionError, match="an add was written twice") as raised:
                reconcile(sandbox, calls, ends, seed=SEED)

        assert "an add was sent again after an answer that did not tell" in str(raised.value)


def uncertain(end: End) -> bool:
    return isinstance(end, UncertainError)


def requests_of(call: Sent, sandbox: Sandbox) -> list[Request]:
    digest = hashlib.md5(wire.encode(call.contact)).hexdigest()
    return [r for r in sandbox.ledger.requests if r.headers["Content-MD5"] == digest]


def was_written(call: Sent, sandbox: Sandbox) -> bool:
    return any(w.body["externalId"] == call.body["externalId"] for w in sandbox.ledger.writes)


class TestLateWrite:
    """Repeat-safety of `update_if_exists` is the platform's: it has to look and write in one."""

    UPSERT = Contact(
        first_name="Ada", last_name="Quist", email="ada@example.test", update_if_exists=True
    )

    @unhurried
    async def test_of_a_platform_that_looks_as_it_writes_doubles_nothing(self) -> None:
        async with connected() as (sandbox, client):
            before = len(sandbox.contacts)
            sandbox.script(Fault(FaultKind.WRITE_AFTER_GONE))

            contact_id = await client.add_or_update(self.UPSERT)

            assert [write.added for write in sandbox.ledger.writes] == [True, False]
            assert {write.contact_id for write in sandbox.ledger.writes} == {contact_id}
            assert len(sandbox.contacts) == before + 1

    @unhurried
    async def test_of_a_platform_that_looked_before_doubles_the_contact_unseen(self) -> None:
        async with connected() as (sandbox, client):
            before = len(sandbox.contacts)
            sandbox.script(Fault(FaultKind.WRITE_LATE))

            contact_id = await client.add_or_update(self.UPSERT)

            # The second answer told of a whole success, so no client can know of the other contact.
            assert [write.added for write in sandbox.ledger.writes] == [True, True]
            assert sandbox.ledger.writes[0].contact_id == contact_id
            assert len(sandbox.contacts) == before + 2

    @unhurried
    async def test_of_an_uncertain_update_undoes_what_was_sent_since(self) -> None:
        async with connected() as (sandbox, client):
            contact_id = await client.add_or_update(self.UPSERT)
            sandbox.script(Fault(FaultKind.WRITE_LATE))

            with pytest.raises(UncertainError):
                await client.add_or_update(Contact(id=contact_id, phone="1"), deadline_s=30)
            await client.add_or_update(Contact(id=contact_id, phone="2"))
            await client.ping()  # by now the platform has seen that the first one has gone

            assert sandbox.contacts[contact_id]["phone"] == "1"
