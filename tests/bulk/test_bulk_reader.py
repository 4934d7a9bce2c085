"""What a run reads, and that every input ends well."""

import asyncio
import contextvars
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any

import pytest

from contactsdk import (
    Contact,
    InvalidContactError,
    RejectedError,
    SetupError,
    UnavailableError,
    UncertainError,
)
from contactsdk.bulk import collect
from tests.bulk.held import (
    Counted,
    HeldPlatform,
    errors,
    in_held_time,
    indexes,
    many,
    now,
    read_all,
    stream_of,
)

MISSING = InvalidContactError([(("email",), "is missing")])


class InputError(Exception):
    """Raised by an input that fails."""


async def from_async(items: Any, end: BaseException | None = None) -> AsyncIterator[Any]:
    for item in items:
        await asyncio.sleep(0.001)
        yield item
    if end is not None:
        raise end


def from_sync(items: Any, end: BaseException | None = None) -> Iterator[Any]:
    yield from items
    if end is not None:
        raise end


class BareAsyncIterator:
    """No generator: there is nothing to close."""

    def __init__(self, items: Any) -> None:
        self._items = iter(items)

    def __aiter__(self) -> "BareAsyncIterator":
        return self

    async def __anext__(self) -> Any:
        await asyncio.sleep(0)
        for item in self._items:
            return item
        raise StopAsyncIteration


INPUTS: dict[str, Callable[[Any], Any]] = {
    "list": list,
    "tuple": tuple,
    "generator": from_sync,
    "iterator of a class": Counted,
    "async generator": from_async,
    "async iterator": BareAsyncIterator,
}

BOTH_WAYS = pytest.mark.parametrize("source", [from_sync, from_async])


@pytest.mark.parametrize("kind", INPUTS)
@in_held_time
async def test_every_kind_of_input_is_read_to_its_end(kind: str) -> None:
    platform = HeldPlatform()

    report = await collect(stream_of(INPUTS[kind](many(25)), platform))

    assert [outcome.contact for outcome in report.outcomes] == many(25)
    assert report.ids == (1,) * 25
    assert report.stopped_by is None
    assert len(platform.sent) == 25


@pytest.mark.parametrize("kind", INPUTS)
@in_held_time
async def test_empty_input_is_an_empty_report(kind: str) -> None:
    report = await collect(stream_of(INPUTS[kind]([]), HeldPlatform()))

    assert report.outcomes == ()
    assert report.stopped_by is None


@pytest.mark.parametrize("kind", INPUTS)
@in_held_time
async def test_error_in_the_input_becomes_its_own_outcome_unsent(kind: str) -> None:
    first, last = many(2)
    platform = HeldPlatform()

    report = await collect(stream_of(INPUTS[kind]([first, MISSING, last]), platform))

    bad = report.outcomes[1]
    assert (bad.index, bad.contact, bad.error, bad.attempts) == (1, None, MISSING, 0)
    assert errors(report.outcomes) == [None, InvalidContactError, None]
    assert len(platform.sent) == 2


@pytest.mark.parametrize(
    ("contacts", "what"),
    [
        ({"a": 1}, "a dict"),
        ("abc", "a str"),
        (many(1)[0], "a Contact"),
        (None, "a NoneType"),
        (7, "a int"),
    ],
)
@in_held_time
async def test_what_is_not_an_iterable_of_contacts_is_refused_at_once(
    contacts: Any, what: str
) -> None:
    with pytest.raises(TypeError, match=f"must be an iterable of Contact, not {what}"):
        stream_of(contacts, HeldPlatform())


@BOTH_WAYS
@pytest.mark.parametrize("item", [{"first_name": "Ada"}, "ada", None, RejectedError("no")])
@in_held_time
async def test_item_that_is_not_a_contact_stops_the_run_and_is_named(
    source: Any, item: Any
) -> None:
    platform = HeldPlatform()

    outcomes, raised = await read_all(stream_of(source([*many(6), item, *many(9)]), platform))

    assert isinstance(raised, TypeError)
    advice = ": make contacts of mappings with contacts_from(rows)" if type(item) is dict else ""
    assert str(raised) == f"item 6 must be a Contact, not a {type(item).__name__}{advice}"
    assert indexes(outcomes) == list(range(6))
    assert errors(outcomes) == [None] * 6


@BOTH_WAYS
@in_held_time
async def test_input_that_raises_is_raised_after_the_outcomes_of_what_was_read(source: Any) -> None:
    failure = InputError("the file ends in the middle of a line")

    outcomes, raised = await read_all(stream_of(source(many(10), failure), HeldPlatform()))

    assert raised is failure
    assert errors(outcomes) == [None] * 10


@BOTH_WAYS
@in_held_time
async def test_input_that_raises_stops_the_run_in_the_report(source: Any) -> None:
    failure = InputError("the file ends in the middle of a line")

    report = await collect(stream_of(source(many(10), failure), HeldPlatform()))

    assert report.stopped_by is failure
    assert report.ids == (1,) * 10


@BOTH_WAYS
@in_held_time
async def test_input_that_was_cancelled_itself_stops_the_run_and_loses_nothing(source: Any) -> None:
    ticks: list[Any] = []
    cancelled = asyncio.CancelledError("a task that the input awaits")

    report = await collect(
        stream_of(source(many(10), cancelled), HeldPlatform(), on_progress=ticks.append)
    )

    assert str(report.stopped_by) == "the input was cancelled"
    assert isinstance(report.stopped_by, RuntimeError)
    assert report.stopped_by.__cause__ is cancelled
    assert report.ids == (1,) * 10


