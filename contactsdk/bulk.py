"""Many contacts: bounded workers over one shared input, and exactly one outcome for each item.

Nothing here knows HTTP: how one contact is sent comes in as a function.
"""

import asyncio
from collections import Counter
from collections.abc import (
    AsyncGenerator,
    AsyncIterable,
    AsyncIterator,
    Awaitable,
    Callable,
    Iterable,
    Iterator,
    Mapping,
)
from types import TracebackType
from typing import Self, TypeAlias

from attrs import frozen

from contactsdk.errors import (
    ContactError,
    InvalidContactError,
    SetupError,
    UnavailableError,
    UncertainError,
)
from contactsdk.models import Contact
from contactsdk.retry import Call, RetryPolicy, check_count, repeat_safe, resend_while_allowed

Item: TypeAlias = Contact | InvalidContactError
"""What a bulk run reads: a contact, or what was wrong with one (as `contacts_from` gives)."""

Prepare: TypeAlias = Callable[[Contact], Callable[[Call], Awaitable[int]]]
"""Encodes a contact; what it returns makes one attempt, which returns an id or raises."""


@frozen(kw_only=True)
class Outcome:
    """What became of one item of the input.

    `index` is its place in the input, from 0. `contact` is `None` where the input held an error
    instead. `id` is the platform's id, `None` where it failed; then `error` says why. `attempts`
    counts the requests, `elapsed_s` the seconds from taking it up to knowing.
    """

    index: int
    contact: Contact | None
    id: int | None
    error: ContactError | None
    attempts: int
    elapsed_s: float

    @property
    def ok(self) -> bool:
        """Whether the contact was added or updated."""
        return self.error is None

    @property
    def message(self) -> str:
        """Why it failed; empty where it did not."""
        return "" if self.error is None else self.error.message

    @property
    def uncertain(self) -> bool:
        """Whether it may or may not have been applied: look before sending it again."""
        return isinstance(self.error, UncertainError)


@frozen(kw_only=True)
class BulkReport:
    """What became of a whole run.

    `outcomes` has one for each item that was read, in input order. `stopped_by` is why the run
    ended before its input did, `None` where it did not: a `SetupError`, or what the input raised.
    """

    outcomes: tuple[Outcome, ...]
    stopped_by: Exception | None
    elapsed_s: float

    @property
    def ids(self) -> tuple[int, ...]:
        """The ids of all that succeeded, in input order."""
        return tuple(outcome.id for outcome in self.outcomes if outcome.id is not None)

    @property
    def failures(self) -> tuple[Outcome, ...]:
        """Those known not to be applied, in input order."""
        return tuple(o for o in self.outcomes if not o.ok and not o.uncertain)

    @property
    def uncertain(self) -> tuple[Outcome, ...]:
        """Those that may or may not have been applied, in input order."""
        return tuple(outcome for outcome in self.outcomes if outcome.uncertain)

    @property
    def messages(self) -> Mapping[str, int]:
        """How often each message of what did not succeed came, most frequent first."""
        counts = Counter(outcome.message for outcome in self.outcomes if not outcome.ok)
        return dict(counts.most_common())

    def __str__(self) -> str:
        lines = [
            f"{len(self.outcomes)} read, {len(self.ids)} succeeded, {len(self.failures)} failed, "
            f"{len(self.uncertain)} uncertain in {self.elapsed_s:.1f} s"
        ]
        if self.stopped_by is not None:
            lines.append(f"stopped: {self.stopped_by}")
        lines += [f"{count:>7} x {message}" for message, count in self.messages.items()]
        return "\n".join(lines)


