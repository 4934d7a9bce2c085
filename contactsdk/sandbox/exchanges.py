"""Handles a request from its arrival to its answer, and applies the faults on the way."""

import asyncio
import math
from collections.abc import Callable
from contextlib import suppress
from email.utils import formatdate
from typing import Any

from aiohttp import web

from contactsdk.sandbox.connections import close, half_of, headers_of, reset, until_cancelled
from contactsdk.sandbox.faults import Fault, FaultKind, FaultPlan
from contactsdk.sandbox.ledger import Answer, Ledger, Request
from contactsdk.sandbox.platform import ADD_OR_UPDATE, RUN_BATCH, Origin, Platform, read_object
from contactsdk.sandbox.replies import (
    RefusedError,
    Reply,
    UnsuccessfulError,
    internal_error,
    raced,
    refusal,
    success,
)
from contactsdk.sandbox.settings import Settings
from contactsdk.sandbox.signatures import API_VERSION, verify

_ROOT = f"/api/{API_VERSION}/"
_NOT_ASKED = Reply(body=b"")


class Exchanges:
    """Answers requests, and records each in the ledger.

    `on_batch` is called after a request that may have left jobs of batches to be executed.
    """

    def __init__(
        self,
        settings: Settings,
        platform: Platform,
        ledger: Ledger,
        faults: FaultPlan[Fault],
        on_batch: Callable[[], None],
    ) -> None:
        self._settings = settings
        self._platform = platform
        self._ledger = ledger
        self._faults = faults
        self._on_batch = on_batch
        self._handlers: set[asyncio.Task[Any]] = set()
        self._late: list[Request] = []
        self._is_stopping = False

    async def handle(self, request: web.BaseRequest) -> web.StreamResponse:
        """Answer one request; a handler for aiohttp's server."""
        entry = Request(
            number=len(self._ledger.requests) + 1,
            action=request.raw_path.removeprefix(_ROOT),
            method=request.method,
            headers=request.headers,
            arrived_at=self._settings.clock(),
        )
        self._ledger.requests.append(entry)
        task = asyncio.current_task()
        assert task
        self._handlers.add(task)
        try:
            return await self._answer(request, entry)
        except web.HTTPException as exc:
            # The body is larger than aiohttp's limit, or its encoding is broken.
            entry.answer, entry.status = Answer.SENT, exc.status
            raise
        finally:
            if entry.answer is Answer.PENDING:
                entry.answer = Answer.GONE
            self._handlers.discard(task)
            self._settings.on_answer(entry)

    def begin(self) -> None:
        """Get ready to answer requests; called at each start of the sandbox."""
        self._is_stopping = False

    def cancel(self) -> None:
        """Cancel every request that is not answered yet, as a crash would."""
        self._is_stopping = True
        for handler in self._handlers:
            handler.cancel()

    async def ended(self) -> None:
        """Wait until the handlers of the cancelled requests have ended."""
        await asyncio.gather(*self._handlers, return_exceptions=True)

    async def _answer(self, request: web.BaseRequest, entry: Request) -> web.StreamResponse:
        settings, limiter = self._settings, self._settings.limiter()
        wait_s = limiter.take() if limiter else 0.0
        entry.fault = fault = None if wait_s else self._faults.draw(entry.action)
        kind = fault.kind if fault else None
        if kind is FaultKind.CLOSE_BEFORE_READ:
            entry.answer = Answer.CLOSED
            return close(request)
        try:
            entry.body = await request.read()
        except web.RequestPayloadError as exc:
            raise web.HTTPBadRequest from exc
        now = settings.clock() + (fault.clock_off_s if fault else 0.0)
        if kind is FaultKind.WRITE_AFTER_GONE:
            await self._write_after_gone(entry, now)
        if kind is FaultKind.WRITE_LATE:
            await self._hold_back(entry)
        self._platform.advance()
        reply = self._reply(entry, fault, wait_s, now)
        self._platform.advance()
        self._on_batch()
        if latency_s := settings.latency_s():
            await asyncio.sleep(latency_s)
        entry.answer_body = reply.body
        return await self._sent(request, entry, reply, now)

    async def _sent(
        self, request: web.BaseRequest, entry: Request, reply: Reply, now: float
    ) -> web.StreamResponse:
        match entry.fault and entry.fault.kind:
            case FaultKind.CLOSE_AFTER_WRITE:
                entry.answer = Answer.CLOSED
                return close(request)
            case FaultKind.RESET_AFTER_WRITE:
                entry.answer = Answer.RESET
                return reset(request)
            case FaultKind.CUT_SHORT:
                entry.answer, entry.status = Answer.CUT_SHORT, reply.status
                return close(request, half_of(reply, now))
            case FaultKind.HANG_BEFORE_WRITE | FaultKind.HANG_AFTER_WRITE:
                entry.answer = Answer.HUNG
                await until_cancelled()
        entry.answer, entry.status = Answer.SENT, reply.status
        entry.error_code = reply.error_code
        return web.Response(status=reply.status, body=reply.body, headers=headers_of(reply, now))

    async def _write_after_gone(self, entry: Request, now: float) -> None:
        try:
            await until_cancelled()
        finally:
            # A stop of the sandbox cancels the handler as well, and then nothing may be written.
            if not self._is_stopping:
                self._true_reply(entry, now)
                self._platform.advance()
                self._on_batch()

    async def _hold_back(self, entry: Request) -> None:
        try:
            await until_cancelled()
        finally:
            self._late.append(entry)

    def _write_late_ones(self, now: float) -> None:
        late, self._late = self._late, []
        for entry in late:
            if entry.action == ADD_OR_UPDATE:
                self._write_without_looking(entry)
            else:
                self._true_reply(entry, now)

    def _write_without_looking(self, entry: Request) -> None:
        with suppress(RefusedError, UnsuccessfulError):
            params = read_object(entry.body)
            # The search for an existing contact was made when the request arrived.
            params.pop("updateIfExists", None)
            entry.contact_id = self._platform.write(params, Origin(request=entry.number))

    def _reply(self, entry: Request, fault: Fault | None, wait_s: float, now: float) -> Reply:
        limiter = self._settings.limiter()
        if wait_s and limiter:
            seconds = str(max(1, math.ceil(wait_s)))
            headers = {"Retry-After": seconds} if limiter.limit.retry_after else None
            return self._refusal(_throttled(), headers)
        if fault:
            return self._faulty_reply(entry, fault, now)
        reply = self._true_reply(entry, now)
        self._write_late_ones(now)
        return reply

    def _faulty_reply(self, entry: Request, fault: Fault, now: float) -> Reply:
        """The answer that this fault causes; if the fault writes, the contact is written first.

        For a fault of the connection, it is the true answer, of which the caller then sends nothing
        or only a part.
        """
        if fault.kind is FaultKind.BATCH_NOT_SAVED and entry.action == RUN_BATCH:
            return self._refusal(RefusedError(400, "The batch could not be saved", 24091))
        reply = self._true_reply(entry, now) if fault.kind.writes else _NOT_ASKED
        match fault.kind:
            case FaultKind.THROTTLED:
                return self._refusal(_throttled(), _retry_after(fault, now))
            case FaultKind.RACED:
                return self._refusal(raced())
            case FaultKind.UNAVAILABLE:
                return Reply(
                    status=503,
                    body=b"Service unavailable",
                    content_type="text/plain",
                    headers=_retry_after(fault, now),
                )
            case FaultKind.ERROR_BEFORE_WRITE | FaultKind.ERROR_AFTER_WRITE:
                return self._refusal(internal_error())
            case FaultKind.REDIRECT:
                return Reply(status=302, body=b"", headers={"Location": "/moved"})
            case FaultKind.HTML:
                return Reply(
                    status=502, body=b"<html><h1>Bad gateway</h1></html>", content_type="text/html"
                )
            case FaultKind.SUCCESS_WITHOUT_ID if entry.contact_id or entry.async_id:
                return success({"success": True})
            case _:
                return reply

    def _true_reply(self, entry: Request, now: float) -> Reply:
        """The true answer to a request.

        This is not a coroutine, so no other request can come between the checks and the write.
        """
        try:
            return success(self._result(entry, now))
        except RefusedError as refused:
            return self._refusal(refused)
        except UnsuccessfulError as unsuccessful:
            return success(unsuccessful.answer())

    def _result(self, entry: Request, now: float) -> Any:
        if entry.method != "POST":
            raise RefusedError(405, "Method not allowed")
        if not self._platform.has(entry.action):
            raise RefusedError(404, "Not found")
        verify(
            _ROOT + entry.action,
            entry.headers,
            entry.body,
            key=self._settings.key(),
            secret=self._settings.secret(),
            now=now,
            stale_error_code=int(self._settings.guesses.stale_error_code),
        )
        result = self._platform.call(entry.action, entry.body, Origin(request=entry.number), now)
        if entry.action == ADD_OR_UPDATE:
            entry.contact_id = int(result["id"])
        elif entry.action == RUN_BATCH:
            entry.async_id = result["asyncId"]
        return result

    def _refusal(self, refused: RefusedError, headers: dict[str, str] | None = None) -> Reply:
        return refusal(refused, self._settings.guesses, headers=headers)


def _throttled() -> RefusedError:
    return RefusedError(429, "Too many requests")


def _retry_after(fault: Fault, now: float) -> dict[str, str]:
    if fault.retry_after_s is None:
        return {}
    if fault.retry_after_as_date:
        return {"Retry-After": formatdate(math.ceil(now + fault.retry_after_s), usegmt=True)}
    return {"Retry-After": f"{fault.retry_after_s:g}"}
