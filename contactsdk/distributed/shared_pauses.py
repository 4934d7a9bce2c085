"""Pauses that the platform asks of one process, shared with all processes of its account."""

import asyncio
import logging
import math
from collections.abc import Callable
from typing import Any, Final, Protocol

from contactsdk.pacing import Pacer

_logger: Final = logging.getLogger("contactsdk")

_READ_EVERY_S: Final = 1.0


class PauseStore(Protocol):
    """Stores the pauses of an account for all of its processes.

    Each future fails with a `JournalError` if the store cannot be reached.
    """

    def pause(self, seconds: float) -> "asyncio.Future[None]":
        """Make all processes wait for at least `seconds` from now."""
        ...

    def read_pause(self) -> "asyncio.Future[float]":
        """Until when all processes wait, by the clock of the event loop.

        The time is in the past if they do not wait.
        """
        ...


class PostedPauses:
    """Stores the pauses of this process's pacer for other processes, and applies theirs to it.

    The pauses of other processes are read once a second while this process sends. If the store
    cannot be reached, that is only logged: the platform asks each process for a pause itself, too.
    """

    def __init__(self, store: PauseStore, pacer: Pacer, *, clock: Callable[[], float]) -> None:
        self._store = store
        self._pacer = pacer
        self._clock = clock
        self._known_until = -math.inf
        self._read_at = -math.inf
        self._is_reading = False

    def update(self) -> None:
        """Store a new pause of the pacer; at most once a second, read the others' pauses."""
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
    """Log the error of the future, if it failed; returns whether it failed."""
    error = ended.exception()
    if error is not None:
        _logger.info("a pause could not be shared between processes: %s", error)
    return error is not None
