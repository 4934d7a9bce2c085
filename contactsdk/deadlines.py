"""Ends attempts that take too long, with one timer for all of them."""

import asyncio
import math
from types import TracebackType
from typing import Final, Self

TIMED_OUT: Final = "timed out"

# A timer that is later than this was held up: by a slow callback, a stopped process or a stopped
# machine. Answers that came meanwhile lie in their sockets, and the loop may read them first.
_LATE_S: Final = 0.01
_GRACE_S: Final = 0.5


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
        """End the attempt of this deadline when that passes, until `forget`."""
        self._running.add(deadline)
        if deadline.ends_at < self._timer_at:
            self._set_timer(deadline.ends_at)

    def forget(self, deadline: "Deadline") -> None:
        """The attempt of this deadline is over, so nothing is left to be ended."""
        self._running.discard(deadline)

    def end_unsent(self, why: str) -> None:
        """End all attempts that have sent nothing so far."""
        for deadline in tuple(self._running):
            if not deadline.may_have_sent:
                self._running.discard(deadline)
                deadline.end(why)

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
        late = [running for running in self._running if running.ends_at <= now]
        for deadline in sorted(late, key=lambda each: each.ends_at):
            if deadline.may_have_grace and now - deadline.ends_at > _LATE_S:
                deadline.grant_grace(now + _GRACE_S)
            else:
                self._running.discard(deadline)
                deadline.end(TIMED_OUT)
        self._set_timer(min((running.ends_at for running in self._running), default=math.inf))


class Deadline:
    """What `asyncio.timeout_at` does for the task that enters it, with the timer of all.

    Leaving it raises `TimeoutError` if it has ended what it is for, but never instead of a
    cancellation from outside.

    Args:
        at: By the clock of the event loop, `inf` for no end.
        timeout_s: How long it may take from `start_timeout` on.
    """

    at: float
    """When it passes, by the clock of the event loop."""

    ends_at: float
    """When it ends what it is for: in a grace, that is later than `at`."""

    ended: str | None
    """Why it has ended what it is for."""

    may_have_sent: bool
    """The timeout has started, so something was sent, or is about to be."""

    may_have_grace: bool
    """An answer may have come, and there was no grace so far."""

    __slots__ = (
        "_all",
        "_cancelling",
        "_is_task_cancelled",
        "_task",
        "_timeout_s",
        "at",
        "ended",
        "ends_at",
        "may_have_grace",
        "may_have_sent",
    )

    def __init__(self, all_: Deadlines, at: float, timeout_s: float) -> None:
        self.at = self.ends_at = at
        self.ended = None
        self.may_have_sent = self.may_have_grace = False
        self._timeout_s = timeout_s
        self._is_task_cancelled = False
        self._all = all_

    def start_timeout(self) -> None:
        """Something is about to be sent: begin the timeout, if it has not begun.

        Raises:
            RuntimeError: The deadline has passed, so nothing may be sent any more.
        """
        now = self._all.loop.time()
        if self.ended is None and now >= self.at:
            self.ended = TIMED_OUT  # the timer is late, since the loop was busy
        if self.ended is not None:
            raise RuntimeError("the deadline has passed")
        if self.may_have_sent:
            return
        self.may_have_sent = self.may_have_grace = True
        if now + self._timeout_s < self.at:
            self.at = self.ends_at = now + self._timeout_s
            self._all.watch(self)

    def grant_grace(self, until: float) -> None:
        """Let an answer that has come be read; once."""
        self.may_have_grace = False
        self.ends_at = until

    def end(self, why: str) -> None:
        """Cancel the task that entered this deadline, which then raises `TimeoutError`."""
        self.ended = why
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
