import asyncio
import errno
import hashlib
import hmac
import io
import ssl
import time
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

import aiohttp
import orjson
import pytest
import trustme

from contactsdk import sandbox as sandbox_package
from contactsdk.sandbox import (
    DEFAULT_MIX,
    Answer,
    Fault,
    FaultKind,
    FieldType,
    Ledger,
    RateLimit,
    Sandbox,
)

ADD = "contact?action=addOrUpdateContact"
GET = "contact?action=getContact"
LIST = "contact?action=getContactList"
PING = "test?action=ping"
BOBBY = {"firstName": "Bobby", "lastName": "Smith", "email": "bobby@example.com"}
NOON = datetime(2026, 11, 23, 12, tzinfo=UTC).timestamp()
BROKEN = (aiohttp.ClientConnectionError, aiohttp.ClientPayloadError)


def signed(sandbox, target, body, now=None):
    date = f"{datetime.fromtimestamp(now or time.time(), UTC):%Y-%m-%d %H:%M:%S}"
    md5 = hashlib.md5(body).hexdigest()
    text = f"post{md5}application/json{target.lower()}1.0ivvydate={date}"
    signature = hmac.new(sandbox.secret.encode(), text.encode(), hashlib.sha1).hexdigest()
    return {
        "Content-Type": "application/json",
        "Content-MD5": md5,
        "IVVY-Date": date,
        "X-Api-Version": "1.0",
        "X-Api-Authorization": f"IWS {sandbox.key}:{signature}",
    }


@pytest.fixture
async def session():
    async with aiohttp.ClientSession() as session:
        yield session


@pytest.fixture
async def sandbox():
    async with Sandbox() as sandbox:
        yield sandbox


@pytest.fixture
def ask(session, sandbox):
    async def ask(action=ADD, params=BOBBY, *, to=sandbox, now=None, **options):
        target = f"/api/1.0/{action}"
        body = params if isinstance(params, bytes) else orjson.dumps(params)
        options = {"headers": signed(to, target, body, now), "allow_redirects": False, **options}
        async with session.post(to.url + target, data=body, **options) as response:
            response.data = await response.read()
            return response

    return ask


async def until(condition):
    async with asyncio.timeout(5):
        while not condition():
            await asyncio.sleep(0.001)


async def test_public_names_are_guarded():
    names = sandbox_package.__all__
    assert names == ["DEFAULT_MIX", *sorted(set(names) - {"DEFAULT_MIX"})]
    assert len(names) == 10
    assert all(getattr(sandbox_package, name).__doc__ for name in names)


async def test_add_is_written_and_answered_with_its_id(sandbox, ask):
    response = await ask()
    assert orjson.loads(response.data) == {"success": True, "id": 1001}
    assert response.content_type == "application/json"
    [write] = sandbox.ledger.writes
    assert (write.number, write.contact_id, write.request, write.added) == (1, 1001, 1, True)
    assert write.body == BOBBY
    assert sandbox.contacts == {1001: {**BOBBY, "id": 1001}}
    [request] = sandbox.ledger.requests
    assert (request.action, request.method, request.headers["ivvy-DATE"][:2]) == (ADD, "POST", "20")
    assert orjson.loads(request.body) == BOBBY
    assert (request.answer, request.status, request.contact_id) == (Answer.SENT, 200, 1001)


async def test_contact_is_read_back_alone_and_in_a_list(ask):
    await ask()
    contact = {**BOBBY, "id": 1001}
    assert orjson.loads((await ask(GET, {"id": 1001})).data) == contact
    assert orjson.loads((await ask(LIST, {})).data)["results"] == [contact]


async def test_read_with_an_unknown_parameter_is_refused(ask):
    assert orjson.loads((await ask(GET, {"id": 1, "x": 1})).data)["specificCode"] == 23016


@pytest.mark.parametrize("params", [b"", b"{}"])
async def test_ping_answers_with_the_time(sandbox, ask, params):
    sandbox.clock = lambda: NOON
    response = await ask(PING, params, now=NOON)
    assert orjson.loads(response.data) == {"ack": "2026-11-23 12:00:00"}
    assert parsedate_to_datetime(response.headers["Date"]).timestamp() == NOON


