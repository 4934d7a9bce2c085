"""The sandbox: a stand-in for the platform behind a real socket on this machine."""

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
    """A stand-in for the platform on this machine, for tests and for trying without an account.

    ```python
    async with Sandbox() as sandbox:
        ...  # call sandbox.url with sandbox.key and sandbox.secret
        assert sandbox.ledger.writes[0].body["firstName"] == "Bobby"
    ```

    Args:
        key: The account's key; `None` makes a random one.
        secret: The account's secret; `None` makes a random one.
        host: The address on which to listen.
        port: The port on which to listen; 0 takes a free one and keeps it after a restart.
        errors_at_200: Whether errors are answered with HTTP status 200. This is one of `guesses`.
        groups: The account's groups: their ids, or a mapping of id to name. `None` accepts any.
        companies: The ids of the account's companies. `None` accepts any.
        custom_fields: The account's custom fields: id -> type or definition. `None` accepts any
            field with any value.
        guesses: What the sandbox does where no page says what the platform does; `None` is the
            defaults.
        denied: Action that the key may not use, such as `batch?action=run` -> the `errorCode` with
            which it is refused. `None` denies nothing.
        clock: Returns epoch seconds, for the age of a request, modifiedDate, batches and the Date
            header.
        latency_s: How many seconds to wait before each answer.
        rate_limit: How many requests per second are accepted; `None` for no limit.
        batch_rate_per_s: How many contacts of a batch are applied per second; `None` for all at
            once.
        list_lag_s: How many seconds after a write lists do not yet show it.
        per_page_max: The most contacts on a page of a list; a larger `perPage` is cut to this
            without an error.
        hidden_in_lists: Fields that getContactList does not show, by the platform's names.
        ssl_context: Makes the sandbox use TLS with this context; `None` for plain HTTP.
        keepalive_timeout_s: After how many seconds an idle connection is closed.
        on_answer: Called with each request when it was answered, or will certainly not be.
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
        """The account's key. You may set it, and the attributes below, while the sandbox runs; a
        new value applies to the next request."""
        self.secret = secrets.token_urlsafe(24) if secret is None else secret
        """The secret with which requests must be signed."""
        self.clock = clock
        """Returns epoch seconds."""
        self.latency_s = latency_s
        """How many seconds to wait before each answer; a contact is written before the wait."""
        self.batch_rate_per_s = batch_rate_per_s
        """How many contacts of a batch are applied per second; `None` for all at once. A new value
        applies to the next batch."""
        self.list_lag_s = list_lag_s
        """How many seconds after a write lists do not yet show it. A new value applies to the next
        write."""
        self.rate_limit = rate_limit
        self.ledger = Ledger()
        """The requests that arrived and the writes that were made; see `Ledger`."""
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
            RuntimeError: The sandbox was never started.
        """
        return self._listener.url

    @property
    def contacts(self) -> Mapping[int, Mapping[str, Any]]:
        """Id -> the contact as it is now, with the platform's names of fields; read-only."""
        return self._platform.contacts.present

    @property
    def batches(self) -> Mapping[str, Batch]:
        """asyncId -> batch, for each accepted batch in order of arrival; read-only."""
        return self._platform.batches.all

    @property
    def rate_limit(self) -> RateLimit | None:
        """How many requests per second are accepted; `None` for no limit. Setting it starts a new
        count."""
        return self._limiter.limit if self._limiter else None

    @rate_limit.setter
    def rate_limit(self, limit: RateLimit | None) -> None:
        self._limiter = Limiter(limit) if limit else None

    def script(self, *faults: Fault | None, action: str | None = None) -> None:
        """Give these faults to the next requests, one to each; `None` answers one as usual.

        With `action`, such as `batch?action=run`, the faults are for the next requests for this
        action, and are used before the faults for all actions. Faults of earlier calls that are not
        used yet come first. A request that the rate limit refuses uses no fault.
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
        """Give each later request one of `faults` with probability `share`; 0 turns this off.

        With `actions`, only requests for these actions get faults; `None` means all. Scripted
        faults are used first. The same seed draws the same faults. A new call of `mix` or
        `mix_shares` replaces the earlier one.

        Raises:
            ValueError: `share` is not from 0 to 1, or `faults` is empty although `share` is not 0.
        """
        self._faults.mix(seed, share, faults, actions)

    def mix_shares(
        self,
        seed: int,
        shares: Mapping[Fault, float],
        *,
        actions: Collection[str] | None = None,
    ) -> None:
        """Like `mix`, but each fault has a probability of its own: `shares` maps fault to share.

        Raises:
            ValueError: A share is below 0, or the sum of all shares is above 1.
        """
        self._faults.mix_shares(seed, shares, actions)

    def script_jobs(self, *faults: JobFault | None) -> None:
        """Give these faults to the next jobs of batches, one to each, in order of arrival.

        `None` executes a job as usual. Faults of earlier calls that are not used yet come first.
        """
        self._platform.batches.faults.script.extend(faults)

    def mix_jobs(self, seed: int, share: float, faults: Sequence[JobFault] = JOB_MIX) -> None:
        """Give each job of later batches one of `faults` with probability `share`.

        Raises:
            ValueError: As for `mix`.
        """
        self._platform.batches.faults.mix(seed, share, faults)

    def mix_rivals(self, seed: int, share: float, rivals: Sequence[Rival] = tuple(Rival)) -> None:
        """Let a rival do one of `rivals` at each later write, with probability `share`.

        A rival is another client of the same account.

        Raises:
            ValueError: As for `mix`.
        """
        self._platform.rivals.plan.mix(seed, share, rivals)

    def write_as_rival(self, params: Mapping[str, Any]) -> int:
        """Add or update a contact as another client of the account would; returns its id.

        `params` are the parameters of addOrUpdateContact, by the platform's names.

        Raises:
            Exception: The platform refuses these parameters.
        """
        return self._platform.rivals.write(params)

    def touch_as_rival(self, contact_id: int) -> None:
        """Give a contact a new modifiedDate and nothing else, as another client's edit does.

        Raises:
            Exception: There is no contact with that id.
        """
        self._platform.rivals.touch(contact_id)

    def clear(self) -> None:
        """Forget contacts, batches, the ledger and scripted faults; ids and numbers start again.

        Mixes of faults and rivals stay.
        """
        self._platform.clear()
        self.ledger.clear()
        self._faults.clear()

    async def start(self) -> None:
        """Start to listen; after a stop, on the same port as before. `async with` calls it for you.

        Raises:
            RuntimeError: The sandbox runs already.
            OSError: The port is taken.
        """
        if self._listener.listens:
            raise RuntimeError("The sandbox runs already")
        self._exchanges.begin()
        await self._listener.start()
        self._alarm.set()

    async def stop(self) -> None:
        """Drop all connections and stop listening; contacts, batches, ledger and faults are kept.

        A batch that is not completed goes on when the sandbox is started again.
        """
        self._alarm.cancel()
        # Requests are cancelled first: aiohttp would wait for them, and log an error for each that
        # takes longer.
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
