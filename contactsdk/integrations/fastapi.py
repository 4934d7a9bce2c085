"""FastAPI: a client for the app, contacts as bodies, and errors as answers (extra `fastapi`).

```python
app = FastAPI(lifespan=contact_lifespan, responses=CONTACT_PROBLEM_RESPONSES)
add_contact_error_handlers(app)


@app.post("/contacts")
async def add_or_update(contact: ContactBody, client: ContactClientDep) -> int:
    return await client.add_or_update(contact)
```
"""

import json
from typing import Annotated, Any, Final, TypeAlias

from fastapi import Body, Depends
from fastapi.requests import HTTPConnection
from pydantic import GetCoreSchemaHandler, GetJsonSchemaHandler, ValidationError
from pydantic_core import CoreSchema, InitErrorDetails, core_schema

from contactsdk.client import ContactClient
from contactsdk.errors import InvalidContactError
from contactsdk.integrations.schema import CONTACT_SCHEMA, PROBLEM_RESPONSES
from contactsdk.integrations.starlette import (
    add_contact_error_handlers,
    contact_client_of,
    contact_lifespan,
)
from contactsdk.models import Contact
from contactsdk.wire import contact_from, encode, platform_path

__all__ = [
    "CONTACT_PROBLEM_RESPONSES",
    "ContactBody",
    "ContactClientDep",
    "add_contact_error_handlers",
    "contact_client",
    "contact_lifespan",
]

CONTACT_PROBLEM_RESPONSES: Final[dict[int | str, dict[str, Any]]] = PROBLEM_RESPONSES
"""Documents the answers of `add_contact_error_handlers`: for `responses=` of an app or a route.

It has the statuses 422, 500, 502 and 503; under 422 it also documents FastAPI's own answer. You can
add more: `responses={**CONTACT_PROBLEM_RESPONSES, 404: {...}}`.
"""


async def contact_client(connection: HTTPConnection) -> ContactClient:
    """The app's client, as a dependency; it needs `contact_lifespan`.

    In a test, `app.dependency_overrides[contact_client]` gives the app another client.

    Raises:
        RuntimeError: The app was started without `contact_lifespan`, or has ended.
    """
    return contact_client_of(connection)


ContactClientDep: TypeAlias = Annotated[ContactClient, Depends(contact_client)]
"""The app's client as a parameter of a route; needs `contact_lifespan`."""


class _NamedContact:
    """Tells pydantic how to read, write and document a contact, under a name of its own."""

    @classmethod
    def __get_pydantic_core_schema__(cls, _: Any, __: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.no_info_plain_validator_function(
            _read_body,
            # pydantic names the component after the text between the last dot and the colon.
            ref=f"{Contact.__module__}.{Contact.__qualname__}:{id(cls)}",
            serialization=core_schema.plain_serializer_function_ser_schema(_write_body),
        )

    @classmethod
    def __get_pydantic_json_schema__(
        cls, _: CoreSchema, __: GetJsonSchemaHandler
    ) -> dict[str, Any]:
        return dict(CONTACT_SCHEMA)


class _PlatformJson:
    # The schema is on a class of its own, since one in an annotation is documented without a name.
    def __get_pydantic_core_schema__(self, _: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        return handler.generate_schema(_NamedContact)


def _read_body(body: Any) -> Contact:
    if isinstance(body, Contact):
        return body  # FastAPI validates what a route returns
    try:
        return contact_from(body)
    except InvalidContactError as error:
        details = [
            InitErrorDetails(
                type="value_error",
                loc=platform_path(path),
                # Without the value: if JSON cannot hold it, such as NaN, there would be no answer.
                input=None,
                ctx={"error": what},
            )
            for path, what in error.errors
        ]
        raise ValidationError.from_exception_data("Contact", details) from None


def _write_body(contact: Contact) -> Any:
    return json.loads(encode(contact))


ContactBody: TypeAlias = Annotated[Contact, _PlatformJson(), Body()]
"""A contact as the body of a request to a route, or as its return value, in the platform's JSON.

If a body is not a valid contact, FastAPI answers with its usual 422, which lists everything wrong
with the location of each field, such as `["body", "customFields", 1, "fieldId"]`. The app's OpenAPI
document describes the body as the component `Contact`. As a return type, use `ContactBody` or
`list[ContactBody]`: the fields that are not `None` are sent.
"""
