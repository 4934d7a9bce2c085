"""Calls that only read from the platform: contacts, groups, custom fields and its time."""

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
    """The calls that change nothing on the platform.

    Each takes `deadline_s`, the time for the call in seconds; `None` uses the policy's. Each
    raises a `ContactError` that is never an `UncertainError`.
    """

    def __init__(self, requester: Requester, caller: Caller) -> None:
        self._caller = caller
        self.list_url = requester.url("contact", "getContactList")
        """The address of the action that lists contacts."""
        self._get_url = requester.url("contact", "getContact")
        self._groups_url = requester.url("contact", "getSubscriptionGroupList")
        self._fields_url = requester.url("contact", "getCustomFieldDefinition")
        self._ping_url = requester.url("test", "ping")

    async def ping(self, deadline_s: float | None) -> datetime.datetime:
        """The platform's time, in UTC."""
        try:
            return await self._caller.call_read_only(self._ping_url, b"", wire.read_ack, deadline_s)
        except RejectedError as error:
            # A ping has no parameter that could be wrong, so the address is wrong, for example by
            # an additional path.
            what = f"{self._ping_url.host} does not know the action `ping`: {error.message}"
            raise converted(error, SetupError, what) from error

    async def find(
        self, wanted: ContactFilter, deadline_s: float | None, *, most_pages: int | None = None
    ) -> list[ListedContact]:
        """All contacts that match the filter, in the platform's order; empty if none does.

        `deadline_s` is the time for each page. `most_pages` is how many pages the list may have;
        `None` for no limit.
        """

        def page_at(start: int) -> Awaitable[ContactPage]:
            content = wire.encode_list(wanted, start=start)
            return self._caller.call_read_only(self.list_url, content, wire.read_page, deadline_s)

        listed = await read_list(page_at, most_pages=most_pages)
        return [contact for contact in listed if wire.satisfies(wanted, contact)]

    async def get(self, contact_id: int, deadline_s: float | None) -> Mapping[str, Any]:
        """All fields of a contact that the platform shows, under the platform's names."""
        content = wire.encode_get(contact_id)
        return await self._caller.call_read_only(
            self._get_url, content, wire.read_contact, deadline_s
        )

    async def groups(self, deadline_s: float | None) -> tuple[Group, ...]:
        """The subscription groups of the account, in the platform's order."""
        return await self._caller.call_read_only(
            self._groups_url, b"", wire.read_groups, deadline_s
        )

    async def custom_fields(self, deadline_s: float | None) -> tuple[CustomFieldDefinition, ...]:
        """The custom fields of the account's contacts, in the platform's order."""
        return await self._caller.call_read_only(
            self._fields_url, b"", wire.read_custom_fields, deadline_s
        )


class ListTooLongError(UnavailableError):
    """A list has more pages than the caller wants to read."""


async def read_list(
    page_at: Callable[[int], Awaitable[ContactPage]],
    *,
    most_passes: int = 10,
    most_pages: int | None = None,
) -> list[ListedContact]:
    """Read a whole list page by page; returns each contact once, in the platform's order.

    `page_at` fetches the page that begins at a position, counted from 0. A list may change while it
    is read: a contact that enters or leaves it shifts all contacts behind it. So each page is asked
    for with an overlap: it begins with the last contact of the page before. If another contact is
    there, the list has changed, and is read again from the beginning, `most_passes` times in all.

    Raises:
        ListTooLongError: The list has more than `most_pages` pages.
        UnavailableError: The list changed each time it was read.
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
                break  # the list has changed
            new = {contact.id: contact for contact in page if contact.id not in found}
            if len(new) != len(page) - (last is not None):
                break  # a contact was listed twice, so the list has changed
            found |= new
            if not new or len(found) == part.total:
                return list(found.values())
            # If a page holds only one contact, there is no room for an overlap.
            last = page[-1] if len(page) > 1 else None
            pages_read += 1
    raise UnavailableError("the list of contacts changed each time it was read; try again later")


def _pages(page: ContactPage, read_before: int) -> int:
    """How many pages a list has at least, given one page and the number of pages before it."""
    if read_before or not page.contacts:
        return read_before + 1
    return -(-(page.total or 1) // len(page.contacts))
