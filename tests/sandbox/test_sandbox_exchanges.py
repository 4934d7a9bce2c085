import asyncio
import errno
import io
from collections.abc import AsyncIterator
from email.utils import parsedate_to_datetime
from typing import Any

import aiohttp
import pytest

from contactsdk.sandbox import (
    DEFAULT_MIX,
    Answer,
    Fault,
    FaultKind,
    Guesses,
    RateLimit,
    Request,
    Sandbox,
)
from tests.sandbox.asking import (
    ADD,
    BROKEN,
    LIST,
    PING,
    RESULTS,
    RUN,
    Asking,
    batch_of,
    signed,
    until,
)
from tests.sandbox.made import BOBBY, NOON


@pytest.fixture
async def ask(sandbox: Sandbox) -> AsyncIterator[Asking]:
    async with aiohttp.ClientSession() as session:
        yield Asking(session, sandbox)


def answers(sandbox: Sandbox) -> list[Answer]:
    return [request.answer for request in sandbox.ledger.requests]


async def test_add_is_written_and_answered_with_its_id(sandbox: Sandbox, ask: Asking) -> None:
    response = await ask(ADD, BOBBY)
    assert response.json == {"success": True, "id": 1001}
    assert response.content_type == "application/json"
    [write] = sandbox.ledger.writes
    assert (write.number, write.contact_id, write.request, write.added) == (1, 1001, 1, True)
    assert write.body == BOBBY
    assert (write.async_id, write.job) == (None, None)
    assert sandbox.contacts == {1001: {**BOBBY, "id": 1001}}


async def test_request_is_entered_in_the_ledger(sandbox: Sandbox, ask: Asking) -> None:
    sandbox.clock = lambda: NOON
    response = await ask(ADD, BOBBY, now=NOON)
    [request] = sandbox.ledger.requests
    assert (request.action, request.method, request.headers["ivvy-DATE"][:2]) == (ADD, "POST", "20")
    assert b"bobby@example.com" in request.body
    assert (request.answer, request.status, request.contact_id) == (Answer.SENT, 200, 1001)
    assert (request.answer_body, request.arrived_at) == (response.data, NOON)


@pytest.mark.parametrize("params", [b"", b"{}"])
async def test_ping_answers_with_the_time(sandbox: Sandbox, ask: Asking, params: bytes) -> None:
    sandbox.clock = lambda: NOON
    response = await ask(PING, params, now=NOON)
    assert response.json == {"ack": "2026-11-23 12:00:00"}
    assert parsedate_to_datetime(response.headers["Date"]).timestamp() == NOON


@pytest.mark.parametrize("action", ["contact?action=deleteContact", "other?action=ping", "x"])
async def test_unknown_action_is_not_found(sandbox: Sandbox, ask: Asking, action: str) -> None:
    response = await ask(action, {})
    assert (response.status, response.json["errorCode"]) == (404, 404)
    [request] = sandbox.ledger.requests
    assert (request.action, request.error_code) == (action, 404)


async def test_other_methods_are_not_allowed(sandbox: Sandbox, ask: Asking) -> None:
    async with ask.session.get(f"{sandbox.url}/elsewhere") as response:
        assert response.status == 405
    assert sandbox.ledger.requests[0].action == "/elsewhere"


async def test_wrong_signature_is_unauthorized(sandbox: Sandbox, ask: Asking) -> None:
    response = await ask(ADD, BOBBY, headers={"X-Api-Authorization": "IWS me:it"})
    assert response.status == 401
    assert not sandbox.ledger.writes


async def test_key_and_secret_may_be_changed_while_it_runs(sandbox: Sandbox, ask: Asking) -> None:
    headers = signed(sandbox, f"/api/1.0/{PING}", b"")
    sandbox.secret = "another"
    assert (await ask(PING, headers=headers)).status == 401
    assert (await ask(PING)).status == 200


async def test_stale_request_is_refused_by_the_sandboxes_clock(
    sandbox: Sandbox, ask: Asking
) -> None:
    sandbox.clock = lambda: NOON
    answer = (await ask(ADD, BOBBY, now=NOON - 301)).json
    assert (answer["errorCode"], answer["specificCode"]) == (401, 23005)


async def test_stale_request_may_have_another_error_code(ask: Asking) -> None:
    async with Sandbox(guesses=Guesses(stale_error_code="400"), clock=lambda: NOON) as sandbox:
        answer = (await ask(ADD, BOBBY, to=sandbox, now=NOON - 301)).json
    assert (answer["errorCode"], answer["specificCode"]) == (400, 23005)


