"""A queue of tasks that wait for their turn: first come, first served."""

import asyncio
import math
from collections import deque
from collections.abc import Callable
from typing import Generic, TypeVar

_T = TypeVar("_T")


class TurnQueue(Generic[_T]):
    """Hands out turns in the order in which they are asked for, each at the time of `ready_at`.

    Nothing polls: a timer waits for that time, and `update` is called when it may have changed. A
    waiting task may be cancelled at any moment. If it had its turn already, `give_back` gets that
    turn.
    """

    def __init__(
        self,
        *,
        ready_at: Callable[[], float],
        take: Callable[[], _T],
        give_back: Callable[[_T], object],
        clock: Callable[[], float],
    ) -> None:
        self._ready_at = ready_at
        self._take = take
        self._give_back = give_back
        self._clock = clock
        self._waiting: deque[asyncio.Future[_T]] = deque()
        self._timer: asyncio.TimerHandle | None = None
        self._timer_at = math.inf

    def __len__(self) -> int:
        return len(self._waiting)

    def join(self) -> "asyncio.Future[_T]":
        """Join the queue; the result of the returned future is the turn. Await it with `wait`."""
        waiter: asyncio.Future[_T] = asyncio.get_running_loop().create_future()
        self._waiting.append(waiter)
        self.update()
        return waiter

    async def wait(self, waiter: "asyncio.Future[_T]") -> _T:
        """Wait for the turn of `waiter`, which `join` returned; a cancelled wait gives it back."""
        try:
            return await waiter
        except BaseException:
            if waiter.done() and not waiter.cancelled() and waiter.exception() is None:
                self._give_back(waiter.result())
            elif waiter in self._waiting:
                self._waiting.remove(waiter)
            self.update()
            raise

    def update(self) -> None:
        """Hand out the turns that are due, and set the timer for the next one."""
        while self._waiting:
            if self._waiting[0].done():
                self._waiting.popleft()
                continue
            ready_at = self._ready_at()
            if ready_at > self._clock():
                self._set_timer(ready_at)
                return
            self._waiting.popleft().set_result(self._take())
        self._set_timer(math.inf)

    def _set_timer(self, at: float) -> None:
        # A timer that is too early does no harm: it only calls `update` once more.
        if self._timer is not None and self._timer_at <= at < math.inf:
            return
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        self._timer_at = at
        if at < math.inf:
            wait_s = max(0.0, at - self._clock())
            self._timer = asyncio.get_running_loop().call_later(wait_s, self._on_timer)

    def _on_timer(self) -> None:
        self._timer = None
        self.update()
