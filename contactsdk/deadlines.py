"""Ends attempts that take too long, with one timer for all of them."""

import asyncio
import math
from types import TracebackType
from typing import Self


class Deadlines:
    """The deadlines of all attempts in flight in one event loop.

    A timer for each attempt would cost more than signing it. Nearly all attempts end in time, and
    deadlines come in much the order in which they are set, so one timer for the earliest is moved
    only now and then.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        # Kept, since up to Python 3.11 it is a system call to ask for the running one.
        self.loop = loop
        self._running: set[Deadline] = set()
        self._timer: asyncio.TimerHandle | None = None
        self._timer_at = math.inf

    def watch(self, deadline: "Deadline") -> None:
        """End what this deadline is for when it passes, until `forget`."""
        self._running.add(deadline)
        if deadline.at < self._timer_at:
            self._set_timer(deadline.at)

    def forget(self, deadline: "Deadline") -> None:
        """It is over."""
        self._running.discard(deadline)

    def _set_timer(self, at: float) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._timer_at = at
        self._timer = None
        if at < math.inf:
            self._timer = self.loop.call_at(at, self._end_late_ones)

    def _end_late_ones(self) -> None:
        # By the timer's own time: the loop's may be a rounding short of it.
        now = max(self._timer_at, self.loop.time())
        for deadline in [running for running in self._running if running.at <= now]:
            self._running.discard(deadline)
            deadline.pass_()
        self._set_timer(min((running.at for running in self._running), default=math.inf))


class Deadline:
    """What `asyncio.timeout_at` does for the task that enters it, with the timer of all.

    `at` is by the clock of the event loop, `inf` for no end. Leaving it raises `TimeoutError` if it
    has `passed`, but never instead of a cancellation from outside.
    """

    __slots__ = ("_all", "_cancelling", "_is_task_cancelled", "_task", "at", "passed")

    def __init__(self, all_: Deadlines, at: float) -> None:
        self.at = at
        self.passed = False
        self._is_task_cancelled = False
        self._all = all_

    def shorten(self, timeout_s: float) -> None:
        """Let it pass in so many seconds, if that is earlier.

        Raises:
            RuntimeError: It has passed.
        """
        now = self._all.loop.time()
        if self.passed or now >= self.at:
            self.passed = True  # the timer is late, since the loop was busy
            raise RuntimeError("the deadline has passed")
        at = now + timeout_s
        if at < self.at:
            self.at = at
            self._all.watch(self)

    def pass_(self) -> None:
        """End what it is for."""
        self.passed = True
        self._is_task_cancelled = True
        self._task.cancel()

    def __enter__(self) -> Self:
        task = asyncio.current_task(self._all.loop)
        assert task is not None  # noqa: S101  # requests are made in tasks
        self._task = task
        self._cancelling = task.cancelling()
        self._all.watch(self)
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._all.forget(self)
        # As in asyncio.timeout: what is left of the count is a cancellation by someone else.
        is_ours = self._is_task_cancelled and self._task.uncancel() <= self._cancelling
        if is_ours and exc_type is asyncio.CancelledError:
            raise TimeoutError from exc


def is_being_cancelled() -> bool:
    """Whether a `CancelledError` is meant for this very task, and not for what it awaits."""
    task = asyncio.current_task()
    return task is not None and task.cancelling() > 0
