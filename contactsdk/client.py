"""The public methods of the SDK."""

# Annotations are not evaluated, since those of bulk runs would import all of their modules.
from __future__ import annotations

import asyncio
import contextlib
import datetime
import functools
import os
import time
from collections.abc import AsyncIterable, Awaitable, Callable, Iterable, Mapping, Sequence
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self, Unpack

import aiohttp

from contactsdk import bulk, wire
from contactsdk.attempt import Requester
from contactsdk.bulk.options import (
    DEFAULT_BATCHES,
    DEFAULT_CONCURRENCY,
    DEFAULT_GIVE_UP_S,
    BulkOptions,
    RunOptions,
)
from contactsdk.calls import Caller
from contactsdk.journal import Account, Journal, RunJournal
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

    Make one client for each account and event loop, and share it among any number of tasks. Close
    it with `async with` or `await client.aclose()`. Its session is made at first use. All calls and
    bulk runs of a client share its pacer: the rate limit that was found, pauses, and the circuit
    breaker.

    Args:
        base_url: The platform's address, such as `https://api.ap-southeast-2.ivvy.com`. Plain http
            is allowed only to this machine.
        credentials: The account's key and secret; with `None` requests are not signed, for a
            gateway that signs them.
        session: A session of your own, with its own proxy, TLS and tracing. It is used unchanged
            and never closed. `max_connections` and `keepalive_s` are then ignored: its connector
            has its own limits. `None` makes a session.
        retry: How often each call tries, and how long it waits; by default 5 attempts within 120 s.
        timeout_s: How long an attempt may take, in seconds, from the moment when it has a
            connection until the answer is complete.
        connect_timeout_s: How long making a connection (DNS, TCP, TLS, proxy) may take, in seconds.
        max_connections: The largest number of connections; further attempts wait.
        keepalive_s: How long an idle connection is kept, in seconds. Keep it below the server's own
            limit: if the server closes a connection just as an add is sent, the add is uncertain.
        trace_configs: Trace configurations of aiohttp for the session that this client makes.

    Raises:
        ValueError: An argument is wrong; the message says what is expected.
        TypeError: `credentials` is not a `Credentials`, `session` is not an
            `aiohttp.ClientSession`, or `retry` is not a `RetryPolicy`.
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
        """Make a client from the environment variables `CONTACTSDK_URL`, `CONTACTSDK_KEY` and
        `CONTACTSDK_SECRET`.

        All other arguments have their defaults. To set one, call `ContactClient(...)` instead.

        Raises:
            ValueError: One of the variables is missing or wrong.
        """
        names = ("CONTACTSDK_URL", "CONTACTSDK_KEY", "CONTACTSDK_SECRET")
        if missing := [name for name in names if not os.environ.get(name)]:
            raise ValueError(f"not set in the environment: {', '.join(missing)}")
        url, key, secret = (os.environ[name] for name in names)
        return cls(url, Credentials(key, secret))

    @property
    def account(self) -> Account:
        """The account of this client, as journals and workers use it."""
        return self._account

    async def add_or_update(self, contact: Contact, *, deadline_s: float | None = None) -> int:
        """Add the contact, or update the one with its `id`; returns the platform's id.

        Args:
            contact: The contact.
            deadline_s: How long the call may take, in seconds, including all attempts and waits;
                `None` uses the policy's deadline. Prefer it to `asyncio.timeout` around the call: a
                call that is cancelled returns no result.

        Raises:
            RejectedError: The platform refused this contact.
            SetupError: Every call will fail; an `AuthenticationError` if key, secret or clock is
                wrong.
            RateLimitedError: The contact was not applied: there are too many requests.
            UnavailableError: The contact was not applied: it was never sent, or declined for now.
            UncertainError: The contact may have been applied; look it up before you send it again.
                If the policy has `settle_s`, it was looked up, and the message says what was found.
            ValueError: `deadline_s` is not a positive number of seconds.
            TypeError: `contact` is not a `Contact`.
            RuntimeError: The client is closed, or belongs to another event loop.
        """
        if not isinstance(contact, Contact):
            raise TypeError(f"contact must be a Contact, not {type(contact).__name__}")
        content = wire.encode(contact)
        is_safe = is_idempotent(contact, self._retry)
        delivery = self._caller.delivery(deadline_s, is_idempotent=is_safe)
        call = self._caller.call
        try:
            if self._retry.settle_s is not None:
                send = functools.partial(call, self._contact_url, content, wire.read_id, delivery)
                return await self._settler.call(contact, delivery, send)
            contact_id = await call(self._contact_url, content, wire.read_id, delivery)
        except asyncio.CancelledError as cancellation:
            # The cause tells the caller whether the contact may have been applied.
            raise cancellation from cancelled_error(delivery)
        self._answered_ids.record(contact_id)
        return contact_id

    async def ping(self, *, deadline_s: float | None = None) -> datetime.datetime:
        """Check that address, key and secret work; returns the platform's time, in UTC.

        `deadline_s` is the time for the whole call in seconds; `None` uses the policy's.

        Raises:
            SetupError: They do not work; an `AuthenticationError` if key, secret or clock is wrong.
            RateLimitedError: There are too many requests.
            UnavailableError: The platform cannot be reached, or its answer cannot be read.
            ValueError: `deadline_s` is not a positive number of seconds.
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
        """Find contacts that match all criteria; returns their ids, in the platform's order.

        The result is empty if none matches. A criterion that is `None` matches any value. Texts
        must be equal as a whole; only blanks at the ends, and the case of the email, do not matter.
        The platform filters, and then each criterion is compared with the listed contacts, since no
        page says that the platform's filters are exact.

        Args:
            external_id: The contact's id in another system.
            first_name: The whole first name.
            last_name: The whole last name.
            email: The email address, in any case.
            modified_since: The contact was modified at this time or later; it must be
                timezone-aware.
            deadline_s: The time for each page of the list in seconds; `None` uses the policy's.

        Raises:
            ValueError: There is no criterion, `modified_since` is not timezone-aware, or
                `deadline_s` is not a positive number of seconds.
            TypeError: `modified_since` is not a datetime.
            RejectedError: The platform refused the search.
            SetupError: Every call will fail, or the key is not allowed to look contacts up; an
                `AuthenticationError` if key, secret or clock is wrong.
            RateLimitedError: There are too many requests.
            UnavailableError: The platform cannot be reached, its answer cannot be read, or the
                list changed each time it was read.
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
        if modified_since is not None:
            if not isinstance(modified_since, datetime.datetime):
                kind = type(modified_since).__name__
                raise TypeError(f"modified_since must be a datetime, not {kind}")
            if modified_since.utcoffset() is None:
                raise ValueError("modified_since must be timezone-aware")
        return tuple(contact.id for contact in await self._lookups.find(wanted, deadline_s))

    async def get(self, contact_id: int, *, deadline_s: float | None = None) -> Mapping[str, Any]:
        """All fields of a contact that the platform shows, under the platform's own field names.

        Args:
            contact_id: The platform's id of the contact.
            deadline_s: The time for the whole call in seconds; `None` uses the policy's.

        Raises:
            ValueError: `deadline_s` is not a positive number of seconds.
            RejectedError: There is no contact with this id, or the id was refused.
            SetupError: Every call will fail, or the key is not allowed to look contacts up; an
                `AuthenticationError` if key, secret or clock is wrong.
            RateLimitedError: There are too many requests.
            UnavailableError: The platform cannot be reached, or its answer cannot be read.
            RuntimeError: The client is closed, or belongs to another event loop.
        """
        return await self._lookups.get(contact_id, deadline_s)

    async def groups(self, *, deadline_s: float | None = None) -> tuple[Group, ...]:
        """The subscription groups of the account, in the platform's order; empty if it has none.

        `deadline_s` is the time for the whole call in seconds; `None` uses the policy's.

        Raises:
            ValueError: `deadline_s` is not a positive number of seconds.
            RejectedError: The platform refused the request.
            SetupError: Every call will fail, or the key is not allowed to read groups; an
                `AuthenticationError` if key, secret or clock is wrong.
            RateLimitedError: There are too many requests.
            UnavailableError: The platform cannot be reached, or its answer cannot be read.
            RuntimeError: The client is closed, or belongs to another event loop.
        """
        return await self._lookups.groups(deadline_s)

    async def custom_fields(
        self, *, deadline_s: float | None = None
    ) -> tuple[CustomFieldDefinition, ...]:
        """The custom fields of the account's contacts, in the platform's order; empty if none.

        `deadline_s` is the time for the whole call in seconds; `None` uses the policy's.

        Raises:
            ValueError: `deadline_s` is not a positive number of seconds.
            RejectedError: The platform refused the request.
            SetupError: Every call will fail, or the key is not allowed to read custom fields; an
                `AuthenticationError` if key, secret or clock is wrong.
            RateLimitedError: There are too many requests.
            UnavailableError: The platform cannot be reached, or its answer cannot be read.
            RuntimeError: The client is closed, or belongs to another event loop.
        """
        return await self._lookups.custom_fields(deadline_s)

    def stream(
        self, contacts: Iterable[Item] | AsyncIterable[Item], **options: Unpack[BulkOptions]
    ) -> bulk.OutcomeStream:
        """Add or update many contacts, with an outcome for each as soon as it is known.

        Use it as `async with client.stream(contacts) as outcomes: async for outcome in outcomes`.
        Memory does not grow with the input. Exactly one outcome comes for each item that was read,
        in any order; its `index` is the item's place in the input. An `InvalidContactError` in the
        input is not sent and becomes an outcome. Contacts with the same id are sent one after
        another in input order; so are contacts without an id that have the same first name, last
        name and email. But if an earlier one is uncertain, the platform may still apply it after a
        later one.

        With `batch_size`, up to that many contacts go in one request, and further requests fetch
        their results. If an answer is lost, the whole batch is uncertain, except for contacts that
        can be sent again safely. The deadline of the retry policy limits how long a contact is
        sent. The results of an accepted batch are waited for until the batch has made no progress
        for `give_up_s`.

        The run finds the rate that the platform allows. When the platform throttles or is
        unavailable, the whole run pauses, and the attempts do not count against the contacts. In an
        outage, adds that are in flight or that probe the platform may become uncertain: use
        `update_if_exists` or the policy's `settle_s`. The first contact goes alone, unless this
        client has had a good answer before; in a run with batches it always goes alone.

        Args:
            contacts: An iterable or async iterable of contacts, and of the errors of invalid ones
                (`contacts_from` makes both). A blocking iterator blocks the event loop.
            **options: The options of `contactsdk.BulkOptions`, all of them optional.

                - `concurrency`: The largest number of requests in flight. `None`, the default,
                  means 32 contacts or 4 batches, or fewer if the client has fewer connections.
                - `batch_size`: The largest number of contacts in one request, from 1 to 200.
                  `None`, the default, sends each contact in its own request.
                - `rate_per_s`: The largest number of requests a second. On average it is exact;
                  within any one second it is rounded up (0.5 to 1). A `PostgresRate` is a ceiling
                  that many processes share. `None`, the default, means no ceiling.
                - `give_up_s`: For how many seconds the platform may let nothing through before the
                  run stops; 300 by default. The run also stops if the platform asks for a longer
                  wait than this. `None` is refused.
                - `retry`: The policy of this run; `None`, the default, uses the client's.
                - `journal`: The journal that records the run, so that it can continue after the
                  process has died. Entering the stream raises a `JournalError` if the journal
                  cannot be used. `None`, the default, means no journal.
                - `on_progress`: Called with a `Progress`, at most ten times a second and once at
                  the end. `None`, the default, means no calls.

        Raises:
            ValueError: A number is out of its range, or `concurrency` is more than this client has
                connections.
            TypeError: `contacts` is not an iterable of contacts, `journal` is not a journal, or an
                option is unknown. A wrong item later in the input ends the run: `stopped_by` is
                then a `TypeError`.
            RuntimeError: The client belongs to another event loop.
        """
        unknown = options.keys() - BulkOptions.__annotations__.keys()
        if unknown:
            raise TypeError(
                f"unknown option: {', '.join(sorted(unknown))}; options are "
                f"{', '.join(BulkOptions.__annotations__)}"
            )
        journal, batch_size = options.get("journal"), options.get("batch_size")
        if journal is not None:
            _check_is_journal(journal)
        rate, policy = options.get("rate_per_s"), options.get("retry") or self._retry
        run_options = RunOptions(
            policy=policy,
            concurrency=self._concurrency(options.get("concurrency"), batch_size),
            batch_size=batch_size,
            rate_per_s=None if isinstance(rate, bulk.SharedRate) else rate,
            give_up_s=options.get("give_up_s", DEFAULT_GIVE_UP_S),
            on_progress=options.get("on_progress"),
        )
        loop = self._requester.running_loop()  # so that a wrong loop is an error before the run
        run = bulk.Run(
            contacts,
            self._send,
            bulk.RequestedBatchActions(self._requester),
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
            if isinstance(rate, bulk.SharedRate)
            else None,
        )
        return bulk.outcome_stream(run)

    async def add_or_update_many(
        self,
        contacts: Iterable[Item] | AsyncIterable[Item],
        *,
        into: list[bulk.Outcome] | None = None,
        **options: Unpack[BulkOptions],
    ) -> bulk.BulkReport:
        """Add or update many contacts; returns a report on all of them, in input order.

        It does not raise for a contact: see the report's `failures` and `uncertain`, and
        `stopped_by` if the run ended early. All outcomes are kept in memory.

        Args:
            contacts: As for `stream`.
            into: A list that gets each outcome as soon as it is known. If this call is cancelled,
                for example by `asyncio.timeout`, it returns no report, but the list keeps the
                outcomes.
            **options: As for `stream`.

        Raises:
            ValueError: As for `stream`.
            TypeError: As for `stream`.
            RuntimeError: As for `stream`.
            JournalError: The journal cannot be used.
            BaseException: The input raised something that is not an `Exception`, such as a
                `KeyboardInterrupt`; `into` keeps the outcomes.
        """
        return await bulk.collect(self.stream(contacts, **options), into)

    async def submit(
        self,
        contacts: Iterable[Item] | AsyncIterable[Item],
        *,
        journal: PostgresJournal,
        partitions: int = 64,
        rate_per_s: float | None = None,
        batch_size: int | None = None,
        give_up_s: float = DEFAULT_GIVE_UP_S,
        retry: RetryPolicy | None = None,
    ) -> SubmittedRun:
        """Write many contacts to a database, from where workers on any machines send them.

        It returns a `SubmittedRun` when the whole input is in the database. Nothing is sent before
        that. Any number of `contactsdk worker` processes then send the run. If this process dies
        before the end, start it again with the same input: it continues where it stopped.

        Args:
            contacts: As for `stream`. An `InvalidContactError` gets a row and is not sent.
            journal: The database and the name of the run.
            partitions: How many partitions the run has, by the keys of its contacts, from 1 to
                1024. At most this many workers can send it at a time.
            rate_per_s: How many requests all workers together may send in any second; `None` for no
                ceiling.
            batch_size: As for `stream`.
            give_up_s: As for `stream`.
            retry: The policy of this run; `None` uses the client's.

        Raises:
            JournalError: There is a run of this name with another input, account or number of
                partitions; or another process is submitting it; or the database cannot be used.
            ValueError: A number is out of its range.
            TypeError: `contacts` is not an iterable of contacts.
        """
        # These are imported here, since they need the extra `postgres`.
        from contactsdk.distributed.feeder import Enqueue, feed
        from contactsdk.distributed.settings import RunSettings

        enqueue: Enqueue | None = None
        # Without the extra `workers` no jobs can be queued here. The first worker queues them.
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
        """Check, before anything is sent, that this is the recorded input of a journal.

        Items may have been appended since. Without this check, a run compares each item when it
        reads it, and sends nothing from the first item on that differs. The journal is not changed.

        This is synchronous and blocks the event loop: use `asyncio.to_thread`. It consumes
        `contacts` if that is an iterator: pass a list, or make the iterator again for the run.

        Raises:
            JournalError: An item differs or is missing, and `number` is its index; or the journal
                cannot be used.
            TypeError: `journal` is not a journal.
        """
        _check_is_journal(journal)
        journal.check_account(contacts, self._account)

    async def settle(
        self,
        journal: Journal,
        contacts: Iterable[Item],
        *,
        confirm: bulk.Confirm | None = None,
    ) -> tuple[bulk.Outcome, ...]:
        """Look up the adds that a journal records as uncertain, and record those that are found.

        Nothing is sent again. Use it some time after the run, so that lists show the new contacts.
        An add is found if exactly one contact on the platform matches it: all listed fields that
        were sent are equal, its id is above all ids that were answered before the add was sent, and
        its id is not that of another row.

        Args:
            journal: The journal of the runs; it must not have `resend_uncertain`.
            contacts: The whole input that the journal recorded; an iterator is consumed.
            confirm: Called with the outcomes before any of them is recorded; if it returns false,
                none is recorded. It is called in its own thread, so it may wait for a person.
                `None` records them.

        Returns:
            The outcomes of these adds, in input order: with an id and `settled`, or with an
            `UncertainError` that says what was found. Updates, and adds with `update_if_exists`,
            are not among them, since a run can send them again safely: it does so if they were in
            flight when the run ended, and with the journal's `resend_uncertain` if they were
            recorded as uncertain.

        Raises:
            SetupError: Contacts cannot be looked up; an `AuthenticationError` if key, secret or
                clock is wrong. Nothing was recorded.
            JournalError: The contacts differ from those of the journal, or it cannot be used.
            ValueError: The journal has `resend_uncertain`.
            TypeError: `journal` is not a journal.
            RuntimeError: The client is closed, or belongs to another event loop.
        """
        _check_is_journal(journal)
        if journal.resend_uncertain:
            raise ValueError("settle needs a journal without resend_uncertain")
        run = await journal.open_to_settle(
            self._account, attempt_timeout_s=self._requester.timeout_s
        )
        try:
            find = functools.partial(self._lookups.find, deadline_s=None, most_pages=MOST_PAGES)
            return await bulk.settle_recorded(run, contacts, find, confirm)
        finally:
            await run.close()

    async def aclose(self) -> None:
        """Close the session, if this client made it. Calls in flight end with an error.

        Raises:
            RuntimeError: The client belongs to another event loop.
        """
        await self._requester.aclose()

    async def __aenter__(self) -> Self:
        self._requester.running_loop()  # this binds the client to the running event loop
        return self

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self.aclose()

    def _send(
        self, content: bytes, *, deadline: float | None, before_send: Callable[[], object]
    ) -> Awaitable[int]:
        """Make one attempt to send an encoded contact, for a run."""
        return self._requester.attempt(
            self._contact_url, content, wire.read_id, deadline=deadline, before_send=before_send
        )

    def _ids_for(self, policy: RetryPolicy) -> AnsweredIds:
        """The answered ids for a run with this policy."""
        if policy.settle_s is None or self._retry.settle_s is not None:
            return self._answered_ids
        ids = AnsweredIds(keeps=True)  # the client's own object keeps no single ids
        ids.note_highest(self._answered_ids.highest)
        return ids

    def _settling_means(self) -> bulk.SettlingMeans:
        list_url = self._lookups.list_url
        return bulk.SettlingMeans(
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
        """The largest number of requests of a run in flight; `None` for `asked` is the default.

        Raises:
            ValueError: `asked` is more than the client may have connections.
        """
        most = self._requester.max_connections
        if asked is None:
            usual = DEFAULT_CONCURRENCY if batch_size is None else DEFAULT_BATCHES
            return usual if most is None else min(usual, most)
        if isinstance(asked, int) and most is not None and asked > most:
            raise ValueError(
                f"concurrency {asked} is more than the {most} connections of this client: lower "
                "concurrency, or raise max_connections (if you passed a session: the limit of its "
                "connector)"
            )
        return asked


def _check_is_journal(journal: RunJournal) -> None:
    """Refuse a value that is not a journal, such as the path of its file.

    Raises:
        TypeError: `journal` is not a journal.
    """
    if not hasattr(journal, "open_run"):
        kind = type(journal).__name__
        raise TypeError(f"journal must be a journal, such as SqliteJournal(path), not {kind}")
