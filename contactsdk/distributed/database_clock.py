"""Converts times of a database's clock to times of this process's clock."""

from collections import deque
from typing import Final

from attrs import frozen

_READINGS: Final = 16
_DRIFT_S: Final = 0.001  # how far two good clocks may drift apart while a reading is kept


@frozen
class _Reading:
    offset_s: float
    """The database's time minus the local time."""
    error_s: float
    """The largest possible error of `offset_s`."""

    def contradicts(self, other: "_Reading") -> bool:
        """Whether one of the two clocks was set between this reading and the other."""
        return abs(self.offset_s - other.offset_s) > self.error_s + other.error_s + _DRIFT_S


class DatabaseClock:
    """Converts times of the database's clock to local times; it learns from the database's answers.

    The database read its clock at some moment between the question and the answer. So the quickest
    answer gives the best reading, and its error is at most half of the time that the answer took.
    Clocks drift, so only the last 16 answers are kept. When one of the clocks was set, all readings
    before that are dropped.
    """

    def __init__(self) -> None:
        self._readings: deque[_Reading] = deque(maxlen=_READINGS)

    def record(self, asked_at: float, database_time: float, answered_at: float) -> None:
        """Learn from an answer: `asked_at` and `answered_at` are local times.

        `database_time` is what the database's clock said at some moment between them.
        """
        middle = (asked_at + answered_at) / 2
        reading = _Reading(database_time - middle, (answered_at - asked_at) / 2)
        if any(reading.contradicts(earlier) for earlier in self._readings):
            self._readings.clear()
        self._readings.append(reading)

    def local(self, database_time: float) -> float:
        """Convert a time of the database to a local time; at least one answer must be recorded."""
        best = min(self._readings, key=lambda reading: reading.error_s)
        return database_time - best.offset_s
