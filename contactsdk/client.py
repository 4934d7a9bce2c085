"""One call: encode, sign, send, read the answer, perhaps again."""

import asyncio
import datetime
import functools
import math
import os
import sys
import time
from collections.abc import AsyncIterable, Awaitable, Callable, Iterable, Mapping, Sequence
from types import TracebackType
from typing import Self, TypeAlias, TypeVar

import aiohttp
from multidict import CIMultiDict
from yarl import URL

from contactsdk import wire
from contactsdk.addresses import action_url, checked_base_url
from contactsdk.arguments import check_count, check_seconds
from contactsdk.bulk import BulkReport, OnProgress, OutcomeStream, collect
from contactsdk.deadlines import Deadline, Deadlines, is_being_cancelled
from contactsdk.errors import (
    AuthenticationError,
    ContactError,
    RejectedError,
    SetupError,
    UnavailableError,
    UncertainError,
    converted,
)
from contactsdk.journal import Account, SqliteJournal
from contactsdk.models import Contact, Item
from contactsdk.retry import (
    Call,
    Resender,
    RetryBudget,
    RetryPolicy,
    logger,
    repeat_safe,
)
from contactsdk.signing import Credentials, sign
from contactsdk.slots import Slots
from contactsdk.transport import Body, connection_limit, make_session, transport_error

_T = TypeVar("_T")

_Answer: TypeAlias = tuple[int, Mapping[str, str], bytes]

_Read: TypeAlias = Callable[[int, Mapping[str, str], bytes], _T]


