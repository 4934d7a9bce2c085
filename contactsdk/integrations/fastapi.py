"""FastAPI: a client for the app, contacts as bodies, and errors as answers (extra `fastapi`).

```python
app = FastAPI(lifespan=contact_lifespan)
add_contact_error_handlers(app)


@app.post("/contacts")
async def add_or_update(contact: ContactBody, client: ContactClientDep) -> int:
    return await client.add_or_update(contact)
```
"""

import json
import logging
import math
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Annotated, Any, TypeAlias, cast

from fastapi import Body, Depends, FastAPI, Request, Response
from fastapi.requests import HTTPConnection
from pydantic import PlainValidator, ValidationError, WithJsonSchema
from pydantic_core import InitErrorDetails

from contactsdk.client import ContactClient
from contactsdk.errors import (
    AuthenticationError,
    ContactError,
    InvalidContactError,
    RateLimitedError,
    RejectedError,
    SetupError,
    UnavailableError,
)
from contactsdk.integrations.schema import CONTACT_SCHEMA
from contactsdk.models import Contact
from contactsdk.retry import reason
from contactsdk.wire import contact_from, platform_path

__all__ = ["ContactBody", "ContactClientDep", "add_contact_error_handlers", "contact_lifespan"]


@asynccontextmanager
async def contact_lifespan(
    app: FastAPI, make_client: Callable[[], ContactClient] = ContactClient.from_env
) -> AsyncIterator[None]:
    """Open one client for the app, which `ContactClientDep` then finds, and close it at the end.

    As it is, `FastAPI(lifespan=contact_lifespan)` reads the address and the key from the
    environment. In a lifespan of your own, use it as
    `async with contact_lifespan(app, make_client): yield`; `make_client` is called in the app's
    event loop.

    Raises:
        ValueError: The environment is incomplete or wrong; the app does not start.
    """
    async with make_client() as client:
        app.state.contact_client = client
        yield


async def _client_of(connection: HTTPConnection) -> ContactClient:
    client = getattr(connection.app.state, "contact_client", None)
    if client is None:
        raise RuntimeError("this app has no contact client: FastAPI(lifespan=contact_lifespan)")
    return cast("ContactClient", client)


ContactClientDep: TypeAlias = Annotated[ContactClient, Depends(_client_of)]
"""The app's client as a parameter of a route; needs `contact_lifespan`."""


def _read_body(body: Any) -> Contact:
    try:
        return contact_from(body)
    except InvalidContactError as error:
        details = [
            InitErrorDetails(
                type="value_error",
                loc=platform_path(path),
                # Not the value: one that JSON cannot carry, such as NaN, would break the answer.
                input=None,
                ctx={"error": what},
            )
            for path, what in error.errors
        ]
        raise ValidationError.from_exception_data("Contact", details) from None


ContactBody: TypeAlias = Annotated[
    Contact, PlainValidator(_read_body), WithJsonSchema(CONTACT_SCHEMA), Body()
]
"""A contact as the body of a route, in the platform's own JSON.

All that is wrong with it is answered at once, as FastAPI's usual 422 with the location of each
field, such as `["body", "customFields", 1, "fieldId"]`. The app's OpenAPI document describes it.
"""


def add_contact_error_handlers(app: FastAPI) -> None:
    """Answer each `ContactError` that leaves a route with `application/problem+json` (RFC 9457).

    The `type` says which it is: `urn:contactsdk:` and `invalid` or `rejected` (422), `setup` or
    `authentication` (502), `rate-limited` or `unavailable` (503, with `Retry-After` where the
    platform said), `uncertain` (500: gateways may send a request again after 502 to 504, which
    could add the contact twice).

    The answer holds no value of a contact and no text of the platform, which may repeat one. An
    `invalid` one has `errors`, each with the `loc` and `msg` of a field; a `rejected` one has the
    platform's `specificCode` where there is one. What is 5xx is logged without contact data.
    """
    app.exception_handler(ContactError)(_answer)


async def _answer(_: Request, error: ContactError) -> Response:
    status, kind, title = _problem(error)
    problem: dict[str, Any] = {"type": f"urn:contactsdk:{kind}", "title": title, "status": status}
    match error:
        case InvalidContactError():
            problem["errors"] = [{"loc": platform_path(p), "msg": what} for p, what in error.errors]
        case RejectedError(specific_code=int(code)):
            problem["specificCode"] = code
    if status >= 500:
        logging.getLogger("contactsdk").error("answered with HTTP %d: %s", status, reason(error))
    headers = {}
    if status == 503 and error.retry_after_s is not None:
        headers["Retry-After"] = str(math.ceil(error.retry_after_s))
    return Response(json.dumps(problem), status, headers, media_type="application/problem+json")


def _problem(error: ContactError) -> tuple[int, str, str]:
    match error:
        case InvalidContactError():
            return 422, "invalid", "The contact is not valid; nothing was sent."
        case RejectedError():
            return 422, "rejected", "The platform refused the contact; do not send it again as is."
        case AuthenticationError():
            return 502, "authentication", "The platform does not accept this service; not applied."
        case SetupError():
            return 502, "setup", "This service is not set up to reach the platform; not applied."
        case RateLimitedError():
            return 503, "rate-limited", "The platform is asked too much; not applied, try later."
        case UnavailableError():
            return 503, "unavailable", "The platform is not available; not applied, try later."
        case _:
            return 500, "uncertain", "The contact may have been applied; look before resending it."