async def test_errors_may_come_with_status_200(ask: Asking) -> None:
    async with Sandbox(errors_at_200=True) as sandbox:
        sandbox.script(Fault(FaultKind.THROTTLED), Fault(FaultKind.UNAVAILABLE))
        throttled, unavailable = [await ask(ADD, BOBBY, to=sandbox) for _ in range(2)]
        refused = await ask(ADD, {}, to=sandbox)
    assert (throttled.status, throttled.json["errorCode"]) == (200, 429)
    assert (unavailable.status, unavailable.content_type) == (503, "text/plain")
    assert (refused.status, refused.json["errorCode"]) == (200, 400)


async def test_codes_may_come_as_texts(ask: Asking) -> None:
    async with Sandbox(guesses=Guesses(codes="text")) as sandbox:
        answer = (await ask(ADD, {}, to=sandbox)).json
    assert (answer["errorCode"], answer["specificCode"]) == ("400", "23017")


async def test_contact_may_be_refused_without_an_error_code(ask: Asking) -> None:
    async with Sandbox(guesses=Guesses(repeated_add="refuse")) as sandbox:
        await ask(ADD, BOBBY, to=sandbox)
        response = await ask(ADD, BOBBY, to=sandbox)
    assert response.status == 200
    assert response.json == {
        "success": False,
        "message": "There is a contact of the same name and email",
    }


@pytest.mark.parametrize(
    ("guess", "answer"),
    [
        ({"success_flag": "left_out"}, {"id": 1001}),
        ({"written_id": "text"}, {"success": True, "id": "1001"}),
    ],
)
async def test_success_may_look_otherwise(
    ask: Asking, guess: dict[str, Any], answer: dict[str, Any]
) -> None:
    async with Sandbox(guesses=Guesses(**guess)) as sandbox:
        assert (await ask(ADD, BOBBY, to=sandbox)).json == answer
        assert sandbox.ledger.requests[0].contact_id == 1001


async def test_denied_action_is_refused_with_its_code_and_others_are_not(ask: Asking) -> None:
    async with Sandbox(denied={LIST: 403}) as sandbox:
        assert (await ask(LIST, {}, to=sandbox)).json["errorCode"] == 403
        assert (await ask(ADD, BOBBY, to=sandbox)).status == 200


@pytest.mark.parametrize(
    ("kind", "status", "error_code", "written"),
    [
        (FaultKind.THROTTLED, 429, 429, False),
        (FaultKind.RACED, 429, 429, False),
        (FaultKind.UNAVAILABLE, 503, None, False),
        (FaultKind.ERROR_BEFORE_WRITE, 500, 500, False),
        (FaultKind.ERROR_AFTER_WRITE, 500, 500, True),
        (FaultKind.HTML, 502, None, True),
        (FaultKind.SUCCESS_WITHOUT_ID, 200, None, True),
        (FaultKind.REDIRECT, 302, None, False),
        (FaultKind.BATCH_NOT_SAVED, 200, None, True),
    ],
)
async def test_fault_with_an_answer(
    sandbox: Sandbox,
    ask: Asking,
    kind: FaultKind,
    status: int,
    error_code: int | None,
    written: bool,
) -> None:
    sandbox.script(Fault(kind))
    response = await ask(ADD, BOBBY)
    [request] = sandbox.ledger.requests
    assert (response.status, request.status, request.error_code) == (status, status, error_code)
    assert (request.answer, request.fault) == (Answer.SENT, Fault(kind))
    assert len(sandbox.ledger.writes) == written == kind.writes
    assert (request.contact_id is not None) == written


async def test_race_says_that_it_is_one(sandbox: Sandbox, ask: Asking) -> None:
    sandbox.script(Fault(FaultKind.RACED))
    assert (await ask(ADD, BOBBY)).json == {
        "errorCode": 429,
        "message": "Race condition error",
        "specificCode": 24299,
    }


