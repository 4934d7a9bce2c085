"""The keys of contacts that an earlier owner of a journal may still have in flight."""

from collections.abc import Callable, Iterable

from contactsdk.journal.store import StoredRow


class KeysInFlight:
    """For each key, until when its contacts must not be sent, in seconds of the caller's clock.

    A slow platform may still apply the earlier owner's request, and could do so after it has
    applied a newer one.
    """

    def __init__(self) -> None:
        self._until: dict[bytes, float] = {}

    def __bool__(self) -> bool:
        """Whether any key is held."""
        return bool(self._until)

    def note(
        self, rows: Iterable[StoredRow], in_flight_s: Callable[[int], float], now: float
    ) -> None:
        """Hold the keys of rows that an earlier owner left in flight.

        `in_flight_s` is the method of the store that the rows come from.
        """
        for row in rows:
            left_s = in_flight_s(row.number)
            if left_s and row.key is not None:
                self._until[row.key] = max(now + left_s, self._until.get(row.key, now))

    def not_before(self, key: bytes, now: float) -> float | None:
        """The time from which a contact with this key may be sent; `None` means at once."""
        until = self._until.get(key, now)
        if until > now:
            return until
        self._until.pop(key, None)
        return None
