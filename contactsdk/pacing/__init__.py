"""Temporary."""

import asyncio
import math

from contactsdk.errors import UnavailableError
from contactsdk.pacing.old import Pacer as _Old
from contactsdk.retry import RetryPolicy

Turn = float


class Pacer(_Old):
    def __init__(self, *, base_s, max_wait_s, clock, sleep=asyncio.sleep, random=None):
        super().__init__(
            RetryPolicy(base_s=base_s, max_wait_s=max_wait_s),
            rate_per_s=None,
            give_up_s=math.inf,
            clock=clock,
        )

    acquire_nowait = _Old.turn_at_once
    acquire = _Old.turn
    abandon = _Old.forget

    async def acquire_within(self, patience_s):
        if self.is_open and (self._probe_left_at is not None or self._ready_at() > self._clock()):
            raise UnavailableError("never sent: the platform does not answer")
        return await self.turn()

    def record_result(self, turn, error, *, in_a_row=0):
        return self.told(turn, error, in_a_row=in_a_row)

    @property
    def is_open(self):
        return self._silent >= 5

    @property
    def blocked_since(self):
        return self._failing_since

    @property
    def rate_per_s(self):
        return self._rate.per_s(self._clock())


class RateCap:
    def __init__(self, r, *, clock):
        self.r = r
        self.clock = clock
        self.next = 0

    def acquire_nowait(self):
        if self.next <= self.clock():
            self.next = max(self.next, self.clock()) + 1 / self.r
            return True
        return False

    async def acquire(self):
        n = max(self.next, self.clock())
        self.next = n + 1 / self.r
        await asyncio.sleep(n - self.clock())
