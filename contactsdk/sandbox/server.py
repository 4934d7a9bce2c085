"""The sandbox: the platform behind a real socket on this machine."""

import asyncio
import math
import secrets
import socket
import ssl
import struct
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, datetime
from email.utils import formatdate
from types import TracebackType
from typing import Any, Self

from aiohttp import web

from contactsdk.sandbox.faults import DEFAULT_MIX, Fault, FaultKind, FaultPlan
from contactsdk.sandbox.fields import Declared, FieldType
from contactsdk.sandbox.ledger import Answer, Ledger, Request, Write
from contactsdk.sandbox.limits import Limiter, RateLimit
from contactsdk.sandbox.platform import Platform, read_object
from contactsdk.sandbox.replies import Refused, Reply, invalid, refusal, success
from contactsdk.sandbox.signatures import API_VERSION, verify

_ROOT = f"/api/{API_VERSION}/"
_ADD_OR_UPDATE = "contact?action=addOrUpdateContact"
_GET = "contact?action=getContact"
_GET_LIST = "contact?action=getContactList"
_PING = "test?action=ping"

# What is still in flight when the sandbox stops is a crash to its client; waiting longer than a
# moment for it would only make tests slow.
_STOP_S = 0.01


class Sandbox:
    """The platform on this machine, for tests and for trying things with no account.

    ```python
    async with Sandbox() as sandbox:
        ...  # call sandbox.url with sandbox.key and sandbox.secret
        assert sandbox.ledger.writes[0].body["firstName"] == "Bobby"
    ```

    `key` and `secret` are random unless given. `errors_at_200` answers errors with HTTP status 200,
    which the platform may also do. `groups`, `companies` and `custom_fields` are those of the
    account; where they are `None`, any will do. `port=0` takes a free port, and keeps it.

    While it runs, `latency_s` (how long each answer waits; a contact is written before the wait),
    `rate_limit` (`None` for none) and `clock` (epoch seconds, for the age of a request and the Date
    header) may be set, and count from the next request on.
    """

    def __init__(
        self,
        *,
        key: str | None = None,
        secret: str | None = None,
        host: str = "127.0.0.1",
        port: int = 0,
        errors_at_200: bool = False,
        groups: Iterable[int] | None = None,
        companies: Iterable[int] | None = None,
        custom_fields: Mapping[int, FieldType] | None = None,
        clock: Callable[[], float] = time.time,
        latency_s: float = 0.0,
        rate_limit: RateLimit | None = None,
        ssl_context: ssl.SSLContext | None = None,
        keepalive_timeout_s: float = 75.0,
    ) -> None:
        self.key = secrets.token_urlsafe(12) if key is None else key
        self.secret = secrets.token_urlsafe(24) if secret is None else secret
        self.ledger = Ledger()
        self.clock = clock
        self.latency_s = latency_s
        self.rate_limit = rate_limit
        self._host = host
        self._port = port
        self._errors_at_200 = errors_at_200
        self._ssl_context = ssl_context
        self._keepalive_timeout_s = keepalive_timeout_s
        self._faults = FaultPlan()
        self._platform = Platform(
            Declared(
                groups=None if groups is None else frozenset(groups),
                companies=None if companies is None else frozenset(companies),
                custom_fields=None if custom_fields is None else dict(custom_fields),
            )
        )
        self._runner: web.ServerRunner | None = None
        self._handlers: set[asyncio.Task[Any]] = set()
        self._late: list[Request] = []

    @property
    def url(self) -> str:
        """The base URL, such as `http://127.0.0.1:49152`; it stays the same after a restart.

        Raises:
            RuntimeError: the sandbox was never started.
        """
        if not self._port:
            raise RuntimeError("The sandbox has no address before it is started")
        host = f"[{self._host}]" if ":" in self._host else self._host
        return f"{'https' if self._ssl_context else 'http'}://{host}:{self._port}"

    @property
    def contacts(self) -> Mapping[int, Mapping[str, Any]]:
        """The present state of each contact by its id, in the platform's spelling; read-only."""
        return self._platform.contacts

    @property
    def rate_limit(self) -> RateLimit | None:
        """How many requests a second are let in; setting it starts a new count."""
        return self._limiter.limit if self._limiter else None

    @rate_limit.setter
    def rate_limit(self, limit: RateLimit | None) -> None:
        self._limiter = Limiter(limit) if limit else None

    def script(self, *faults: Fault | None) -> None:
        """Give these faults to the next requests in order of arrival; `None` answers as usual.

        They are added to those that still wait. A request over the rate limit takes none.
        """
        self._faults.script.extend(faults)

    def mix(self, seed: int, share: float, faults: Sequence[Fault] = DEFAULT_MIX) -> None:
        """Give each later request one of `faults` with probability `share`; 0 turns it off.

        Scripted faults go first. The same seed draws the same faults.

        Raises:
            ValueError: `share` is not within 0 and 1, or there is no fault to draw.
        """
        self._faults.mix(seed, share, faults)

    def clear(self) -> None:
        """Forget contacts, ledger and scripted faults; ids and numbers start again."""
        self._platform.clear()
        self.ledger.clear()
        self._faults.script.clear()

    async def start(self) -> None:
        """Listen, on the same port as before if there was one. `async with` does it for you.

        Raises:
            RuntimeError: the sandbox runs already.
            OSError: the port is taken.
        """
        if self._runner:
            raise RuntimeError("The sandbox runs already")
        # With handler_cancellation a handler learns at once that its client has gone.
        server = web.Server(
            self._handle,
            handler_cancellation=True,
            access_log=None,
            keepalive_timeout=self._keepalive_timeout_s,
        )
        runner = web.ServerRunner(server, shutdown_timeout=_STOP_S)
        await runner.setup()
        site = web.TCPSite(runner, self._host, self._port, ssl_context=self._ssl_context)
        try:
            await site.start()
        except OSError:
            await runner.cleanup()
            raise
        self._runner, self._port = runner, site.port

    async def stop(self) -> None:
        """Drop all connections and stop listening; contacts, ledger and faults are kept."""
        runner, self._runner = self._runner, None
        if runner:
            # aiohttp would wait for them, and log an error of its own for each that outlasts it.
            for handler in self._handlers:
                handler.cancel()
            await runner.cleanup()
            await asyncio.gather(*self._handlers, return_exceptions=True)

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self.stop()

    async def _handle(self, request: web.BaseRequest) -> web.StreamResponse:
        entry = Request(
            number=len(self.ledger.requests) + 1,
            action=request.raw_path.removeprefix(_ROOT),
            method=request.method,
            headers=request.headers,
        )
        self.ledger.requests.append(entry)
        task = asyncio.current_task()
        assert task
        self._handlers.add(task)
        try:
            return await self._answer(request, entry)
        except web.HTTPException as exc:
            # The body is beyond aiohttp's limit, or its encoding is broken.
            entry.answer, entry.status = Answer.SENT, exc.status
            raise
        finally:
            if entry.answer is Answer.PENDING:
                entry.answer = Answer.GONE
            self._handlers.discard(task)

    async def _answer(self, request: web.BaseRequest, entry: Request) -> web.StreamResponse:
        wait_s = self._limiter.take() if self._limiter else 0.0
        entry.fault = fault = None if wait_s else self._faults.draw()
        kind = fault.kind if fault else None
        if kind is FaultKind.CLOSE_BEFORE_READ:
            return _hang_up(request, entry, Answer.CLOSED)
        try:
            entry.body = await request.read()
        except web.RequestPayloadError as exc:
            raise web.HTTPBadRequest from exc
        now = self.clock() + (fault.clock_off_s if fault else 0.0)
        if kind is FaultKind.WRITE_AFTER_GONE:
            await self._write_after_gone(entry, now)
        if kind is FaultKind.WRITE_LATE:
            await self._hold_back(entry)
        if wait_s:
            reply = self._throttled(wait_s)
        elif fault:
            reply = self._spoilt(entry, fault, now)
        else:
            reply = self._judged(entry, now)
            self._write_late_ones()
        if self.latency_s:
            await asyncio.sleep(self.latency_s)
        match kind:
            case FaultKind.CLOSE_AFTER_WRITE:
                return _hang_up(request, entry, Answer.CLOSED)
            case FaultKind.RESET_AFTER_WRITE:
                return _hang_up(request, entry, Answer.RESET)
            case FaultKind.CUT_SHORT:
                entry.status = reply.status
                return _hang_up(request, entry, Answer.CUT_SHORT, _half(reply, now))
            case FaultKind.HANG_BEFORE_WRITE | FaultKind.HANG_AFTER_WRITE:
                entry.answer = Answer.HUNG
                await _until_cancelled()
        entry.answer, entry.status = Answer.SENT, reply.status
        entry.error_code = reply.error_code
        return web.Response(status=reply.status, body=reply.body, headers=_headers(reply, now))

    async def _write_after_gone(self, entry: Request, now: float) -> None:
        try:
            await _until_cancelled()
        finally:
            # The other reason for a cancellation is stop(), after which nothing may be written.
            if self._runner:
                self._judged(entry, now)

    async def _hold_back(self, entry: Request) -> None:
        try:
            await _until_cancelled()
        finally:
            self._late.append(entry)

    def _write_late_ones(self) -> None:
        late, self._late = self._late, []
        for entry in late:
            params = read_object(entry.body)
            params.pop("updateIfExists", None)  # it has looked, when the request came
            self._write(entry, params)

    def _spoilt(self, entry: Request, fault: Fault, now: float) -> Reply:
        """The answer that this fault puts in place of the true one, after the write if it writes.

        For a fault of the connection it is the true one, which is then not or not wholly sent.
        """
        judged = self._judged(entry, now) if fault.kind.writes else _NEVER_SENT
        match fault.kind:
            case FaultKind.THROTTLED:
                return self._refusal(_TOO_MANY, _retry_after(fault, now))
            case FaultKind.UNAVAILABLE:
                return Reply(
                    status=503,
                    body=b"Service unavailable",
                    content_type="text/plain",
                    headers=_retry_after(fault, now),
                )
            case FaultKind.ERROR_BEFORE_WRITE | FaultKind.ERROR_AFTER_WRITE:
                return self._refusal(Refused(500, "Internal error"))
            case FaultKind.REDIRECT:
                return Reply(status=302, body=b"", headers={"Location": f"{self.url}/moved"})
            case FaultKind.HTML:
                return Reply(
                    status=502, body=b"<html><h1>Bad gateway</h1></html>", content_type="text/html"
                )
            case FaultKind.SUCCESS_WITHOUT_ID if entry.contact_id:
                return success({"success": True})
            case _:
                return judged

    def _judged(self, entry: Request, now: float) -> Reply:
        """The true answer to a request. It is a plain function: no other request comes between
        the checks and the write.
        """
        try:
            return success(self._result(entry, now))
        except Refused as refused:
            return self._refusal(refused)

    def _result(self, entry: Request, now: float) -> dict[str, Any]:
        if entry.method != "POST":
            raise Refused(405, "Method not allowed")
        if entry.action not in _ACTIONS:
            raise Refused(404, "Not found")
        target = _ROOT + entry.action
        verify(target, entry.headers, entry.body, key=self.key, secret=self.secret, now=now)
        if entry.action == _PING:
            read_object(entry.body or b"{}")
            return {"ack": f"{datetime.fromtimestamp(now, UTC):%Y-%m-%d %H:%M:%S}"}
        params = read_object(entry.body)
        if entry.action == _ADD_OR_UPDATE:
            return {"success": True, "id": self._write(entry, params)}
        if entry.action == _GET_LIST:
            return self._platform.get_contact_list(params)
        for name in params.keys() - {"id"}:
            raise invalid(name, "Unknown parameter")
        return dict(self._platform.get_contact(params.get("id")))

    def _write(self, entry: Request, params: dict[str, Any]) -> int:
        change = self._platform.add_or_update(params)
        entry.contact_id = change.contact_id
        self.ledger.writes.append(
            Write(
                number=len(self.ledger.writes) + 1,
                contact_id=change.contact_id,
                body=params,
                request=entry.number,
                added=change.added,
            )
        )
        return change.contact_id

    def _throttled(self, wait_s: float) -> Reply:
        assert self.rate_limit
        seconds = str(max(1, math.ceil(wait_s)))
        return self._refusal(
            _TOO_MANY, {"Retry-After": seconds} if self.rate_limit.retry_after else None
        )

    def _refusal(self, refused: Refused, headers: dict[str, str] | None = None) -> Reply:
        return refusal(refused, at_200=self._errors_at_200, headers=headers)