@pytest.mark.parametrize("action", ["contact?action=deleteContact", "other?action=ping", "x"])
async def test_unknown_action_is_not_found_and_in_the_ledger(sandbox, ask, action):
    response = await ask(action)
    assert (response.status, orjson.loads(response.data)["errorCode"]) == (404, 404)
    assert sandbox.ledger.requests[0].action == action
    assert sandbox.ledger.requests[0].error_code == 404


async def test_other_methods_are_not_allowed(sandbox, session):
    async with session.get(f"{sandbox.url}/elsewhere") as response:
        assert response.status == 405
    assert sandbox.ledger.requests[0].action == "/elsewhere"


async def test_wrong_signature_is_unauthorized_and_nothing_is_written(sandbox, ask):
    assert (await ask(headers={"X-Api-Authorization": "IWS me:it"})).status == 401
    assert not sandbox.ledger.writes


async def test_stale_request_is_refused_by_the_sandboxes_clock(sandbox, ask):
    sandbox.clock = lambda: NOON
    assert orjson.loads((await ask(now=NOON - 301)).data)["specificCode"] == 23005


async def test_declared_groups_companies_and_fields_are_all_there_are(ask):
    params = {**BOBBY, "groups": [{"groupId": 10}], "companies": [4]}
    params["customFields"] = [{"fieldId": 1, "value": "No"}]
    fields = {1: FieldType.SMALL_TEXT}
    async with Sandbox(groups=[10], companies=[4], custom_fields=fields) as declared:
        assert (await ask(to=declared, params=params)).status == 200
    async with Sandbox(groups=[], companies=[4], custom_fields=fields) as declared:
        assert (await ask(to=declared, params=params)).status == 400


async def test_errors_may_come_with_status_200(ask):
    async with Sandbox(key="k", secret="s", errors_at_200=True) as sandbox:
        sandbox.script(Fault(FaultKind.THROTTLED), Fault(FaultKind.UNAVAILABLE))
        throttled, unavailable = await ask(to=sandbox), await ask(to=sandbox)
        refused = await ask(to=sandbox, params={})
    assert (throttled.status, orjson.loads(throttled.data)["errorCode"]) == (200, 429)
    assert (unavailable.status, unavailable.content_type) == (503, "text/plain")
    assert (refused.status, orjson.loads(refused.data)["errorCode"]) == (200, 400)


@pytest.mark.parametrize(
    ("kind", "status", "error_code", "written"),
    [
        (FaultKind.THROTTLED, 429, 429, False),
        (FaultKind.UNAVAILABLE, 503, None, False),
        (FaultKind.ERROR_BEFORE_WRITE, 500, 500, False),
        (FaultKind.ERROR_AFTER_WRITE, 500, 500, True),
        (FaultKind.HTML, 502, None, True),
        (FaultKind.SUCCESS_WITHOUT_ID, 200, None, True),
        (FaultKind.REDIRECT, 302, None, False),
    ],
)
async def test_fault_with_an_answer(sandbox, ask, kind, status, error_code, written):
    sandbox.script(Fault(kind))
    response = await ask()
    [request] = sandbox.ledger.requests
    assert (response.status, request.status, request.error_code) == (status, status, error_code)
    assert (request.answer, request.fault) == (Answer.SENT, Fault(kind))
    assert len(sandbox.ledger.writes) == written == kind.writes
    assert (request.contact_id is not None) == written