@pytest.mark.parametrize(
    ("kind", "answer", "status"),
    [
        (FaultKind.CLOSE_BEFORE_READ, Answer.CLOSED, None),
        (FaultKind.CLOSE_AFTER_WRITE, Answer.CLOSED, None),
        (FaultKind.RESET_AFTER_WRITE, Answer.RESET, None),
        (FaultKind.CUT_SHORT, Answer.CUT_SHORT, 200),
    ],
)
async def test_fault_that_breaks_the_connection(
    sandbox: Sandbox, ask: Asking, kind: FaultKind, answer: Answer, status: int | None
) -> None:
    sandbox.script(Fault(kind))
    with pytest.raises(BROKEN):
        await ask(ADD, BOBBY)
    [request] = sandbox.ledger.requests
    assert (request.answer, request.status) == (answer, status)
    assert len(sandbox.ledger.writes) == kind.writes
    assert bool(request.body) == kind.writes


async def test_reset_is_a_reset(sandbox: Sandbox, ask: Asking) -> None:
    sandbox.script(Fault(FaultKind.RESET_AFTER_WRITE))
    with pytest.raises(aiohttp.ClientOSError) as broken:
        await ask(ADD, BOBBY)
    assert broken.value.errno == errno.ECONNRESET


@pytest.mark.parametrize("kind", [FaultKind.HANG_BEFORE_WRITE, FaultKind.HANG_AFTER_WRITE])
async def test_fault_that_hangs_keeps_the_connection_silent(
    sandbox: Sandbox, ask: Asking, kind: FaultKind
) -> None:
    sandbox.script(Fault(kind))
    asked = asyncio.create_task(ask(ADD, BOBBY))
    await until(lambda: sandbox.ledger.requests and sandbox.ledger.requests[0].answer == "hung")
    assert len(sandbox.ledger.writes) == kind.writes
    await sandbox.stop()
    with pytest.raises(BROKEN):
        await asked
    assert len(asyncio.all_tasks()) == 1


async def test_contact_is_written_after_the_client_has_gone(sandbox: Sandbox, ask: Asking) -> None:
    sandbox.script(Fault(FaultKind.WRITE_AFTER_GONE))
    asked = asyncio.create_task(ask(ADD, BOBBY))
    await until(lambda: sandbox.ledger.requests)
    assert answers(sandbox) == [Answer.PENDING]
    assert not sandbox.ledger.writes
    asked.cancel()
    await until(lambda: sandbox.ledger.writes)
    assert answers(sandbox) == [Answer.GONE]


async def test_stopped_sandbox_writes_nothing_more(sandbox: Sandbox, ask: Asking) -> None:
    sandbox.script(Fault(FaultKind.WRITE_AFTER_GONE))
    asked = asyncio.create_task(ask(ADD, BOBBY))
    await until(lambda: sandbox.ledger.requests)
    await sandbox.stop()
    with pytest.raises(BROKEN):
        await asked
    assert not sandbox.ledger.writes


async def leave_before_the_write(sandbox: Sandbox, ask: Asking, action: str, params: Any) -> None:
    before = len(sandbox.ledger.requests)
    sandbox.script(Fault(FaultKind.WRITE_LATE))
    asked = asyncio.create_task(ask(action, params))
    await until(lambda: len(sandbox.ledger.requests) > before and sandbox.ledger.requests[-1].body)
    asked.cancel()
    await until(lambda: sandbox.ledger.requests[-1].answer is Answer.GONE)


async def test_late_write_looks_no_more_whether_the_contact_is_there(
    sandbox: Sandbox, ask: Asking
) -> None:
    again = {**BOBBY, "updateIfExists": True}
    await leave_before_the_write(sandbox, ask, ADD, again)
    await ask(ADD, again)
    assert [write.added for write in sandbox.ledger.writes] == [True, True]
    assert sandbox.ledger.requests[0].contact_id == 1002


async def test_late_write_that_does_not_validate_is_none(sandbox: Sandbox, ask: Asking) -> None:
    await leave_before_the_write(sandbox, ask, ADD, {"firstName": "Bobby"})
    assert (await ask(PING)).status == 200
    assert not sandbox.ledger.writes


async def test_batch_may_be_accepted_late(sandbox: Sandbox, ask: Asking) -> None:
    await leave_before_the_write(sandbox, ask, RUN, batch_of(BOBBY))
    assert not sandbox.batches
    await ask(PING)
    assert len(sandbox.ledger.writes) == 1
    assert sandbox.ledger.requests[0].async_id in sandbox.batches


