"""The fan-out: bounded workers over one shared input, and exactly one outcome for each item.

Nothing here knows HTTP: what makes one attempt to send one contact comes in as a function.
"""

import asyncio
import contextlib
from collections import deque
from collections.abc import (
    AsyncIterable,
    AsyncIterator,
    Awaitable,
    Callable,
    Iterable,
)
from types import TracebackType
from typing import Final, Self, TypeAlias

from contactsdk.arguments import check_count, check_positive, check_seconds
from contactsdk.bulk.handover import Handover
from contactsdk.bulk.lines import Lines
from contactsdk.bulk.outcomes import BulkReport, Outcome, Progress
from contactsdk.bulk.reading import Input, was_cancelled
from contactsdk.bulk.sending import WAITING_PER_PLACE, Send, Sender
from contactsdk.deadlines import is_being_cancelled
from contactsdk.errors import (
    ContactError,
    InvalidContactError,
    JournalError,
    SetupError,
    UnavailableError,
    UncertainError,
)
from contactsdk.journal import JournalRow, JournalRun, State
from contactsdk.models import Contact, Item, key_of
from contactsdk.pacing import NoMoreTurnsError, Pacer
from contactsdk.retry import (
    Call,
    RetryPolicy,
    logger,
    repeat_safe,
)

OnProgress: TypeAlias = Callable[[Progress], object]

_TICK_S: Final = 0.1
_LATELY_TICKS: Final = 50


