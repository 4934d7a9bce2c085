"""The public methods of the SDK."""

import asyncio
import contextlib
import datetime
import functools
import os
import time
from collections.abc import AsyncIterable, Iterable, Mapping, Sequence
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self, Unpack

import aiohttp

from contactsdk import wire
from contactsdk.attempt import Requester
from contactsdk.bulk import (
    BulkOptions,
    BulkReport,
    Confirm,
    Outcome,
    OutcomeStream,
    Run,
    RunOptions,
    SettlingMeans,
    collect,
    outcome_stream,
    settle_recorded,
)
from contactsdk.bulk.actions import RequestedBatchActions
from contactsdk.bulk.options import DEFAULT_BATCHES, DEFAULT_CONCURRENCY, DEFAULT_GIVE_UP_S
from contactsdk.bulk.turns import SharedRate
from contactsdk.calls import Caller
from contactsdk.journal import Account, Journal
from contactsdk.lookups import Lookups
from contactsdk.models import Contact, CustomFieldDefinition, Group, Item
from contactsdk.retry import RetryPolicy, cancelled_error, is_idempotent
from contactsdk.settling import MOST_PAGES, AnsweredIds, CallSettler, KeysInDoubt
from contactsdk.signing import Credentials
from contactsdk.wire import ContactFilter

if TYPE_CHECKING:
    from contactsdk.distributed import SubmittedRun
    from contactsdk.journal.postgres import PostgresJournal