class Closing:
    """An async generator that has something to close, which takes a second."""

    def __init__(self, items: Any, failure: Exception | None = None) -> None:
        self.items = items
        self.failure = failure
        self.closed_at: float | None = None
        self.tasks: set[asyncio.Task[Any] | None] = set()

    async def __call__(self) -> AsyncIterator[Any]:
        try:
            for item in self.items:
                self.tasks.add(asyncio.current_task())
                await asyncio.sleep(0.001)
                yield item
        finally:
            self.tasks.add(asyncio.current_task())
            await asyncio.sleep(1)
            self.closed_at = now()
            if self.failure is not None:
                raise self.failure


@in_held_time
async def test_async_input_is_read_and_closed_by_one_task() -> None:
    source = Closing(many(20))

    await collect(stream_of(source(), HeldPlatform()))

    assert source.closed_at is not None
    assert len(source.tasks) == 1


@in_held_time
async def test_async_input_may_hold_a_timeout_and_a_context_variable() -> None:
    variable = contextvars.ContextVar("variable", default=0)

    async def contacts() -> AsyncIterator[Contact]:
        token = variable.set(1)
        async with asyncio.timeout(60):
            for contact in many(5):
                yield contact
        variable.reset(token)

    report = await collect(stream_of(contacts(), HeldPlatform()))

    assert report.stopped_by is None
    assert len(report.ids) == 5


@in_held_time
async def test_async_input_is_closed_whole_where_an_item_is_not_a_contact() -> None:
    source = Closing([*many(3), "no contact", *many(3)])

    report = await collect(stream_of(source(), HeldPlatform()))

    assert isinstance(report.stopped_by, TypeError)
    assert source.closed_at is not None
    assert len(source.tasks) == 1


@in_held_time
async def test_async_input_is_closed_whole_where_several_contacts_stop_the_run() -> None:
    source = Closing(many(50))
    answers = iter(range(100))

    def refuse(_: Contact) -> SetupError:
        platform.latency_s += 0.01 * next(answers)
        return SetupError("wrong address")

    platform = HeldPlatform(refuse)
    report = await collect(stream_of(source(), platform))

    assert sum(isinstance(outcome.error, SetupError) for outcome in report.outcomes) > 1
    assert source.closed_at is not None


@in_held_time
async def test_async_input_is_closed_where_the_stream_is_left_early() -> None:
    source = Closing(many(50))

    async with stream_of(source(), HeldPlatform()) as stream:
        await anext(stream)

    assert source.closed_at == now()
    assert stream.stopped_by is None


@in_held_time
async def test_async_input_that_fails_to_close_does_not_replace_what_stopped_the_run() -> None:
    source = Closing(many(50), failure=InputError("cannot close"))
    refused = SetupError("wrong address")

    outcomes, raised = await read_all(stream_of(source(), HeldPlatform(lambda _: refused)))

    assert raised is refused
    assert indexes(outcomes) == list(range(len(outcomes)))


@in_held_time
async def test_async_input_that_fails_to_close_spoils_no_outcome() -> None:
    failure = InputError("cannot close")
    source = Closing([*many(3), "no contact"], failure=failure)
    platform = HeldPlatform(latency_s=30)

    outcomes, raised = await read_all(stream_of(source(), platform))

    assert isinstance(raised, TypeError)
    assert errors(outcomes) == [None] * 3


@in_held_time
async def test_leaving_early_is_not_disturbed_by_an_input_that_fails_to_close() -> None:
    source = Closing(many(50), failure=InputError("cannot close"))

    async with stream_of(source(), HeldPlatform()) as stream:
        delivered = [await anext(stream)]

    everything = [*delivered, *stream.undelivered]
    assert indexes(everything) == list(range(len(everything)))


@in_held_time
async def test_no_more_is_read_once_the_run_is_stopped() -> None:
    source = Counted(many(1000))

    report = await collect(
        stream_of(source, HeldPlatform(lambda _: SetupError("wrong address")), concurrency=4)
    )

    assert source.taken == len(report.outcomes) == 4


@pytest.mark.parametrize("ticks", range(1, 12))
@in_held_time
async def test_stream_left_at_any_moment_has_an_outcome_for_what_was_read(ticks: int) -> None:
    taken: list[Any] = []

    async def contacts() -> AsyncIterator[Any]:
        for item in [*many(2), MISSING] * 3:
            taken.append(item)
            yield item

    async with stream_of(contacts(), HeldPlatform(latency_s=100)) as stream:
        for _ in range(ticks):
            await asyncio.sleep(0)

    assert stream.stopped_by is None
    assert indexes(stream.undelivered) == list(range(len(taken)))
    for item, outcome in zip(taken, stream.undelivered, strict=True):
        if item is MISSING:
            assert (outcome.contact, outcome.error) == (None, MISSING)
        else:
            assert outcome.contact is item
            assert isinstance(outcome.error, UnavailableError | UncertainError)


@in_held_time
async def test_input_that_is_cancelled_while_it_closes_stops_the_run() -> None:
    async def contacts() -> AsyncIterator[Any]:
        try:
            yield "no contact"
        finally:
            raise asyncio.CancelledError

    report = await collect(stream_of(contacts(), HeldPlatform()))

    assert isinstance(report.stopped_by, TypeError)  # the first error


@in_held_time
async def test_closing_of_the_input_ends_with_the_stream_that_is_left() -> None:
    closing = asyncio.Event()

    async def contacts() -> AsyncIterator[Any]:
        try:
            for contact in many(1):
                yield contact
            yield "no contact"
        finally:
            closing.set()
            await asyncio.sleep(1000.0)

    async with stream_of(contacts(), HeldPlatform()):
        await closing.wait()

    assert now() < 1.0