class OutcomeStream:
    """The outcomes of a run, each as it comes: `async with`, then `async for`.

    After the last outcome, the iteration raises what stopped the run before its input ended: a
    `SetupError`, the error of a platform that did not answer for too long, or what the input itself
    raised. Outcomes that wait for the consumer are bounded, so a slow consumer slows the run.
    Leaving the `async with` early cancels what is in flight and waits for it; then `undelivered`
    holds the outcomes of all that was read and not handed out.
    """

    def __init__(
        self,
        contacts: Iterable[Item] | AsyncIterable[Item],
        send: Send,
        policy: RetryPolicy,
        *,
        concurrency: int,
        rate_per_s: float | None = None,
        give_up_s: float = 300.0,
        journal: Callable[[], Awaitable[JournalRun]] | None = None,
        on_progress: OnProgress | None = None,
        clock: Callable[[], float] | None = None,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        check_count("concurrency", concurrency)
        check_seconds("give_up_s", give_up_s)
        if rate_per_s is not None:
            check_positive("rate_per_s", rate_per_s)
        self._input = Input(contacts)
        self._policy = policy
        self._concurrency = concurrency
        self._open_journal = journal
        self._journal: JournalRun | None = None
        self._on_progress = on_progress
        self._clock = asyncio.get_running_loop().time if clock is None else clock
        self._sleep = sleep
        self._pacer = Pacer(
            policy, rate_per_s=rate_per_s, give_up_s=give_up_s, clock=self._clock, sleep=sleep
        )
        self._sender = Sender(
            send,
            policy,
            self._pacer,
            places=concurrency,
            patience_s=give_up_s,
            on_aside=self._add_worker,
            stop=self._stop,
            clock=self._clock,
            sleep=sleep,
        )
        self._lines: Lines[tuple[int, Contact]] = Lines(room=WAITING_PER_PLACE * concurrency)
        self._workers = 0
        self._succeeded = self._failed = self._uncertain = 0
        self._handover = Handover(room=concurrency)
        self._started_at = self._clock()
        self._lately = deque([(self._started_at, 0)], maxlen=_LATELY_TICKS)
        self._tasks = asyncio.TaskGroup()
        self._helpers: list[asyncio.Task[None]] = []
        self._runner: asyncio.Task[None] | None = None
        self._is_open = False

    @property
    def stopped_by(self) -> Exception | None:
        """Why no more input was read before its end; `None` where nothing stopped the run."""
        return self._input.stopped_by

    @property
    def undelivered(self) -> tuple[Outcome, ...]:
        """Outcomes of what was read and not handed out, in input order; whole after leaving."""
        return self._handover.untaken

    async def __aenter__(self) -> Self:
        if self._runner is not None:
            raise RuntimeError("a stream runs once: make another")
        if self._open_journal is not None:
            self._journal = self._sender.journal = await self._open_journal()
        self._runner = asyncio.create_task(self._run())
        self._is_open = True
        return self

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        assert self._runner is not None  # noqa: S101  # entered before it is left
        self._runner.cancel()
        self._is_open = False
        self._handover.close()
        try:
            await _wait_out(self._runner)
        finally:
            if self._journal is not None:
                await self._journal.close()
        if not self._runner.cancelled():
            self._runner.result()

    def __aiter__(self) -> AsyncIterator[Outcome]:
        return self

    async def __anext__(self) -> Outcome:
        outcome = self._handover.take_at_once()  # as most are, without one more coroutine
        if outcome is None:
            outcome = await self.next()
        if outcome is not None:
            return outcome
        if self.stopped_by is not None:
            raise self.stopped_by
        raise StopAsyncIteration

    async def next(self) -> Outcome | None:
        """The next outcome; `None` after the last one, whatever stopped the run."""
        if not self._is_open:
            raise RuntimeError("a stream is read inside its `async with`")
        return await self._handover.take()

    async def _run(self) -> None:
        try:
            async with self._tasks as tasks:
                self._input.start(tasks)
                if self._journal is not None:
                    self._helpers.append(tasks.create_task(self._journal.write_loop()))
                if self._on_progress is not None:
                    self._helpers.append(tasks.create_task(self._tick()))
                for _ in range(self._concurrency):
                    self._add_worker()
        except ExceptionGroup as group:
            # A worker must not fail; if one does, all that was read is still told of.
            self._stop(group.exceptions[0])
        except asyncio.CancelledError as exc:
            if self._is_open:  # by something else than our own leaving
                self._stop(was_cancelled("the run", exc))
            raise
        finally:
            for index, item in sorted(self._input.taken.items()):
                self._settle(await self._unsent(index, item))
            self._report_progress()
            self._handover.end()

    def _stop(self, reason: Exception) -> None:
        self._input.stop(reason)
        self._pacer.stop()

    def _add_worker(self) -> None:
        self._workers += 1
        self._tasks.create_task(self._work())

    async def _work(self) -> None:
        source, lines, journal = self._input, self._lines, self._journal
        try:
            while self._workers <= self._concurrency + self._sender.aside:
                index = source.read() if source.is_at_hand else await source.receive()
                if index is None:
                    break
                item = source.taken[index]
                recorded = None
                if journal is not None:
                    while journal.needs_load(index):
                        await journal.load(index)
                    recorded = self._recall(journal, index, item)
                if recorded is not None:
                    is_news = recorded.state is State.SENT  # then it is uncertain now
                    await self._hand_out(
                        _recalled(index, item, recorded), item if is_news else None
                    )
                elif isinstance(item, InvalidContactError):
                    await self._hand_out(_failed(index, item, item), item)
                elif lines.join(key := key_of(item), (index, item)):
                    head: tuple[int, Contact] | None = (index, item)
                    while head is not None:
                        index, contact = head
                        outcome = await self._outcome_of(index, contact)
                        if journal is not None:
                            await self._hand_out(outcome, contact)
                        elif not self._settle(outcome):
                            await self._handover.room()
                        head = lines.leave(key)
                else:
                    await lines.room()
        except JournalError as error:
            self._stop(error)
        self._workers -= 1
        if self._workers == 0:
            for helper in self._helpers:
                helper.cancel()

    def _recall(self, journal: JournalRun, index: int, item: Item) -> JournalRow | None:
        is_safe = isinstance(item, Contact) and repeat_safe(item, self._policy)
        return journal.recall(index, item, idempotent=is_safe)

    async def _unsent(self, index: int, item: Item) -> Outcome:
        """What is told of an item that the run did not come to."""
        if self._journal is not None:
            with contextlib.suppress(JournalError):  # then nothing is known of it
                await self._journal.load(index)
                recorded = self._recall(self._journal, index, item)
                if recorded is not None:
                    return _recalled(index, item, recorded)
            if self._journal.is_in_doubt(index):
                error: ContactError = UncertainError(
                    "sent by an earlier run that ended before an answer came"
                )
                return _failed(index, item, error)
        error = item if isinstance(item, InvalidContactError) else _never_sent()
        return _failed(index, item, error)

    async def _hand_out(self, outcome: Outcome, news_of: Item | None) -> None:
        """Settle it, once it is on record if it is news of an item, and wait for room."""
        try:
            if self._journal is not None and news_of is not None:
                await self._journal.record_outcome(
                    outcome.index, news_of, outcome.id, outcome.error, outcome.attempts
                )
        except JournalError as error:
            self._stop(error)
        finally:
            has_room = self._settle(outcome)
        if not has_room:
            await self._handover.room()

    def _settle(self, outcome: Outcome) -> bool:
        """Have it ready, the one outcome of its item; whether there is room for more."""
        del self._input.taken[outcome.index]
        if outcome.error is None:
            self._succeeded += 1
        elif outcome.uncertain:
            self._uncertain += 1
        else:
            self._failed += 1
        return self._handover.put(outcome)

    async def _outcome_of(self, index: int, contact: Contact) -> Outcome:
        started_at = self._clock()
        deadline_s = self._policy.deadline_s
        call = Call(
            repeat_safe(contact, self._policy),
            None if deadline_s is None else started_at + deadline_s,
            self._sender.next_turn,
            started_at,
        )
        if self._journal is not None:
            call.in_doubt = self._journal.is_in_doubt(index)
        contact_id: int | None = None
        error: ContactError | None = None
        try:
            contact_id = await self._sender.send(index, contact, call)
        except ContactError as exc:
            error = exc
            setup = error if isinstance(error, SetupError) else error.__cause__
            if isinstance(setup, SetupError):
                self._stop(setup)
            if self.stopped_by is None or self.stopped_by not in (error, error.__cause__):
                _drop_frames(error)
        except NoMoreTurnsError:
            error = _interrupted(call)
        except asyncio.CancelledError as exc:
            error = _interrupted(call)
            if is_being_cancelled():
                self._sender.withdraw(index, contact, call)
                elapsed_s = self._clock() - call.started_at
                self._settle(_failed(index, contact, error, call.attempts, elapsed_s))
                raise
            # Such as a session of the caller's that was closed: it cancels who waits for its pool.
            self._stop(was_cancelled("a request", exc))
            error.__cause__ = exc
        except Exception as exc:
            # Such as a client that was closed meanwhile: no contact's fault, and none is lost.
            self._stop(exc)
            error = _interrupted(call)
            error.__cause__ = exc
        elapsed_s = self._clock() - call.started_at
        return Outcome(index, contact, contact_id, error, call.attempts, elapsed_s)

    async def _tick(self) -> None:
        while True:
            self._report_progress()
            await self._sleep(_TICK_S)

    def _report_progress(self) -> None:
        if self._on_progress is None:
            return
        now = self._clock()
        settled = self._succeeded + self._failed + self._uncertain
        before, settled_before = self._lately[0]
        self._lately.append((now, settled))
        progress = Progress(
            read=self._input.count,
            succeeded=self._succeeded,
            failed=self._failed,
            uncertain=self._uncertain,
            in_flight=self._sender.in_flight,
            paused_s=self._pacer.paused_s,
            rate_per_s=(settled - settled_before) / (now - before) if now > before else 0.0,
            elapsed_s=now - self._started_at,
        )
        try:
            self._on_progress(progress)
        except (Exception, asyncio.CancelledError):  # nothing is awaited: it is its own
            self._on_progress = None
            logger.exception("on_progress raised, and is not called again")


async def collect(stream: OutcomeStream) -> BulkReport:
    """Run a stream to its end and report on all of it."""
    clock = asyncio.get_running_loop().time
    started_at = clock()
    outcomes = []
    async with stream:
        while (outcome := await stream.next()) is not None:
            outcomes.append(outcome)
    return BulkReport(
        outcomes=tuple(sorted(outcomes, key=lambda outcome: outcome.index)),
        stopped_by=stream.stopped_by,
        elapsed_s=clock() - started_at,
    )


def _recalled(index: int, item: Item, recorded: JournalRow) -> Outcome:
    return Outcome(
        index=index,
        contact=item if isinstance(item, Contact) else None,
        id=recorded.id if recorded.error is None else None,
        error=recorded.error,
        attempts=recorded.attempts,
        elapsed_s=0.0,
    )


def _failed(
    index: int, item: Item, error: ContactError, attempts: int = 0, elapsed_s: float = 0.0
) -> Outcome:
    contact = item if isinstance(item, Contact) else None
    return Outcome(index, contact, None, error, attempts, elapsed_s)


def _never_sent() -> ContactError:
    return UnavailableError("never sent: the run was stopped before")


def _drop_frames(error: ContactError) -> None:
    """Drop the traceback, which would keep all that the attempt held for as long as the error."""
    raised: BaseException | None = error
    while raised is not None and raised.__traceback__ is not None:
        raised.__traceback__ = None
        raised = raised.__cause__ or raised.__context__


def _interrupted(call: Call) -> ContactError:
    if call.in_doubt:
        return UncertainError(
            "sent, but the run was stopped before an answer came", attempts=call.attempts
        )
    return UnavailableError("not applied: the run was stopped before", attempts=call.attempts)


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
