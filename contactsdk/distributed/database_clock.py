"""The clock of a database, as seen by a process that has another one."""

from collections import deque
from typing import Final

from attrs import frozen

_READINGS: Final = 16
_DRIFT_S: Final = 0.001  # what two good clocks may drift apart between the oldest reading and now


@frozen
class _Reading:
    offset_s: float
    """The database's time less the local one."""
    error_s: float
    """How far off that may be."""

    def contradicts(self, other: "_Reading") -> bool:
        """Whether one of the clocks was set between the two."""
        return abs(self.offset_s - other.offset_s) > self.error_s + other.error_s + _DRIFT_S


class DatabaseClock:
    """Tells local times of the database's, from answers that hold its time.

    It read its clock at some moment between the question and the answer, so the best reading is
    that of the quickest answer, and it is off by half of the time which that took, at most. Only
    the last answers count, since clocks drift; a clock that was set makes all before it worthless.
    """

    def __init__(self) -> None:
        self._readings: deque[_Reading] = deque(maxlen=_READINGS)

    def record(self, asked_at: float, database_time: float, answered_at: float) -> None:
        """Learn from an answer: two local times, and the database's between them."""
        middle = (asked_at + answered_at) / 2
        reading = _Reading(database_time - middle, (answered_at - asked_at) / 2)
        if any(reading.contradicts(earlier) for earlier in self._readings):
            self._readings.clear()
        self._readings.append(reading)

    def local(self, database_time: float) -> float:
        """The local time of a time of the database, after at least one answer."""
        best = min(self._readings, key=lambda reading: reading.error_s)
        return database_time - best.offset_s
