"""What can go wrong between a client and the platform, and which request it happens to."""

import random
from collections import deque
from collections.abc import Sequence
from enum import Enum

import attrs


class FaultKind(Enum):
    """One way in which a request goes wrong."""

    THROTTLED = "throttled"
    """errorCode 429, with Retry-After if the fault has one; nothing is written."""
    UNAVAILABLE = "unavailable"
    """HTTP 503 in plain text, with Retry-After if the fault has one; nothing is written."""
    ERROR_BEFORE_WRITE = "error before write"
    """errorCode 500; nothing is written."""
    ERROR_AFTER_WRITE = "error after write"
    """Written, then errorCode 500."""
    CLOSE_BEFORE_READ = "close before read"
    """The connection is closed before the body is read; nothing is written."""
    CLOSE_AFTER_WRITE = "close after write"
    """Written, then the connection is closed with no answer."""
    RESET_AFTER_WRITE = "reset after write"
    """Written, then the connection is reset (TCP RST)."""
    CUT_SHORT = "cut short"
    """Written; the connection is closed in the middle of the answer's body."""
    HANG_BEFORE_WRITE = "hang before write"
    """Never answered; nothing is written."""
    HANG_AFTER_WRITE = "hang after write"
    """Written, and never answered."""
    WRITE_AFTER_GONE = "write after gone"
    """Written only once the client has given up and closed the connection."""
    WRITE_LATE = "write late"
    """Judged when it arrives, and written only once the client has gone and another request has
    been answered, without looking again: what a platform does that does not check and write as
    one step. Not in the default mix, since no client can tell.
    """
    HTML = "html"
    """Written; a proxy's HTML page with status 502 comes back."""
    SUCCESS_WITHOUT_ID = "success without id"
    """Written; the answer is a success and lacks the id."""
    REDIRECT = "redirect"
    """HTTP 302 to another address; nothing is written."""
    CLOCK_OFF = "clock off"
    """Judged by a clock that is off, which the answer's Date header shows; written if still fresh.
    """

    @property
    def writes(self) -> bool:
        """Whether a contact that the platform accepts is written despite this fault."""
        return self not in _NOTHING_WRITTEN


_NOTHING_WRITTEN = frozenset(
    {
        FaultKind.THROTTLED,
        FaultKind.UNAVAILABLE,
        FaultKind.ERROR_BEFORE_WRITE,
        FaultKind.CLOSE_BEFORE_READ,
        FaultKind.HANG_BEFORE_WRITE,
        FaultKind.WRITE_LATE,
        FaultKind.REDIRECT,
    }
)


@attrs.frozen
class Fault:
    """What happens to one request.

    `retry_after_s` is sent with THROTTLED and UNAVAILABLE, as seconds or as an HTTP date;
    `clock_off_s` (ahead if positive) is for CLOCK_OFF.
    """

    kind: FaultKind
    retry_after_s: float | None = attrs.field(default=None, kw_only=True)
    retry_after_as_date: bool = attrs.field(default=False, kw_only=True)
    clock_off_s: float = attrs.field(default=0.0, kw_only=True)


DEFAULT_MIX: tuple[Fault, ...] = tuple(
    Fault(kind, clock_off_s=3600.0 if kind is FaultKind.CLOCK_OFF else 0.0)
    for kind in FaultKind
    if kind is not FaultKind.WRITE_LATE
)
"""One fault of each kind but WRITE_LATE, the clock an hour ahead."""


class FaultPlan:
    """Which request gets which fault: first what is scripted, then by chance."""

    def __init__(self) -> None:
        self.script: deque[Fault | None] = deque()
        self._random = random.Random(0)
        self._share = 0.0
        self._mix: Sequence[Fault] = ()

    def mix(self, seed: int, share: float, faults: Sequence[Fault]) -> None:
        """From now on draw one of `faults` with probability `share`, the same for a same seed.

        Raises:
            ValueError: `share` is not within 0 and 1, or there is no fault to draw.
        """
        if not 0 <= share <= 1:
            raise ValueError(f"share must be within 0 and 1, not {share}")
        if share and not faults:
            raise ValueError("faults is empty")
        self._random, self._share, self._mix = random.Random(seed), share, tuple(faults)

    def draw(self) -> Fault | None:
        """The fault of the next request; `None` for one that is answered as usual."""
        if self.script:
            return self.script.popleft()
        if self._random.random() < self._share:
            return self._random.choice(self._mix)
        return None
