"""Many processes that share a rate, in held time: a row of turns, and what each lets leave."""

import asyncio
from collections.abc import Callable
from typing import TypeVar

from attrs import define, field

from contactsdk.bulk.turns import Turns
from contactsdk.distributed.shared_cap import SharedCap
from contactsdk.distributed.shared_pauses import PostedPauses
from contactsdk.errors import JournalError
from contactsdk.pacing import Pacer

_T = TypeVar("_T")


def loop_time() -> float:
    return asyncio.get_running_loop().time()


def a_pacer() -> Pacer:
    return Pacer(base_s=0.5, max_wait_s=30.0, clock=loop_time, random=lambda: 1.0)


@define
class HeldRow:
    """The row of an account, whose every statement takes as long as `answer_s` gives."""

    answer_s: Callable[[], float] = lambda: 0.002
    is_away: bool = False
    next_at: float = 0.0
    paused_until: float = 0.0
    sizes: list[int] = field(factory=list)
    """How many turns each reservation took."""
    pauses: int = 0
    """How many were posted."""
    reads: int = 0
    """How often it was looked at for a pause."""

    def reserve(self, count: int, spacing_s: float) -> "asyncio.Future[float]":
        self.sizes.append(count)

        def take() -> float:
            first_at = max(self.next_at, self.paused_until, loop_time() - 0.01)
            self.next_at = first_at + count * spacing_s
            return first_at

        return self._answer(take)

    def pause(self, seconds: float) -> "asyncio.Future[None]":
        def take() -> None:
            self.pauses += 1
            self.paused_until = max(self.paused_until, loop_time() + seconds)

        return self._answer(take)

    def read_pause(self) -> "asyncio.Future[float]":
        self.reads += 1
        return self._answer(lambda: self.paused_until)

    def _answer(self, take: Callable[[], _T]) -> "asyncio.Future[_T]":
        loop = asyncio.get_running_loop()
        answer: asyncio.Future[_T] = loop.create_future()
        result = JournalError("the database is away") if self.is_away else take()

        def give() -> None:
            if isinstance(result, JournalError):
                answer.set_exception(result)
            else:
                answer.set_result(result)

        loop.call_later(self.answer_s(), give)
        return answer


class HeldProcess:
    """One process: its own pacer, and so many workers, each with one request at a time."""

    def __init__(self, rate_per_s: float, row: HeldRow, *, workers: int = 32) -> None:
        self.pacer = a_pacer()
        self.cap = SharedCap(rate_per_s, row, self.pacer, clock=loop_time)
        pauses = PostedPauses(row, self.pacer, clock=loop_time)
        self.turns = Turns(self.pacer, self.cap, pauses)
        self.times: list[float] = []
        """When each of its requests left."""
        self._workers = workers

    async def send(self, until: float, *, answer_s: float = 0.05) -> None:
        """Have all workers send, each one request after another, until this time."""

        async def work() -> None:
            while loop_time() < until:
                turn = self.turns.acquire_nowait() or await self.turns.acquire()
                self.times.append(loop_time())
                await asyncio.sleep(answer_s)
                self.pacer.record_result(turn, None)

        async with asyncio.TaskGroup() as tasks:
            for _ in range(self._workers):
                tasks.create_task(work())
