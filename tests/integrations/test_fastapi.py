"""FastAPI apps behind a real uvicorn, with the sandbox behind them."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Annotated, Any

import aiohttp
import jsonschema
import openapi_spec_validator
import pytest
import pytest_asyncio
from fastapi import Body, FastAPI
from pydantic import BaseModel, ValidationError

from contactsdk import Contact, ContactClient, ContactError, Credentials, RetryPolicy, contacts_from
from contactsdk.integrations.fastapi import (
    CONTACT_PROBLEM_RESPONSES,
    ContactBody,
    ContactClientDep,
    add_contact_error_handlers,
    contact_lifespan,
)
from contactsdk.integrations.problems import MEDIA_TYPE
from contactsdk.integrations.schema import CONTACT_SCHEMA
from contactsdk.sandbox import Answer, Fault, FaultKind, Sandbox
from tests.integrations.bodies import ADA, WRONG
from tests.integrations.serving import Served, serve

pytestmark = pytest.mark.asyncio(loop_scope="module")

Lifespan = Callable[[FastAPI], AbstractAsyncContextManager[Any]]


def an_app(lifespan: Lifespan) -> FastAPI:
    app = FastAPI(lifespan=lifespan, responses=CONTACT_PROBLEM_RESPONSES)
    add_contact_error_handlers(app)

    @app.post("/contacts")
    async def add_or_update(contact: ContactBody, client: ContactClientDep) -> int:
        return await client.add_or_update(contact)

    @app.post("/contacts/all")
    async def names(contacts: Annotated[list[ContactBody], Body()]) -> int:
        return len(contacts)

    @app.post("/contacts/echo")
    async def echo(contact: ContactBody) -> ContactBody:
        return contact

    @app.post("/contacts/all/echo")
    async def echo_all(contacts: Annotated[list[ContactBody], Body()]) -> list[ContactBody]:
        return contacts

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


async def test_error_names_what_an_app_without_the_lifespan_lacks(
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


async def test_contact_is_returned_as_it_came(served: Served, http: aiohttp.ClientSession) -> None:
    body = {
        **ADA,
        "groups": [],
        "customFields": [{"fieldId": 7, "value": ["red", {"x": None}]}],
        "externalUrls": None,
        "status": 5,
    }
    async with http.post(f"{served.url}/contacts/echo", json=body) as response:
        assert await response.json() == body
    async with http.post(f"{served.url}/contacts/all/echo", json=[body, ADA]) as response:
        assert await response.json() == [body, ADA]


class Order(BaseModel):
    number: int
    contact: ContactBody


async def test_contact_can_be_a_part_of_a_model() -> None:
    order = Order.model_validate({"number": 7, "contact": ADA})

    assert order.contact == Contact(first_name="Ada", last_name="Archer", email="ada@example.com")
    assert order.model_dump() == {"number": 7, "contact": ADA}


async def test_wrong_contact_within_a_model_is_located() -> None:
    with pytest.raises(ValidationError) as caught:
        Order.model_validate({"number": 7, "contact": {**ADA, "groups": [{"groupId": 0}]}})

    assert [e["loc"] for e in caught.value.errors()] == [("contact", "groups", 0, "groupId")]


# The OpenAPI document


@pytest_asyncio.fixture(loop_scope="module")
async def document(served: Served, http: aiohttp.ClientSession) -> Any:
    async with http.get(f"{served.url}/openapi.json") as response:
        return await response.json()


async def test_openapi_document_is_valid(document: Any) -> None:
    openapi_spec_validator.validate(document)


async def test_contact_is_one_named_component(document: Any) -> None:
    paths = document["paths"]
    name = {"$ref": "#/components/schemas/Contact"}

    def body_of(path: str) -> Any:
        return paths[path]["post"]["requestBody"]["content"]["application/json"]["schema"]

    def answer_of(path: str) -> Any:
        return paths[path]["post"]["responses"]["200"]["content"]["application/json"]["schema"]

    assert body_of("/contacts") == body_of("/contacts/echo") == name
    assert answer_of("/contacts/echo") == name
    assert body_of("/contacts/all")["items"] == answer_of("/contacts/all/echo")["items"] == name
    assert list(document["components"]["schemas"]) == ["Contact"]
    assert document["components"]["schemas"]["Contact"] == CONTACT_SCHEMA


async def test_problems_are_documented_beside_fastapis_own(document: Any) -> None:
    responses = document["paths"]["/contacts"]["post"]["responses"]

    assert responses.keys() == {"200", "422", "500", "502", "503"}
    assert all(MEDIA_TYPE in responses[status]["content"] for status in responses.keys() - {"200"})
    assert responses["422"]["content"].keys() == {"application/json", MEDIA_TYPE}


async def test_answer_to_a_wrong_body_is_as_documented(
    document: Any, served: Served, http: aiohttp.ClientSession
) -> None:
    documented = document["paths"]["/contacts"]["post"]["responses"]["422"]["content"]
    async with http.post(f"{served.url}/contacts", json={"id": 0}) as response:
        jsonschema.validate(await response.json(), documented["application/json"]["schema"])


async def test_openapi_page_opens(served: Served, http: aiohttp.ClientSession) -> None:
    async with http.get(f"{served.url}/docs") as response:
        assert response.status == 200
        assert "/openapi.json" in await response.text()


async def test_route_takes_the_documented_examples(
    document: Any, served: Served, sandbox: Sandbox, http: aiohttp.ClientSession
) -> None:
    examples = document["components"]["schemas"]["Contact"]["examples"]
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
async def test_error_becomes_a_problem_that_names_its_kind_and_leaks_nothing(
    spoil: Callable[[Sandbox], None],
    status: int,
    kind: str,
    retry_after: str | None,
    sandbox: Sandbox,
    http: aiohttp.ClientSession,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    monkeypatch.setattr(sandbox, "secret", sandbox.secret)  # restores it
    # An app of its own: a client that was throttled or refused sends less for a while.
    async with serve(an_app(connected_to(sandbox))) as served:
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
