"""The faults that can happen between a client and the platform, and which request gets which."""

import math
import random
from collections import deque
from collections.abc import Collection, Mapping, Sequence
from enum import Enum
from typing import Generic, TypeVar

import attrs


class FaultKind(Enum):
    """One way in which a request goes wrong."""

    THROTTLED = "throttled"
    """errorCode 429, with Retry-After if the fault has one; nothing is written."""
    RACED = "raced"
    """errorCode 429 with specificCode 24299: another write to the same record came first; nothing
    is written.
    """
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
    """Written only after the client has given up and closed the connection; never answered."""
    WRITE_LATE = "write late"
    """Checked when it arrives, and written only after the client has closed the connection and
    another request has been answered, without another check. A platform that does not check and
    write in one step does this. Not in the default mix, since no client can notice it.
    """
    HTML = "html"
    """Written; a proxy's HTML page with status 502 comes back."""
    SUCCESS_WITHOUT_ID = "success without id"
    """Written; the answer is a success without the id (for a batch: without the asyncId)."""
    REDIRECT = "redirect"
    """HTTP 302 to another address; nothing is written."""
    CLOCK_OFF = "clock off"
    """Checked against a clock that is wrong, which the answer's Date header shows; written if the
    request is fresh by that clock.
    """
    BATCH_NOT_SAVED = "batch not saved"
    """For a batch, errorCode 400 with specificCode 24091, and nothing of it is written; any other
    request is answered as usual. Not in the default mix.
    """

    @property
    def writes(self) -> bool:
        """Whether a contact or batch that the platform accepts is written despite this fault."""
        return self not in _NOTHING_WRITTEN


_NOTHING_WRITTEN = frozenset(
    {
        FaultKind.THROTTLED,
        FaultKind.RACED,
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
    """What happens to one request."""

    kind: FaultKind
    """What goes wrong."""
    retry_after_s: float | None = attrs.field(default=None, kw_only=True)
    """The `Retry-After` of THROTTLED and UNAVAILABLE, in seconds; `None` sends none."""
    retry_after_as_date: bool = attrs.field(default=False, kw_only=True)
    """Whether `Retry-After` is an HTTP date instead of a number of seconds."""
    clock_off_s: float = attrs.field(default=0.0, kw_only=True)
    """With CLOCK_OFF, how far the clock is ahead, in seconds; negative if it is behind."""


class JobFault(Enum):
    """One way in which a single job of a batch goes wrong."""

    REJECTED = "rejected"
    """Its response is errorCode 400; nothing is written."""
    RACED = "raced"
    """Its response is errorCode 429 with specificCode 24299; nothing is written."""
    ERROR_BEFORE_WRITE = "error before write"
    """Its response is errorCode 500; nothing is written."""
    ERROR_AFTER_WRITE = "error after write"
    """Written, then its response is errorCode 500."""
    NEVER_EXECUTED = "never executed"
    """Its result has no response, and nothing is written."""
    RESULT_MISSING = "result missing"
    """Written, but the results of the batch have nothing about the job."""

    @property
    def writes(self) -> bool:
        """Whether a contact that the platform accepts is written despite this fault."""
        return self in (JobFault.ERROR_AFTER_WRITE, JobFault.RESULT_MISSING)


_LEFT_OUT = (FaultKind.WRITE_LATE, FaultKind.BATCH_NOT_SAVED)

DEFAULT_MIX: tuple[Fault, ...] = tuple(
    Fault(kind, clock_off_s=3600.0 if kind is FaultKind.CLOCK_OFF else 0.0)
    for kind in FaultKind
    if kind not in _LEFT_OUT
)
"""One fault of each kind except WRITE_LATE and BATCH_NOT_SAVED; CLOCK_OFF is an hour ahead."""

JOB_MIX: tuple[JobFault, ...] = tuple(JobFault)
"""One fault of each kind for the jobs of batches."""

_F = TypeVar("_F")


class FaultPlan(Generic[_F]):
    """Decides which fault the next request gets: first the scripted ones, then one by chance."""

    def __init__(self) -> None:
        self.script: deque[_F | None] = deque()
        self._scripts: dict[str, deque[_F | None]] = {}
        self._random = random.Random(0)
        self._faults: Sequence[_F] = ()
        self._weights: Sequence[float] = ()
        self._share = 0.0
        self._actions: frozenset[str] | None = None

    def script_for(self, action: str, faults: Sequence[_F | None]) -> None:
        """Give these faults to the next requests for this action, before any other."""
        self._scripts.setdefault(action, deque()).extend(faults)

    def mix(
        self,
        seed: int,
        share: float,
        faults: Sequence[_F],
        actions: Collection[str] | None = None,
    ) -> None:
        """From now on, draw one of `faults` with probability `share`; a seed draws the same ones.

        Only requests for `actions` get faults; `None` means all actions.

        Raises:
            ValueError: `share` is not from 0 to 1, or `faults` is empty although `share` is not 0.
        """
        if not 0 <= share <= 1:
            raise ValueError(f"share must be within 0 and 1, not {share}")
        if share and not faults:
            raise ValueError("faults is empty")
        self._begin(seed, share, faults, [1.0] * len(faults), actions)

    def mix_shares(
        self, seed: int, shares: Mapping[_F, float], actions: Collection[str] | None = None
    ) -> None:
        """From now on, draw each fault with a probability of its own; a seed draws the same ones.

        Raises:
            ValueError: A share is below 0, or the sum of all shares is above 1.
        """
        # The sum of shares that add up to 1 may be a little more, since they are floats.
        together = math.fsum(shares.values())
        if any(share < 0 for share in shares.values()) or together > 1 + 1e-9:
            raise ValueError("shares must be at least 0, and together at most 1")
        self._begin(seed, together, tuple(shares), tuple(shares.values()), actions)

    def draw(self, action: str = "") -> _F | None:
        """The fault of the next request; `None` if the request is answered as usual."""
        for script in (self._scripts.get(action), self.script):
            if script:
                return script.popleft()
        if self._actions is not None and action not in self._actions:
            return None
        if self._random.random() < self._share:
            return self._random.choices(self._faults, self._weights)[0]
        return None

    def clear(self) -> None:
        """Forget the scripted faults; the mix stays."""
        self.script.clear()
        self._scripts.clear()

    def _begin(
        self,
        seed: int,
        share: float,
        faults: Sequence[_F],
        weights: Sequence[float],
        actions: Collection[str] | None,
    ) -> None:
        self._random, self._share = random.Random(seed), share
        self._faults, self._weights = tuple(faults), tuple(weights)
        self._actions = None if actions is None else frozenset(actions)