@pytest.mark.parametrize(
    ("kind", "answer", "status"),
    [
        (FaultKind.CLOSE_BEFORE_READ, Answer.CLOSED, None),
        (FaultKind.CLOSE_AFTER_WRITE, Answer.CLOSED, None),
        (FaultKind.RESET_AFTER_WRITE, Answer.RESET, None),
        (FaultKind.CUT_SHORT, Answer.CUT_SHORT, 200),
    ],
)
async def test_fault_that_breaks_the_connection(sandbox, ask, kind, answer, status):
    sandbox.script(Fault(kind))
    with pytest.raises(BROKEN):
        await ask()
    [request] = sandbox.ledger.requests
    assert (request.answer, request.status) == (answer, status)
    assert len(sandbox.ledger.writes) == kind.writes
    assert bool(request.body) == kind.writes


async def test_reset_is_a_reset(sandbox, ask):
    sandbox.script(Fault(FaultKind.RESET_AFTER_WRITE))
    with pytest.raises(aiohttp.ClientOSError) as broken:
        await ask()
    assert broken.value.errno == errno.ECONNRESET


@pytest.mark.parametrize("kind", [FaultKind.HANG_BEFORE_WRITE, FaultKind.HANG_AFTER_WRITE])
async def test_fault_that_hangs(sandbox, ask, kind):
    sandbox.script(Fault(kind))
    asked = asyncio.create_task(ask())
    await until(lambda: sandbox.ledger.requests and sandbox.ledger.requests[0].answer == "hung")
    assert len(sandbox.ledger.writes) == kind.writes
    await sandbox.stop()
    with pytest.raises(BROKEN):
        await asked
    assert len(asyncio.all_tasks()) == 1


async def test_contact_is_written_after_the_client_has_gone(sandbox, ask):
    sandbox.script(Fault(FaultKind.WRITE_AFTER_GONE))
    asked = asyncio.create_task(ask())
    await until(lambda: sandbox.ledger.requests)
    assert sandbox.ledger.requests[0].answer is Answer.PENDING
    assert not sandbox.ledger.writes
    asked.cancel()
    await until(lambda: sandbox.ledger.writes)
    assert sandbox.ledger.requests[0].answer is Answer.GONE


async def test_stopped_sandbox_writes_nothing_more(sandbox, ask):
    sandbox.script(Fault(FaultKind.WRITE_AFTER_GONE))
    asked = asyncio.create_task(ask())
    await until(lambda: sandbox.ledger.requests)
    await sandbox.stop()
    with pytest.raises(BROKEN):
        await asked
    assert not sandbox.ledger.writes


async def test_clock_that_is_off_makes_a_request_stale_and_shows_in_the_date(sandbox, ask):
    sandbox.clock = lambda: NOON
    sandbox.script(Fault(FaultKind.CLOCK_OFF, clock_off_s=3600))
    response = await ask(now=NOON)
    assert orjson.loads(response.data)["specificCode"] == 23005
    assert parsedate_to_datetime(response.headers["Date"]).timestamp() == NOON + 3600
    assert (await ask(now=NOON)).status == 200


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
async def test_retry_after_is_sent_as_the_fault_says(sandbox, ask, fault, retry_after):
    sandbox.clock = lambda: NOON
    sandbox.script(fault)
    assert (await ask(now=NOON)).headers.get("Retry-After") == retry_after


async def test_refused_contact_is_no_success_without_id(sandbox, ask):
    sandbox.script(Fault(FaultKind.SUCCESS_WITHOUT_ID))
    assert (await ask(params={})).status == 400


async def test_mix_breaks_its_share_of_requests(sandbox, ask):
    sandbox.mix(1, 1.0, [fault for fault in DEFAULT_MIX if fault.kind is FaultKind.HTML])
    assert (await ask()).status == 502
    sandbox.mix(1, 0)
    assert (await ask()).status == 200


@pytest.mark.parametrize("retry_after", [True, False])
async def test_request_over_the_limit_is_throttled_and_takes_no_fault(sandbox, ask, retry_after):
    sandbox.rate_limit = RateLimit(per_s=0.01, retry_after=retry_after)
    sandbox.script(None, Fault(FaultKind.HTML))
    assert [(await ask()).status, (throttled := await ask()).status] == [200, 429]
    assert ("Retry-After" in throttled.headers) == retry_after
    sandbox.rate_limit = None
    assert sandbox.rate_limit is None
    assert (await ask()).status == 502
    assert len(sandbox.ledger.writes) == 2


