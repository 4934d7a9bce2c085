"""One attempt: it waits for the limiter, signs the request, sends it and reads the answer."""

import asyncio
import logging
import math
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Final, TypeAlias, TypeVar

import aiohttp
from aiohttp import hdrs
from multidict import CIMultiDict
from yarl import URL

from contactsdk import wire
from contactsdk.arguments import check_count, check_seconds, checked_base_url
from contactsdk.deadlines import Deadline, Deadlines, is_being_cancelled
from contactsdk.errors import (
    AuthenticationError,
    ContactError,
    SetupError,
    StaleDateError,
    UnavailableError,
    UncertainError,
    converted,
)
from contactsdk.limiter import Limiter
from contactsdk.signing import API_VERSION, Credentials, sign
from contactsdk.transport import (
    Body,
    UnusableConnectionError,
    check_loop,
    connection_hook,
    connection_limit,
    is_mocked,
    make_session,
    may_try_another,
    needs_connection_hook,
    read_answer,
    transport_error,
)

_T = TypeVar("_T")

_Answer: TypeAlias = tuple[int, Mapping[str, str], bytes]

_logger: Final = logging.getLogger("contactsdk")

_ENCODINGS: Final = {"identity", "gzip", "deflate", "br", "zstd"}  # aiohttp can decode these