class ContactClient:
    """Adds and updates contacts on one account of the platform.

    Make one for each account and event loop, share it among any number of tasks, and close it:
    `async with`, or `await client.aclose()`. Its session is made at first use. All its calls and
    bulk runs share what it learns about the platform: the rate that is allowed, and an outage.

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
        TypeError: `credentials` are no `Credentials`, `session` is no session of aiohttp, or
            `retry` is no `RetryPolicy`.
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
        key, secret = ("", "") if credentials is None else (credentials.key, credentials.secret)
        self._account = Account(url=str(self._contact_url), key=key, secret=secret)
        self._retry = retry
        self._caller = Caller(self._requester, retry)
        self._lookups = Lookups(self._requester, self._caller)
        self._answered_ids = AnsweredIds(keeps=retry.settle_s is not None)
        self._keys_in_doubt = KeysInDoubt()
        self._settler = CallSettler(
            self._lookups,
            retry,
            self._answered_ids,
            self._keys_in_doubt,
            platform_now=self._platform_now,
            clock=lambda: self._requester.running_loop().time(),
        )

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

    @property
    def account(self) -> Account:
        """Whose contacts it sends, as journals and workers tell accounts apart."""
        return self._account

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
            UncertainError: It may have been applied; look before sending it again. With the
                policy's `settle_s`, it was looked for, and the message says with which result.
            TypeError: `contact` is no `Contact`.
            RuntimeError: The client is closed, or belongs to another event loop.
        """
        if not isinstance(contact, Contact):
            raise TypeError(f"contact must be a Contact, not {type(contact).__name__}")
        content = wire.encode(contact)
        is_safe = is_idempotent(contact, self._retry)
        delivery = self._caller.delivery(deadline_s, is_idempotent=is_safe)
        send = functools.partial(
            self._caller.call, self._contact_url, content, wire.read_id, delivery
        )
        try:
            if self._retry.settle_s is not None:
                return await self._settler.call(contact, delivery, send)
            contact_id = await send()
        except asyncio.CancelledError as cancellation:
            # Whoever catches it, or the TimeoutError made of it, learns what is known.
            raise cancellation from cancelled_error(delivery)
        self._answered_ids.record(contact_id)
        return contact_id

    async def ping(self, *, deadline_s: float | None = None) -> datetime.datetime:
        """The platform's time, in UTC: proves that address, key and secret work.

        Raises:
            SetupError: They do not; an `AuthenticationError` where key, secret or clock is wrong.
            RateLimitedError: Too many requests.
            UnavailableError: The platform cannot be reached, or its answer cannot be read.
            RuntimeError: The client is closed, or belongs to another event loop.
        """
        return await self._lookups.ping(deadline_s)

    async def find(
        self,
        *,
        external_id: str | None = None,
        first_name: str | None = None,
        last_name: str | None = None,
        email: str | None = None,
        modified_since: datetime.datetime | None = None,
        deadline_s: float | None = None,
    ) -> tuple[int, ...]:
        """The ids of all contacts for which all criteria are true, in the platform's order.

        Empty for none. Texts are compared whole, but for blanks at their ends and the case of the
        email; `modified_since` must know its time zone. The platform filters, and each criterion
        is then held against what it lists, since no page says that its filters are exact.
        `deadline_s` bounds each page of the list.

        Raises:
            ValueError: There is no criterion, or `modified_since` knows no time zone.
            RejectedError: The platform refused the search.
            SetupError: Every call will fail, or the key may not look contacts up; an
                `AuthenticationError` where key, secret or clock is wrong.
            RateLimitedError: Too many requests.
            UnavailableError: The platform cannot be reached, its answer cannot be read, or the
                list changed each time that it was read.
            RuntimeError: The client is closed, or belongs to another event loop.
        """
        wanted = ContactFilter(
            external_id=external_id,
            first_name=first_name,
            last_name=last_name,
            email=email,
            modified_since=modified_since,
        )
        if wanted == ContactFilter():
            raise ValueError("find needs at least one criterion, such as external_id")
        if modified_since is not None and modified_since.tzinfo is None:
            raise ValueError("modified_since must know its time zone")
        return tuple(contact.id for contact in await self._lookups.find(wanted, deadline_s))

    async def get(self, contact_id: int, *, deadline_s: float | None = None) -> Mapping[str, Any]:
        """All that the platform shows of a contact, in the platform's names.

        Raises:
            RejectedError: There is no contact with this id.
            SetupError: Every call will fail, or the key may not look contacts up; an
                `AuthenticationError` where key, secret or clock is wrong.
            RateLimitedError: Too many requests.
            UnavailableError: The platform cannot be reached, or its answer cannot be read.
            RuntimeError: The client is closed, or belongs to another event loop.
        """
        return await self._lookups.get(contact_id, deadline_s)

    async def groups(self, *, deadline_s: float | None = None) -> tuple[Group, ...]:
        """The subscription groups of the account, in the platform's order.

        Raises:
            SetupError: Every call will fail, or the key may not ask for them; an
                `AuthenticationError` where key, secret or clock is wrong.
            RateLimitedError: Too many requests.
            UnavailableError: The platform cannot be reached, or its answer cannot be read.
            RuntimeError: The client is closed, or belongs to another event loop.
        """
        return await self._lookups.groups(deadline_s)

    async def custom_fields(
        self, *, deadline_s: float | None = None
    ) -> tuple[CustomFieldDefinition, ...]:
        """The custom fields of the account's contacts, in the platform's order.

        Raises:
            SetupError: Every call will fail, or the key may not ask for them; an
                `AuthenticationError` where key, secret or clock is wrong.
            RateLimitedError: Too many requests.
            UnavailableError: The platform cannot be reached, or its answer cannot be read.
            RuntimeError: The client is closed, or belongs to another event loop.
        """
        return await self._lookups.custom_fields(deadline_s)

    def stream(
        self, contacts: Iterable[Item] | AsyncIterable[Item], **options: Unpack[BulkOptions]
    ) -> OutcomeStream:
        """Add or update many contacts: the outcome of each as it comes, in constant memory.

        Use it as `async with client.stream(contacts) as outcomes: async for outcome in outcomes`.
        Exactly one outcome comes for each item read, in no order; its `index` is its place in the
        input. An `InvalidContactError` in the input becomes its own outcome, unsent. Contacts with
        the same id, or without one the same names and email, are sent one after another in input
        order; but an uncertain earlier one may still be applied after a later one.

        With `batch_size`, that many contacts go in one request, and others fetch their results. An
        answer that is lost then leaves a whole batch uncertain, but for contacts that may be sent
        again safely. The deadline of the retry policy says until when a contact is sent; results of
        a batch that was accepted are waited for until it has made no progress for `give_up_s`.

        The run finds the rate that the platform allows, and pauses as a whole when it throttles or
        does not answer; that costs no contact an attempt. Unless this client has had a good answer
        before, the first contact goes alone; in a run with batches it always does.

        Args:
            contacts: An iterable or async iterable of contacts, and of errors where there was no
                valid one (`contacts_from` makes both). A blocking iterator blocks the event loop.
            **options: See `BulkOptions`; all may be left out.

                - `concurrency`: How many requests are in flight at a time, at most: 32 contacts by
                  default, or 4 batches.
                - `batch_size`: How many contacts go in one request, from 1 to 200; `None`, the
                  default, sends each by itself.
                - `rate_per_s`: How many requests may leave in any second, at most; rounded up. A
                  `PostgresRate` is a ceiling that many processes share.
                - `give_up_s`: For how many seconds a platform that lets nothing through is tried,
                  and the longest wait that it may ask for, before the run stops; 300 by default.
                - `retry`: The policy of this run; the client's by default.
                - `journal`: Where the run is recorded, so that it can go on after the process has
                  died. Entering the stream raises a `JournalError` where it cannot be used.
                - `on_progress`: Is called with a `Progress`, ten times a second at most.

        Raises:
            ValueError: A number is out of its range, or `concurrency` is more than the connections
                of this client.
            TypeError: `contacts` is no iterable of contacts, or an option is unknown.
            RuntimeError: The client belongs to another event loop.
        """
        unknown = options.keys() - BulkOptions.__annotations__.keys()
        if unknown:
            raise TypeError(f"unknown option: {', '.join(sorted(unknown))}")
        journal, batch_size = options.get("journal"), options.get("batch_size")
        rate, policy = options.get("rate_per_s"), options.get("retry") or self._retry
        run_options = RunOptions(
            policy=policy,
            concurrency=self._concurrency(options.get("concurrency"), batch_size),
            batch_size=batch_size,
            rate_per_s=None if isinstance(rate, SharedRate) else rate,
            give_up_s=options.get("give_up_s", DEFAULT_GIVE_UP_S),
            on_progress=options.get("on_progress"),
        )
        loop = self._requester.running_loop()  # an error here, and not in the middle of the run
        run = Run(
            contacts,
            functools.partial(self._requester.attempt, self._contact_url, read=wire.read_id),
            RequestedBatchActions(self._requester),
            self._caller.pacer,
            run_options,
            open_journal=None
            if journal is None
            else functools.partial(
                journal.open_run, self._account, attempt_timeout_s=self._requester.timeout_s
            ),
            is_proven=self._requester.has_succeeded,
            ids=self._ids_for(policy),
            settling=self._settling_means(),
            turns=rate.turns(self._account, self._caller.pacer, loop.time)
            if isinstance(rate, SharedRate)
            else None,
        )
        return outcome_stream(run)

    async def add_or_update_many(
        self,
        contacts: Iterable[Item] | AsyncIterable[Item],
        *,
        into: list[Outcome] | None = None,
        **options: Unpack[BulkOptions],
    ) -> BulkReport:
        """Add or update many contacts and report on every one of them, in input order.

        It raises for no contact: see the report's `failures` and `uncertain`, and `stopped_by` for
        a run that ended early. All outcomes are kept in memory.

        Args:
            contacts: As of `stream`.
            into: A list that gets each outcome as it comes. It keeps what is known if this call is
                cancelled, such as by `asyncio.timeout`, and so returns no report.
            **options: As of `stream`; see `BulkOptions`.

        Raises:
            ValueError: As of `stream`.
            TypeError: As of `stream`.
            RuntimeError: As of `stream`.
            JournalError: The journal cannot be used.
        """
        return await collect(self.stream(contacts, **options), into)

    async def submit(
        self,
        contacts: Iterable[Item] | AsyncIterable[Item],
        *,
        journal: "PostgresJournal",
        partitions: int = 64,
        rate_per_s: float | None = None,
        batch_size: int | None = None,
        give_up_s: float = DEFAULT_GIVE_UP_S,
        retry: RetryPolicy | None = None,
    ) -> "SubmittedRun":
        """Put many contacts into a database, for workers on any machines to send; see the run.

        It returns once the whole input is there. `contactsdk worker` sends it, as many of them as
        there are. A process that dies before that is started again with the same input and goes on
        where it was. Until the whole input is there, nothing is sent.

        Args:
            contacts: As of `stream`. An `InvalidContactError` in it gets its own row, unsent.
            journal: The database and the name of the run.
            partitions: Into how many parts the run is divided, by the keys of its contacts: so many
                workers can send it at a time.
            rate_per_s: How many requests of all workers together may leave in any second, at most.
            batch_size: As of `stream`.
            give_up_s: As of `stream`.
            retry: The policy of this run; the client's by default.

        Raises:
            JournalError: There is a run of this name with another input, account or number of
                partitions; or another process is submitting it; or the database cannot be used.
            ValueError: A number is out of its range.
            TypeError: `contacts` is no iterable of contacts.
        """
        # Here, since what it needs is an extra.
        from contactsdk.distributed.feeder import Enqueue, feed
        from contactsdk.distributed.settings import RunSettings

        enqueue: Enqueue | None = None
        # Without the extra `workers` there are no jobs: the first worker that looks makes them.
        with contextlib.suppress(ImportError):
            from contactsdk.distributed.engine import first_jobs_of

            enqueue = first_jobs_of(journal.database, self._account)
        settings = RunSettings(
            retry=retry or self._retry,
            batch_size=batch_size,
            rate_per_s=rate_per_s,
            give_up_s=give_up_s,
            attempt_timeout_s=self._requester.timeout_s,
        )
        return await feed(
            contacts,
            journal,
            self._account,
            settings,
            partitions=partitions,
            enqueue=enqueue,
        )

    def check_journal(self, journal: Journal, contacts: Iterable[Item]) -> None:
        """See, before anything is sent, that this whole input is the one that was recorded.

        Rows may have been appended since. A run with the journal looks at each item as it comes,
        and sends nothing from the first one that differs on. The journal is only read.

        Raises:
            JournalError: It is not, and `number` names the first item that differs; or the journal
                cannot be used.
        """
        journal.check_account(contacts, self._account)

    async def settle(
        self,
        journal: Journal,
        contacts: Iterable[Item],
        *,
        confirm: Confirm | None = None,
    ) -> tuple[Outcome, ...]:
        """Look for the adds that a journal calls uncertain, and record those that are found.

        Nothing is sent again. Use it some time after the run, so that lists show what was written.
        A contact is found if exactly one on the platform has all that was sent and that lists show,
        an id above those that were answered before it was sent, and is no other row's.

        Args:
            journal: The journal of the runs; made without `resend_uncertain`.
            contacts: The whole input that it recorded.
            confirm: Is given the outcomes before any is recorded; if it returns false, none is. It
                is called in a thread of its own, so it may wait for a person.

        Returns:
            The outcomes of these adds, in input order: with an id and `settled`, or with an
            `UncertainError` that says what was found. Updates, and adds with `update_if_exists`,
            are not among them: a run sends those again that were in flight when it ended, and those
            that it called uncertain with the journal's `resend_uncertain`.

        Raises:
            SetupError: Contacts cannot be looked up; an `AuthenticationError` where key, secret or
                clock is wrong. Nothing was recorded.
            JournalError: The contacts are not those of the journal, or it cannot be used.
            ValueError: The journal has `resend_uncertain`.
            RuntimeError: The client is closed, or belongs to another event loop.
        """
        if journal.resend_uncertain:
            raise ValueError("settle needs a journal without resend_uncertain")
        run = await journal.open_to_settle(
            self._account, attempt_timeout_s=self._requester.timeout_s
        )
        try:
            find = functools.partial(self._lookups.find, deadline_s=None, most_pages=MOST_PAGES)
            return await settle_recorded(run, contacts, find, confirm)
        finally:
            await run.close()

    async def aclose(self) -> None:
        """Close the session, if this client made it. Calls in flight end with an error.

        Raises:
            RuntimeError: The client belongs to another event loop.
        """
        await self._requester.aclose()

    async def __aenter__(self) -> Self:
        self._requester.running_loop()  # from now on it is this loop's
        return self

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self.aclose()

    def _ids_for(self, policy: RetryPolicy) -> AnsweredIds:
        """The ids that were answered, as a run with this policy needs them."""
        if policy.settle_s is None or self._retry.settle_s is not None:
            return self._answered_ids
        ids = AnsweredIds(keeps=True)  # the client keeps none
        ids.note_highest(self._answered_ids.highest)
        return ids

    def _settling_means(self) -> SettlingMeans:
        list_url = self._lookups.list_url
        return SettlingMeans(
            list_page=functools.partial(self._requester.attempt, list_url, read=wire.read_page),
            keys=self._keys_in_doubt,
            platform_now=self._platform_now,
        )

    def _platform_now(self) -> datetime.datetime:
        """The platform's time, as far as its clock is known."""
        return datetime.datetime.fromtimestamp(
            time.time() + self._requester.clock_offset_s, datetime.UTC
        )

    def _concurrency(self, asked: int | None, batch_size: int | None) -> int:
        """How many requests of a run may be open at a time.

        Raises:
            ValueError: They are more than there may be connections.
        """
        most = self._requester.max_connections
        if asked is None:
            usual = DEFAULT_CONCURRENCY if batch_size is None else DEFAULT_BATCHES
            return usual if most is None else min(usual, most)
        if isinstance(asked, int) and most is not None and asked > most:
            raise ValueError(
                f"concurrency {asked} is more than the {most} connections of this client: raise "
                "max_connections or lower it"
            )
        return asked
