"""A client of the sandbox that shares no code with the SDK."""

import asyncio
import hashlib
import hmac
import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import aiohttp
import attrs
import orjson
from multidict import CIMultiDictProxy

from contactsdk.sandbox import Sandbox

ADD = "contact?action=addOrUpdateContact"
GET = "contact?action=getContact"
LIST = "contact?action=getContactList"
GROUPS = "contact?action=getSubscriptionGroupList"
FIELDS = "contact?action=getCustomFieldDefinition"
JOIN = "contact?action=addContactsToSubscriptionGroup"
PING = "test?action=ping"
RUN = "batch?action=run"
PROGRESS = "batch?action=progress"
RESULTS = "batch?action=results"
RESTART = "batch?action=restart"
REPOST = "batch?action=repost"

BROKEN = (aiohttp.ClientConnectionError, aiohttp.ClientPayloadError)


@attrs.frozen
class Answered:
    """An answer, read to its end."""

    status: int
    headers: CIMultiDictProxy[str]
    content_type: str
    data: bytes

    @property
    def json(self) -> Any:
        return orjson.loads(self.data)


def signed(
    sandbox: Sandbox,
    target: str,
    body: bytes,
    now: float | None = None,
    content_type: str = "application/json",
) -> dict[str, str]:
    date = f"{datetime.fromtimestamp(now or time.time(), UTC):%Y-%m-%d %H:%M:%S}"
    md5 = hashlib.md5(body).hexdigest()
    text = f"post{md5}{content_type}{target.lower()}1.0ivvydate={date}"
    signature = hmac.new(sandbox.secret.encode(), text.encode(), hashlib.sha1).hexdigest()
    return {
        "Content-Type": content_type,
        "Content-MD5": md5,
        "IVVY-Date": date,
        "X-Api-Version": "1.0",
        "X-Api-Authorization": f"IWS {sandbox.key}:{signature}",
    }


@attrs.frozen
class Asking:
    """Asks one sandbox, or the one that it is told."""

    session: aiohttp.ClientSession
    sandbox: Sandbox

    async def __call__(
        self,
        action: str,
        params: Any = None,
        *,
        to: Sandbox | None = None,
        now: float | None = None,
        **options: Any,
    ) -> Answered:
        sandbox, target = to or self.sandbox, f"/api/1.0/{action}"
        body = params if isinstance(params, bytes) else b"" if params is None else json_of(params)
        options = {
            "headers": signed(sandbox, target, body, now),
            "allow_redirects": False,
            **options,
        }
        async with self.session.post(sandbox.url + target, data=body, **options) as response:
            data = await response.read()
            return Answered(response.status, response.headers, response.content_type, data)


def json_of(value: Any) -> bytes:
    return orjson.dumps(value)


def batch_of(*contacts: dict[str, Any], **more: Any) -> dict[str, Any]:
    """The parameters of a batch that adds or updates these contacts."""
    jobs = [
        {"namespace": "contact", "action": "addOrUpdateContact", "params": contact}
        for contact in contacts
    ]
    return {"jobs": jobs, **more}


async def until(condition: Callable[[], Any]) -> None:
    async with asyncio.timeout(60):
        while not condition():
            await asyncio.sleep(0.001)
