"""The sandbox: the platform behind a real socket on this machine."""

import secrets
import ssl
import time
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from types import TracebackType
from typing import Any, Self

import attrs
from aiohttp import web

from contactsdk.sandbox.account import Account
from contactsdk.sandbox.alarm import BatchAlarm
from contactsdk.sandbox.batches import Batch
from contactsdk.sandbox.callbacks import Callbacks
from contactsdk.sandbox.custom_fields import FieldDefinition, FieldType
from contactsdk.sandbox.exchanges import Exchanges
from contactsdk.sandbox.faults import DEFAULT_MIX, JOB_MIX, Fault, FaultPlan, JobFault
from contactsdk.sandbox.guesses import Guesses
from contactsdk.sandbox.ledger import Ledger, Request
from contactsdk.sandbox.limits import Limiter, RateLimit
from contactsdk.sandbox.listener import Listener
from contactsdk.sandbox.platform import Platform
from contactsdk.sandbox.rivals import Rival
from contactsdk.sandbox.settings import Settings
from contactsdk.sandbox.validation import Rules
from contactsdk.sandbox.viewing import Viewer


class Sandbox:
    """The platform on this machine, for tests and for trying things with no account.

    ```python
    async with Sandbox() as sandbox:
        ...  # call sandbox.url with sandbox.key and sandbox.secret
        assert sandbox.ledger.writes[0].body["firstName"] == "Bobby"
    ```

    Args:
        key: Random unless given; `secret` likewise.
        host: Where to listen.
        port: 0 takes a free port, and keeps it.
        errors_at_200: Answer errors with HTTP status 200; short for a guess.
        groups: Those of the account, with or without names; `None` where any will do.
        companies: Those of the account; `None` where any will do.
        custom_fields: Those of the account; `None` where any will do, with any value.
        guesses: What the sandbox does where no page says what the platform does.
        denied: Actions that the key may not use, such as `batch?action=run`, with the `errorCode`
            that is then answered.
        clock: Epoch seconds, for the age of a request, modifiedDate, batches and the Date header.
        latency_s: How long each answer waits.
        rate_limit: How many requests a second are let in; `None` for any number.
        batch_rate_per_s: How many jobs a second a batch executes; `None` executes it at once.
        list_lag_s: How long after a write lists do not show it.
        per_page_max: What `perPage` is cut to without a word.
        hidden_in_lists: Fields that getContactList does not show.
        ssl_context: Speak TLS.
        keepalive_timeout_s: After how long an idle connection is closed.
        on_answer: Called with each request once it was answered, or not answered for good.
    """

    def __init__(
        self,
        *,
        key: str | None = None,
        secret: str | None = None,
        host: str = "127.0.0.1",
        port: int = 0,
        errors_at_200: bool = False,
        groups: Iterable[int] | Mapping[int, str] | None = None,
        companies: Iterable[int] | None = None,
        custom_fields: Mapping[int, FieldType]
        | Mapping[int, FieldDefinition]
        | Mapping[int, FieldType | FieldDefinition]
        | None = None,
        guesses: Guesses | None = None,
        denied: Mapping[str, int] | None = None,
        clock: Callable[[], float] = time.time,
        latency_s: float = 0.0,
        rate_limit: RateLimit | None = None,
        batch_rate_per_s: float | None = None,
        list_lag_s: float = 0.0,
        per_page_max: int = 100,
        hidden_in_lists: Collection[str] = (),
        ssl_context: ssl.SSLContext | None = None,
        keepalive_timeout_s: float = 75.0,
        on_answer: Callable[[Request], None] | None = None,
    ) -> None:
        guesses = guesses or Guesses()
        if errors_at_200:
            guesses = attrs.evolve(guesses, error_status="200")
        self.key = secrets.token_urlsafe(12) if key is None else key
        """May be set while it runs, as may those below; counts from the next request on."""
        self.secret = secrets.token_urlsafe(24) if secret is None else secret
        """What requests must be signed with."""
        self.clock = clock
        """Epoch seconds."""
        self.latency_s = latency_s
        """How long each answer waits; a contact is written before the wait."""
        self.batch_rate_per_s = batch_rate_per_s
        """How many jobs a second a batch executes; counts from the next batch on."""
        self.list_lag_s = list_lag_s
        """How long after a write lists do not show it; counts from the next write on."""
        self.rate_limit = rate_limit
        self.ledger = Ledger()
        """All that was asked and written."""
        rules = Rules(Account.declared(groups, companies, custom_fields), guesses)
        self._callbacks = Callbacks(guesses, self.ledger)
        self._faults: FaultPlan[Fault] = FaultPlan()
        self._platform = Platform(
            rules,
            lambda: self.clock(),
            self.ledger,
            batch_rate_per_s=lambda: self.batch_rate_per_s,
            list_lag_s=lambda: self.list_lag_s,
            per_page_max=per_page_max,
            hidden_in_lists=hidden_in_lists,
            denied=denied or {},
            on_completed=self._callbacks.post,
        )
        self._alarm = BatchAlarm(self._platform, lambda: self.clock())
        self._viewer = Viewer(lambda: self.url, rules, self._platform, self.ledger)
        self._exchanges = self._exchanges_with(guesses, on_answer or (lambda _: None))
        self._listener = Listener(
            self._handle,
            host=host,
            port=port,
            ssl_context=ssl_context,
            keepalive_timeout_s=keepalive_timeout_s,
        )

    def _exchanges_with(self, guesses: Guesses, on_answer: Callable[[Request], None]) -> Exchanges:
        settings = Settings(
            key=lambda: self.key,
            secret=lambda: self.secret,
            guesses=guesses,
            clock=lambda: self.clock(),
            latency_s=lambda: self.latency_s,
            limiter=lambda: self._limiter,
            on_answer=on_answer,
        )
        return Exchanges(settings, self._platform, self.ledger, self._faults, self._alarm.set)

    @property
    def url(self) -> str:
        """The base URL, such as `http://127.0.0.1:49152`; it stays the same after a restart.

        Raises:
            RuntimeError: the sandbox was never started.
        """
        return self._listener.url

    @property
    def contacts(self) -> Mapping[int, Mapping[str, Any]]:
        """The present state of each contact by its id, in the platform's spelling; read-only."""
        return self._platform.contacts.present

    @property
    def batches(self) -> Mapping[str, Batch]:
        """Each batch that was accepted, by its asyncId; read-only."""
        return self._platform.batches.all

    @property
    def rate_limit(self) -> RateLimit | None:
        """How many requests a second are let in; setting it starts a new count."""
        return self._limiter.limit if self._limiter else None

    @rate_limit.setter
    def rate_limit(self, limit: RateLimit | None) -> None:
        self._limiter = Limiter(limit) if limit else None

    def script(self, *faults: Fault | None, action: str | None = None) -> None:
        """Give these faults to the next requests in order of arrival; `None` answers as usual.

        With `action`, such as `batch?action=run`, to the next requests for it; these go first. They
        are added to those that still wait. A request over the rate limit takes none.
        """
        if action is None:
            self._faults.script.extend(faults)
        else:
            self._faults.script_for(action, faults)

    def mix(
        self,
        seed: int,
        share: float,
        faults: Sequence[Fault] = DEFAULT_MIX,
        *,
        actions: Collection[str] | None = None,
    ) -> None:
        """Give each later request one of `faults` with probability `share`; 0 turns it off.

        With `actions`, only requests for these. Scripted faults go first. The same seed draws the
        same faults. There is one mix at a time.

        Raises:
            ValueError: `share` is not within 0 and 1, or there is no fault to draw.
        """
        self._faults.mix(seed, share, faults, actions)

    def mix_shares(
        self,
        seed: int,
        shares: Mapping[Fault, float],
        *,
        actions: Collection[str] | None = None,
    ) -> None:
        """Like `mix`, each fault with a probability of its own.

        Raises:
            ValueError: a share is below 0, or together they are above 1.
        """
        self._faults.mix_shares(seed, shares, actions)

    def script_jobs(self, *faults: JobFault | None) -> None:
        """Give these faults to the jobs of the next batches, in the order in which they arrive."""
        self._platform.batches.faults.script.extend(faults)

    def mix_jobs(self, seed: int, share: float, faults: Sequence[JobFault] = JOB_MIX) -> None:
        """Give each job of a later batch one of `faults` with probability `share`.

        Raises:
            ValueError: as for `mix`.
        """
        self._platform.batches.faults.mix(seed, share, faults)

    def mix_rivals(self, seed: int, share: float, rivals: Sequence[Rival] = tuple(Rival)) -> None:
        """Let another client do one of `rivals` at each later write with probability `share`.

        Raises:
            ValueError: as for `mix`.
        """
        self._platform.rivals.plan.mix(seed, share, rivals)

    def write_as_rival(self, params: Mapping[str, Any]) -> int:
        """Add or update a contact as another client of the account; its id.

        Raises:
            Exception: the platform refuses these parameters of addOrUpdateContact.
        """
        return self._platform.rivals.write(params)

    def touch_as_rival(self, contact_id: int) -> None:
        """Give a contact a new modifiedDate and nothing else, as another client's edit does.

        Raises:
            Exception: there is no such contact.
        """
        self._platform.rivals.touch(contact_id)

    def clear(self) -> None:
        """Forget contacts, batches, ledger and what is scripted; ids and numbers start again."""
        self._platform.clear()
        self.ledger.clear()
        self._faults.clear()

    async def start(self) -> None:
        """Listen, on the same port as before if there was one. `async with` does it for you.

        Raises:
            RuntimeError: the sandbox runs already.
            OSError: the port is taken.
        """
        if self._listener.listens:
            raise RuntimeError("The sandbox runs already")
        self._exchanges.begin()
        await self._listener.start()
        self._alarm.set()

    async def stop(self) -> None:
        """Drop all connections and stop listening; contacts, batches, ledger and faults are kept.

        A batch that is not completed goes on once the sandbox is started again.
        """
        self._alarm.cancel()
        # aiohttp would wait for them, and log an error of its own for each that outlasts it.
        self._exchanges.cancel()
        await self._listener.stop()
        await self._exchanges.ended()
        await self._callbacks.stop()

    async def _handle(self, request: web.BaseRequest) -> web.StreamResponse:
        if self._viewer.is_asked(request):
            return self._viewer.answer(request)
        return await self._exchanges.handle(request)

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