class Requester:
    """Makes the attempts of one account, with its session, limiter, deadlines and clock offset.

    The arguments are those of `ContactClient`.

    Raises:
        ValueError: An argument is wrong; the message says what is expected.
        TypeError: `credentials` is not a `Credentials`, or `session` is not an aiohttp session.
    """

    max_connections: int | None
    """The largest number of attempts in flight; `None` for no limit."""

    has_succeeded: bool
    """Whether an attempt has had a good answer, so that address, key and secret are known to work.
    """

    clock_offset_s: float
    """How many seconds the platform's clock is ahead of this machine's; 0 until it is known."""

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
        if session is not None and not isinstance(session, aiohttp.ClientSession):
            kind = f"{type(session).__module__}.{type(session).__qualname__}"
            raise TypeError(f"session must be an aiohttp.ClientSession or None, not {kind}")
        if session is not None and trace_configs:
            raise ValueError("trace_configs cannot be used with session: pass them to the session")
        self._base = checked_base_url(base_url)
        self._credentials = credentials
        self.timeout_s = timeout_s
        """How long an attempt may take, in seconds, from the moment when it has a connection."""
        # This does not limit a wait for aiohttp's pool. There is no such wait, since the limiter
        # admits no more attempts than the pool has connections.
        self._connect_timeout = aiohttp.ClientTimeout(total=None, connect=connect_timeout_s)
        self._session = session
        self._owns_session = session is None
        self._needs_hook = needs_connection_hook(own_session=session is None)
        self._keepalive_s = keepalive_s
        self._trace_configs = list(trace_configs)
        self.max_connections = (
            max_connections if session is None else connection_limit(session.connector)
        )
        self.clock_offset_s = 0.0
        self.has_succeeded = False
        self._limiter = Limiter(self.max_connections or sys.maxsize)
        self._loop: asyncio.AbstractEventLoop | None = None
        self._deadlines: Deadlines  # made at first use, for the event loop
        self._is_closed = False

    @property
    def is_closed(self) -> bool:
        """Whether `aclose` was called; no more attempts are made then."""
        return self._is_closed

    def url(self, namespace: str, action: str) -> URL:
        """The address of an action, spelled exactly as it is signed and sent."""
        path = f"{self._base.raw_path.rstrip('/')}/api/{API_VERSION}/{namespace}"
        return self._base.join(URL(f"{path}?action={action}", encoded=True))

    def running_loop(self) -> asyncio.AbstractEventLoop:
        """The running event loop, which has to be the one of the first use.

        Raises:
            RuntimeError: It is another loop than that of the first use or of the session.
        """
        loop = asyncio.get_running_loop()
        if self._loop is None:
            if self._session is not None:
                check_loop(self._session, loop)
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
        """Send `content` once; returns what `read` makes of the answer.

        Args:
            url: The address of the action, as `url` returns it.
            content: The body of the request.
            read: Called with the status, the headers and the body of the answer; its result is
                returned.
            deadline: When the attempt has to end, by the event loop's clock; `None` for no deadline
                but `timeout_s`.
            before_send: Called right before the content is handed to an open connection. From then
                on the platform may have applied it. If it raises, nothing is sent, and the attempt
                ends with that error.

        Raises:
            StaleDateError: The platform refused the date of the request. Its clock is known now, so
                the next attempt is signed with the right time.
            ContactError: There was no trustworthy answer, or the answer is an error.
            RuntimeError: The client is closed, or was first used in another event loop.
        """
        self.running_loop()  # this raises in another event loop
        session = self._open()
        at = math.inf if deadline is None else deadline
        end = Deadline(self._deadlines, at, self.timeout_s)
        bodies: list[Body] = []  # one for each connection that is tried
        try:
            with end:
                if not self._limiter.acquire_nowait():
                    await self._limiter.acquire()
                try:
                    while True:
                        # If the session needs a hook, aiohttp writes the body itself.
                        is_one_of_many = self._limiter.borrowed_tokens > 1 and not self._needs_hook
                        body = Body(
                            content, end.start_timeout, before_send, is_one_of_many=is_one_of_many
                        )
                        bodies.append(body)
                        try:
                            answer = await self._post(session, url, body)
                            break
                        except Exception as exc:
                            if not may_try_another(exc, bodies):
                                raise
                finally:
                    self._limiter.release()
        except asyncio.CancelledError as exc:
            if is_being_cancelled():
                for body in bodies:
                    body.seal()
                raise
            # This task was not cancelled: aiohttp cancels requests that wait in a closed session.
            raise self._error(exc, session, bodies, end) from exc
        except ContactError:
            raise
        except Exception as exc:
            if bodies and bodies[-1].refused_by is not None:
                raise bodies[-1].refused_by from None  # aiohttp may have wrapped it
            raise self._error(exc, session, bodies, end) from exc
        result = self._read(read, *answer)
        self.has_succeeded = True
        return result

    async def aclose(self) -> None:
        """Make no more attempts; attempts that have sent nothing end at once, as never sent.

        The session is closed if it was made here. That ends the other attempts too, as uncertain.

        Raises:
            RuntimeError: The client was first used in another event loop; nothing is changed.
        """
        if self._loop is not None:
            self.running_loop()
            self._deadlines.end_unsent("the client was closed")
        self._is_closed = True
        if self._owns_session and self._session is not None:
            await self._session.close()

    async def _post(self, session: aiohttp.ClientSession, url: URL, body: Body) -> _Answer:
        response = await session.post(
            url,
            data=body,
            headers=self._signed(url, body),
            timeout=self._connect_timeout,
            # The caller's own session may have other defaults. Each of them could lose an answer,
            # hide one, or send the contact twice.
            allow_redirects=False,
            raise_for_status=False,
            auto_decompress=True,
            middlewares=(connection_hook(body),) if self._needs_hook else (),
        )
        if body.sent is False:
            body.seal()
            response.close()
            raise _unasked(response)
        # Most answers are complete by now. Reading them directly is faster than `read`, which
        # checks that several times.
        if response.content.is_eof() and not session.trace_configs:
            answer = response.content.read_nowait()
        else:
            answer = await read_answer(response)
        if body.watch is not None:
            body.watch.answered()
        if not response.closed:
            response.release()  # for example after "101 Switching Protocols"
        return response.status, response.headers, answer

    def _signed(self, url: URL, body: Body) -> CIMultiDict[str]:
        now = time.time() + self.clock_offset_s
        return sign(self._credentials, body.content, target=url.raw_path_qs, now=now)

    def _error(
        self,
        exc: BaseException,
        session: aiohttp.ClientSession,
        bodies: Sequence[Body],
        end: Deadline,
    ) -> ContactError:
        if not bodies and self._is_closed:
            return SetupError("never sent: the client was closed meanwhile")
        why = end.ended or ("the session was closed" if session.closed else None)
        body = bodies[-1] if bodies else None
        return transport_error(exc, body, ended=why, mocked=is_mocked(session))

    def _read(
        self,
        read: Callable[[int, Mapping[str, str], bytes], _T],
        status: int,
        headers: Mapping[str, str],
        answer: bytes,
    ) -> _T:
        try:
            return read(status, headers, answer)
        except AuthenticationError as error:
            platform_now = wire.server_time(headers)
            if error.specific_code != wire.STALE_DATE or platform_now is None:
                raise
            self.clock_offset_s = platform_now - time.time()
            _logger.info("the clocks are %.0f s apart", self.clock_offset_s)
            raise converted(error, StaleDateError, error.message) from error
        except UncertainError as error:
            encoding = headers.get(hdrs.CONTENT_ENCODING, "identity")
            if encoding.lower() in _ENCODINGS:
                raise
            message = (
                f"the answer is encoded as {encoding!r}, which was not asked for; look at what a "
                "proxy or gateway on the way does to answers"
            )
            raise converted(error, UncertainError, message) from error

    def _open(self) -> aiohttp.ClientSession:
        if self._is_closed:
            raise RuntimeError("this client is closed: make a new one")
        if self._session is None:
            self._session = make_session(
                max_connections=self.max_connections or 0,
                keepalive_s=self._keepalive_s,
                trace_configs=self._trace_configs,
            )
        if self._session.closed:
            raise RuntimeError(
                "the session that was passed to this client is closed: make a client with an open "
                "one"
            )
        return self._session


def _unasked(response: aiohttp.ClientResponse) -> Exception:
    """The error for an answer that came before the body was sent."""
    if hdrs.EXPECT in response.request_info.headers:
        return UnavailableError(
            f"never sent: the server answered HTTP {response.status}, and not 100, to the header "
            "Expect of the session; remove that header",
            http_status=response.status,
        )
    return UnusableConnectionError("the connection had an answer before anything was sent")
