"""Starlette apps: the client, errors as answers, and requests that are cancelled."""

import asyncio
import json
import subprocess
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from typing import Any, NoReturn

import aiohttp
import pytest
from starlette.applications import Starlette
from starlette.middleware.base import BaseHTTPMiddleware, RequestResponseEndpoint
from starlette.requests import HTTPConnection, Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Mount, Route, WebSocketRoute
from starlette.testclient import TestClient
from starlette.types import Message
from starlette.websockets import WebSocket

from contactsdk import ContactClient, Credentials, RejectedError, UnavailableError
from contactsdk.integrations.starlette import (
    add_contact_error_handlers,
    contact_client_of,
    contact_lifespan,
)
from contactsdk.sandbox import Fault, FaultKind, Sandbox
from contactsdk.wire import contact_from
from tests.integrations.bodies import ADA
from tests.integrations.serving import serve


def a_client() -> ContactClient:
    """A client for what is never sent."""
    return ContactClient("http://127.0.0.1:9", Credentials("key", "secret"))


@asynccontextmanager
async def lifespan(app: Starlette) -> AsyncIterator[Mapping[str, Any]]:
    async with contact_lifespan(app, a_client) as state:
        yield state


async def is_connected(connection: HTTPConnection) -> JSONResponse:
    return JSONResponse(isinstance(contact_client_of(connection), ContactClient))


ROUTES = [Route("/", is_connected)]


def test_starlette_is_all_that_it_needs() -> None:
    code = "import contactsdk.integrations.starlette, sys; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)

    assert not {"fastapi", "pydantic"} & set(done.stdout.split())


# The client


def test_route_takes_the_client_of_its_app() -> None:
    with TestClient(Starlette(routes=ROUTES, lifespan=lifespan)) as http:
        assert http.get("/").json() is True


def test_websocket_takes_the_client_of_its_app() -> None:
    async def talk(websocket: WebSocket) -> None:
        await websocket.accept()
        await websocket.send_json(isinstance(contact_client_of(websocket), ContactClient))
        await websocket.close()

    app = Starlette(routes=[WebSocketRoute("/", talk)], lifespan=lifespan)
    add_contact_error_handlers(app)
    with TestClient(app) as http, http.websocket_connect("/") as websocket:
        assert websocket.receive_json() is True


def test_mounted_app_has_the_client_of_the_app_that_it_is_mounted_in() -> None:
    app = Starlette(routes=[Mount("/inner", app=Starlette(routes=ROUTES))], lifespan=lifespan)

    with TestClient(app) as http:
        assert http.get("/inner/").json() is True


def test_two_clients_for_one_app_are_refused() -> None:
    @asynccontextmanager
    async def twice(app: Starlette) -> AsyncIterator[None]:
        async with contact_lifespan(app, a_client), contact_lifespan(app, a_client):
            yield

    with (
        pytest.raises(RuntimeError, match="has a contact client already"),
        TestClient(Starlette(lifespan=twice)),
    ):
        pass


def test_app_can_be_started_again() -> None:
    app = Starlette(routes=ROUTES, lifespan=lifespan)

    for _ in range(2):
        with TestClient(app) as http:
            assert http.get("/").json() is True


@pytest.mark.parametrize("is_mounted", [False, True])
def test_use_after_the_lifespan_says_that_it_has_ended(is_mounted: bool) -> None:
    routes = [Mount("/", app=Starlette(routes=ROUTES))] if is_mounted else ROUTES
    http = TestClient(Starlette(routes=routes, lifespan=lifespan))
    with http:
        pass

    with pytest.raises(RuntimeError, match="has ended"):
        http.get("/")


def test_app_without_the_lifespan_says_what_is_missing() -> None:
    with pytest.raises(RuntimeError, match=r"Starlette\(lifespan=contact_lifespan\)"):
        TestClient(Starlette(routes=ROUTES)).get("/")


# Errors


def test_error_of_a_route_becomes_a_problem() -> None:
    async def refuse(_: Request) -> Response:
        raise RejectedError("no such group", specific_code=23016)

    app = Starlette(routes=[Route("/", refuse)])
    add_contact_error_handlers(app)

    response = TestClient(app).get("/")

    assert response.status_code == 422
    assert response.headers["Content-Type"] == "application/problem+json"
    assert response.json()["specificCode"] == 23016


