"""Calls of all kinds, and one function that holds what became of them against the ledger.

The ledger is the truth: what the platform was asked, answered and wrote. It imports nothing from
the tests, so that `benchmarks.soak` can use it too.
"""

import asyncio
import hashlib
import json
import random
from collections import Counter, defaultdict
from collections.abc import AsyncIterator, Iterable, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager
from enum import StrEnum
from typing import Any, TypeAlias

from attrs import evolve, frozen

from contactsdk import Contact, ContactClient, ContactError, ExternalUrl, UncertainError, wire
from contactsdk.sandbox import DEFAULT_MIX, Answer, FaultKind, Request, Sandbox, Write

GROUPS = (10, 11)
LIST = "contact?action=getContactList"
UNKNOWN_GROUP = 99

# These two end a bulk run by design: one as a wrong address, the other as a clock that jumps.
MIX_FOR_STREAMS = tuple(
    fault for fault in DEFAULT_MIX if fault.kind not in (FaultKind.REDIRECT, FaultKind.CLOCK_OFF)
)

End: TypeAlias = int | BaseException
"""What a call ended with: an id or what it raised."""


class Kind(StrEnum):
    ADD = "add"
    UPSERT = "add with update_if_exists"
    UPDATE = "update"


@frozen(kw_only=True)
class Sent:
    """One call: the contact, and in the platform's spelling what is to arrive.

    `before` is the platform's contact that it is to update, empty where it is to add one.
    """

    number: int
    kind: Kind
    contact: Contact
    body: Mapping[str, Any]
    before: Mapping[str, Any]

    @property
    def after(self) -> dict[str, Any]:
        """The platform's contact once this was applied, without its id."""
        after = {**self.before, **self.body}
        for name in ("id", "updateIfExists"):
            after.pop(name, None)
        return after


def sandbox_for_calls(**options: Any) -> Sandbox:
    """A sandbox, not started, that refuses a call to `UNKNOWN_GROUP`."""
    return Sandbox(groups=GROUPS, **options)


def populate(sandbox: Sandbox, count: int) -> None:
    """Put contacts there to be updated, and forget how they came."""
    for n in range(count):
        sandbox.write_as_rival(
            {"firstName": "Bo", "lastName": f"Before {n}", "email": f"before{n}@example.test"}
        )
    sandbox.ledger.clear()


def calls_of(seed: int, count: int, existing: Iterable[Mapping[str, Any]]) -> list[Sent]:
    """`count` calls of three kinds, each recognisable by its `externalId`.

    No contact in `existing` is the target of two of them.
    """
    rng = random.Random(seed)
    free = list(existing)
    rng.shuffle(free)
    return [_call(rng, number, free) for number in range(count)]


def _call(rng: random.Random, number: int, free: list[Mapping[str, Any]]) -> Sent:
    kind = rng.choice((Kind.ADD, Kind.UPSERT, Kind.UPDATE) if free else (Kind.ADD, Kind.UPSERT))
    is_there = kind is Kind.UPDATE or (kind is Kind.UPSERT and free and rng.random() < 0.5)
    before = free.pop() if is_there else {}
    fields = dict(_details(rng, number))
    if kind is Kind.UPDATE:
        fields["id"] = (before["id"], "id", before["id"])
    else:
        named = {
            "first_name": before.get("firstName", "Ada"),
            "last_name": before.get("lastName", f"Nº {number}"),
            "email": before.get("email", f"a{number}@example.test"),
        }
        spelling = {"first_name": "firstName", "last_name": "lastName", "email": "email"}
        fields |= {name: (value, spelling[name], value) for name, value in named.items()}
    if kind is Kind.UPSERT:
        fields["update_if_exists"] = (True, "updateIfExists", True)
    return Sent(
        number=number,
        kind=kind,
        contact=Contact(**{name: value for name, (value, _, _) in fields.items()}),
        body={name: value for _, name, value in fields.values()},
        before=before,
    )


