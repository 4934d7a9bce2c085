"""The public side of a bulk run: an async context manager and iterator of outcomes."""

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine
from types import TracebackType
from typing import Self

from contactsdk.bulk.batch_worker import BatchWorker
from contactsdk.bulk.earlier_batches import EarlierBatches
from contactsdk.bulk.gathering import Gathering
from contactsdk.bulk.outcomes import BulkReport, Outcome
from contactsdk.bulk.progress import REPORT_EVERY_S
from contactsdk.bulk.reader import was_cancelled
from contactsdk.bulk.run import Run
from contactsdk.bulk.worker import Worker


class OutcomeStream:
    """The outcomes of a run, each as soon as it is known: use `async with`, then `async for`.

    `ContactClient.stream` makes one. Entering it raises a `JournalError` if the journal cannot be
    used, and a `RuntimeError` if it was entered before. Iterating outside of the `async with`
    raises a `RuntimeError`.

    If the run was stopped before its input ended, the iteration raises the reason after the last
    outcome: a `SetupError`, the last error of a platform that was unavailable for too long, a
    `JournalError`, or an exception of the input. The number of outcomes that wait for the consumer
    is bounded, so a slow consumer slows the run down. Leaving the `async with` early cancels the
    requests in flight and waits for their end. After that, `undelivered` has the outcomes of all
    items that were read and not handed out.
    """

    _run: Run
    _runner: asyncio.Task[None] | None = None
    _is_open = False

    @property
    def stopped_by(self) -> Exception | None:
        """Why the run was stopped before its input ended; `None` if it was not."""
        return self._run.stopped_by

    @property
    def interrupted_by(self) -> BaseException | None:
        """An exception of the input that is not an `Exception`, such as a `KeyboardInterrupt`;
        `None` if there was none.
        """
        return self._run.intake.interrupted_by

    @property
    def undelivered(self) -> tuple[Outcome, ...]:
        """The outcomes of items that were read and not handed out, in input order.

        It is complete after the `async with`.
        """
        return self._run.outcomes.undelivered

    def stop(self) -> None:
        """Stop the run gracefully: no new contact is sent, and requests in flight are finished.

        Call it in the thread of the event loop.

        The iteration ends after the outcomes of all items that were read. Contacts that were not
        sent, or that waited for another attempt, fail as not applied. They are uncertain if an
        attempt may have been applied.
        """
        self._run.stop(None)

    async def __aenter__(self) -> Self:
        if self._runner is not None:
            raise RuntimeError("a stream can run only once: make another one")
        await self._run.open()
        self._runner = asyncio.create_task(self._run_to_its_end())
        self._is_open = True
        return self

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        assert self._runner is not None  # noqa: S101  # `__aenter__` has set it
        self._is_open = False
        self._run.intake.read_no_more()  # an input may catch the cancellation and go on
        self._runner.cancel()
        self._run.outcomes.close()
        try:
            await _wait_out(self._runner)
        finally:
            await self._run.aclose()
        if not self._runner.cancelled():
            self._runner.result()

    def __aiter__(self) -> AsyncIterator[Outcome]:
        return self

    async def __anext__(self) -> Outcome:
        outcome = self._run.outcomes.get_nowait()  # for most outcomes this saves a coroutine
        if outcome is None:
            outcome = await self.next()
        if outcome is not None:
            return outcome
        reason = self._run.intake.interrupted_by or self.stopped_by
        if reason is not None:
            raise reason
        raise StopAsyncIteration

    async def next(self) -> Outcome | None:
        """The next outcome; `None` after the last one, whatever stopped the run.

        Raises:
            RuntimeError: The stream is not open.
        """
        if not self._is_open:
            raise RuntimeError("a stream can be read only inside its `async with`")
        return await self._run.outcomes.get()

    async def _run_to_its_end(self) -> None:
        run = self._run
        try:
            async with asyncio.TaskGroup() as helpers:
                tasks = []
                if run.journal is not None:
                    tasks.append(helpers.create_task(run.journal.write_loop()))
                if run.options.on_progress is not None:
                    tasks.append(helpers.create_task(self._report_regularly()))
                if not run.intake.reads_directly:
                    helpers.create_task(run.intake.read_all(EarlierBatches(run).conclude))
                await self._work()
                run.intake.stop()
                for task in tasks:
                    task.cancel()
        except ExceptionGroup as group:
            run.stop(group.exceptions[0])
        except asyncio.CancelledError as exc:
            if self._is_open:  # it was not cancelled by `__aexit__`
                run.stop(was_cancelled("the run", exc))
            raise
        finally:
            run.end()

    async def _work(self) -> None:
        try:
            await self._send_all()
            await self._run.jobs.all_recorded()
        except BaseException:
            self._run.jobs.leave_recording_to_the_end()
            raise

    async def _send_all(self) -> None:
        run = self._run
        work = _work_of(run)
        try:
            async with asyncio.TaskGroup() as workers:
                workers.create_task(work())
                # The first contact goes alone, so that a wrong set-up costs only one contact's
                # wait.
                await run.proven.wait()
                for _ in range(run.options.concurrency - 1):
                    workers.create_task(work())
        except ExceptionGroup as group:
            # A worker should never fail. If one does, all items that were read still get outcomes.
            run.stop(group.exceptions[0])
            task = asyncio.current_task()
            if task is not None and task.cancelling():
                raise asyncio.CancelledError from None  # Python 3.11 raises only the group

    async def _report_regularly(self) -> None:
        while True:
            self._run.report()
            await asyncio.sleep(REPORT_EVERY_S)


def _work_of(run: Run) -> Callable[[], Coroutine[None, None, None]]:
    """The function that each worker of the run executes."""
    if run.options.batch_size is None:
        return Worker(run).work
    return BatchWorker(run, Gathering(run)).work


def outcome_stream(run: Run) -> OutcomeStream:
    """Make the stream of a run. It is a function, since users must not call the class."""
    stream = OutcomeStream()
    stream._run = run
    return stream


async def collect(stream: OutcomeStream, into: list[Outcome] | None = None) -> BulkReport:
    """Run a stream to its end and report on all of its outcomes.

    Each outcome is added to `into` as soon as it is known. If this call is cancelled, the outcomes
    of items that were read and not handed out are added too.
    """
    clock = asyncio.get_running_loop().time
    started_at = clock()
    outcomes = [] if into is None else into
    first = len(outcomes)
    try:
        async with stream:
            while (outcome := await stream.next()) is not None:
                outcomes.append(outcome)
    finally:
        outcomes += stream.undelivered
    if stream.interrupted_by is not None:
        raise stream.interrupted_by
    return BulkReport(
        outcomes=tuple(sorted(outcomes[first:], key=lambda outcome: outcome.index)),
        stopped_by=stream.stopped_by,
        elapsed_s=clock() - started_at,
    )


async def _wait_out(task: asyncio.Task[None]) -> None:
    """Wait until a cancelled task has ended.

    A cancellation of this call is raised only after that.
    """
    interruption: asyncio.CancelledError | None = None
    while not task.done():
        try:
            await asyncio.wait({task})
        except asyncio.CancelledError as exc:
            interruption = exc
    if interruption is not None:
        raise interruption