async def test_clock_that_is_off_makes_a_request_stale_and_shows_in_the_date(
    sandbox: Sandbox, ask: Asking
) -> None:
    sandbox.clock = lambda: NOON
    sandbox.script(Fault(FaultKind.CLOCK_OFF, clock_off_s=3600))
    response = await ask(ADD, BOBBY, now=NOON)
    assert response.json["specificCode"] == 23005
    assert parsedate_to_datetime(response.headers["Date"]).timestamp() == NOON + 3600
    assert (await ask(ADD, BOBBY, now=NOON)).status == 200


@pytest.mark.parametrize(
    ("fault", "retry_after"),
    [
        (Fault(FaultKind.THROTTLED, retry_after_s=2), "2"),
        (Fault(FaultKind.UNAVAILABLE, retry_after_s=0.5), "0.5"),
        (
            Fault(FaultKind.UNAVAILABLE, retry_after_s=2, retry_after_as_date=True),
            "Mon, 23 Nov 2026 12:00:02 GMT",
        ),
        (Fault(FaultKind.UNAVAILABLE), None),
    ],
)
async def test_retry_after_is_sent_as_the_fault_says(
    sandbox: Sandbox, ask: Asking, fault: Fault, retry_after: str | None
) -> None:
    sandbox.clock = lambda: NOON
    sandbox.script(fault)
    assert (await ask(ADD, BOBBY, now=NOON)).headers.get("Retry-After") == retry_after


async def test_refused_contact_is_not_a_success_without_id(sandbox: Sandbox, ask: Asking) -> None:
    sandbox.script(Fault(FaultKind.SUCCESS_WITHOUT_ID))
    assert (await ask(ADD, {})).status == 400


async def test_mix_breaks_its_share_of_requests(sandbox: Sandbox, ask: Asking) -> None:
    sandbox.mix(1, 1.0, [fault for fault in DEFAULT_MIX if fault.kind is FaultKind.HTML])
    assert (await ask(ADD, BOBBY)).status == 502
    sandbox.mix(1, 0)
    assert (await ask(ADD, BOBBY)).status == 200


async def test_each_fault_may_have_a_share_of_its_own(sandbox: Sandbox, ask: Asking) -> None:
    sandbox.mix_shares(1, {Fault(FaultKind.HTML): 1.0}, actions=[PING])
    assert [(await ask(PING)).status, (await ask(ADD, BOBBY)).status] == [502, 200]


async def test_mix_may_be_for_some_actions(sandbox: Sandbox, ask: Asking) -> None:
    sandbox.mix(1, 1.0, [Fault(FaultKind.HTML)], actions=[PING])
    assert [(await ask(PING)).status, (await ask(ADD, BOBBY)).status] == [502, 200]


async def test_script_may_be_for_one_action(sandbox: Sandbox, ask: Asking) -> None:
    sandbox.script(Fault(FaultKind.HTML), action=PING)
    assert [(await ask(ADD, BOBBY)).status, (await ask(PING)).status] == [200, 502]


@pytest.mark.parametrize("retry_after", [True, False])
async def test_request_over_the_limit_is_throttled_and_takes_no_fault(
    sandbox: Sandbox, ask: Asking, retry_after: bool
) -> None:
    sandbox.rate_limit = RateLimit(per_s=0.01, retry_after=retry_after)
    sandbox.script(None, Fault(FaultKind.HTML))
    assert (await ask(ADD, BOBBY)).status == 200
    throttled = await ask(ADD, BOBBY)
    assert throttled.status == 429
    assert ("Retry-After" in throttled.headers) == retry_after
    sandbox.rate_limit = None
    assert sandbox.rate_limit is None
    assert (await ask(ADD, BOBBY)).status == 502
    assert len(sandbox.ledger.writes) == 2


async def test_latency_delays_the_answer_and_not_the_write(sandbox: Sandbox, ask: Asking) -> None:
    sandbox.latency_s = 60
    asked = asyncio.create_task(ask(ADD, BOBBY))
    await until(lambda: sandbox.ledger.writes)
    assert answers(sandbox) == [Answer.PENDING]
    asked.cancel()
    await until(lambda: answers(sandbox) == [Answer.GONE])
    sandbox.latency_s = 0.01
    assert (await ask(ADD, BOBBY)).status == 200


async def test_body_beyond_the_limit_is_refused_and_in_the_ledger(
    sandbox: Sandbox, ask: Asking
) -> None:
    body = io.BytesIO(b" " * (2**20 + 1))
    async with ask.session.post(f"{sandbox.url}/api/1.0/{ADD}", data=body) as response:
        assert response.status == sandbox.ledger.requests[0].status == 413


