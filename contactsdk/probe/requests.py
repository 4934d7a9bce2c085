"""The requests of a probe, and their unprocessed answers."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Final

import orjson
from attrs import frozen

from contactsdk.attempt import Requester
from contactsdk.wire import server_time

MOST_REQUESTS: Final = 60
_MOST_WAITS: Final = 2
_LONGEST_WAIT_S: Final = 10.0
_LONGEST_CODE: Final = 20
_THROTTLED: Final = 429


class TooManyRequestsError(Exception):
    """The probe has made as many requests as it may make."""


@frozen(kw_only=True)
class Reply:
    """An answer of the platform, not interpreted."""

    status: int
    """The HTTP status."""
    headers: Mapping[str, str]
    """The HTTP headers."""
    body: Any
    """The JSON value of the body; `None` if the body is not JSON."""

    @property
    def is_refusal(self) -> bool:
        """Whether the answer is an error, so that nothing was done."""
        if self.status >= 400 or self.error_code is not None:
            return True
        return self.get("success") is False

    @property
    def error_code(self) -> Any:
        """The platform's `errorCode`, not converted; `None` if there is none."""
        return self.get("errorCode")

    @property
    def codes(self) -> str:
        """The `errorCode` and `specificCode` of an error, such as `400/23016`.

        If there is no `errorCode`, the HTTP status takes its place. `accepted` if the answer is not
        an error.
        """
        if not self.is_refusal:
            return "accepted"
        codes = (self.error_code or self.status, self.specific_code)
        return "/".join(str(code or "none")[:_LONGEST_CODE] for code in codes)

    @property
    def specific_code(self) -> Any:
        """The platform's `specificCode`, not converted; `None` if there is none."""
        return self.get("specificCode")

    @property
    def server_time(self) -> float | None:
        """The time of the `Date` header in seconds since the epoch; `None` if there is none."""
        return server_time(self.headers)

    @property
    def results(self) -> list[Any]:
        """The items of a list: the body itself, or its `results`; empty if it is no list."""
        items = self.get("results") if isinstance(self.body, dict) else self.body
        return items if isinstance(items, list) else []

    def get(self, name: str) -> Any:
        """The value under this name; `None` if the body has none."""
        return self.body.get(name) if isinstance(self.body, dict) else None


class Asker:
    """Sends requests one after another, counts them, and waits and repeats throttled ones."""

    def __init__(
        self, requester: Requester, sleep: Callable[[float], Awaitable[object]] = asyncio.sleep
    ) -> None:
        self.requester = requester
        """Makes the attempts."""
        self.sleep = sleep
        """Waits for a number of seconds."""
        self.requests = 0
        """How many requests were sent."""
        self.throttled: str | None = None
        """A description of the first 429; `None` if there was none."""

    async def ask(self, action: str, params: Any = None) -> Reply:
        """Send the request for an action, such as `test?action=ping`; returns its answer.

        `None` for `params` sends an empty body.

        Raises:
            TooManyRequestsError: 60 requests were sent already.
            ContactError: No answer came.
        """
        content = b"" if params is None else orjson.dumps(params)
        reply = await self._send(action, content)
        for _ in range(_MOST_WAITS):
            if str(reply.error_code or reply.status) != str(_THROTTLED):
                break
            after = reply.headers.get("Retry-After")
            self.throttled = self.throttled or _kind_of_throttle(reply.status, after)
            await self.sleep(_wait_s(after))
            reply = await self._send(action, content)
        return reply

    async def _send(self, action: str, content: bytes) -> Reply:
        if self.requests >= MOST_REQUESTS:
            raise TooManyRequestsError
        self.requests += 1
        namespace, _, name = action.partition("?action=")
        return await self.requester.attempt(self.requester.url(namespace, name), content, _reply)


def _reply(status: int, headers: Mapping[str, str], body: bytes) -> Reply:
    try:
        value = orjson.loads(body)
    except orjson.JSONDecodeError:
        value = None
    return Reply(status=status, headers=headers, body=value)


def _kind_of_throttle(status: int, retry_after: str | None) -> str:
    if retry_after is None:
        return f"{status}, no Retry-After"
    return f"{status}, Retry-After {'in seconds' if retry_after.isdigit() else 'as a date'}"


def _wait_s(retry_after: str | None) -> float:
    is_number = retry_after is not None and retry_after.isdigit()
    return min(float(retry_after), _LONGEST_WAIT_S) if retry_after and is_number else 1.0
