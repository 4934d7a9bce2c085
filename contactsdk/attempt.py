"""One request: limiter, deadline, signature, post, answer."""

import asyncio
import logging
import math
import re
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final, TypeVar

import aiohttp
from multidict import CIMultiDict
from yarl import URL

from contactsdk import wire
from contactsdk.arguments import check_count, check_seconds
from contactsdk.deadlines import Deadline, Deadlines, is_being_cancelled
from contactsdk.errors import (
    AuthenticationError,
    ContactError,
    SetupError,
    StaleDateError,
    converted,
)
from contactsdk.limiter import Limiter
from contactsdk.signing import API_VERSION, Credentials, sign
from contactsdk.transport import Body, connection_limit, make_session, transport_error

_T = TypeVar("_T")

_logger: Final = logging.getLogger("contactsdk")

_LOOPBACK: Final = re.compile(r"localhost|127(\.[0-9]{1,3}){3}|::1")


class Requester:
    """One account's way to the platform: session, limiter, deadlines, offset of its clock.

    The arguments are those of `ContactClient`.

    Raises:
        ValueError: An argument is wrong; the message says what is expected.
        TypeError: `credentials` are no `Credentials`.
    """

    max_connections: int | None
    """How many attempts are in flight at a time, at most; `None` for no limit."""

    has_succeeded: bool
    """Whether an attempt has had a good answer, so that address, key and secret are known to work.
    """

    clock_offset_s: float
    """How many seconds the platform's clock is ahead of this machine's, as far as is known."""

    def __init__(
        self,
        base_url: str,
        credentials: Credentials | None,
        *,
        session: aiohttp.ClientSession | None,
        timeout_s: float,
        connect_timeout_s: float,
        max_connections: int,
        keepalive_s: float,
        trace_configs: Sequence[aiohttp.TraceConfig],
    ) -> None:
        check_seconds("timeout_s", timeout_s)
        check_seconds("connect_timeout_s", connect_timeout_s)
        check_seconds("keepalive_s", keepalive_s)
        check_count("max_connections", max_connections)
        if credentials is not None and not isinstance(credentials, Credentials):
            kind = type(credentials).__name__  # a value could be the secret
            raise TypeError(f"credentials must be Credentials(key, secret) or None, not {kind}")
        if session is not None and trace_configs:
            raise ValueError("trace_configs belong to the session: give them to the one you made")
        self._base = _checked_base_url(base_url)
        self._credentials = credentials
        self._timeout_s = timeout_s
        # aiohttp does not time the wait for its pool: the limiter lets no more in than it takes.
        self._connect_timeout = aiohttp.ClientTimeout(total=None, connect=connect_timeout_s)
        self._session = session
        self._owns_session = session is None
        self._keepalive_s = keepalive_s
        self._trace_configs = list(trace_configs)
        self.max_connections = (
            max_connections if session is None else connection_limit(session.connector)
        )
        self.clock_offset_s = 0.0
        self.has_succeeded = False
        self._limiter = Limiter(self.max_connections or sys.maxsize)
        self._loop: asyncio.AbstractEventLoop | None = None
        self._deadlines: Deadlines  # made for the loop
        self._is_closed = False

    @property
    def is_closed(self) -> bool:
        """Whether it was closed; it makes no more attempts then."""
        return self._is_closed

    def url(self, namespace: str, action: str) -> URL:
        """The address of an action, spelled as it is signed and as it goes out."""
        path = f"{self._base.raw_path.rstrip('/')}/api/{API_VERSION}/{namespace}"
        return self._base.join(URL(f"{path}?action={action}", encoded=True))

    def running_loop(self) -> asyncio.AbstractEventLoop:
        """The running event loop, which has to be the one that was first used.

        Raises:
            RuntimeError: It is another one.
        """
        loop = asyncio.get_running_loop()
        if self._loop is None:
            self._loop, self._deadlines = loop, Deadlines(loop)
        if self._loop is not loop:
            raise RuntimeError(
                "this client was first used in another event loop: make one client for each loop"
            )
        return loop

    async def attempt(
        self,
        url: URL,
        content: bytes,
        read: Callable[[int, Mapping[str, str], bytes], _T],
        *,
        deadline: float | None = None,
        before_send: Callable[[], object] | None = None,
    ) -> _T:
        """Send `content` once, and give what `read` makes of the status, headers and answer.

        `deadline` is by the clock of the event loop; `None` for no other than `timeout_s`.
        `before_send` is called right before the content is handed to an open connection: from then
        on the platform may have applied it. An error that it raises ends the attempt, with nothing
        sent.

        Raises:
            StaleDateError: The platform refused the date, and now its clock is known: an attempt
                that is made at once is signed by that clock.
            ContactError: There was no trustworthy answer, or it reports an error.
            RuntimeError: It is closed, or was first used in another event loop.
        """
        self.running_loop()
        session = self._open()
        body: Body | None = None
        end = Deadline(self._deadlines, math.inf if deadline is None else deadline)
        try:
            with end:
                has_waited = not self._limiter.acquire_nowait()
                if has_waited:
                    await self._limiter.acquire()
                try:
                    if has_waited and session.closed:
                        raise SetupError("never sent: the client was closed meanwhile")
                    body = Body(
                        content,
                        # A function: what mocks sessions may copy a body deeply, but no function.
                        start_timeout=lambda: end.shorten(self._timeout_s),
                        before_send=before_send,
                    )
                    answer = await self._post(session, url, body)
                finally:
                    self._limiter.release()
        except asyncio.CancelledError as exc:
            if is_being_cancelled():
                if body is not None:
                    body.seal()
                raise
            # aiohttp cancels what waits for a session that is closed.
            raise transport_error(exc, body, expired=end.passed) from exc
        except ContactError:
            raise
        except Exception as exc:
            if body is not None and body.refused_by is not None:
                raise body.refused_by from None
            raise transport_error(exc, body, expired=end.passed) from exc
        result = self._read(read, *answer)
        self.has_succeeded = True
        return result

    async def aclose(self) -> None:
        """Close the session, if it was made here. Attempts in flight end with an error.

        Raises:
            RuntimeError: It was first used in another event loop.
        """
        self._is_closed = True
        if self._owns_session and self._session is not None:
            self.running_loop()
            await self._session.close()

    async def _post(
        self, session: aiohttp.ClientSession, url: URL, body: Body
    ) -> tuple[int, Mapping[str, str], bytes]:
        response = await session.post(
            url,
            data=body,
            headers=self._signed(url, body),
            timeout=self._connect_timeout,
            # A session that was handed in may have other defaults, each of which would lose an
            # answer, hide one, or send the contact twice.
            allow_redirects=False,
            raise_for_status=False,
            auto_decompress=True,
            middlewares=(),
        )
        if body.sent is False:
            response.close()
            raise aiohttp.ClientConnectionError  # an answer to something else
        # Most answers have come whole by now; `read` would only see so several times.
        if response.content.is_eof() and not session.trace_configs:
            answer = response.content.read_nowait()
        else:
            answer = await response.read()
        if not response.closed:
            response.release()  # as after "101 Switching Protocols"
        return response.status, response.headers, answer

    def _signed(self, url: URL, body: Body) -> CIMultiDict[str]:
        now = time.time() + self.clock_offset_s
        return sign(self._credentials, body.content, target=url.raw_path_qs, now=now)

    def _read(self, read: Callable[..., _T], status: int, headers: Any, answer: bytes) -> _T:
        try:
            return read(status, headers, answer)
        except AuthenticationError as error:
            platform_now = wire.server_time(headers)
            if error.specific_code != wire.STALE_DATE or platform_now is None:
                raise
            self.clock_offset_s = platform_now - time.time()
            _logger.info("the clocks are %.0f s apart", self.clock_offset_s)
            raise converted(error, StaleDateError, error.message) from error

    def _open(self) -> aiohttp.ClientSession:
        if self._is_closed:
            raise RuntimeError("this client is closed")
        if self._session is None:
            self._session = make_session(
                max_connections=self.max_connections or 0,
                keepalive_s=self._keepalive_s,
                trace_configs=self._trace_configs,
            )
        if self._session.closed:
            raise RuntimeError("the session that this client was given is closed")
        return self._session


def _checked_base_url(base_url: str) -> URL:
    expected = "base_url must look like https://api.ap-southeast-2.ivvy.com"
    try:
        url = URL(base_url)
    except (TypeError, ValueError) as exc:
        raise ValueError(f"{expected}: {exc}") from exc
    if url.scheme not in ("http", "https") or not url.host:
        raise ValueError(f"{expected}: it needs https:// and a host")
    if url.query_string or url.fragment or url.user is not None or url.password is not None:
        raise ValueError(f"{expected}: without a query, a fragment or credentials")
    if url.scheme == "http" and not _LOOPBACK.fullmatch(url.host):
        raise ValueError(f"{expected}: plain http is for this machine alone")
    return url
