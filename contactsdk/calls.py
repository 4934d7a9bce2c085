"""Single calls: an attempt, a decision, a sleep, and perhaps another attempt."""

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
"""Called with the status, headers and body of an answer; returns a value or raises a ContactError.
"""

_logger: Final = logging.getLogger("contactsdk")


class Caller:
    """Makes single calls, each with its retries; all of them share the pacer and the budget."""

    def __init__(self, requester: Requester, policy: RetryPolicy) -> None:
        self._requester = requester
        self._policy = policy
        self._budget = RetryBudget()
        self._pacer: Pacer | None = None  # made at first use, for the event loop

    def delivery(self, deadline_s: float | None, *, is_idempotent: bool) -> Delivery:
        """The `Delivery` of a call that begins now.

        `deadline_s` replaces the policy's; `None` uses the policy's.

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
        """Make attempts until one succeeds, or until no other attempt is useful or allowed.

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
                # An attempt without a turn put no load on the platform, so it costs no budget.
                is_empty = self._budget.is_empty and turn is not None
                decision = decide(
                    error, delivery, self._now(), self._policy, is_budget_empty=is_empty
                )
                if isinstance(decision, Fail):
                    raise decision.error  # noqa: B904  # in most cases it is `error` itself
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
        """Make a call that changes nothing on the platform, so an uncertain result is a failure.

        `deadline_s` replaces the policy's; `None` uses the policy's.

        Raises:
            ContactError: The final error of the call; never an `UncertainError`.
            ValueError: `deadline_s` is not a positive number of seconds.
            RuntimeError: The client is closed, or belongs to another event loop.
        """
        try:
            delivery = self.delivery(deadline_s, is_idempotent=True)
            return await self.call(url, content, read, delivery)
        except UncertainError as error:
            raise converted(error, UnavailableError, error.message) from error

    @property
    def pacer(self) -> Pacer:
        """The pacer of all calls and runs of the client; it is made at first use."""
        if self._pacer is None:
            loop, policy = self._requester.running_loop(), self._policy
            self._pacer = Pacer(base_s=policy.base_s, max_wait_s=policy.max_wait_s, clock=loop.time)
        return self._pacer

    async def _attempt(
        self, url: URL, content: bytes, read: Read[_T], delivery: Delivery, turn: Turn
    ) -> _T:
        """Make one attempt, and report its result to the pacer."""
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
                # The call's own deadline ended the attempt, which says nothing about the platform.
                pacer.abandon(turn)
            else:
                pacer.record_result(turn, error)
            raise
        except RuntimeError as exc:
            pacer.abandon(turn)
            if delivery.attempts == 1:
                raise
            # A RuntimeError could not say that an earlier attempt may have been applied.
            raise SetupError(str(exc)) from exc
        except BaseException:
            pacer.abandon(turn)
            raise
        pacer.record_result(turn, None)
        return result

    def _patience_s(self, delivery: Delivery) -> float:
        """For how many seconds a call waits at most for its turn."""
        if delivery.deadline is None:
            return self._policy.max_wait_s
        return min(self._policy.max_wait_s, delivery.deadline - self._now())

    def _now(self) -> float:
        return self._requester.running_loop().time()
