"""One timer for many deadlines: which pass, in what order, and what a cancellation is left as."""

import asyncio
import math
from collections.abc import Iterator

import pytest

from contactsdk.deadlines import Deadline, Deadlines

SOON_S = 0.005


def deadlines_here() -> Deadlines:
    return Deadlines(asyncio.get_running_loop())


async def forever() -> None:
    await asyncio.Event().wait()


async def test_late_one_ends_with_a_timeout() -> None:
    loop = asyncio.get_running_loop()
    with (
        pytest.raises(TimeoutError),
        Deadline(deadlines_here(), loop.time() + SOON_S, 30) as deadline,
    ):
        await forever()

    assert deadline.ended == "timed out"
    task = asyncio.current_task()
    assert task is not None
    assert task.cancelling() == 0


async def test_one_that_ends_in_time_is_left_alone() -> None:
    loop, deadlines = asyncio.get_running_loop(), deadlines_here()
    with Deadline(deadlines, loop.time() + SOON_S, 30) as deadline:
        await asyncio.sleep(0)
    with Deadline(deadlines, math.inf, 30):
        await asyncio.sleep(2 * SOON_S)

    assert deadline.ended is None


async def test_each_of_many_passes_at_its_own_time() -> None:
    loop, deadlines = asyncio.get_running_loop(), deadlines_here()
    started = loop.time()
    ended: list[int] = []

    async def wait(number: int) -> None:
        with pytest.raises(TimeoutError), Deadline(deadlines, started + number * SOON_S, 30):
            await forever()
        ended.append(number)
        assert loop.time() >= started + number * SOON_S - 0.001  # the resolution of the clock

    await asyncio.gather(*(wait(number) for number in (3, 1, 4, 2, 0)))

    assert ended == [0, 1, 2, 3, 4]


async def test_timeout_that_starts_makes_it_pass_earlier_and_never_later() -> None:
    with (
        pytest.raises(TimeoutError),
        Deadline(deadlines_here(), math.inf, SOON_S) as deadline,
    ):
        deadline.start_timeout()
        at = deadline.at
        deadline.start_timeout()
        assert deadline.at == at
        await forever()


async def test_no_timeout_starts_after_it_has_passed() -> None:
    loop = asyncio.get_running_loop()
    with (
        pytest.raises(TimeoutError),
        Deadline(deadlines_here(), loop.time(), 30) as deadline,
    ):
        try:
            await forever()
        finally:
            with pytest.raises(RuntimeError, match="has passed"):
                deadline.start_timeout()


async def test_other_errors_come_through_a_passed_one() -> None:
    loop = asyncio.get_running_loop()
    with (
        pytest.raises(ValueError, match="mine"),
        Deadline(deadlines_here(), loop.time(), 30),
    ):
        try:
            await forever()
        except asyncio.CancelledError:
            raise ValueError("mine") from None


@pytest.mark.parametrize("before_s", [1.0, 0.0, -1.0])
def test_cancellation_from_outside_is_never_a_timeout(before_s: float) -> None:
    async def work() -> None:
        with Deadline(deadlines_here(), SkippingLoop.now + 60, 30):
            await forever()

    async def run() -> None:
        loop = asyncio.get_running_loop()
        assert isinstance(loop, SkippingLoop)
        task = asyncio.create_task(work())
        await asyncio.sleep(0)
        # Both timers are late, and run one after the other in the same turn of the loop.
        loop.call_at(SkippingLoop.now + 60 - before_s, task.cancel)
        loop.skip(90)
        with pytest.raises(asyncio.CancelledError):
            await task

    with asyncio.Runner(loop_factory=SkippingLoop) as runner:
        runner.run(run())


async def test_one_that_a_busy_loop_has_not_noticed_has_passed_nevertheless() -> None:
    loop = asyncio.get_running_loop()
    with Deadline(deadlines_here(), loop.time(), 30) as deadline, pytest.raises(RuntimeError):
        deadline.start_timeout()

    assert deadline.ended == "timed out"
    task = asyncio.current_task()
    assert task is not None
    assert task.cancelling() == 0


class SkippingLoop(asyncio.SelectorEventLoop):
    """An event loop whose time moves when it is told to, so that its timers are late."""

    now = 1000.0

    def time(self) -> float:
        return self.now

    def skip(self, seconds: float) -> None:
        self.now += seconds


async def turn() -> None:
    """One turn of the loop, in which timers that are due have run."""
    for _ in range(2):
        await asyncio.sleep(0)


class TestLateTimer:
    @pytest.fixture
    def runner(self) -> Iterator[asyncio.Runner]:
        with asyncio.Runner(loop_factory=SkippingLoop) as runner:
            yield runner

    @staticmethod
    def late_by(seconds: float, *, is_sent: bool = True) -> tuple[Deadline, SkippingLoop]:
        """A deadline that passed so long ago, and whose timer is due."""
        loop = asyncio.get_running_loop()
        assert isinstance(loop, SkippingLoop)
        deadline = Deadline(Deadlines(loop), loop.time() + 60, 30)
        deadline.__enter__()
        if is_sent:
            deadline.start_timeout()
            loop.skip(30 + seconds)
        else:
            loop.skip(60 + seconds)
        return deadline, loop

    def test_lets_an_answer_be_read_that_has_come(self, runner: asyncio.Runner) -> None:
        async def run() -> None:
            deadline, _ = self.late_by(5)
            await turn()  # in which an answer would be read
            deadline.__exit__(None, None, None)
            assert deadline.ended is None

        runner.run(run())

    @pytest.mark.parametrize("late_s", [5, 100_000])
    def test_does_not_wait_for_an_answer_that_has_not_come(
        self, late_s: float, runner: asyncio.Runner
    ) -> None:
        async def run() -> None:
            deadline, loop = self.late_by(late_s)
            await turn()
            loop.skip(1)
            with pytest.raises(asyncio.CancelledError):
                await turn()
            assert deadline.ended == "timed out"

        runner.run(run())

    def test_is_no_reason_to_send_after_the_deadline(self, runner: asyncio.Runner) -> None:
        async def run() -> None:
            deadline, _ = self.late_by(5)
            await turn()
            with pytest.raises(RuntimeError, match="has passed"):
                deadline.start_timeout()

        runner.run(run())

    @pytest.mark.parametrize(("late_s", "is_sent"), [(5, False), (0, True)])
    def test_gives_no_time_where_nothing_was_sent_nor_where_it_is_in_time(
        self, late_s: float, is_sent: bool, runner: asyncio.Runner
    ) -> None:
        async def run() -> None:
            deadline, _ = self.late_by(late_s, is_sent=is_sent)
            with pytest.raises(asyncio.CancelledError):
                await turn()
            assert deadline.ended == "timed out"

        runner.run(run())