class OutcomeStream:
    """The outcomes of a run, each as it comes: `async with`, then `async for`.

    After the last outcome, the iteration raises what stopped the run before its input ended: a
    `SetupError`, or what the input itself raised. Outcomes that wait for the consumer are bounded,
    so a slow consumer slows the run. Leaving the `async with` early cancels what is in flight and
    waits for it; then `undelivered` holds the outcomes of all that was read and not handed out.
    """

    def __init__(
        self,
        contacts: Iterable[Item] | AsyncIterable[Item],
        prepare: Prepare,
        policy: RetryPolicy,
        *,
        concurrency: int,
    ) -> None:
        check_count("concurrency", concurrency)
        self._input = _Input(contacts)
        self._prepare = prepare
        self._policy = policy
        self._concurrency = concurrency
        self._settled: dict[int, Outcome] = {}
        self._ready: asyncio.Queue[Outcome | None] = asyncio.Queue(concurrency)
        self._runner: asyncio.Task[None] | None = None

    @property
    def stopped_by(self) -> Exception | None:
        """Why no more input was read before its end; `None` where nothing stopped the run."""
        return self._input.stopped_by

    @property
    def undelivered(self) -> tuple[Outcome, ...]:
        """Outcomes of what was read and not handed out, in input order; whole after leaving."""
        return tuple(self._settled[index] for index in sorted(self._settled))

    async def __aenter__(self) -> Self:
        if self._runner is not None:
            raise RuntimeError("a stream runs once: make another")
        self._runner = asyncio.create_task(self._run())
        return self

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        assert self._runner is not None  # noqa: S101  # entered before it is left
        self._runner.cancel()
        await _wait_out(self._runner)
        if not self._runner.cancelled():
            self._runner.result()

    def __aiter__(self) -> AsyncIterator[Outcome]:
        return self

    async def __anext__(self) -> Outcome:
        outcome = await self.next()
        if outcome is not None:
            return outcome
        if self.stopped_by is not None:
            raise self.stopped_by
        raise StopAsyncIteration

    async def next(self) -> Outcome | None:
        """The next outcome; `None` after the last one, whatever stopped the run."""
        if self._runner is None:
            raise RuntimeError("a stream is read inside its `async with`")
        outcome = await self._ready.get()
        if outcome is None:
            self._ready.put_nowait(None)  # for whoever asks again
        else:
            del self._settled[outcome.index]
        return outcome

    async def _run(self) -> None:
        try:
            async with asyncio.TaskGroup() as tasks:
                self._input.start(tasks)
                for _ in range(self._concurrency):
                    tasks.create_task(self._work())
        finally:
            unsent = [self._settle(index, _unsent()) for index in sorted(self._input.taken)]
        for outcome in unsent:
            await self._ready.put(outcome)
        await self._ready.put(None)

    async def _work(self) -> None:
        while (index := await self._input.next()) is not None:
            await self._ready.put(await self._deal_with(index))

    async def _deal_with(self, index: int) -> Outcome:
        item = self._input.taken[index]
        if isinstance(item, InvalidContactError):
            return self._settle(index, item)
        clock = asyncio.get_running_loop().time
        started = clock()
        deadline_s = self._policy.deadline_s
        call = Call(
            repeat_safe=repeat_safe(item, self._policy),
            deadline=None if deadline_s is None else started + deadline_s,
        )
        result: int | ContactError
        try:
            result = await resend_while_allowed(
                self._prepare(item), call, policy=self._policy, budget=None, clock=clock
            )
        except SetupError as error:
            self._input.stop(error)
            result = error
        except ContactError as error:
            result = error
        except asyncio.CancelledError:
            self._settle(index, _interrupted(call), call.attempts, clock() - started)
            raise
        except Exception as exc:
            # Such as a client that was closed meanwhile: no contact's fault, and none is lost.
            self._input.stop(exc)
            result = _interrupted(call)
            result.__cause__ = exc
        return self._settle(index, result, call.attempts, clock() - started)

    def _settle(
        self,
        index: int,
        result: int | ContactError,
        attempts: int = 0,
        elapsed_s: float = 0.0,
    ) -> Outcome:
        item = self._input.taken.pop(index)
        outcome = self._settled[index] = Outcome(
            index=index,
            contact=item if isinstance(item, Contact) else None,
            id=result if isinstance(result, int) else None,
            error=result if isinstance(result, ContactError) else None,
            attempts=attempts,
            elapsed_s=elapsed_s,
        )
        return outcome


