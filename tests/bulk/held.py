"""Time that is held in the hand, and a platform without HTTP, for the tests of the fan-out."""

import asyncio
import functools
import itertools
import random
import selectors
from collections.abc import Callable, Coroutine, Iterable, Iterator, Sequence
from typing import Any

import attrs
import orjson

from contactsdk import Contact, ContactError, Outcome, OutcomeStream, RetryPolicy, UnavailableError
from contactsdk.bulk import Run, RunOptions, outcome_stream
from contactsdk.errors import UncertainError
from contactsdk.pacing import Pacer
from contactsdk.wire import JobResult, contact_from
from tests.examples import a_contact


class HeldLoop(asyncio.SelectorEventLoop):
    """An event loop whose time stands still while anything runs, and jumps when all wait."""

    def __init__(self) -> None:
        self.now = 1000.0
        super().__init__(_Jump(self))

    def time(self) -> float:
        return self.now


class _Jump(selectors.DefaultSelector):
    def __init__(self, loop: HeldLoop) -> None:
        super().__init__()
        self._loop = loop

    def select(self, timeout: float | None = None) -> list[Any]:
        if timeout is None:
            raise AssertionError("deadlock: everything waits, and for no timer")
        self._loop.now += max(0.0, timeout)
        if self._loop.now > 10_000:
            raise AssertionError("endless: hours have passed")
        return super().select(0)


def in_held_time(test: Callable[..., Coroutine[Any, Any, None]]) -> Callable[..., None]:
    """Run an async test in held time, the same each time; it may leave no task behind."""

    @functools.wraps(test)
    def run(*args: Any, **kwargs: Any) -> None:
        random.seed(0)
        with asyncio.Runner(loop_factory=HeldLoop) as runner:
            runner.run(_leaving_nothing(test(*args, **kwargs)))

    return run


async def _leaving_nothing(test: Coroutine[Any, Any, None]) -> None:
    await test
    assert asyncio.all_tasks() == {asyncio.current_task()}


def now() -> float:
    """Seconds since the test began."""
    return asyncio.get_running_loop().time() - 1000.0


class NoBatches:
    """The batch actions of a platform that no batch is to be sent to."""

    async def run(self, contents: Sequence[bytes], *, before_send: Callable[[], object]) -> str:
        raise AssertionError("a batch was sent")

    async def results(self, async_id: str) -> Sequence[JobResult] | None:
        raise AssertionError("the results of a batch were asked for")

    async def progress(self, async_id: str) -> int:
        raise AssertionError("the progress of a batch was asked for")


@attrs.define(eq=False)
class HeldPlatform:
    """Answers each attempt after `latency_s` as `judge` says, and remembers what it was sent."""

    judge: Callable[[Contact], int | BaseException] = lambda contact: 1
    latency_s: float = 0.01
    accident: Callable[[Contact], BaseException | None] = lambda contact: None
    """What happens to an attempt before anything is sent."""
    sent: list[Contact] = attrs.field(factory=list)
    sent_at: list[float] = attrs.field(factory=list)
    in_flight: list[Contact] = attrs.field(factory=list)
    abreast: list[int] = attrs.field(factory=list)
    """How many were in flight with each that was sent, itself included."""

    async def send(
        self, content: bytes, *, deadline: float | None, before_send: Callable[[], object]
    ) -> int:
        if deadline is not None and deadline <= asyncio.get_running_loop().time():
            raise UnavailableError("never sent: timed out")
        contact = contact_from(orjson.loads(content))
        if (accident := self.accident(contact)) is not None:
            self.sent.append(contact)
            raise accident
        before_send()
        return await self.answer(contact, deadline)

    async def answer(self, contact: Contact, deadline: float | None) -> int:
        self.sent.append(contact)
        self.sent_at.append(now())
        self.in_flight.append(contact)
        self.abreast.append(len(self.in_flight))
        verdict = self.judge(contact)
        try:
            async with asyncio.timeout_at(deadline):
                await asyncio.sleep(self.latency_s)
        except TimeoutError as exc:
            raise UncertainError("sent, but no answer came: timed out") from exc
        finally:
            self.in_flight.remove(contact)
        if isinstance(verdict, BaseException):
            raise verdict
        return verdict


def stream_of(
    contacts: Any,
    platform: HeldPlatform,
    *,
    policy: RetryPolicy = RetryPolicy(),  # noqa: B008  # frozen
    is_proven: bool = True,
    **options: Any,
) -> OutcomeStream:
    """A stream that sends to this platform, and knows already that it answers."""
    clock = asyncio.get_running_loop().time
    pacer = Pacer(base_s=policy.base_s, max_wait_s=policy.max_wait_s, clock=clock)
    run_options = RunOptions(policy=policy, **{"concurrency": 4, **options})
    return outcome_stream(
        Run(contacts, platform.send, NoBatches(), pacer, run_options, is_proven=is_proven)
    )


def many(count: int, **changes: Any) -> list[Contact]:
    """Contacts to add, all different; the number of each is its `external_id`."""
    return [
        a_contact(email=f"n{n}@example.test", external_id=str(n), **changes) for n in range(count)
    ]


def endless() -> Iterator[Contact]:
    """The same, made as they are asked for, and without an end."""
    contact = a_contact()
    for n in itertools.count():
        yield attrs.evolve(contact, email=f"n{n}@example.test", external_id=str(n))


def number(contact: Contact) -> int:
    """Its number, as these are given."""
    return int(contact.external_id or "")


def updates(ids: Iterable[int]) -> list[Contact]:
    """Contacts to update, numbered by `external_id` in input order."""
    return [Contact(id=i, external_id=str(n)) for n, i in enumerate(ids)]


class Counted:
    """An iterator that knows how many items were taken from it."""

    def __init__(self, items: Iterable[Any]) -> None:
        self._items = iter(items)
        self.taken = 0

    def __iter__(self) -> "Counted":
        return self

    def __next__(self) -> Any:
        item = next(self._items)
        self.taken += 1
        return item


def indexes(outcomes: Iterable[Outcome]) -> list[int]:
    return sorted(outcome.index for outcome in outcomes)


def errors(outcomes: Iterable[Outcome]) -> list[type[ContactError] | None]:
    """The type of the error of each, in input order."""
    in_order = sorted(outcomes, key=lambda outcome: outcome.index)
    return [None if outcome.error is None else type(outcome.error) for outcome in in_order]


async def read_all(stream: OutcomeStream) -> tuple[list[Outcome], Exception | None]:
    """All outcomes as they come, and what the iteration raised after the last one."""
    outcomes = []
    try:
        async with stream:
            async for outcome in stream:
                outcomes.append(outcome)
    except Exception as exc:
        return outcomes, exc
    return outcomes, None