def _details(rng: random.Random, number: int) -> Iterator[tuple[str, tuple[Any, str, Any]]]:
    """Name of a field -> (its value, the platform's name, the platform's value)."""
    yield "external_id", (f"x{number}", "externalId", f"x{number}")
    if rng.random() < 0.5:
        # A few of all calls are refused, so that a refusal meets every fault too.
        groups = [UNKNOWN_GROUP] if rng.random() < 0.1 else list(GROUPS[: rng.randrange(3)])
        yield "groups", (groups, "groups", [{"groupId": group} for group in groups])
    if rng.random() < 0.5:
        text = rng.choice(("No", "żółć", "", "x" * 2000))
        yield "custom_fields", ({7: text}, "customFields", [{"fieldId": 7, "value": text}])
    if rng.random() < 0.3:
        url = {"ref": "crm", "url": f"https://crm.example.com/{number}", "label": "CRM"}
        yield "external_urls", ([ExternalUrl(**url)], "externalUrls", [url])
    if rng.random() < 0.3:
        status = rng.randrange(1, 5)
        yield "sms_status", (status, "smsStatus", status)


async def singly(
    client: ContactClient, calls: Sequence[Sent], *, concurrency: int
) -> dict[int, End]:
    """Make each call by itself, `concurrency` at a time."""
    ends: dict[int, End] = {}
    left = iter(calls)

    async def work() -> None:
        for call in left:
            try:
                ends[call.number] = await client.add_or_update(call.contact)
            except Exception as exc:
                ends[call.number] = exc

    async with asyncio.TaskGroup() as tasks:
        for _ in range(concurrency):
            tasks.create_task(work())
    return ends


async def streamed(
    client: ContactClient,
    calls: Sequence[Sent],
    *,
    concurrency: int,
    batch_size: int | None = None,
) -> dict[int, End]:
    """Make all calls in one stream."""
    ends: dict[int, End] = {}
    contacts = (call.contact for call in calls)
    stream = client.stream(contacts, concurrency=concurrency, batch_size=batch_size)
    async with stream as outcomes:
        async for outcome in outcomes:
            call = calls[outcome.index]
            assert outcome.contact is call.contact
            assert call.number not in ends, f"two outcomes of call {call.number}"
            ends[call.number] = end_of(outcome.id, outcome.error)
    return ends


async def singly_cancelling(
    client: ContactClient, calls: Sequence[Sent], *, concurrency: int, seed: int
) -> dict[int, End]:
    """Make each call by itself, and cancel every second one at a random moment."""
    ends: dict[int, End] = {}
    rng = random.Random(seed)
    left = iter(calls)

    async def work() -> None:
        for call in left:
            task = asyncio.ensure_future(client.add_or_update(call.contact))
            if rng.random() < 0.5:
                await _a_moment(rng)
                task.cancel()
            try:
                ends[call.number] = await task
            except (Exception, asyncio.CancelledError) as exc:
                ends[call.number] = exc

    async with asyncio.TaskGroup() as tasks:
        for _ in range(concurrency):
            tasks.create_task(work())
    return ends


async def stream_cancelled(
    client: ContactClient,
    calls: Sequence[Sent],
    *,
    concurrency: int,
    seed: int,
    batch_size: int | None = None,
) -> dict[int, End]:
    """Cancel who reads a stream at a random moment; the ends of all that was read from `calls`."""
    ends: dict[int, End] = {}
    contacts = (call.contact for call in calls)
    stream = client.stream(contacts, concurrency=concurrency, batch_size=batch_size)

    async def read() -> None:
        async with stream:
            async for outcome in stream:
                ends[calls[outcome.index].number] = end_of(outcome.id, outcome.error)

    reader = asyncio.create_task(read())
    await _a_moment(random.Random(seed))
    reader.cancel()
    await asyncio.wait([reader])
    assert reader.cancelled() or not reader.exception(), reader
    for outcome in stream.undelivered:
        assert calls[outcome.index].number not in ends
        ends[calls[outcome.index].number] = end_of(outcome.id, outcome.error)
    return ends


async def _a_moment(rng: random.Random) -> None:
    """In which a little happens, much, or nothing any more."""
    if rng.random() < 0.2:
        await asyncio.sleep(rng.random() * 0.1)
    for _ in range(rng.choice((rng.randrange(12), rng.randrange(120)))):
        await asyncio.sleep(0)


@asynccontextmanager
async def restarting(sandbox: Sandbox, *, every: int, away_s: float) -> AsyncIterator[list[float]]:
    """Stops the sandbox after each `every` requests and starts it again; gives when it stopped."""
    stops: list[float] = []
    clock = asyncio.get_running_loop().time

    async def restart() -> None:
        while True:
            enough = len(sandbox.ledger.requests) + every
            while len(sandbox.ledger.requests) < enough:
                await asyncio.sleep(0.003)
            stops.append(clock())
            await sandbox.stop()
            await asyncio.sleep(away_s)
            await sandbox.start()

    task = asyncio.create_task(restart())
    try:
        yield stops
    finally:
        task.cancel()
        await asyncio.wait([task])
        assert task.cancelled(), task


