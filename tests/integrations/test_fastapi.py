"""FastAPI apps behind a real uvicorn, with the sandbox behind them."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Annotated, Any

import aiohttp
import openapi_spec_validator
import pytest
import pytest_asyncio
from fastapi import Body, FastAPI
from integrations.bodies import ADA, WRONG
from integrations.serving import Served, serve

from contactsdk import Contact, ContactClient, ContactError, Credentials, RetryPolicy, contacts_from
from contactsdk.integrations.fastapi import (
    ContactBody,
    ContactClientDep,
    add_contact_error_handlers,
    contact_lifespan,
)
from contactsdk.integrations.schema import CONTACT_SCHEMA
from contactsdk.sandbox import Answer, Fault, FaultKind, Sandbox

pytestmark = pytest.mark.asyncio(loop_scope="module")

Lifespan = Callable[[FastAPI], AbstractAsyncContextManager[Any]]


def an_app(lifespan: Lifespan) -> FastAPI:
    app = FastAPI(lifespan=lifespan)
    add_contact_error_handlers(app)

    @app.post("/contacts")
    async def add_or_update(contact: ContactBody, client: ContactClientDep) -> int:
        return await client.add_or_update(contact)

    @app.post("/contacts/all")
    async def names(contacts: Annotated[list[ContactBody], Body()]) -> int:
        return len(contacts)

    # FastAPI describes a stream by the itemSchema of OpenAPI 3.2, in a document that says 3.1.
    @app.post("/contacts/bulk", include_in_schema=False)
    async def bulk(
        rows: list[dict[str, Any]], client: ContactClientDep
    ) -> AsyncIterator[dict[str, Any]]:
        async with client.stream(contacts_from(rows)) as outcomes:
            while (outcome := await outcomes.next()) is not None:
                yield {"index": outcome.index, "id": outcome.id, "message": outcome.message}
            if outcomes.stopped_by is not None:
                yield {"stopped": type(outcomes.stopped_by).__name__}

    @app.post("/contacts/made-by-the-route")
    async def make() -> None:
        Contact(first_name="Ada", email="secret-name", custom_fields={0: "secret-value"})

    @app.post("/contacts/lone-surrogate")
    async def refuse() -> None:
        raise next(item for item in contacts_from([{"\ud800": 1}]) if isinstance(item, ValueError))

    return app


def connected_to(sandbox: Sandbox) -> Lifespan:
    def client() -> ContactClient:
        credentials = Credentials(sandbox.key, sandbox.secret)
        return ContactClient(sandbox.url, credentials, retry=RetryPolicy(attempts=1))

    return lambda app: contact_lifespan(app, client)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def running() -> AsyncIterator[Sandbox]:
    async with Sandbox(groups=[10]) as sandbox:
        yield sandbox


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def served(running: Sandbox) -> AsyncIterator[Served]:
    async with serve(an_app(connected_to(running))) as served:
        yield served


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def http() -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession() as session:
        yield session


@pytest.fixture
def sandbox(running: Sandbox) -> Sandbox:
    running.clear()
    running.latency_s = 0.0
    return running


async def until(condition: Callable[[], object]) -> None:
    while not condition():
        await asyncio.sleep(0.001)


# The lifespan


async def test_client_comes_from_the_environment(
    sandbox: Sandbox, http: aiohttp.ClientSession, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CONTACTSDK_URL", sandbox.url)
    monkeypatch.setenv("CONTACTSDK_KEY", sandbox.key)
    monkeypatch.setenv("CONTACTSDK_SECRET", sandbox.secret)

    async with (
        serve(an_app(contact_lifespan)) as served,
        http.post(f"{served.url}/contacts", json=ADA) as response,
    ):
        assert await response.json() == sandbox.ledger.writes[0].contact_id


async def test_app_does_not_start_with_an_incomplete_environment(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delenv("CONTACTSDK_URL", raising=False)

    with pytest.raises(ValueError, match="CONTACTSDK_URL"):
        async with contact_lifespan(FastAPI()):
            pass


async def test_lifespan_goes_into_one_of_the_apps_own(
    sandbox: Sandbox, http: aiohttp.ClientSession
) -> None:
    @asynccontextmanager
    async def own(app: FastAPI) -> AsyncIterator[Mapping[str, str]]:
        async with connected_to(sandbox)(app):
            yield {"what": "is the app's own"}

    async with (
        serve(an_app(own)) as served,
        http.post(f"{served.url}/contacts", json=ADA) as response,
    ):
        assert response.status == 200


async def test_client_is_closed_when_the_app_ends(sandbox: Sandbox) -> None:
    client = ContactClient(sandbox.url, Credentials(sandbox.key, sandbox.secret))

    async with contact_lifespan(FastAPI(), lambda: client):
        await client.ping()

    with pytest.raises(RuntimeError, match="closed"):
        await client.ping()


async def test_app_without_the_lifespan_is_told_what_it_lacks(
    http: aiohttp.ClientSession, caplog: pytest.LogCaptureFixture
) -> None:
    @asynccontextmanager
    async def nothing(_: FastAPI) -> AsyncIterator[None]:
        yield

    async with (
        serve(an_app(nothing)) as served,
        http.post(f"{served.url}/contacts", json=ADA) as response,
    ):
        assert response.status == 500
    assert "FastAPI(lifespan=contact_lifespan)" in caplog.text


# The body


@pytest.mark.parametrize(("body", "locations"), WRONG)
async def test_all_wrong_fields_are_located_in_the_platforms_spelling(
    body: Any,
    locations: list[list[str | int]],
    served: Served,
    sandbox: Sandbox,
    http: aiohttp.ClientSession,
) -> None:
    async with http.post(f"{served.url}/contacts", json=body) as response:
        assert response.status == 422
        assert response.content_type == "application/json"
        problems = (await response.json())["detail"]

    assert [problem["loc"] for problem in problems] == [["body", *loc] for loc in locations]
    assert all(problem["type"] == "value_error" and problem["msg"] for problem in problems)
    assert sandbox.ledger.requests == []


@pytest.mark.parametrize(
    "body",
    [b'{"id": NaN}', b'{"id": 1, "email": "\\ud800"}', b'{"\\ud800": 1}', b'{"id": 1e999}'],
)
async def test_what_json_cannot_carry_is_refused_like_all_else(
    body: bytes, served: Served, http: aiohttp.ClientSession
) -> None:
    headers = {"Content-Type": "application/json"}
    async with http.post(f"{served.url}/contacts", data=body, headers=headers) as response:
        assert response.status == 422


async def test_contacts_in_a_list_are_located_too(
    served: Served, http: aiohttp.ClientSession
) -> None:
    body = [ADA, {**ADA, "customFields": [{"fieldId": 0, "value": 1}]}]
    async with http.post(f"{served.url}/contacts/all", json=body) as response:
        problems = (await response.json())["detail"]

    assert [p["loc"] for p in problems] == [["body", 1, "customFields", 0, "fieldId"]]


async def test_contact_arrives_as_it_was_sent(
    served: Served, sandbox: Sandbox, http: aiohttp.ClientSession
) -> None:
    body = {
        **ADA,
        "groups": [{"groupId": 10}],
        "customFields": [{"fieldId": 7, "value": ["red", {"x": None}]}],
        "externalUrls": None,
    }
    async with http.post(f"{served.url}/contacts", json=body) as response:
        assert response.status == 200

    assert sandbox.ledger.writes[0].body == body


# The OpenAPI document


async def test_openapi_document_is_valid(served: Served, http: aiohttp.ClientSession) -> None:
    async with http.get(f"{served.url}/openapi.json") as response:
        document = await response.json()

    openapi_spec_validator.validate(document)
    content = document["paths"]["/contacts"]["post"]["requestBody"]["content"]
    assert content["application/json"]["schema"] == CONTACT_SCHEMA


async def test_openapi_page_opens(served: Served, http: aiohttp.ClientSession) -> None:
    async with http.get(f"{served.url}/docs") as response:
        assert response.status == 200
        assert "/openapi.json" in await response.text()


async def test_route_takes_the_documented_examples(
    served: Served, sandbox: Sandbox, http: aiohttp.ClientSession
) -> None:
    async with http.get(f"{served.url}/openapi.json") as response:
        content = (await response.json())["paths"]["/contacts"]["post"]["requestBody"]["content"]
    examples = content["application/json"]["schema"]["examples"]
    assert len(examples) == 2

    for example in examples:
        async with http.post(f"{served.url}/contacts", json=example) as response:
            assert response.status != 422 or response.content_type == "application/problem+json"

    assert [json.loads(request.body) for request in sandbox.ledger.requests] == examples


# Errors as answers


def _script(*faults: Fault) -> Callable[[Sandbox], None]:
    return lambda sandbox: sandbox.script(*faults)


def _another_secret(sandbox: Sandbox) -> None:
    sandbox.secret = "another"


ANSWERS: list[tuple[Callable[[Sandbox], None], int, str, str | None]] = [
    (_another_secret, 502, "authentication", None),
    (_script(Fault(FaultKind.REDIRECT)), 502, "setup", None),
    (_script(Fault(FaultKind.THROTTLED)), 503, "rate-limited", None),
    (_script(Fault(FaultKind.THROTTLED, retry_after_s=7)), 503, "rate-limited", "7"),
    (_script(Fault(FaultKind.UNAVAILABLE)), 503, "unavailable", None),
    (_script(Fault(FaultKind.UNAVAILABLE, retry_after_s=8)), 503, "unavailable", "8"),
    (_script(Fault(FaultKind.CLOSE_AFTER_WRITE)), 500, "uncertain", None),
    (_script(Fault(FaultKind.HTML)), 500, "uncertain", None),
]


@pytest.mark.parametrize(("spoil", "status", "kind", "retry_after"), ANSWERS)
async def test_error_becomes_a_problem_that_tells_which_and_leaks_nothing(
    spoil: Callable[[Sandbox], None],
    status: int,
    kind: str,
    retry_after: str | None,
    served: Served,
    sandbox: Sandbox,
    http: aiohttp.ClientSession,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    monkeypatch.setattr(sandbox, "secret", sandbox.secret)  # restores it
    spoil(sandbox)

    async with http.post(f"{served.url}/contacts", json=ADA) as response:
        problem = await response.json(content_type="application/problem+json")

    assert response.status == problem.pop("status") == status
    assert problem.pop("type") == f"urn:contactsdk:{kind}"
    assert response.headers.get("Retry-After") == retry_after
    assert problem.keys() == {"title"}
    said = str(problem) + str(response.headers) + caplog.text
    assert f"answered with HTTP {status}" in caplog.text
    for secret in (*ADA.values(), sandbox.key, sandbox.secret, sandbox.url, "moved"):
        assert secret not in said


async def test_rejected_contact_is_a_422_with_the_platforms_code(
    served: Served, sandbox: Sandbox, http: aiohttp.ClientSession
) -> None:
    body = {**ADA, "groups": [{"groupId": 99}]}
    async with http.post(f"{served.url}/contacts", json=body) as response:
        problem = await response.json(content_type="application/problem+json")

    assert response.status == 422
    assert problem["type"] == "urn:contactsdk:rejected"
    assert problem["specificCode"] == 23016
    assert problem.keys() == {"type", "title", "status", "specificCode"}


async def test_contact_that_no_code_explains_is_a_422_too(
    served: Served, http: aiohttp.ClientSession
) -> None:
    async with http.post(f"{served.url}/contacts", json={"id": 404}) as response:
        problem = await response.json(content_type="application/problem+json")

    assert response.status == 422
    assert problem["type"] == "urn:contactsdk:rejected"


async def test_contact_that_the_route_makes_wrong_is_a_422_with_locations(
    served: Served, http: aiohttp.ClientSession
) -> None:
    async with http.post(f"{served.url}/contacts/made-by-the-route") as response:
        problem = await response.json(content_type="application/problem+json")

    assert response.status == 422
    assert problem["type"] == "urn:contactsdk:invalid"
    assert problem["errors"] == [
        {"loc": ["lastName"], "msg": "is required"},
        {"loc": ["email"], "msg": "must be a valid email address"},
        {"loc": ["customFields", 0, "fieldId"], "msg": "must be a positive integer"},
    ]
    assert "secret-" not in str(problem)


async def test_problem_can_name_a_field_that_utf8_cannot_carry(
    served: Served, http: aiohttp.ClientSession
) -> None:
    async with http.post(f"{served.url}/contacts/lone-surrogate") as response:
        assert response.status == 422


async def test_error_of_a_kind_not_known_here_is_uncertain(http: aiohttp.ClientSession) -> None:
    app = FastAPI()
    add_contact_error_handlers(app)

    @app.get("/")
    async def fail() -> None:
        raise ContactError("of some other kind")

    async with serve(app) as served, http.get(served.url) as response:
        problem = await response.json(content_type="application/problem+json")

    assert (response.status, problem["type"]) == (500, "urn:contactsdk:uncertain")


# Clients that leave, and the end of the app


async def _post_half(url: str, body: bytes, *, length: int) -> asyncio.StreamWriter:
    host, _, port = url.removeprefix("http://").partition(":")
    _, writer = await asyncio.open_connection(host, int(port))
    head = f"POST /contacts HTTP/1.1\r\nHost: {host}\r\nContent-Type: application/json\r\n"
    writer.write(f"{head}Content-Length: {length}\r\n\r\n".encode() + body)
    await writer.drain()
    return writer


async def test_contact_of_a_client_that_leaves_before_the_answer_is_seen_through(
    served: Served, sandbox: Sandbox, http: aiohttp.ClientSession
) -> None:
    sandbox.latency_s = 0.02
    body = json.dumps(ADA).encode()
    writer = await _post_half(served.url, body, length=len(body))
    await until(lambda: sandbox.ledger.writes)

    writer.close()
    await writer.wait_closed()

    await until(lambda: sandbox.ledger.requests[0].answer is not Answer.PENDING)
    assert sandbox.ledger.requests[0].answer is Answer.SENT
    async with http.post(f"{served.url}/contacts", json=ADA) as response:
        assert response.status == 200


async def test_contact_of_a_client_that_leaves_within_its_body_is_not_sent(
    served: Served, sandbox: Sandbox, http: aiohttp.ClientSession
) -> None:
    writer = await _post_half(served.url, b'{"firstName": "Ad', length=200)
    writer.close()
    await writer.wait_closed()

    async with http.post(f"{served.url}/contacts", json={"id": 0}) as response:
        assert response.status == 422
    assert sandbox.ledger.requests == []


async def test_calls_in_flight_are_answered_before_the_app_ends(
    sandbox: Sandbox, http: aiohttp.ClientSession
) -> None:
    sandbox.latency_s = 0.02
    async with serve(an_app(connected_to(sandbox))) as served:
        answer = asyncio.create_task(http.post(f"{served.url}/contacts", json=ADA))
        await until(lambda: sandbox.ledger.writes)
        served.ask_to_stop()

        async with await answer as response:
            assert await response.json() == sandbox.ledger.writes[0].contact_id
    assert [request.answer for request in sandbox.ledger.requests] == [Answer.SENT]


async def test_app_ends_though_the_platform_hangs(
    sandbox: Sandbox, http: aiohttp.ClientSession
) -> None:
    sandbox.script(Fault(FaultKind.WRITE_AFTER_GONE))
    async with serve(an_app(connected_to(sandbox)), stop_s=0) as served:
        answer = asyncio.create_task(http.post(f"{served.url}/contacts", json=ADA))
        await until(lambda: sandbox.ledger.requests)

    async with await answer as response:
        assert response.status == 500
    await until(lambda: sandbox.ledger.writes)  # its connection was closed
    assert len(sandbox.ledger.requests) == 1


# The bulk endpoint of the README


async def test_bulk_endpoint_has_a_line_for_each_row(
    served: Served, sandbox: Sandbox, http: aiohttp.ClientSession
) -> None:
    rows = [{**ADA, "lastName": f"No {number}"} for number in range(20)]
    async with http.post(f"{served.url}/contacts/bulk", json=[*rows, {"id": 0}]) as response:
        assert response.content_type == "application/jsonl"
        lines = [json.loads(line) async for line in response.content]

    assert sorted(line["index"] for line in lines) == list(range(21))
    assert [line["message"] for line in lines if line["id"] is None] == [
        "id must be a positive integer"
    ]
    assert len(sandbox.ledger.writes) == 20


async def test_bulk_endpoint_says_what_stopped_it(
    served: Served, sandbox: Sandbox, http: aiohttp.ClientSession
) -> None:
    sandbox.script(Fault(FaultKind.REDIRECT))
    async with http.post(f"{served.url}/contacts/bulk", json=[ADA]) as response:
        lines = [json.loads(line) async for line in response.content]

    assert lines[-1] == {"stopped": "SetupError"}


async def test_bulk_endpoint_answers_while_it_runs_and_ends_with_its_client(
    served: Served, sandbox: Sandbox, http: aiohttp.ClientSession
) -> None:
    sandbox.script(None, Fault(FaultKind.WRITE_AFTER_GONE))
    async with http.post(
        f"{served.url}/contacts/bulk", json=[ADA, {**ADA, "lastName": "Brewer"}]
    ) as response:
        first = json.loads(await response.content.readline())
        assert first["id"] == sandbox.ledger.writes[0].contact_id
        await until(lambda: len(sandbox.ledger.requests) == 2)
        assert len(sandbox.ledger.writes) == 1
        response.close()

    await until(lambda: len(sandbox.ledger.writes) == 2)
