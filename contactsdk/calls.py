"""One call: an attempt, a decision, a sleep, and perhaps another attempt."""

import asyncio
import logging
from collections.abc import Callable, Mapping
from typing import Final, TypeAlias, TypeVar

from yarl import URL

from contactsdk.arguments import check_seconds
from contactsdk.attempt import Requester
from contactsdk.errors import ContactError, SetupError, UnavailableError, UncertainError, converted
from contactsdk.pacing import Pacer, Turn
from contactsdk.retry import (
    Delivery,
    Fail,
    RetryBudget,
    RetryPolicy,
    decide,
    describe,
    final_error,
)

_T = TypeVar("_T")

Read: TypeAlias = Callable[[int, Mapping[str, str], bytes], _T]
"""Makes a value of the status, the headers and the body of an answer, or raises a ContactError."""

_logger: Final = logging.getLogger("contactsdk")


class Caller:
    """Makes single calls, each with its retries; all of them share the pacer and the budget."""

    def __init__(self, requester: Requester, policy: RetryPolicy) -> None:
        self._requester = requester
        self._policy = policy
        self._budget = RetryBudget()
        self._pacer: Pacer | None = None  # made for the event loop

    def delivery(self, deadline_s: float | None, *, is_idempotent: bool) -> Delivery:
        """What is known of a call that begins now.

        `deadline_s` is used instead of the policy's unless it is `None`.

        Raises:
            ValueError: `deadline_s` is not a positive number of seconds.
            RuntimeError: The client belongs to another event loop.
        """
        if deadline_s is None:
            deadline_s = self._policy.deadline_s
        else:
            check_seconds("deadline_s", deadline_s)
        now = self._now()
        return Delivery(is_idempotent, now, None if deadline_s is None else now + deadline_s)

    async def call(self, url: URL, content: bytes, read: Read[_T], delivery: Delivery) -> _T:
        """Attempt the call until it succeeds, or must not or may not be attempted again.

        Raises:
            ContactError: The final error of the call.
            RuntimeError: The client is closed, or belongs to another event loop.
        """
        while True:
            turn: Turn | None = None
            try:
                delivery.attempts += 1
                turn = self.pacer.acquire_nowait()
                if turn is None:
                    turn = await self.pacer.acquire_within(self._patience_s(delivery))
                result = await self._attempt(url, content, read, delivery, turn)
            except ContactError as error:
                delivery.record_failure(error)
                # An attempt that got no turn put no load on the platform.
                is_empty = self._budget.is_empty and turn is not None
                decision = decide(
                    error, delivery, self._now(), self._policy, is_budget_empty=is_empty
                )
                if isinstance(decision, Fail):
                    raise decision.error  # noqa: B904  # mostly this very error
                if self._requester.is_closed:
                    raise final_error(error, delivery)  # noqa: B904  # no attempt can follow
                if decision.costs_budget and turn is not None:
                    self._budget.spend()
                _logger.info("%s", describe(decision, error, delivery, self._policy))
            else:
                self._budget.restore()
                return result
            await asyncio.sleep(decision.wait_s)

    async def call_read_only(
        self, url: URL, content: bytes, read: Read[_T], deadline_s: float | None
    ) -> _T:
        """Make a call that changes nothing on the platform, so that nothing becomes uncertain."""
        try:
            delivery = self.delivery(deadline_s, is_idempotent=True)
            return await self.call(url, content, read, delivery)
        except UncertainError as error:
            raise converted(error, UnavailableError, error.message) from error

    @property
    def pacer(self) -> Pacer:
        """The pacer of all calls and runs of the client, made for the event loop at first use."""
        if self._pacer is None:
            loop, policy = self._requester.running_loop(), self._policy
            self._pacer = Pacer(base_s=policy.base_s, max_wait_s=policy.max_wait_s, clock=loop.time)
        return self._pacer

    async def _attempt(
        self, url: URL, content: bytes, read: Read[_T], delivery: Delivery, turn: Turn
    ) -> _T:
        """One attempt, of which the pacer learns what became."""
        pacer = self.pacer
        try:
            result = await self._requester.attempt(
                url,
                content,
                read,
                deadline=delivery.deadline,
                before_send=delivery.hand_over,
            )
        except ContactError as error:
            if delivery.deadline is not None and self._now() >= delivery.deadline:
                pacer.abandon(turn)  # its own deadline was short, which says nothing of others
            else:
                pacer.record_result(turn, error)
            raise
        except RuntimeError as exc:
            pacer.abandon(turn)
            if delivery.attempts == 1:
                raise
            raise SetupError(str(exc)) from exc  # an earlier attempt has something to report
        except BaseException:
            pacer.abandon(turn)
            raise
        pacer.record_result(turn, None)
        return result

    def _patience_s(self, delivery: Delivery) -> float:
        """For how many seconds a call waits at most until its next request may leave."""
        if delivery.deadline is None:
            return self._policy.max_wait_s
        return min(self._policy.max_wait_s, delivery.deadline - self._now())

    def _now(self) -> float:
        return self._requester.running_loop().time()
