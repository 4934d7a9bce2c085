"""One call as it can be made: by the SDK, and by what people would use instead.

Each rival opens what it keeps open and gives a function that makes so many calls, so many at a
time. All send the same contact; the SDK also signs it, and has its deadline and proof at hand.
"""

import asyncio
import contextlib
import functools
import importlib
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import aiohttp
import orjson
import tenacity

from benchmarks.generated import PACKAGE
from benchmarks.measuring import Batch
from contactsdk import Contact, ContactClient, Credentials, EmailStatus
from contactsdk.wire import encode

CONTACT = Contact(
    first_name="Bobby",
    last_name="Smith",
    email="bobbysmith@hotmail.com",
    groups=[10],
    custom_fields={33443: "No"},
    companies=[4, 5],
    status=EmailStatus.UNSUBSCRIBED,
    external_id="12345",
)
BODY = encode(CONTACT)
HEADERS = {"Content-Type": "application/json"}
PATH = "/api/1.0/contact?action=addOrUpdateContact"
CREDENTIALS = Credentials("key", "secret")


def calls(call: Callable[[], Awaitable[object]], concurrency: int) -> Batch:
    """Made by as many loops as calls are to be in flight."""

    async def some(share: int) -> None:
        for _ in range(share):
            await call()

    async def batch(count: int) -> None:
        more = count % concurrency
        shares = (count // concurrency + (number < more) for number in range(concurrency))
        await asyncio.gather(*(some(share) for share in shares))

    return batch


@contextlib.asynccontextmanager
async def plain(url: str, concurrency: int) -> AsyncIterator[Batch]:
    """aiohttp as it comes: the same bytes, and the answer read."""
    connector = aiohttp.TCPConnector(limit=concurrency) if concurrency > 100 else None
    async with aiohttp.ClientSession(connector=connector) as session:

        async def call() -> None:
            async with session.post(url + PATH, data=BODY, headers=HEADERS) as response:
                await response.read()

        yield calls(call, concurrency)


@contextlib.asynccontextmanager
async def posting(url: str) -> AsyncIterator[Callable[[dict[str, Any]], Awaitable[int]]]:
    """What posts the fields of a contact as JSON and gives the id that is answered."""
    async with aiohttp.ClientSession() as session:

        async def post(fields: dict[str, Any]) -> int:
            async with session.post(url + PATH, json=fields) as response:
                answer: dict[str, int] = await response.json()
                return answer["id"]

        yield post


tries_again = tenacity.retry(stop=tenacity.stop_after_attempt(5), wait=tenacity.wait_random(0, 1))
"""The decorator that people put on such a function."""


@contextlib.asynccontextmanager
async def with_json(url: str, concurrency: int) -> AsyncIterator[Batch]:
    """aiohttp with `json=` and `.json()`."""
    async with posting(url) as post:
        yield calls(functools.partial(post, orjson.loads(BODY)), concurrency)


@contextlib.asynccontextmanager
async def with_tenacity(url: str, concurrency: int) -> AsyncIterator[Batch]:
    """The same under a tenacity decorator."""
    async with posting(url) as post:
        yield calls(functools.partial(tries_again(post), orjson.loads(BODY)), concurrency)


@contextlib.asynccontextmanager
async def sdk(url: str, concurrency: int) -> AsyncIterator[Batch]:
    """The SDK, with a contact that was made before."""
    async with ContactClient(url, CREDENTIALS) as client:
        yield calls(lambda: client.add_or_update(CONTACT), concurrency)


@contextlib.asynccontextmanager
async def sdk_on_a_session(url: str, concurrency: int) -> AsyncIterator[Batch]:
    """The same on a session as it comes, handed in."""
    async with aiohttp.ClientSession() as session:
        client = ContactClient(url, CREDENTIALS, session=session)
        yield calls(lambda: client.add_or_update(CONTACT), concurrency)


@contextlib.asynccontextmanager
async def httpx(url: str, concurrency: int) -> AsyncIterator[Batch]:
    """httpx, the same bytes."""
    import httpx

    async with httpx.AsyncClient() as client:
        yield calls(
            lambda: client.post(url + PATH, content=BODY, headers=HEADERS),
            concurrency,
        )


@contextlib.asynccontextmanager
async def generated(url: str, concurrency: int, folder: str) -> AsyncIterator[Batch]:
    """What openapi-python-client made of a description of the call."""
    sys.path.insert(0, folder)
    package = importlib.import_module(PACKAGE)
    models = importlib.import_module(f"{PACKAGE}.models")
    endpoint = importlib.import_module(f"{PACKAGE}.api.contact.add_or_update_contact")
    contact = models.Contact.from_dict(orjson.loads(BODY))
    async with package.Client(base_url=url) as client:
        yield calls(
            lambda: endpoint.asyncio(client=client, body=contact, action="addOrUpdateContact"),
            concurrency,
        )