_ACTIONS = frozenset((_ADD_OR_UPDATE, _GET, _GET_LIST, _PING))
_TOO_MANY = Refused(429, "Too many requests")
_NEVER_SENT = Reply(body=b"")


def _retry_after(fault: Fault, now: float) -> dict[str, str]:
    if fault.retry_after_s is None:
        return {}
    if fault.retry_after_as_date:
        return {"Retry-After": formatdate(math.ceil(now + fault.retry_after_s), usegmt=True)}
    return {"Retry-After": f"{fault.retry_after_s:g}"}


def _headers(reply: Reply, now: float) -> dict[str, str]:
    date = formatdate(now, usegmt=True)
    return {"Date": date, "Content-Type": reply.content_type, **reply.headers}


async def _until_cancelled() -> None:
    await asyncio.Event().wait()


def _hang_up(
    request: web.BaseRequest, entry: Request, answer: Answer, last_words: bytes = b""
) -> web.Response:
    transport = request.transport
    assert transport, "aiohttp cancels the handler in the moment in which it drops the transport"
    entry.answer = answer
    if answer is Answer.RESET:
        # A linger time of zero makes close() send RST instead of FIN.
        linger = struct.pack("ii", 1, 0)
        transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
        transport.abort()
    else:
        transport.write(last_words)
        transport.close()
    # aiohttp wants a response; it finds the connection closed and drops it.
    return web.Response()


def _half(reply: Reply, now: float) -> bytes:
    """The answer as it goes over the wire, without the second half of its body."""
    headers = {**_headers(reply, now), "Content-Length": str(len(reply.body))}
    lines = (f"HTTP/1.1 {reply.status} ", *(f"{name}: {headers[name]}" for name in headers))
    return "\r\n".join((*lines, "", "")).encode() + reply.body[: len(reply.body) // 2]
