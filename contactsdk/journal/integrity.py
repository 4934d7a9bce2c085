"""How a journal proves that it is whole: a keyed hash of each row, and their sum.

The sum is kept beside the rows and changes in the same transaction. So a row that is missing, old,
changed or added shows when all of them are added up again, in whatever order they were written.
The key is the journal's salt, which is in the file: whoever can read a journal can check it. It
tells damage and changes by other programs, not a forger, nor an older copy of the whole journal.
"""

from collections.abc import Iterable, Sequence
from hashlib import blake2b
from typing import Any, Final, Self

from attrs import frozen

from contactsdk.journal.store import StoredRow

_MODULUS: Final = 2**128


class RowHash:
    """Hashes the rows of one journal."""

    def __init__(self, salt: bytes) -> None:
        self._keyed: Any = blake2b(key=salt, digest_size=16)

    def __call__(self, row: StoredRow) -> int:
        """The hash of all of a row that counts, as a number below 2**128."""
        number, line, digest, key, state, id_, error, attempts, settled, batch_id, position = row[
            :11
        ]
        plain = (
            f"{number} {line} {state} {id_} {attempts} {settled:d} {position} {batch_id!r} "
            f"{row.id_floor}"
        )
        hash_ = self._keyed.copy()
        hash_.update(plain.encode())
        hash_.update(digest)
        if key is not None:
            hash_.update(key)
        if error is not None:
            hash_.update(error)
        return int.from_bytes(hash_.digest(), "big")


@frozen
class Checksum:
    """How many rows there are, and the sum of their hashes."""

    count: int
    """How many rows there are."""
    total: int
    """The sum of their hashes, modulo 2**128."""

    @classmethod
    def of(cls, hashes: Iterable[int]) -> Self:
        """The checksum of rows with these hashes."""
        found = tuple(hashes)
        return cls(len(found), sum(found) % _MODULUS)

    @classmethod
    def of_no_rows(cls, salt: bytes, account: bytes) -> Self:
        """The checksum of a journal without rows, which proves whose journal it is."""
        hash_ = blake2b(account, key=salt, digest_size=16, person=b"account")
        return cls(0, int.from_bytes(hash_.digest(), "big"))

    def plus(self, other: "Checksum") -> "Checksum":
        """The checksum of the rows of both."""
        return Checksum(self.count + other.count, (self.total + other.total) % _MODULUS)

    def changed(self, before: Sequence[int], after: Sequence[int]) -> "Checksum":
        """The checksum after rows with the hashes `before` were replaced by rows with `after`."""
        count = self.count + len(after) - len(before)
        return Checksum(count, (self.total + sum(after) - sum(before)) % _MODULUS)

    def stored(self) -> tuple[int, bytes]:
        """Count and sum, as a journal keeps them beside its rows."""
        return self.count, self.total.to_bytes(16, "big")
