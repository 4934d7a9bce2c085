"""Starlette: one client for the app, and errors as answers. FastAPI apps are Starlette apps.

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

    As it is, `Starlette(lifespan=contact_lifespan)` reads the address and the key from the
    environment. In a lifespan of your own, use it as
    `async with contact_lifespan(app, make_client) as state: yield state`; with that state, mounted
    apps have the client too. `make_client` is called in the app's event loop.

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
            f"this app has no contact client: {type(connection.app).__name__}"
            "(lifespan=contact_lifespan), and a lifespan of your own yields what that one yields"
        )
    if lifespan.has_ended:
        raise RuntimeError("the lifespan of this app has ended, and its contact client is closed")
    connection.scope[_CLIENT_WAS_USED] = True
    return lifespan.client


def add_contact_error_handlers(app: Starlette) -> None:
    """Answer each `ContactError` that leaves a route with a problem document (RFC 9457).

    `contactsdk.integrations.problems.problem_from` says what it holds. What is 5xx is logged
    without contact data. A route that is cancelled after it took the client from
    `contact_client_of`, as by uvicorn when its `--timeout-graceful-shutdown` is over, is answered
    so as well: `uncertain`, unless it is known that the contact was not applied. For that, add
    middleware of your own first: Starlette's `BaseHTTPMiddleware` around it hides such an answer.
    """
    # Starlette's own type of a handler takes every exception.
    app.add_exception_handler(ContactError, cast("Callable[..., Response]", _answer))
    app.add_middleware(_CancelledRequests)


async def _answer(_: Request, error: ContactError) -> Response:
    return _response(problem_from(error))


def _response(problem: Problem) -> Response:
    if problem.status >= 500:
        _logger.error("answered with HTTP %d: %s", problem.status, problem.reason)
    return Response(problem.body, problem.status, problem.headers)


class _CancelledRequests:
    """Answers what is cancelled; an exception handler never sees a cancellation."""

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
    """The error that says what became of the call that was cancelled, if one is its cause."""
    cause: BaseException | None = cancellation
    while cause is not None and not isinstance(cause, ContactError):
        cause = cause.__cause__
    return cause