def end_of(id_: int | None, error: ContactError | None) -> End:
    assert (id_ is None) != (error is None)
    return id_ if error is None else error  # type: ignore[return-value]


async def settled(sandbox: Sandbox) -> None:
    """Wait until the sandbox is through with every request, also of clients that have gone."""
    while any(request.answer is Answer.PENDING for request in sandbox.ledger.requests):
        await asyncio.sleep(0)


def counts(ends: Mapping[int, End]) -> Counter[str]:
    """How many calls ended how."""
    return Counter("success" if isinstance(e, int) else type(e).__name__ for e in ends.values())


def reconcile(
    sandbox: Sandbox,
    calls: Sequence[Sent],
    ends: Mapping[int, End],
    *,
    seed: int,
    unseen: int = 0,
    hasty: bool = False,
    settling: bool = False,
) -> None:
    """Assert that what the client said of each call is what the ledger shows.

    A call whose end is a `CancelledError` was given up by its caller, who was told nothing.

    Args:
        unseen: How many uncertain calls the sandbox need not have seen, where connections break
            outside of its handlers: bytes on their way to a server that stops are lost.
        hasty: Whether timeouts and cancellations may strike a call that is being answered well.
        settling: Whether uncertain adds were looked for, so that their id may come from a list.
    """
    problems = list(_problems(sandbox, calls, ends, unseen, hasty, settling))
    told = "\n  ".join(problems[:10])
    assert not problems, f"seed {seed}: {len(problems)} problems, {counts(ends)}\n  {told}"


def _problems(
    sandbox: Sandbox,
    calls: Sequence[Sent],
    ends: Mapping[int, End],
    unseen: int,
    hasty: bool,
    settling: bool,
) -> Iterator[str]:
    requests = _requests_of(sandbox, calls, settling)
    numbers: Mapping[Any, int] = {call.body["externalId"]: call.number for call in calls}
    writes: defaultdict[int | None, list[Write]] = defaultdict(list)
    for write in sandbox.ledger.writes:
        writes[numbers.get(write.body.get("externalId"))].append(write)

    for request in requests[None]:
        yield f"request {request.number} is of no call"
    for request in sandbox.ledger.requests:
        if request.method != "POST":  # what a redirect that is followed makes of it
            yield f"request {request.number} is a {request.method}"
    for number in ends.keys() - {call.number for call in calls}:
        yield f"there is no call {number}, but an end of it"
    unseen_calls = []
    for call in calls:
        end, seen, written = ends.get(call.number), requests[call.number], writes[call.number]
        told = list(_call_problems(call, end, seen, written, sandbox.contacts, hasty, settling))
        if told == [_NEVER_SEEN]:
            unseen_calls.append(call)
        else:
            yield from (f"{_name(call, end, seen)}: {what}" for what in told)
    if len(unseen_calls) > unseen:
        for call in unseen_calls:
            yield f"{_name(call, ends[call.number], [])}: {_NEVER_SEEN}"


def _requests_of(
    sandbox: Sandbox, calls: Sequence[Sent], settling: bool
) -> defaultdict[int | None, list[Request]]:
    """The requests for each call; those of no call are of `None`.

    A contact in a batch is shown as a request of its own, with the answer that it had in the
    batch's results, or with none where those did not say.
    """
    # A request that was never read is known by the digest in its headers.
    numbers = {
        hashlib.md5(wire.encode(call.contact), usedforsecurity=False).hexdigest(): call.number
        for call in calls
    }
    by_external_id = {call.body["externalId"]: call.number for call in calls}
    results = _results_told(sandbox)
    requests: defaultdict[int | None, list[Request]] = defaultdict(list)
    for request in sandbox.ledger.requests:
        if request.action == "batch?action=run":
            jobs = json.loads(request.body)["jobs"] if request.body else []
            for position, job in enumerate(jobs):
                name = job["params"].get("externalId")
                seen = _as_alone(request, position, name, results)
                requests[by_external_id.get(name)].append(seen)
        elif not request.action.startswith("batch?") and not (settling and request.action == LIST):
            requests[numbers.get(request.headers.get("Content-MD5", ""))].append(request)
    return requests


