"""One call: encode, sign, send, read the answer, perhaps again."""

import asyncio
import contextlib
import datetime
import functools
import os
from collections.abc import AsyncIterable, Awaitable, Callable, Iterable, Mapping, Sequence
from types import TracebackType
from typing import Self, TypeAlias, TypeVar

import aiohttp
from yarl import URL

from contactsdk import wire
from contactsdk.arguments import check_count, check_seconds
from contactsdk.attempt import Requester
from contactsdk.bulk import BulkReport, OnProgress, OutcomeStream, collect
from contactsdk.errors import (
    AuthenticationError,
    RejectedError,
    SetupError,
    StaleDateError,
    UnavailableError,
    UncertainError,
    converted,
)
from contactsdk.journal import Account, JournalRun, SqliteJournal
from contactsdk.models import Contact, Item
from contactsdk.retry import (
    Call,
    Resender,
    RetryBudget,
    RetryPolicy,
    logger,
    repeat_safe,
)
from contactsdk.signing import Credentials

_T = TypeVar("_T")

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
        if not isinstance(retry, RetryPolicy):
            raise TypeError(f"retry must be a RetryPolicy, not {type(retry).__name__}")
        self._requester = Requester(
            base_url,
            credentials,
            session=session,
            timeout_s=timeout_s,
            connect_timeout_s=connect_timeout_s,
            max_connections=max_connections,
            keepalive_s=keepalive_s,
            trace_configs=trace_configs,
        )
        self._contact_url = self._requester.url("contact", "addOrUpdateContact")
        self._list_url = self._requester.url("contact", "getContactList")
        self._ping_url = self._requester.url("test", "ping")
        key, secret = ("", "") if credentials is None else (credentials.key, credentials.secret)
        self._account = Account(url=str(self._contact_url), key=key, secret=secret)
        self._retry = retry
        self._resend: Resender | None = None  # made for the loop

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
        return await self._resender()(functools.partial(self._send, contact), call)

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
        limit = self._requester.max_connections
        if limit is not None and concurrency > limit:
            raise ValueError(
                f"concurrency {concurrency} is more than the {limit} connections "
                "of this client: raise max_connections or lower it"
            )
        self._requester.running_loop()
        return OutcomeStream(
            contacts,
            self._send,
            self._retry,
            concurrency=concurrency,
            rate_per_s=rate_per_s,
            give_up_s=give_up_s,
            journal=None
            if journal is None
            else functools.partial(JournalRun, journal, self._account),
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
        and sends nothing from the first one that differs on.

        Raises:
            JournalError: It is not, and `number` names the first item that differs; or the journal
                cannot be used.
        """
        with contextlib.closing(JournalRun(journal, self._account)) as run:
            run.check(contacts)

    async def aclose(self) -> None:
        """Close the session, if this client made it. Calls in flight end with an error."""
        await self._requester.aclose()

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
        now = self._requester.running_loop().time()
        deadline = None if deadline_s is None else now + deadline_s
        return Call(repeat_safe, deadline)

    async def _look(
        self, url: URL, content: bytes, read: _Read[_T], deadline_s: float | None
    ) -> _T:
        attempt = functools.partial(self._attempt, url, content, read)
        call = self._call(deadline_s, repeat_safe=True)
        try:
            return await self._resender()(attempt, call)
        except UncertainError as error:
            # Nothing is in doubt where nothing was to be changed.
            raise converted(error, UnavailableError, error.message) from error

    async def _attempt(self, url: URL, content: bytes, read: _Read[_T], call: Call) -> _T:
        """One attempt; after a stale-date refusal, a second request by the platform's clock."""
        is_sent = False

        def note() -> None:
            nonlocal is_sent
            is_sent = True

        requester = self._requester
        try:
            return await requester.attempt(
                url, content, read, deadline=call.deadline, before_send=note
            )
        except asyncio.CancelledError:
            call.in_doubt = call.in_doubt or is_sent
            raise
        except RuntimeError as exc:
            if call.attempts <= 1:
                raise
            raise SetupError(str(exc)) from exc  # an earlier attempt has something to tell
        except StaleDateError as error:
            if call.clock_corrected:
                raise converted(error, AuthenticationError, error.message) from error
            call.clock_corrected = True
        if call.resend_turn is not None:
            await call.resend_turn(call)
        logger.info("sent again at once: the clocks are %.0f s apart", requester.clock_offset_s)
        return await self._attempt(url, content, read, call)

    def _resender(self) -> Resender:
        if self._resend is None:
            clock = self._requester.running_loop().time
            self._resend = Resender(self._retry, budget=RetryBudget(), clock=clock)
        return self._resend
