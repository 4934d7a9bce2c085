"""Keys that an older owner of a journal may still have in flight."""

from contactsdk.journal.keys_in_flight import KeysInFlight
from contactsdk.journal.store import StoredRow


def row(number: int, key: bytes | None) -> StoredRow:
    return StoredRow(number, None, b"", key, "sent", None, None, 0, False, None, None)


def test_key_waits_for_its_last_row_in_flight_and_no_longer() -> None:
    keys = KeysInFlight()
    assert not keys
    left_s = {0: 10.0, 1: 30.0, 2: 20.0, 3: 0.0, 4: 5.0}
    rows = [row(0, b"a"), row(1, b"a"), row(2, b"a"), row(3, b"b"), row(4, None)]

    keys.note(rows, left_s.__getitem__, 100.0)

    assert keys
    assert keys.not_before(b"a", 100.0) == 130.0
    assert keys.not_before(b"a", 129.9) == 130.0
    assert keys.not_before(b"b", 100.0) is None
    assert keys.not_before(b"a", 130.0) is None
    assert not keys
