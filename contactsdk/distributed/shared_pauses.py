"""Pauses that the platform asked one process for, and that all of its account keep."""

import asyncio
import logging
import math
from collections.abc import Callable
from typing import Any, Final, Protocol

from contactsdk.pacing import Pacer

_logger: Final = logging.getLogger("contactsdk")

_READ_EVERY_S: Final = 1.0


class PauseStore(Protocol):
    """Where the pauses of an account are kept.

    Each future fails with a `JournalError` where that cannot be reached.
    """

    def pause(self, seconds: float) -> "asyncio.Future[None]":
        """Have all processes wait for so many seconds from now, at least."""
        ...

    def read_pause(self) -> "asyncio.Future[float]":
        """Until when all wait, by the clock of the event loop; it may have passed."""
        ...


class PostedPauses:
    """Posts the pauses of this process's pacer for the others, and has it keep theirs.

    Those of the others are read once a second while this process sends. Where they cannot be read
    or posted nothing happens: each process is asked to wait by the platform, too.
    """

    def __init__(self, store: PauseStore, pacer: Pacer, *, clock: Callable[[], float]) -> None:
        self._store = store
        self._pacer = pacer
        self._clock = clock
        self._known_until = -math.inf
        self._read_at = -math.inf
        self._is_reading = False

    def update(self) -> None:
        """Post a pause that is new, and see now and then if there is another."""
        now, until = self._clock(), self._pacer.paused_until
        if until > max(now, self._known_until):
            self._known_until = until
            self._store.pause(until - now).add_done_callback(_note_failure)
        if not self._is_reading and now - self._read_at >= _READ_EVERY_S:
            self._is_reading = True
            self._read_at = now
            self._store.read_pause().add_done_callback(self._take)

    def _take(self, read: "asyncio.Future[float]") -> None:
        self._is_reading = False
        if not _note_failure(read) and read.result() > self._pacer.paused_until:
            self._known_until = max(self._known_until, read.result())
            self._pacer.pause(read.result())


def _note_failure(ended: "asyncio.Future[Any]") -> bool:
    """Whether it failed."""
    error = ended.exception()
    if error is not None:
        _logger.info("a pause was not shared: %s", error)
    return error is not None