async def test_body_that_cannot_be_decoded_is_a_bad_request_and_in_the_ledger(
    sandbox: Sandbox, ask: Asking
) -> None:
    assert (await ask(ADD, BOBBY, headers={"Content-Encoding": "gzip"})).status == 400
    assert sandbox.ledger.requests[0].status == 400


async def test_client_that_leaves_before_its_body_is_whole_writes_nothing(
    sandbox: Sandbox,
) -> None:
    host, port = "127.0.0.1", int(sandbox.url.rpartition(":")[2])
    _, writer = await asyncio.open_connection(host, port)
    writer.write(f"POST /api/1.0/{ADD} HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\n{{".encode())
    await until(lambda: sandbox.ledger.requests)
    writer.close()
    await writer.wait_closed()
    await until(lambda: sandbox.ledger.requests[0].answer is Answer.GONE)
    assert not sandbox.ledger.writes


async def test_hundred_adds_at_once_are_all_written_once(sandbox: Sandbox, ask: Asking) -> None:
    answers = await asyncio.gather(*(ask(ADD, BOBBY) for _ in range(100)))
    ids = sorted(answer.json["id"] for answer in answers)
    assert ids == [write.contact_id for write in sandbox.ledger.writes] == list(range(1001, 1101))


async def test_each_request_is_reported_once_it_is_answered_or_never_will_be(ask: Asking) -> None:
    told: list[Request] = []
    async with Sandbox(on_answer=told.append) as sandbox:
        await ask(ADD, BOBBY, to=sandbox)
        sandbox.script(Fault(FaultKind.CLOSE_AFTER_WRITE))
        with pytest.raises(BROKEN):
            await ask(ADD, BOBBY, to=sandbox)
    assert told == sandbox.ledger.requests
    assert [request.answer for request in told] == [Answer.SENT, Answer.CLOSED]


async def test_batch_is_accepted_executed_and_its_results_fetched(
    sandbox: Sandbox, ask: Asking
) -> None:
    async_id = (await ask(RUN, batch_of(BOBBY, {**BOBBY, "email": "no"}))).json["asyncId"]
    answer = (await ask(RESULTS, {"async": async_id})).json
    good, bad = (result["response"] for result in answer["results"])
    assert good == {"success": True, "id": 1001}
    assert (bad["errorCode"], bad["specificCode"]) == (400, 23016)
    [write] = sandbox.ledger.writes
    assert (write.request, write.async_id, write.job) == (1, async_id, 0)
    assert sandbox.ledger.requests[0].async_id == async_id


@pytest.mark.parametrize("kind", [FaultKind.CLOSE_AFTER_WRITE, FaultKind.HTML])
async def test_batch_whose_answer_is_lost_is_executed(
    sandbox: Sandbox, ask: Asking, kind: FaultKind
) -> None:
    sandbox.script(Fault(kind), action=RUN)
    try:
        await ask(RUN, batch_of(BOBBY))
    except BROKEN:
        assert kind is FaultKind.CLOSE_AFTER_WRITE
    assert len(sandbox.ledger.writes) == 1
    assert sandbox.ledger.requests[0].async_id is not None


async def test_batch_may_be_accepted_without_its_id(sandbox: Sandbox, ask: Asking) -> None:
    sandbox.script(Fault(FaultKind.SUCCESS_WITHOUT_ID))
    assert (await ask(RUN, batch_of(BOBBY))).json == {"success": True}
    assert len(sandbox.ledger.writes) == 1


async def test_batch_that_is_not_saved_is_not_executed(sandbox: Sandbox, ask: Asking) -> None:
    sandbox.script(Fault(FaultKind.BATCH_NOT_SAVED))
    answer = (await ask(RUN, batch_of(BOBBY))).json
    assert (answer["errorCode"], answer["specificCode"]) == (400, 24091)
    assert not sandbox.ledger.writes
    assert not sandbox.batches


async def test_batch_is_accepted_after_the_client_has_gone(sandbox: Sandbox, ask: Asking) -> None:
    sandbox.script(Fault(FaultKind.WRITE_AFTER_GONE))
    asked = asyncio.create_task(ask(RUN, batch_of(BOBBY)))
    await until(lambda: sandbox.ledger.requests and sandbox.ledger.requests[0].body)
    asked.cancel()
    await until(lambda: sandbox.ledger.writes)
    assert sandbox.ledger.requests[0].async_id in sandbox.batches
