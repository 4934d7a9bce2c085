import asyncio

Turn = float


class Pacer:
    def __init__(self, *, base_s, max_wait_s, clock, sleep=asyncio.sleep, random=None):
        self.clock = clock
        self.rate_per_s = None
        self.paused_s = 0.0
        self.blocked_since = None
        self.is_open = False

    def acquire_nowait(self):
        return self.clock()

    async def acquire(self):
        return self.clock()

    async def acquire_within(self, p):
        return self.clock()

    def record_result(self, turn, error, *, in_a_row=0):
        from contactsdk.errors import RateLimitedError

        return isinstance(error, RateLimitedError)

    def abandon(self, turn):
        pass


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
