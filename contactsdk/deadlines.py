"""Ends attempts that take too long, with one timer for all of them."""

import asyncio
import math
from types import TracebackType
from typing import Final, Self

TIMED_OUT: Final = "timed out"

# A timer that fires later than this was delayed by a slow callback, a stopped process or a stopped
# machine. Answers that came meanwhile are in their sockets: the loop gets time to read them first.
_LATE_S: Final = 0.01
_GRACE_S: Final = 0.5


class Deadlines:
    """The deadlines of all attempts in flight in one event loop.

    One timer per attempt would cost more than signing the attempt. Nearly all attempts end in time,
    and deadlines pass in about the order in which they were set. So one timer for the earliest
    deadline is enough, and it is seldom set again.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        # The loop is kept, since up to Python 3.11 asking for the running one is a system call.
        self.loop = loop
        self._running: set[Deadline] = set()
        self._timer: asyncio.TimerHandle | None = None
        self._timer_at = math.inf

    def watch(self, deadline: "Deadline") -> None:
        """End the attempt of this deadline when it passes, unless `forget` is called before."""
        self._running.add(deadline)
        if deadline.ends_at < self._timer_at:
            self._set_timer(deadline.ends_at)

    def forget(self, deadline: "Deadline") -> None:
        """Stop watching a deadline, since its attempt is over."""
        self._running.discard(deadline)

    def end_unsent(self, why: str) -> None:
        """End all attempts that have sent nothing so far; `why` becomes their `ended`."""
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
        # The loop's time may be a rounding error earlier than the time of the timer.
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
    """The deadline of one attempt, like `asyncio.timeout_at`, but with one timer for all attempts.

    If it has ended the attempt, leaving the `with` block raises `TimeoutError`, but never in place
    of a cancellation from outside.

    Args:
        all_: The deadlines of the event loop.
        at: When it passes, by the clock of the event loop; `inf` for never.
        timeout_s: How long the attempt may take after `start_timeout`, in seconds.
    """

    at: float
    """When the deadline passes, by the clock of the event loop."""

    ends_at: float
    """When the attempt is ended; during a grace period, this is later than `at`."""

    ended: str | None
    """Why the attempt was ended; `None` if it was not."""

    may_have_sent: bool
    """Whether the timeout has started, so that something was sent or is about to be sent."""

    may_have_grace: bool
    """Whether a grace period is possible: an answer may have come, and there was none so far."""

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
        """Start the timeout, if it has not started; call this when something is about to be sent.

        Raises:
            RuntimeError: The deadline has passed, so nothing may be sent any more.
        """
        now = self._all.loop.time()
        if self.ended is None and now >= self.at:
            self.ended = TIMED_OUT  # the loop was busy, so the timer has not fired yet
        if self.ended is not None:
            raise RuntimeError("the deadline has passed")
        if self.may_have_sent:
            return
        self.may_have_sent = self.may_have_grace = True
        if now + self._timeout_s < self.at:
            self.at = self.ends_at = now + self._timeout_s
            self._all.watch(self)

    def grant_grace(self, until: float) -> None:
        """Postpone the end until `until`, once, so that an answer that has come can be read."""
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
        # As in `asyncio.timeout`: if the count is still higher, somebody else has cancelled too.
        is_ours = self._is_task_cancelled and self._task.uncancel() <= self._cancelling
        if is_ours and exc_type is asyncio.CancelledError:
            raise TimeoutError from exc


def is_being_cancelled() -> bool:
    """Whether a `CancelledError` is meant for this task, and not for something that it awaits."""
    task = asyncio.current_task()
    return task is not None and task.cancelling() > 0
