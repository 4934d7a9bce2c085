"""The fan-out: bounded workers over one shared input, and exactly one outcome for each item.

Nothing here knows HTTP: what makes one attempt to send one contact comes in as a function.
"""

import asyncio
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

from attrs import define

from contactsdk.bulk.lines import Lines
from contactsdk.bulk.outcomes import BulkReport, Outcome, Progress
from contactsdk.bulk.reading import Input, was_cancelled
from contactsdk.deadlines import is_being_cancelled
from contactsdk.errors import (
    ContactError,
    InvalidContactError,
    JournalError,
    RateLimitedError,
    SetupError,
    UnavailableError,
    UncertainError,
)
from contactsdk.journal import JournalRow, JournalRun, State
from contactsdk.models import Contact, Item, key_of
from contactsdk.pacing import LOOK_UP_S, RACES, NoMoreTurnsError, Pacer
from contactsdk.retry import (
    Call,
    Resender,
    RetryPolicy,
    check_count,
    check_positive,
    check_seconds,
    logger,
    repeat_safe,
)
from contactsdk.slots import Slots

Send: TypeAlias = Callable[[Contact, Call], Awaitable[int]]
"""Makes one attempt to send a contact, which returns its id or raises."""

OnProgress: TypeAlias = Callable[[Progress], object]

_WAITING_PER_PLACE: Final = 4  # as many are read and not sent: equal keys, and own backoffs
_TICK_S: Final = 0.1
_LATELY_TICKS: Final = 50