class ContactClient:
    """Adds and updates contacts on one account of the platform.

    Make one for each account and event loop, share it among any number of tasks, and close it:
    `async with`, or `await client.aclose()`. Its session is made at first use.

    Args:
        base_url: The platform's address, such as `https://api.ap-southeast-2.ivvy.com`. Plain http
            only to this machine.
        credentials: The account's key and secret; `None` sends unsigned, for a gateway that signs.
        session: A session of your own, with its proxy, TLS and tracing; it is used as it is and
            never closed. `max_connections` and `keepalive_s` are then its connector's business.
        retry: How often and how patiently each call tries.
        timeout_s: One attempt, in seconds, from having its connection to the whole answer.
        connect_timeout_s: Making a connection (DNS, TCP, TLS, proxy), in seconds.
        max_connections: How many connections there may be at a time; further attempts wait.
        keepalive_s: How long an idle connection is kept, in seconds. Keep it below the server's own
            limit: a connection that closes just as an add is sent makes that add uncertain.
        trace_configs: aiohttp's, for the session that this client makes.

    Raises:
        ValueError: An argument is wrong; the message says what is expected.
        TypeError: `credentials` are no `Credentials`, or `retry` is no `RetryPolicy`.
    """

    def __init__(
        self,
        base_url: str,
        credentials: Credentials | None = None,
        *,
        session: aiohttp.ClientSession | None = None,
        retry: RetryPolicy = RetryPolicy(),  # noqa: B008  # frozen
        timeout_s: float = 30.0,
        connect_timeout_s: float = 5.0,
        max_connections: int = 100,
        keepalive_s: float = 4.0,
        trace_configs: Sequence[aiohttp.TraceConfig] = (),
    ) -> None:
        check_seconds("timeout_s", timeout_s)
        check_seconds("connect_timeout_s", connect_timeout_s)
        check_seconds("keepalive_s", keepalive_s)
        check_count("max_connections", max_connections)
        if credentials is not None and not isinstance(credentials, Credentials):
            kind = type(credentials).__name__  # a value could be the secret
            raise TypeError(f"credentials must be Credentials(key, secret) or None, not {kind}")
        if not isinstance(retry, RetryPolicy):
            raise TypeError(f"retry must be a RetryPolicy, not {type(retry).__name__}")
        if session is not None and trace_configs:
            raise ValueError("trace_configs belong to the session: give them to the one you made")

        base = checked_base_url(base_url)
        self._contact_url = action_url(base, "contact", "addOrUpdateContact")
        self._list_url = action_url(base, "contact", "getContactList")
        self._ping_url = action_url(base, "test", "ping")
        self._credentials = credentials
        key, secret = ("", "") if credentials is None else (credentials.key, credentials.secret)
        self._account = Account(url=str(self._contact_url), key=key, secret=secret)
        self._retry = retry
        self._timeout_s = timeout_s
        # The wait for the pool is not aiohttp's to time: _slots lets no more in than it takes.
        self._connect_timeout = aiohttp.ClientTimeout(total=None, connect=connect_timeout_s)
        self._clock_offset_s = 0.0
        self._deadlines: Deadlines  # these two are made for the loop
        self._resend: Resender

        self._session = session
        self._owns_session = session is None
        self._trace_configs = list(trace_configs)
        self._keepalive_s = keepalive_s
        self._max_connections = (
            max_connections if session is None else connection_limit(session.connector)
        )
        self._slots = Slots(self._max_connections or sys.maxsize)
        self._loop: asyncio.AbstractEventLoop | None = None
        self._closed = False

    @classmethod
    def from_env(cls) -> Self:
        """A client for `CONTACTSDK_URL`, `CONTACTSDK_KEY` and `CONTACTSDK_SECRET`.

        Raises:
            ValueError: One of them is missing or wrong.
        """
        names = ("CONTACTSDK_URL", "CONTACTSDK_KEY", "CONTACTSDK_SECRET")
        if missing := [name for name in names if not os.environ.get(name)]:
            raise ValueError(f"not set in the environment: {', '.join(missing)}")
        url, key, secret = (os.environ[name] for name in names)
        return cls(url, Credentials(key, secret))

    async def add_or_update(self, contact: Contact, *, deadline_s: float | None = None) -> int:
        """Add the contact, or update the one with its `id`, and return the platform's id for it.

        `deadline_s` bounds this call, all attempts and waits included, instead of the policy's. It
        is better than `asyncio.timeout` around the call, which cannot say whether the contact was
        applied.

        Raises:
            RejectedError: The platform refused this contact.
            SetupError: Every call will fail; an `AuthenticationError` where key, secret or clock
                is wrong.
            RateLimitedError: Not applied; too many requests.
            UnavailableError: Not applied; never sent, or declined.
            UncertainError: It may have been applied; look before sending it again.
            TypeError: `contact` is no `Contact`.
            RuntimeError: The client is closed, or belongs to another event loop.
        """
        if not isinstance(contact, Contact):
            raise TypeError(f"contact must be a Contact, not {type(contact).__name__}")
        call = self._call(deadline_s, repeat_safe=repeat_safe(contact, self._retry))
        return await self._resend(functools.partial(self._send, contact), call)

    async def ping(self, *, deadline_s: float | None = None) -> datetime.datetime:
        """The platform's time, in UTC: proves that address, key and secret work.

        Raises:
            SetupError: They do not; an `AuthenticationError` where key, secret or clock is wrong.
            RateLimitedError: Too many requests.
            UnavailableError: The platform cannot be reached, or its answer cannot be read.
            RuntimeError: The client is closed, or belongs to another event loop.
        """
        try:
            return await self._look(self._ping_url, b"", wire.read_ack, deadline_s)
        except RejectedError as error:
            # It names nothing that could be wrong, so the address is, such as by a path too many.
            what = f"{self._ping_url.host} does not know the call: {error.message}"
            raise converted(error, SetupError, what) from error

    async def find(self, *, external_id: str, deadline_s: float | None = None) -> tuple[int, ...]:
        """The ids of all contacts with this external id, in the platform's order; empty for none.

        This is how an `UncertainError` is resolved: look before sending the contact again.
        `deadline_s` bounds each page of the list.

        Raises:
            RejectedError: The platform refused the search.
            SetupError: Every call will fail; an `AuthenticationError` where key, secret or clock
                is wrong.
            RateLimitedError: Too many requests.
            UnavailableError: The platform cannot be reached, or its answer cannot be read.
            RuntimeError: The client is closed, or belongs to another event loop.
        """
        read = functools.partial(wire.read_found, external_id)
        found: dict[int, bool] = {}
        while True:
            content = wire.encode_search(external_id, start=len(found))
            page = await self._look(self._list_url, content, read, deadline_s)
            # No page says how long one may be, so only one that brings nothing new is the last.
            if page.keys() <= found.keys():
                return tuple(id_ for id_, is_it in found.items() if is_it)
            found |= page

    def stream(
        self,
        contacts: Iterable[Item] | AsyncIterable[Item],
        *,
        concurrency: int = 32,
        rate_per_s: float | None = None,
        give_up_s: float = 300.0,
        journal: SqliteJournal | None = None,
        on_progress: OnProgress | None = None,
    ) -> OutcomeStream:
        """Add or update many contacts: the outcome of each as it comes, in constant memory.

        Use it as `async with client.stream(contacts) as outcomes: async for outcome in outcomes`.
        Exactly one outcome comes for each item read, in no order; its `index` is its place in the
        input. An `InvalidContactError` in the input becomes its own outcome, unsent. Contacts with
        the same id, or without one the same names and email, are sent one after another in input
        order; but an uncertain earlier one may still be applied after a later one.

        The run finds the rate that the platform allows, and pauses as a whole when it throttles or
        does not answer; that costs no contact an attempt.

        Args:
            contacts: An iterable or async iterable of contacts, and of errors where there was no
                valid one (`contacts_from` makes both). A blocking iterator blocks the event loop.
            concurrency: How many contacts are in flight at a time, at most.
            rate_per_s: How many requests may leave in any second, at most; `None` for no cap.
            give_up_s: For how many seconds a platform that does not answer is tried, and the
                longest wait that it may ask for, before the run stops.
            journal: Where the run is recorded, so that it can go on after the process has died;
                `None` for no record. Entering the stream raises a `JournalError` where it cannot
                be used.
            on_progress: Called with a `Progress`, ten times a second at most and once at the end.

        Raises:
            ValueError: A number is out of its range, or `concurrency` is more than the connections
                of this client.
            TypeError: `contacts` is no iterable of contacts.
            RuntimeError: The client belongs to another event loop.
        """
        check_count("concurrency", concurrency)
        if self._max_connections is not None and concurrency > self._max_connections:
            raise ValueError(
                f"concurrency {concurrency} is more than the {self._max_connections} connections "
                "of this client: raise max_connections or lower it"
            )
        self._running_loop()
        return OutcomeStream(
            contacts,
            self._send,
            self._retry,
            concurrency=concurrency,
            rate_per_s=rate_per_s,
            give_up_s=give_up_s,
            journal=None if journal is None else functools.partial(journal.open_run, self._account),
            on_progress=on_progress,
        )

    async def add_or_update_many(
        self,
        contacts: Iterable[Item] | AsyncIterable[Item],
        *,
        concurrency: int = 32,
        rate_per_s: float | None = None,
        give_up_s: float = 300.0,
        journal: SqliteJournal | None = None,
        on_progress: OnProgress | None = None,
    ) -> BulkReport:
        """Add or update many contacts and report on every one of them, in input order.

        Takes what `stream` takes, and keeps all outcomes in memory. It raises for no contact: see
        the report's `failures` and `uncertain`, and `stopped_by` for a run that ended early.

        Raises:
            ValueError: As of `stream`.
            TypeError: As of `stream`.
            RuntimeError: As of `stream`.
            JournalError: The journal cannot be used.
        """
        return await collect(
            self.stream(
                contacts,
                concurrency=concurrency,
                rate_per_s=rate_per_s,
                give_up_s=give_up_s,
                journal=journal,
                on_progress=on_progress,
            )
        )

    def check_journal(self, journal: SqliteJournal, contacts: Iterable[Item]) -> None:
        """See, before anything is sent, that this whole input is the one that was recorded.

        Rows may have been appended since. A run with the journal looks at each item as it comes,
        and sends nothing from the first one that differs on. The file is opened to read only; one
        that is not there yet has recorded nothing.

        Raises:
            JournalError: It is not, and `number` names the first item that differs; or the journal
                cannot be used.
        """
        journal.check_account(contacts, self._account)

    async def aclose(self) -> None:
        """Close the session, if this client made it. Calls in flight end with an error."""
        self._closed = True
        if self._owns_session and self._session is not None:
            self._running_loop()
            await self._session.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self.aclose()

    def _send(self, contact: Contact, call: Call) -> Awaitable[int]:
        return self._attempt(self._contact_url, wire.encode(contact), wire.read_id, call)

    def _call(self, deadline_s: float | None, *, repeat_safe: bool) -> Call:
        if deadline_s is None:
            deadline_s = self._retry.deadline_s
        else:
            check_seconds("deadline_s", deadline_s)
        now = self._running_loop().time()
        deadline = None if deadline_s is None else now + deadline_s
        return Call(repeat_safe, deadline)

    async def _look(
        self, url: URL, content: bytes, read: _Read[_T], deadline_s: float | None
    ) -> _T:
        attempt = functools.partial(self._attempt, url, content, read)
        call = self._call(deadline_s, repeat_safe=True)
        try:
            return await self._resend(attempt, call)
        except UncertainError as error:
            # Nothing is in doubt where nothing was to be changed.
            raise converted(error, UnavailableError, error.message) from error

    async def _attempt(self, url: URL, content: bytes, read: _Read[_T], call: Call) -> _T:
        """One attempt; after a stale-date refusal, a second request by the platform's clock."""
        status, headers, answer = await self._exchange(url, content, call)
        try:
            return read(status, headers, answer)
        except AuthenticationError as error:
            platform_now = wire.server_time(headers)
            is_stale = error.specific_code == wire.STALE_DATE
            if not is_stale or platform_now is None or call.clock_corrected:
                raise
            call.clock_corrected = True
            self._clock_offset_s = platform_now - time.time()
        if call.resend_turn is not None:
            await call.resend_turn(call)
        logger.info("sent again at once: the clocks are %.0f s apart", self._clock_offset_s)
        return await self._attempt(url, content, read, call)

    async def _exchange(self, url: URL, content: bytes, call: Call) -> _Answer:
        """Send one request and read its answer, whatever that says.

        Raises:
            ContactError: There was no whole answer.
        """
        try:
            session = self._open()
        except RuntimeError as exc:
            if call.attempts <= 1:
                raise
            raise SetupError(str(exc)) from exc  # an earlier attempt has something to tell
        body: Body | None = None
        deadline = Deadline(self._deadlines, math.inf if call.deadline is None else call.deadline)
        try:
            with deadline:
                waited = not self._slots.take_at_once()
                if waited:
                    await self._slots.take()
                try:
                    if waited and session.closed:
                        raise SetupError("never sent: the client was closed meanwhile")
                    # A function: what mocks sessions may copy a body deeply, but no function.
                    body = Body(content, on_write=lambda: deadline.shorten(self._timeout_s))
                    response = await session.post(
                        url,
                        data=body,
                        headers=self._sign(url, content),
                        timeout=self._connect_timeout,
                        # A session that was handed in may have other defaults, each of which would
                        # lose an answer, hide one, or send the contact twice.
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
                finally:
                    self._slots.give_back()
        except asyncio.CancelledError as exc:
            call.in_doubt = call.in_doubt or bool(body and body.seal())
            if is_being_cancelled():
                raise
            # aiohttp cancels what waits for a session that is closed.
            raise transport_error(exc, body, expired=deadline.passed) from exc
        except ContactError:
            raise
        except Exception as exc:
            raise transport_error(exc, body, expired=deadline.passed) from exc

    def _sign(self, url: URL, content: bytes) -> CIMultiDict[str]:
        now = time.time() + self._clock_offset_s
        return sign(self._credentials, content, target=url.raw_path_qs, now=now)

    def _open(self) -> aiohttp.ClientSession:
        if self._closed:
            raise RuntimeError("this client is closed")
        if self._session is None:
            self._session = make_session(
                max_connections=self._max_connections or 0,
                keepalive_s=self._keepalive_s,
                trace_configs=self._trace_configs,
            )
        if self._session.closed:
            raise RuntimeError("the session that this client was given is closed")
        return self._session

    def _running_loop(self) -> asyncio.AbstractEventLoop:
        """The event loop, which has to be the one that this client was first used in."""
        loop = asyncio.get_running_loop()
        if self._loop is None:
            self._loop, self._deadlines = loop, Deadlines(loop)
            self._resend = Resender(self._retry, budget=RetryBudget(), clock=loop.time)
        if self._loop is not loop:
            raise RuntimeError(
                "this client was first used in another event loop: make one client for each loop"
            )
        return loop
