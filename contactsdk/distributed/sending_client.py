"""What workers send with: what they need of a `ContactClient`."""

from collections.abc import AsyncIterable, Iterable
from typing import Protocol, Unpack

from contactsdk.bulk import BulkOptions, OutcomeStream
from contactsdk.journal import Account
from contactsdk.models import Item


class SendingClient(Protocol):
    """A client that sends many contacts of one account: a `ContactClient`."""

    @property
    def account(self) -> Account:
        """Whose contacts it sends."""
        ...

    def stream(
        self, contacts: Iterable[Item] | AsyncIterable[Item], **options: Unpack[BulkOptions]
    ) -> OutcomeStream:
        """Send many contacts; see `ContactClient.stream`."""
        ...
