"""The account of a journal, and digests that tell items apart without storing the items."""

from collections.abc import Iterable
from hashlib import blake2b
from typing import Any, Final, Self

from attrs import field, frozen

from contactsdk import wire
from contactsdk.errors import JournalError
from contactsdk.models import Contact, Item, key_of

_PAST_THE_LAST: Final = (None, None)


@frozen(kw_only=True, eq=False)
class Account:
    """The account for which a run sends contacts."""

    url: str
    """The address that contacts are sent to."""
    key: str = field(repr=False)
    """The account's key; empty if a gateway signs the requests."""
    secret: str = field(repr=False)
    """The account's secret; empty if a gateway signs the requests."""


@frozen(eq=False)
class Digests:
    """Makes the digests of a journal; the account's secret is needed to check a digest."""

    _keyed: Any = field(repr=False)

    @classmethod
    def of(cls, salt: bytes, secret: str) -> Self:
        """The digests of a journal with this salt, for an account with this secret."""
        # Each digest copies this keyed hash: a copy costs half of what a new hash costs.
        return cls(blake2b(key=blake2b(salt + secret.encode()).digest(), digest_size=16))

    def of_account(self, account: Account) -> bytes:
        """The digest of the account's address and key."""
        return self.of_content(f"{account.url}\0{account.key}".encode())

    def of_key(self, contact: Contact) -> bytes:
        """The digest of `key_of(contact)`, which is equal for two inputs of the same contact."""
        return self.of_content(repr(key_of(contact)).encode())

    def of_content(self, content: bytes) -> bytes:
        """The digest of an item's content, as `content_of` returns it, or of any other bytes."""
        hash_ = self._keyed.copy()
        hash_.update(content)
        digest: bytes = hash_.digest()
        return digest


def content_of(item: Item) -> bytes:
    """The content of an item: the JSON body of a contact, or the errors of an invalid one."""
    if isinstance(item, Contact):
        return wire.encode(item)
    return repr(item.errors).encode("utf-8", "backslashreplace")


def check_input(
    recorded: Iterable[tuple[int, bytes]], items: Iterable[Item], digests: Digests
) -> None:
    """Check that the input has all recorded items, with the same content and at the same numbers.

    `recorded` are (number, digest) pairs in input order. Items without a recorded number are not
    checked, so the input may have gained items at its end.

    Raises:
        JournalError: A recorded item is missing or has another content; `number` is the index of
            the first such item.
    """
    rows = iter(recorded)
    number, digest = next(rows, _PAST_THE_LAST)
    for index, item in enumerate(items):
        if number is None:
            return
        if index == number:
            if digests.of_content(content_of(item)) != digest:
                raise changed_item(index)
            number, digest = next(rows, _PAST_THE_LAST)
    if number is not None:
        raise changed_item(number)


def changed_item(number: int) -> JournalError:
    """The error for an input in which item `number` differs from the recorded item."""
    return JournalError(
        f"item {number} (counted from 0) is missing or differs from the one that the journal "
        "recorded; nothing was sent from this item on: use the recorded input, or another journal",
        number=number,
    )


def other_account(name: str) -> JournalError:
    """The error for a journal that is used with an account that is not its own."""
    return JournalError(
        f"{name}: it was made for another account (address, key or secret): "
        "use that account, or another journal"
    )