def test_what_is_the_services_fault_is_logged_and_nothing_else(
    caplog: pytest.LogCaptureFixture,
) -> None:
    errors = iter([RejectedError("no such group"), UnavailableError("ada@example.com is down")])

    async def fail(_: Request) -> Response:
        raise next(errors)

    app = Starlette(routes=[Route("/", fail)])
    add_contact_error_handlers(app)
    http = TestClient(app)

    http.get("/")
    http.get("/")

    logged = [record.getMessage() for record in caplog.records if record.name == "contactsdk"]
    assert logged == ["answered with HTTP 503: UnavailableError"]


# Cancelled requests


async def wait(request: Request) -> NoReturn:
    request.app.state.is_waiting.set()
    await asyncio.Event().wait()
    raise AssertionError("it waits for ever")


async def take_client_and_wait(request: Request) -> Response:
    contact_client_of(request)
    await wait(request)


async def cancelled(app: Starlette) -> list[Message]:
    """What `app` answers to a request that is cancelled once it waits."""
    sent: list[Message] = []
    received: list[Message] = [{"type": "http.request"}]

    async def send(message: Message) -> None:
        sent.append(message)

    async def receive() -> Message:
        return received.pop() if received else await asyncio.Future()

    app.state.is_waiting = asyncio.Event()
    scope = {"type": "http", "method": "GET", "path": "/", "headers": []}
    task = asyncio.create_task(app(scope, receive, send))
    await app.state.is_waiting.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    return sent


@asynccontextmanager
async def started(route: Callable[[Request], Awaitable[Response]]) -> AsyncIterator[Starlette]:
    app = Starlette(routes=[Route("/", route)])
    add_contact_error_handlers(app)
    async with contact_lifespan(app, a_client):
        yield app


async def test_cancelled_request_is_answered_as_uncertain() -> None:
    async with started(take_client_and_wait) as app:
        start, body = await cancelled(app)

    assert start["status"] == 500
    assert (b"content-type", b"application/problem+json") in start["headers"]
    assert json.loads(body["body"])["type"] == "urn:contactsdk:uncertain"


async def test_cancelled_request_is_answered_with_what_is_known_of_its_contact() -> None:
    async def know(request: Request) -> Response:
        try:
            return await take_client_and_wait(request)
        except asyncio.CancelledError as cancellation:
            raise cancellation from UnavailableError("never sent")

    async with started(know) as app:
        start, body = await cancelled(app)

    assert start["status"] == 503
    assert json.loads(body["body"])["type"] == "urn:contactsdk:unavailable"


async def test_cancelled_request_is_answered_around_middleware_that_was_added_before() -> None:
    async def hand_on(request: Request, call_next: RequestResponseEndpoint) -> Response:
        return await call_next(request)

    app = Starlette(routes=[Route("/", take_client_and_wait)])
    app.add_middleware(BaseHTTPMiddleware, dispatch=hand_on)
    add_contact_error_handlers(app)
    async with contact_lifespan(app, a_client):
        start, _ = await cancelled(app)

    assert start["status"] == 500
    assert (b"content-type", b"application/problem+json") in start["headers"]


async def test_cancelled_request_that_took_no_client_is_not_handled_by_us() -> None:
    async with started(wait) as app:
        assert await cancelled(app) == []


async def test_answer_that_has_begun_is_not_begun_again() -> None:
    async def stream(request: Request) -> Response:
        contact_client_of(request)

        async def lines() -> AsyncIterator[str]:
            yield "{}\n"
            await wait(request)

        return StreamingResponse(lines())

    async with started(stream) as app:
        sent = await cancelled(app)

    assert [message["status"] for message in sent if message["type"].endswith("start")] == [200]


async def test_server_that_will_not_wait_longer_still_answers_with_a_problem() -> None:
    async def add_or_update(request: Request) -> Response:
        contact = contact_from(await request.json())
        return JSONResponse(await contact_client_of(request).add_or_update(contact))

    async with Sandbox() as sandbox, aiohttp.ClientSession() as http:

        @asynccontextmanager
        async def connected(app: Starlette) -> AsyncIterator[Mapping[str, Any]]:
            credentials = Credentials(sandbox.key, sandbox.secret)
            async with contact_lifespan(
                app, lambda: ContactClient(sandbox.url, credentials)
            ) as state:
                yield state

        app = Starlette(routes=[Route("/", add_or_update, methods=["POST"])], lifespan=connected)
        add_contact_error_handlers(app)
        sandbox.script(Fault(FaultKind.HANG_AFTER_WRITE))
        async with serve(app, stop_s=0) as served:
            answer = asyncio.create_task(http.post(served.url, json=ADA))
            while not sandbox.ledger.writes:
                await asyncio.sleep(0.001)

        async with await answer as response:
            problem = await response.json(content_type="application/problem+json")

    assert (response.status, problem["type"]) == (500, "urn:contactsdk:uncertain")
