"""Whose journal it is, and digests that tell one item from another without keeping either."""

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
    """Whose contacts a run sends."""

    url: str
    """The address that contacts are sent to."""
    key: str = field(repr=False)
    """The account's key; empty where a gateway signs."""
    secret: str = field(repr=False)
    """The account's secret; empty where a gateway signs."""


@frozen(eq=False)
class Digests:
    """Makes a journal's digests, which can be checked only by whoever has the secret."""

    _keyed: Any = field(repr=False)

    @classmethod
    def of(cls, salt: bytes, secret: str) -> Self:
        """The digests of a journal with this salt, for an account with this secret."""
        # A hash that is copied costs half of one that is made anew.
        return cls(blake2b(key=blake2b(salt + secret.encode()).digest(), digest_size=16))

    def of_account(self, account: Account) -> bytes:
        """The digest of address and key."""
        return self._digest(f"{account.url}\0{account.key}".encode())

    def of_key(self, contact: Contact) -> bytes:
        """The digest of what two contacts have in common that are the same."""
        return self._digest(repr(key_of(contact)).encode())

    def of_content(self, content: bytes) -> bytes:
        """The digest of an item, given its `content_of`."""
        return self._digest(content)

    def _digest(self, data: bytes) -> bytes:
        hash_ = self._keyed.copy()
        hash_.update(data)
        digest: bytes = hash_.digest()
        return digest


def content_of(item: Item) -> bytes:
    """What an item says: the body of a contact, or what was wrong with one."""
    if isinstance(item, Contact):
        return wire.encode(item)
    return repr(item.errors).encode("utf-8", "backslashreplace")


def check_input(
    recorded: Iterable[tuple[int, bytes]], items: Iterable[Item], digests: Digests
) -> None:
    """See that the items are those whose numbers and digests were recorded, in input order.

    Items that were never recorded may be any, and more may follow the last one.

    Raises:
        JournalError: They are not; `number` is the index of the first item that differs or is
            missing.
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
    """The error of an input whose item `number` is not the one that was recorded."""
    return JournalError(
        f"item {number} (counted from 0) is missing or is not the one that the journal recorded; "
        "nothing from there on was sent: use the recorded input, or another journal",
        number=number,
    )


def other_account(name: str) -> JournalError:
    """The error of a journal that is used with another account than its own."""
    return JournalError(
        f"{name}: made for another account (address, key or secret); "
        "use that account, or another journal"
    )
