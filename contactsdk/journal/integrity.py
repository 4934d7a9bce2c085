"""The checksum of a journal: the sum of a keyed hash of each row.

The sum is stored beside the rows and changes in the same transaction as they do. So adding up the
hashes again shows whether a row is missing, outdated, changed or added; the order in which rows
were written does not matter. The key of the hash is the journal's salt, which is in the file, so
everybody who can read the journal can check it. The checksum finds damage and changes by other
programs. It does not find a forgery, nor an older copy of the whole journal.
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
        """The hash of all columns of a row except `content`, as a number below 2**128."""
        (
            number,
            line,
            digest,
            key,
            state,
            id_,
            error,
            attempts,
            settled,
            batch_id,
            position,
            id_floor,
            _,
        ) = row
        plain = (
            f"{number} {line} {state} {id_} {attempts} {settled:d} {position} {batch_id!r} "
            f"{id_floor}"
        )
        hash_ = self._keyed.copy()
        hash_.update(b"%b%b%b%b" % (plain.encode(), digest, key or b"", error or b""))
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
        """The checksum of a journal without rows; it covers the digest of the account."""
        hash_ = blake2b(account, key=salt, digest_size=16, person=b"account")
        return cls(0, int.from_bytes(hash_.digest(), "big"))

    def plus(self, other: "Checksum") -> "Checksum":
        """The checksum of the rows of both checksums together."""
        return Checksum(self.count + other.count, (self.total + other.total) % _MODULUS)

    def changed(self, before: Sequence[int], after: Sequence[int]) -> "Checksum":
        """The checksum after rows with the hashes `before` are replaced by rows with `after`."""
        count = self.count + len(after) - len(before)
        return Checksum(count, (self.total + sum(after) - sum(before)) % _MODULUS)

    def stored(self) -> tuple[int, bytes]:
        """The count and the sum as a journal stores them; the sum is 16 bytes, big-endian."""
        return self.count, self.total.to_bytes(16, "big")
