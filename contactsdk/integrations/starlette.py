"""Starlette: one client for the app, and errors as HTTP answers. FastAPI apps are Starlette apps.

```python
async def add_or_update(request: Request) -> JSONResponse:
    contact = contact_from(await request.json())
    return JSONResponse(await contact_client_of(request).add_or_update(contact))


app = Starlette(routes=[Route("/contacts", add_or_update, methods=["POST"])],
                lifespan=contact_lifespan)
add_contact_error_handlers(app)
```
"""

import asyncio
import logging
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from typing import Any, Final, cast

from attrs import define
from starlette.applications import Starlette
from starlette.requests import HTTPConnection, Request
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from contactsdk.client import ContactClient
from contactsdk.errors import ContactError, UncertainError
from contactsdk.integrations.problems import Problem, problem_from

__all__ = ["add_contact_error_handlers", "contact_client_of", "contact_lifespan"]

_logger: Final = logging.getLogger("contactsdk")

_STATE: Final = "contactsdk_lifespan"
_CLIENT_WAS_USED: Final = "contactsdk.client_was_used"


@define
class _Lifespan:
    client: ContactClient
    has_ended: bool = False


@asynccontextmanager
async def contact_lifespan(
    app: Starlette, make_client: Callable[[], ContactClient] = ContactClient.from_env
) -> AsyncIterator[Mapping[str, Any]]:
    """Open one client for the app, and close it when the app ends.

    `Starlette(lifespan=contact_lifespan)` makes a client with the address, key and secret from the
    environment. In a lifespan of your own, write
    `async with contact_lifespan(app, make_client) as state: yield state`; if you yield the state,
    mounted apps have the client too. `make_client` is called in the app's event loop.

    Raises:
        ValueError: The environment is incomplete or wrong; the app does not start.
        RuntimeError: The app has a client already.
    """
    earlier: _Lifespan | None = getattr(app.state, _STATE, None)
    if earlier is not None and not earlier.has_ended:
        raise RuntimeError(
            "this app has a contact client already: for several accounts, open each client in a "
            "lifespan of your own and give each a dependency of its own"
        )
    async with make_client() as client:
        lifespan = _Lifespan(client)
        setattr(app.state, _STATE, lifespan)
        try:
            yield {_STATE: lifespan}
        finally:
            lifespan.has_ended = True


def contact_client_of(connection: HTTPConnection) -> ContactClient:
    """The client of the app that serves this request or websocket.

    Raises:
        RuntimeError: The app was started without `contact_lifespan`, or has ended.
    """
    of_the_app = getattr(connection.app.state, _STATE, None)
    lifespan: _Lifespan | None = of_the_app or connection.scope.get("state", {}).get(_STATE)
    if lifespan is None:
        raise RuntimeError(
            f"this app has no contact client: use {type(connection.app).__name__}"
            "(lifespan=contact_lifespan); a lifespan of your own must yield what that one yields"
        )
    if lifespan.has_ended:
        raise RuntimeError("the lifespan of this app has ended, and its contact client is closed")
    connection.scope[_CLIENT_WAS_USED] = True
    return lifespan.client


def add_contact_error_handlers(app: Starlette) -> None:
    """Answer each `ContactError` that leaves a route with a problem document (RFC 9457).

    `contactsdk.integrations.problems.problem_from` describes the document. Answers with a status
    of 5xx are logged, without contact data.

    A request that is cancelled after its route called `contact_client_of` also gets an answer:
    `uncertain`, unless it is known that the contact was not applied. uvicorn cancels requests when
    its `--timeout-graceful-shutdown` is over. Call this function after adding middleware of your
    own: a `BaseHTTPMiddleware` around it would hide such an answer.
    """
    # Starlette's type of a handler takes every exception, and not only `ContactError`.
    app.add_exception_handler(ContactError, cast("Callable[..., Response]", _answer))
    app.add_middleware(_CancelledRequests)


async def _answer(_: Request, error: ContactError) -> Response:
    return _response(problem_from(error))


def _response(problem: Problem) -> Response:
    if problem.status >= 500:
        _logger.error("answered with HTTP %d: %s", problem.status, problem.reason)
    return Response(problem.body, problem.status, problem.headers)


class _CancelledRequests:
    """Answers cancelled requests, since an exception handler never gets a cancellation."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        has_begun = False

        async def noted_send(message: Message) -> None:
            nonlocal has_begun
            has_begun = True
            await send(message)

        try:
            await self.app(scope, receive, noted_send)
        except asyncio.CancelledError as cancellation:
            error = _known_error(cancellation)
            if error is None and scope.get(_CLIENT_WAS_USED):
                error = UncertainError("cancelled before it was known what became of the contact")
            if error is not None and scope["type"] == "http" and not has_begun:
                await _response(problem_from(error))(scope, receive, send)
            raise


def _known_error(cancellation: asyncio.CancelledError) -> ContactError | None:
    """The `ContactError` that is the cause of a cancellation; `None` if there is none.

    The client sets it, to say what is known of the cancelled call.
    """
    cause: BaseException | None = cancellation
    while cause is not None and not isinstance(cause, ContactError):
        cause = cause.__cause__
    return cause