@define(kw_only=True, eq=False)
class _Sending(Call):
    """A contact on its way. `aside_s` is the least that it waits by itself before its next try."""

    index: int
    contact: Contact
    started_at: float
    aside_s: float = 0.0


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
        journal: Callable[[], JournalRun] | None = None,
        on_progress: OnProgress | None = None,
        clock: Callable[[], float] | None = None,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        check_count("concurrency", concurrency)
        check_seconds("give_up_s", give_up_s)
        if rate_per_s is not None:
            check_positive("rate_per_s", rate_per_s)
        self._input = Input(contacts)
        self._send = send
        self._policy = policy
        self._concurrency = concurrency
        self._give_up_s = give_up_s
        self._open_journal = journal
        self._journal: JournalRun | None = None
        self._on_progress = on_progress
        self._clock = asyncio.get_running_loop().time if clock is None else clock
        self._sleep = sleep
        self._pacer = Pacer(
            policy, rate_per_s=rate_per_s, give_up_s=give_up_s, clock=self._clock, sleep=sleep
        )
        self._resend = Resender(policy, budget=None, clock=self._clock, wait=self._stand_aside)
        self._lines = Lines(room=_WAITING_PER_PLACE * concurrency)
        self._places = Slots(concurrency)
        self._workers = 0
        self._aside = 0
        self._in_flight = 0
        self._succeeded = self._failed = self._uncertain = 0
        self._settled: dict[int, Outcome] = {}
        self._ready: deque[Outcome] = deque()
        self._news = asyncio.Event()
        self._drained = asyncio.Event()
        self._is_over = False
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
        return tuple(self._settled[index] for index in sorted(self._settled))

    async def __aenter__(self) -> Self:
        if self._runner is not None:
            raise RuntimeError("a stream runs once: make another")
        if self._open_journal is not None:
            self._journal = self._open_journal()
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
        try:
            await _wait_out(self._runner)
        finally:
            if self._journal is not None:
                self._journal.close()
            self._ready.clear()
            self._end()  # for another task that still waits for an outcome
        if not self._runner.cancelled():
            self._runner.result()

    def __aiter__(self) -> AsyncIterator[Outcome]:
        return self

    async def __anext__(self) -> Outcome:
        if self._ready and self._is_open:
            return self._take_ready()  # as for most, without one more coroutine
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
        while not self._ready:
            if self._is_over:
                return None
            self._news.clear()
            await self._news.wait()
        return self._take_ready()

    def _take_ready(self) -> Outcome:
        outcome = self._ready.popleft()
        del self._settled[outcome.index]
        # Not for each: all who wait for room are woken.
        if len(self._ready) == self._concurrency // 2:
            self._drained.set()
        return outcome

    async def _run(self) -> None:
        try:
            async with self._tasks as tasks:
                self._input.start(tasks)
                if self._journal is not None:
                    self._helpers.append(tasks.create_task(self._journal.write_on()))
                if self._on_progress is not None:
                    self._helpers.append(tasks.create_task(self._tick()))
                for _ in range(self._concurrency):
                    self._add_worker()
        except ExceptionGroup as group:
            # A worker must not fail; if one does, all that was read is still told of.
            self._stop(group.exceptions[0])
        finally:
            unsent = [self._settle_unsent(index) for index in sorted(self._input.taken)]
            self._report_progress()
        for outcome in unsent:
            await self._hand_out(outcome, None)
        self._end()

    def _end(self) -> None:
        self._is_over = True
        self._news.set()

    def _stop(self, reason: Exception) -> None:
        self._input.stop(reason)
        self._pacer.stop()

    def _add_worker(self) -> None:
        self._workers += 1
        self._tasks.create_task(self._work())

    async def _work(self) -> None:
        source, lines, journal = self._input, self._lines, self._journal
        try:
            while self._workers <= self._concurrency + self._aside:
                index = source.read() if source.is_at_hand else await source.receive()
                if index is None:
                    break
                item = source.taken[index]
                # Nothing is awaited since it was taken, so items are recalled in input order.
                recorded = None if journal is None else self._recall(journal, index, item)
                if recorded is not None:
                    await self._hand_out_recorded(index, item, recorded)
                elif isinstance(item, InvalidContactError):
                    await self._hand_out(self._settle(index, item), item)
                elif lines.join(key := key_of(item), index):
                    head: int | None = index
                    while head is not None:
                        item = source.taken[head]
                        outcome = await self._outcome_of(head, item)
                        if journal is None and len(self._ready) < self._concurrency:
                            self._make_ready(outcome)  # as nearly always, without a coroutine
                        else:
                            await self._hand_out(outcome, item)
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
        return journal.recall(index, item, repeat_safe=is_safe)

    async def _hand_out_recorded(self, index: int, item: Item, recorded: JournalRow) -> None:
        result = recorded.id if recorded.error is None else recorded.error
        assert result is not None  # noqa: S101  # what is final has one of them
        is_news = recorded.state is State.SENT  # then it is uncertain now
        outcome = self._settle(index, result, recorded.attempts)
        await self._hand_out(outcome, item if is_news else None)

    async def _hand_out(self, outcome: Outcome, news_of: Item | None) -> None:
        """Have an outcome ready, once it is on record if it is news of an item."""
        if self._journal is not None and news_of is not None:
            try:
                await self._journal.settle(
                    outcome.index, news_of, outcome.id, outcome.error, outcome.attempts
                )
            except JournalError as error:
                self._stop(error)
        while len(self._ready) >= self._concurrency:
            self._drained.clear()
            await self._drained.wait()
        self._make_ready(outcome)

    def _make_ready(self, outcome: Outcome) -> None:
        if not self._ready:
            self._news.set()
        self._ready.append(outcome)

    async def _outcome_of(self, index: int, item: Item) -> Outcome:
        assert isinstance(item, Contact)  # noqa: S101  # errors stand in no line
        if not self._places.take_at_once():
            await self._places.take()
        started_at = self._clock()
        deadline_s = self._policy.deadline_s
        sending = _Sending(
            index=index,
            contact=item,
            started_at=started_at,
            repeat_safe=repeat_safe(item, self._policy),
            deadline=None if deadline_s is None else started_at + deadline_s,
            in_doubt=self._journal is not None and self._journal.is_in_doubt(index),
            resend_turn=self._pass_turn,
        )
        result: int | ContactError
        try:
            result = await self._resend(self._attempt, sending)
        except ContactError as error:
            setup = error if isinstance(error, SetupError) else error.__cause__
            if isinstance(setup, SetupError):
                self._stop(setup)
            if self.stopped_by is None or self.stopped_by not in (error, error.__cause__):
                _drop_frames(error)
            result = error
        except NoMoreTurnsError:
            result = _interrupted(sending)
        except asyncio.CancelledError as exc:
            result = _interrupted(sending)
            if is_being_cancelled():
                if not sending.in_doubt:
                    self._withdraw(sending)
                self._settle(index, result, sending.attempts, self._clock() - started_at)
                raise
            # Such as a session of the caller's that was closed: it cancels who waits for its pool.
            self._stop(was_cancelled("a request", exc))
            result.__cause__ = exc
        except Exception as exc:
            # Such as a client that was closed meanwhile: no contact's fault, and none is lost.
            self._stop(exc)
            result = _interrupted(sending)
            result.__cause__ = exc
        finally:
            self._places.give_back()
        return self._settle(index, result, sending.attempts, self._clock() - started_at)

    async def _attempt(self, sending: _Sending) -> int:
        left_at = self._pacer.turn_at_once()
        try:
            if left_at is None:
                left_at = await self._turn(sending)
            if self._journal is not None:
                # Last: of a run that dies while it waits for the platform nothing is in doubt.
                await self._journal.intend(sending.index, sending.contact)
        except BaseException:
            sending.attempts -= 1  # it was not made
            if left_at is not None:
                self._pacer.forget(left_at)
            raise
        self._in_flight += 1
        try:
            contact_id = await self._send(sending.contact, sending)
        except ContactError as error:
            self._learn(error, left_at, sending)
            raise
        except BaseException:
            self._pacer.forget(left_at)
            raise
        finally:
            self._in_flight -= 1
        self._pacer.told(left_at, None)
        return contact_id

    async def _turn(self, sending: _Sending) -> float:
        asked_at = self._clock()
        left_at = await self._pacer.turn()
        if sending.deadline is not None:
            # What a contact waits for on account of others does not count against it.
            sending.deadline += left_at - asked_at
        return left_at

    def _learn(self, error: ContactError, left_at: float, sending: _Sending) -> None:
        if isinstance(error, RateLimitedError | UnavailableError) and not sending.in_doubt:
            self._withdraw(sending)
        is_asked_to_wait = isinstance(error, RateLimitedError) or error.retry_after_s
        sending.throttles = sending.throttles + 1 if is_asked_to_wait else 0
        holds_up = self._pacer.told(left_at, error, in_a_row=sending.throttles)
        if self._pacer.given_up_for is not None:
            self._stop(self._pacer.given_up_for)
        # One contact that is declined while others get through must end some day.
        sending.is_held_up = holds_up and left_at - sending.started_at < self._give_up_s
        sending.aside_s = 0.0
        if sending.is_held_up and sending.throttles > RACES:
            # It may be this contact alone: the others need not wait behind it.
            backoff_s = self._policy.backoff_s(sending.throttles - RACES)
            sending.aside_s = max(error.retry_after_s or 0.0, backoff_s)

    def _withdraw(self, sending: _Sending) -> None:
        if self._journal is not None:
            self._journal.withdraw(sending.index, sending.contact)

    async def _pass_turn(self) -> None:
        self._pacer.forget(await self._pacer.turn())

    async def _stand_aside(self, wait_s: float, sending: _Sending) -> None:
        """Wait without holding a place: another contact is sent meanwhile."""
        wait_s = max(wait_s, sending.aside_s)
        if wait_s <= 0:
            return
        began_at = self._clock()
        self._places.give_back()
        self._aside += 1
        if self._aside <= _WAITING_PER_PLACE * self._concurrency:
            self._add_worker()
        try:
            until = began_at + wait_s
            while self.stopped_by is None and (left_s := until - self._clock()) > 0:
                await self._sleep(min(left_s, LOOK_UP_S))
        finally:
            self._aside -= 1
        await self._places.take()
        if sending.deadline is not None:
            own_s = 0.0 if sending.is_held_up else wait_s
            sending.deadline += self._clock() - began_at - own_s

    def _settle_unsent(self, index: int) -> Outcome:
        item = self._input.taken[index]
        return self._settle(index, item if isinstance(item, InvalidContactError) else _unsent())

    def _settle(
        self,
        index: int,
        result: int | ContactError,
        attempts: int = 0,
        elapsed_s: float = 0.0,
    ) -> Outcome:
        item = self._input.taken.pop(index)
        contact_id = error = None
        if isinstance(result, int):
            contact_id = result
            self._succeeded += 1
        else:
            error = result
            if isinstance(error, UncertainError):
                self._uncertain += 1
            else:
                self._failed += 1
        outcome = self._settled[index] = Outcome(
            index=index,
            contact=item if isinstance(item, Contact) else None,
            id=contact_id,
            error=error,
            attempts=attempts,
            elapsed_s=elapsed_s,
        )
        return outcome

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
            in_flight=self._in_flight,
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


def _unsent() -> ContactError:
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
