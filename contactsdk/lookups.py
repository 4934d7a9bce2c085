"""Reading from the platform: contacts by what is known of them, groups, and custom fields."""

import datetime
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from contactsdk import wire
from contactsdk.attempt import Requester
from contactsdk.calls import Caller
from contactsdk.errors import RejectedError, SetupError, UnavailableError, converted
from contactsdk.models import CustomFieldDefinition, Group
from contactsdk.wire import ContactFilter, ContactPage, ListedContact


class Lookups:
    """The calls that change nothing on the platform."""

    def __init__(self, requester: Requester, caller: Caller) -> None:
        self._caller = caller
        self.list_url = requester.url("contact", "getContactList")
        """The address that lists of contacts are asked of."""
        self._get_url = requester.url("contact", "getContact")
        self._groups_url = requester.url("contact", "getSubscriptionGroupList")
        self._fields_url = requester.url("contact", "getCustomFieldDefinition")
        self._ping_url = requester.url("test", "ping")

    async def ping(self, deadline_s: float | None) -> datetime.datetime:
        """The platform's time."""
        try:
            return await self._caller.call_read_only(self._ping_url, b"", wire.read_ack, deadline_s)
        except RejectedError as error:
            # A ping names nothing that could be wrong, so the address is: a path too many, say.
            what = f"{self._ping_url.host} does not know the call: {error.message}"
            raise converted(error, SetupError, what) from error

    async def find(
        self, wanted: ContactFilter, deadline_s: float | None, *, most_pages: int | None = None
    ) -> list[ListedContact]:
        """All contacts that match the filter, in the platform's order."""

        def page_at(start: int) -> Awaitable[ContactPage]:
            content = wire.encode_list(wanted, start=start)
            return self._caller.call_read_only(self.list_url, content, wire.read_page, deadline_s)

        listed = await read_list(page_at, most_pages=most_pages)
        return [contact for contact in listed if wire.satisfies(wanted, contact)]

    async def get(self, contact_id: int, deadline_s: float | None) -> Mapping[str, Any]:
        """All that the platform shows of a contact."""
        content = wire.encode_get(contact_id)
        return await self._caller.call_read_only(
            self._get_url, content, wire.read_contact, deadline_s
        )

    async def groups(self, deadline_s: float | None) -> tuple[Group, ...]:
        """The subscription groups of the account."""
        return await self._caller.call_read_only(
            self._groups_url, b"", wire.read_groups, deadline_s
        )

    async def custom_fields(self, deadline_s: float | None) -> tuple[CustomFieldDefinition, ...]:
        """The custom fields of the account's contacts."""
        return await self._caller.call_read_only(
            self._fields_url, b"", wire.read_custom_fields, deadline_s
        )


class ListTooLongError(UnavailableError):
    """A list has more pages than are worth reading."""


async def read_list(
    page_at: Callable[[int], Awaitable[ContactPage]],
    *,
    most_passes: int = 10,
    most_pages: int | None = None,
) -> list[ListedContact]:
    """A whole list, read page by page, each contact once.

    A list may move while it is read: a contact that enters or leaves it shifts all that follow.
    Each page therefore begins with the last contact of the page before. Where another contact
    stands there, the list has moved, and is read once more, `most_passes` times in all.

    Raises:
        ListTooLongError: It has more than `most_pages`, as far as the platform says so at once.
        UnavailableError: The list moved each time that it was read.
    """
    for _ in range(most_passes):
        found: dict[int, ListedContact] = {}
        last: ListedContact | None = None
        pages_read = 0
        while True:
            part = await page_at(len(found) - (last is not None))
            page = part.contacts
            if most_pages is not None and _pages(part, pages_read) > most_pages:
                raise ListTooLongError(f"the list of contacts has more than {most_pages} pages")
            if last is not None and (not page or page[0].id != last.id):
                break  # it has moved
            new = {contact.id: contact for contact in page if contact.id not in found}
            if len(new) != len(page) - (last is not None):
                break  # a contact stands in it twice, so it has moved
            found |= new
            if not new or len(found) == part.total:
                return list(found.values())
            # Where pages hold one contact each, one that began with the last would hold no more.
            last = page[-1] if len(page) > 1 else None
            pages_read += 1
    raise UnavailableError(
        "the list of contacts changed each time that it was read; try again later"
    )


def _pages(page: ContactPage, read_before: int) -> int:
    """How many pages a list has, as far as this one and how many came before it tell."""
    if read_before or not page.contacts:
        return read_before + 1
    return -(-(page.total or 1) // len(page.contacts))