async def collect(stream: OutcomeStream) -> BulkReport:
    """Run a stream to its end and report on all of it."""
    clock = asyncio.get_running_loop().time
    started = clock()
    outcomes = []
    async with stream:
        while (outcome := await stream.next()) is not None:
            outcomes.append(outcome)
    return BulkReport(
        outcomes=tuple(sorted(outcomes, key=lambda outcome: outcome.index)),
        stopped_by=stream.stopped_by,
        elapsed_s=clock() - started,
    )


class _Input:
    """The input, numbered, read by whichever worker is free; `taken` is read and not settled."""

    def __init__(self, contacts: Iterable[Item] | AsyncIterable[Item]) -> None:
        self._async = contacts if isinstance(contacts, AsyncIterable) else None
        self._sync: Iterator[Item] = iter(())
        if self._async is None:
            if isinstance(contacts, str | Mapping) or not isinstance(contacts, Iterable):
                raise TypeError(f"contacts must be an iterable of Contact, not {_kind(contacts)}")
            self._sync = iter(contacts)
        self._count = 0
        self._wanted = asyncio.Semaphore(0)
        self._inbox: asyncio.Queue[int | None] = asyncio.Queue()
        self._reader: asyncio.Task[None] | None = None
        self.taken: dict[int, Item] = {}
        self.stopped_by: Exception | None = None

    def start(self, tasks: asyncio.TaskGroup) -> None:
        if self._async is not None:
            self._reader = tasks.create_task(self._read_all(self._async))

    def stop(self, reason: Exception) -> None:
        """Read no more; the first reason stays."""
        self.stopped_by = self.stopped_by or reason
        if self._reader is not None:
            self._reader.cancel()

    async def next(self) -> int | None:
        """The number of the next item, which is then in `taken`; `None` when there are no more."""
        if self.stopped_by is not None:
            return None
        if self._async is None:
            return self._read_one()
        self._wanted.release()
        index = await self._inbox.get()
        if index is None:
            self._inbox.put_nowait(None)  # for the next worker
        return index

    def _read_one(self) -> int | None:
        try:
            return self._take(next(self._sync))
        except StopIteration:
            return None
        except Exception as exc:
            self.stop(exc)
            return None

    async def _read_all(self, contacts: AsyncIterable[Item]) -> None:
        # One task reads and closes it: an async generator may hold what belongs to its task.
        iterator = aiter(contacts)
        try:
            while await self._wanted.acquire():
                self._inbox.put_nowait(self._take(await anext(iterator)))
        except StopAsyncIteration:
            pass
        except asyncio.CancelledError as exc:
            reader = asyncio.current_task()
            if reader is None or reader.cancelling():
                raise
            # Not us: the input awaits something of its own that was cancelled.
            reason = RuntimeError("the input was cancelled")
            reason.__cause__ = exc
            self.stop(reason)
        except Exception as exc:
            self.stop(exc)
        finally:
            try:
                if isinstance(iterator, AsyncGenerator):
                    await iterator.aclose()
            finally:
                self._inbox.put_nowait(None)

    def _take(self, item: Item) -> int:
        index = self._count
        if not isinstance(item, Contact | InvalidContactError):
            raise TypeError(f"item {index} must be a Contact, not {_kind(item)}")
        self._count += 1
        self.taken[index] = item
        return index


def _unsent() -> ContactError:
    return UnavailableError("never sent: the run was stopped before")


def _interrupted(call: Call) -> ContactError:
    if call.in_doubt:
        return UncertainError("sent, but the run was stopped before an answer came")
    return UnavailableError("not applied: the run was stopped before")


def _kind(value: object) -> str:
    return f"a {type(value).__name__}"


async def _wait_out(task: asyncio.Task[None]) -> None:
    """Wait until a cancelled task has ended, even if cancelled meanwhile, and then tell of that."""
    interruption: asyncio.CancelledError | None = None
    while not task.done():
        try:
            await asyncio.wait({task})
        except asyncio.CancelledError as exc:
            interruption = exc
    if interruption is not None:
        raise interruption