def _results_told(sandbox: Sandbox) -> dict[str, list[Mapping[str, Any]]]:
    """The results of each batch that the client was told, by the batch's id."""
    told = {}
    for request in sandbox.ledger.requests:
        is_whole = request.answer is Answer.SENT and request.status == 200
        if request.action == "batch?action=results" and is_whole:
            answer = json.loads(request.answer_body or b"null")
            if isinstance(answer, dict) and "results" in answer:
                told[answer["asyncId"]] = answer["results"]
    return told


def _as_alone(
    request: Request, position: int, name: str, results: Mapping[str, list[Mapping[str, Any]]]
) -> Request:
    """The request that a contact of a batch would have been by itself."""
    if request.async_id is None:
        return request
    seen = evolve(request, answer=Answer.HUNG, status=None, error_code=None, fault=None)
    if not tells(request):
        return seen
    told = results.get(request.async_id, [])
    result = told[position] if position < len(told) else None
    if result is None or result["request"].get("externalId") != name:
        return seen
    response = result["response"]
    if isinstance(response, dict):
        seen.answer, seen.status = Answer.SENT, 200
        code = response.get("errorCode")
        seen.error_code = None if code is None else int(code)
        seen.contact_id = int(response["id"]) if "id" in response else None
    return seen


_NEVER_SEEN = "uncertain, but the sandbox never saw what was sent"


def _name(call: Sent, end: End | None, seen: Sequence[Request]) -> str:
    faults = [request.fault and request.fault.kind.name for request in seen]
    return f"call {call.number} ({call.kind}) ended with {end!r} after {faults}"


def _call_problems(
    call: Sent,
    end: End | None,
    seen: Sequence[Request],
    written: Sequence[Write],
    contacts: Mapping[int, Mapping[str, Any]],
    hasty: bool,
    settling: bool,
) -> Iterator[str]:
    ambiguous = [request for request in seen if not tells(request)]
    match end:
        case None:
            yield "missing"
        case int():
            may_be_listed = settling and call.kind is Kind.ADD
            yield from _success_problems(call, end, seen, written, contacts, may_be_listed)
        case UncertainError() if hasty and _in_haste(end) and seen:
            pass
        case UncertainError() if not ambiguous and len(seen) < end.attempts:
            yield _NEVER_SEEN
        case UncertainError() if not ambiguous:
            yield "uncertain, but every answer told"
        case UncertainError() | asyncio.CancelledError():
            pass
        case ContactError() if written:
            yield "said not to be applied, but written"
        case ContactError() if ambiguous:
            yield "said not to be applied, which nobody could know"
        case ContactError():
            pass
        case _:
            yield "no end that is promised"

    if any(write.body != call.body for write in written):
        yield "what was written is not what was to be sent"
    if any(write.contact_id != call.before.get("id", write.contact_id) for write in written):
        yield "another contact was written"
    if sum(write.added for write in written) > (not call.before):
        yield "added twice, or added where it was there"
    if call.kind is Kind.ADD and len(written) > 1:
        yield "an add was written twice"
    if call.kind is Kind.ADD and any(not tells(request) for request in seen[:-1]):
        yield "an add was sent again after an answer that did not tell"


# How an error says that no answer was waited for, or that an earlier attempt may have had none.
_IN_HASTE = ("timed out", "the run was stopped", "an earlier attempt may have been applied")


def _in_haste(error: UncertainError) -> bool:
    return any(text in str(error) for text in _IN_HASTE)


def _success_problems(
    call: Sent,
    id_: int,
    seen: Sequence[Request],
    written: Sequence[Write],
    contacts: Mapping[int, Mapping[str, Any]],
    may_be_listed: bool,
) -> Iterator[str]:
    if dict(contacts.get(id_, {})) != {**call.after, "id": id_}:
        yield "a success, but the contact does not hold what was sent"
    if any(write.contact_id != id_ for write in written):
        yield "a success, but another contact was written"
    if may_be_listed and not written:
        yield "a success, but it was never written"
    is_answered = any(tells(request) and request.contact_id == id_ for request in seen)
    if not is_answered and not may_be_listed:
        yield "a success that the sandbox did not answer"


def tells(request: Request) -> bool:
    """Whether the answer says for certain if this request was applied."""
    if request.answer is not Answer.SENT:
        return False
    if request.error_code is not None:
        return request.error_code != 500
    if request.status == 200:
        return request.fault is None or request.fault.kind is not FaultKind.SUCCESS_WITHOUT_ID
    return request.status in (302, 503)
