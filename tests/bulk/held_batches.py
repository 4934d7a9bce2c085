"""A platform that takes batches, without HTTP and in held time."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

import attrs
import orjson

from contactsdk import Contact, OutcomeStream, RetryPolicy
from contactsdk.bulk import Run, RunOptions, outcome_stream
from contactsdk.journal import JournalRun
from contactsdk.pacing import Pacer
from contactsdk.wire import JobResult, contact_from
from tests.bulk.held import now

RACED = {"errorCode": 429, "message": "Race condition error", "specificCode": 24299}
REFUSED = {"errorCode": 400, "message": "no", "specificCode": 23016}
BROKEN = {"errorCode": 500, "message": "broken"}


def done(contact: Contact) -> Any:
    """The response to a contact that was added or updated."""
    return {"success": True, "id": contact.id or 1000 + int(contact.external_id or 0)}


@attrs.define(eq=False)
class Accepted:
    """A batch that was accepted."""

    bodies: Sequence[bytes]
    at: float
    polled_at: list[float] = attrs.field(factory=list)

    @property
    def contacts(self) -> list[Contact]:
        return [contact_from(orjson.loads(body)) for body in self.bodies]

    @property
    def numbers(self) -> list[int]:
        return [int(contact.external_id or "") for contact in self.contacts]


@attrs.define(eq=False)
class HeldBatches:
    """Accepts batches, has their results after `takes_s`, and remembers all of it."""

    judge: Callable[[Contact], Any] = done
    """The response to each contact."""
    takes_s: float = 0.0
    latency_s: float = 0.01
    refuse: Callable[[Sequence[Contact]], BaseException | None] = lambda contacts: None
    """What a request to run a batch ends with, instead of being accepted."""
    lose: Callable[[Sequence[Contact]], BaseException | None] = lambda contacts: None
    """What such a request ends with once the batch has been accepted."""
    hide: Callable[[str], BaseException | None] = lambda async_id: None
    """What a request for results ends with."""
    change: Callable[[list[JobResult]], Sequence[JobResult]] = lambda results: results
    """What becomes of the results before they are answered."""
    percent: Callable[[str], int | BaseException] = lambda async_id: 0
    accepted: list[Accepted] = attrs.field(factory=list)
    tried: list[list[int]] = attrs.field(factory=list)
    """The contacts of each request to run a batch, accepted or not."""
    requested_at: list[float] = attrs.field(factory=list)
    """When each request of any kind came."""
    asked_for_progress_at: list[float] = attrs.field(factory=list)

    async def send(self, *_: object, **__: object) -> int:
        raise AssertionError("a contact was sent alone")

    async def run(self, contents: Sequence[bytes], *, before_send: Callable[[], object]) -> str:
        batch = Accepted(tuple(contents), now())
        self.requested_at.append(now())
        self.tried.append(batch.numbers)
        if (refusal := self.refuse(batch.contacts)) is not None:
            before_send()
            await asyncio.sleep(self.latency_s)
            raise refusal
        before_send()
        self.accepted.append(batch)
        async_id = f"batch-{len(self.accepted) - 1}"
        loss = self.lose(batch.contacts)
        await asyncio.sleep(self.latency_s)
        if loss is not None:
            raise loss
        return async_id

    async def results(self, async_id: str) -> Sequence[JobResult] | None:
        batch = self.accepted[int(async_id.removeprefix("batch-"))]
        self.requested_at.append(now())
        batch.polled_at.append(now())
        await asyncio.sleep(self.latency_s)
        if (problem := self.hide(async_id)) is not None:
            raise problem
        if now() < batch.at + self.takes_s:
            return None
        return self.change(
            [
                JobResult(request=orjson.loads(body), response=self.judge(contact))
                for body, contact in zip(batch.bodies, batch.contacts, strict=True)
            ]
        )

    async def progress(self, async_id: str) -> int:
        self.requested_at.append(now())
        self.asked_for_progress_at.append(now())
        await asyncio.sleep(self.latency_s)
        percent = self.percent(async_id)
        if isinstance(percent, BaseException):
            raise percent
        return percent

    @property
    def sizes(self) -> list[int]:
        """How many contacts each accepted batch had."""
        return [len(batch.bodies) for batch in self.accepted]


def batch_stream(
    contacts: Any,
    platform: HeldBatches,
    *,
    policy: RetryPolicy = RetryPolicy(),  # noqa: B008  # frozen
    open_journal: Callable[[], Awaitable[JournalRun]] | None = None,
    **options: Any,
) -> OutcomeStream:
    """A stream that sends batches to this platform."""
    clock = asyncio.get_running_loop().time
    pacer = Pacer(base_s=policy.base_s, max_wait_s=policy.max_wait_s, clock=clock)
    run_options = RunOptions(policy=policy, **{"concurrency": 4, "batch_size": 10, **options})
    run = Run(contacts, platform.send, platform, pacer, run_options, open_journal=open_journal)
    return outcome_stream(run)
