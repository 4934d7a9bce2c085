"""The keys of contacts that an older owner of a journal may still have in flight."""

from collections.abc import Callable, Iterable

from contactsdk.journal.store import StoredRow


class KeysInFlight:
    """Until when contacts with these keys must not be sent, in seconds by the caller's clock.

    A slow platform may still apply what was in flight, and would apply it after what is sent now.
    """

    def __init__(self) -> None:
        self._until: dict[bytes, float] = {}

    def __bool__(self) -> bool:
        """Whether there are any."""
        return bool(self._until)

    def note(
        self, rows: Iterable[StoredRow], in_flight_s: Callable[[int], float], now: float
    ) -> None:
        """Take in rows as an older owner left them; `in_flight_s` is that of their store."""
        for row in rows:
            left_s = in_flight_s(row.number)
            if left_s and row.key is not None:
                self._until[row.key] = max(now + left_s, self._until.get(row.key, now))

    def not_before(self, key: bytes, now: float) -> float | None:
        """When a contact with this key may be sent; `None` for at once."""
        until = self._until.get(key, now)
        if until > now:
            return until
        self._until.pop(key, None)
        return None