async def test_latency_delays_the_answer_and_not_the_write(sandbox, ask):
    sandbox.latency_s = 60
    asked = asyncio.create_task(ask())
    await until(lambda: sandbox.ledger.writes)
    assert sandbox.ledger.requests[0].answer is Answer.PENDING
    asked.cancel()
    await until(lambda: sandbox.ledger.requests[0].answer is Answer.GONE)
    sandbox.latency_s = 0.01
    assert (await ask()).status == 200


async def test_restart_keeps_port_and_state(sandbox, ask):
    url = sandbox.url
    await ask()
    await sandbox.stop()
    with pytest.raises(BROKEN):
        await ask()
    await sandbox.start()
    await ask()
    assert sandbox.url == url
    assert len(sandbox.ledger.writes) == len(sandbox.contacts) == 2


async def test_stopping_twice_is_harmless_and_starting_twice_is_not(sandbox):
    with pytest.raises(RuntimeError, match="runs already"):
        await sandbox.start()
    await sandbox.stop()
    await sandbox.stop()


async def test_taken_port_is_an_os_error_and_leaves_the_sandbox_startable(sandbox):
    other = Sandbox(port=int(sandbox.url.rpartition(":")[2]))
    with pytest.raises(OSError, match="in use"):
        await other.start()
    await sandbox.stop()
    async with other:
        assert other.url == sandbox.url


def test_sandbox_has_no_address_before_it_is_started():
    with pytest.raises(RuntimeError, match="before it is started"):
        _ = Sandbox().url


async def test_clear_forgets_contacts_ledger_and_script(sandbox, ask):
    await ask()
    sandbox.script(Fault(FaultKind.HTML))
    sandbox.clear()
    assert (dict(sandbox.contacts), sandbox.ledger) == ({}, Ledger())
    assert orjson.loads((await ask()).data)["id"] == 1001


async def test_body_beyond_the_limit_is_refused_and_in_the_ledger(sandbox, session):
    body = io.BytesIO(b" " * (2**20 + 1))
    async with session.post(f"{sandbox.url}/api/1.0/{ADD}", data=body) as response:
        assert response.status == sandbox.ledger.requests[0].status == 413


async def test_body_that_cannot_be_decoded_is_a_bad_request_and_in_the_ledger(sandbox, ask):
    assert (await ask(headers={"Content-Encoding": "gzip"})).status == 400
    assert sandbox.ledger.requests[0].status == 400


async def test_sandbox_speaks_tls(ask):
    authority = trustme.CA()
    server_side = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    authority.issue_cert("127.0.0.1").configure_cert(server_side)
    client_side = ssl.create_default_context()
    authority.configure_trust(client_side)
    async with Sandbox(ssl_context=server_side) as sandbox:
        assert sandbox.url.startswith("https://")
        assert (await ask(to=sandbox, ssl=client_side)).status == 200
        sandbox.script(Fault(FaultKind.RESET_AFTER_WRITE))
        with pytest.raises(BROKEN):
            await ask(to=sandbox, ssl=client_side)


async def test_client_that_leaves_before_its_body_is_whole_writes_nothing(sandbox):
    host, port = "127.0.0.1", int(sandbox.url.rpartition(":")[2])
    _, writer = await asyncio.open_connection(host, port)
    writer.write(f"POST /api/1.0/{ADD} HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\n{{".encode())
    await until(lambda: sandbox.ledger.requests)
    writer.close()
    await writer.wait_closed()
    await until(lambda: sandbox.ledger.requests[0].answer is Answer.GONE)
    assert not sandbox.ledger.writes


async def test_hundred_adds_at_once_are_all_written_once(sandbox, ask):
    answers = await asyncio.gather(*(ask() for _ in range(100)))
    ids = sorted(orjson.loads(answer.data)["id"] for answer in answers)
    assert ids == [write.contact_id for write in sandbox.ledger.writes] == list(range(1001, 1101))
