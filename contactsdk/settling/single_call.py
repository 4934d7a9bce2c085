"""Settling for single calls."""

import asyncio
import datetime
import functools
import math
from collections.abc import Awaitable, Callable
from typing import Final

from contactsdk.errors import ContactError, UncertainError
from contactsdk.lookups import Lookups
from contactsdk.models import Contact, key_of
from contactsdk.retry import Delivery, RetryPolicy
from contactsdk.settling.answered_ids import AnsweredIds, KeysInDoubt
from contactsdk.settling.search import Search, is_lookup_forbidden, judge

MOST_PAGES: Final = 20
"""How many pages of a list are read to find one contact. A longer list cannot have been filtered.
"""
_LOOK_S: Final = 10.0
_TIME_FOR_THE_LAST_LOOK_S: Final = 1.0


class CallSettler:
    """Makes calls of `add_or_update`, and looks an add up on the platform if it becomes uncertain.

    `platform_now` returns the platform's time as far as its clock is known. `clock` is the clock of
    the deliveries, which is that of the event loop. `sleep` waits before each look-up.
    """

    def __init__(
        self,
        lookups: Lookups,
        policy: RetryPolicy,
        ids: AnsweredIds,
        keys: KeysInDoubt,
        *,
        platform_now: Callable[[], datetime.datetime],
        clock: Callable[[], float],
        sleep: Callable[[float], Awaitable[object]] = asyncio.sleep,
    ) -> None:
        self._lookups = lookups
        self._policy = policy
        self._ids = ids
        self._keys = keys
        self._platform_now = platform_now
        self._clock = clock
        self._sleep = sleep

    async def call(
        self, contact: Contact, delivery: Delivery, send: Callable[[], Awaitable[int]]
    ) -> int:
        """Make the call with `send`; returns its id, or the id of the contact that was found.

        Raises:
            ContactError: The final error of the call.
        """
        floor = delivery.id_floor = self._ids.begin_add()
        try:
            contact_id = await self._send_or_find(contact, delivery, send)
        finally:
            self._ids.end_add(floor)
        self._ids.record(contact_id)
        return contact_id

    async def _send_or_find(
        self, contact: Contact, delivery: Delivery, send: Callable[[], Awaitable[int]]
    ) -> int:
        try:
            return await send()
        except BaseException as error:
            if delivery.is_in_doubt:
                self._keys.enter(key_of(contact))
            if delivery.is_idempotent or not isinstance(error, UncertainError):
                raise
            search = self._search(contact, delivery, error)
        while True:
            contact_id = await self._find(search, delivery)
            if contact_id is not None:
                self._keys.leave(key_of(contact))
                return contact_id
            now = self._clock()
            is_resent = self._policy.resend_unfound and search.is_unfound
            if not (is_resent and delivery.may_be_resent(self._policy, now)):
                raise search.final_error(now)
            try:
                return await send()
            except UncertainError as error:
                now = self._clock()
                search.resume(error, now, self._search_ends_at(delivery, now))

    async def _find(self, search: Search, delivery: Delivery) -> int | None:
        """Look the contact up until the search ends; returns its id, or `None` if not found."""
        while (due := search.next_look(self._clock())) is not None:
            await self._sleep(due - self._clock())
            try:
                listed = await self._lookups.find(
                    search.filter, self._time_for_a_look(delivery), most_pages=MOST_PAGES
                )
            except ContactError as error:
                search.note_failure(error)
                if is_lookup_forbidden(error):
                    return None
                continue
            except RuntimeError as error:  # the client was closed during the look-up
                search.note_failure(error)
                return None
            verdict = judge(
                search.contact,
                listed,
                functools.partial(self._ids.rules_out, floor=delivery.id_floor),
                is_key_shared=self._keys.is_shared(key_of(search.contact)),
            )
            contact_id = search.note(verdict, self._clock())
            if contact_id is not None:
                return contact_id
        return None

    def _search(self, contact: Contact, delivery: Delivery, error: UncertainError) -> Search:
        now = self._clock()
        return Search(
            contact=contact,
            error=error,
            sent_at=self._platform_now() - datetime.timedelta(seconds=now - delivery.started_at),
            began_at=now,
            ends_at=self._search_ends_at(delivery, now),
            deadline=_last_look_at(delivery),
        )

    def _search_ends_at(self, delivery: Delivery, now: float) -> float:
        assert self._policy.settle_s is not None  # noqa: S101  # used only if the policy settles
        return min(now + self._policy.settle_s, _last_look_at(delivery))

    def _time_for_a_look(self, delivery: Delivery) -> float:
        if delivery.deadline is None:
            return _LOOK_S
        return max(_TIME_FOR_THE_LAST_LOOK_S / 2, min(_LOOK_S, delivery.deadline - self._clock()))


def _last_look_at(delivery: Delivery) -> float:
    """When a look-up may begin at the latest."""
    deadline = delivery.deadline
    return math.inf if deadline is None else deadline - _TIME_FOR_THE_LAST_LOOK_S
