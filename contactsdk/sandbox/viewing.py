"""Serves the page that shows what has arrived: `GET /` in a browser."""

import ipaddress
from collections.abc import Callable
from itertools import islice

from aiohttp import web

from contactsdk.sandbox.ledger import Ledger
from contactsdk.sandbox.page import SHOWN, Snapshot, page
from contactsdk.sandbox.platform import Platform
from contactsdk.sandbox.validation import Rules

_REFRESH_S = 2
_HEADERS = {
    "Content-Security-Policy": "default-src 'none'; img-src data:; style-src 'unsafe-inline'",
    "Cache-Control": "no-store",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}


class Viewer:
    """Answers the requests of browsers for the page; the ledger does not record them."""

    def __init__(
        self, url: Callable[[], str], rules: Rules, platform: Platform, ledger: Ledger
    ) -> None:
        self._url = url
        self._rules = rules
        self._platform = platform
        self._ledger = ledger

    def is_asked(self, request: web.BaseRequest) -> bool:
        """Whether this request is for the page."""
        return request.method in ("GET", "HEAD") and request.path == "/"

    def answer(self, request: web.BaseRequest) -> web.Response:
        """The answer with the page as it is now."""
        if not self._is_own_address(request.host):
            return web.Response(status=403, text="This is not the sandbox's address.")
        refresh_s = None if request.query.get("refresh") == "off" else _REFRESH_S
        text = page(self._snapshot(refresh_s, request.query.get("page", "")))
        return web.Response(
            body=text.encode("utf-8", "replace"),
            content_type="text/html",
            charset="utf-8",
            headers=_HEADERS,
        )

    def _is_own_address(self, host: str) -> bool:
        """Whether the `Host` of a request is the sandbox's own: an IP address or a known name.

        With any other host name, a foreign web page could let its own name point to this machine,
        and read contacts (DNS rebinding).
        """
        own = self._url().partition("://")[2]
        name = host.rpartition(":")[0] if host.rpartition(":")[2].isdecimal() else host
        if host == own or name == "localhost":
            return True
        try:
            ipaddress.ip_address(name.strip("[]"))
        except ValueError:
            return False
        return True

    def _snapshot(self, refresh_s: int | None, wanted: str) -> Snapshot:
        platform, ledger = self._platform, self._ledger
        last = max(1, -(-len(platform.contacts.present) // SHOWN))
        # A number with more digits is not a page, and int() refuses very long numbers.
        number = int(wanted) if wanted.isdecimal() and len(wanted) < 10 else 1
        number = min(max(1, number), last)
        contacts = platform.contacts.newest(SHOWN, SHOWN * (number - 1))
        namesakes = {
            it.contact_id: platform.contacts.others_of_the_name(it.contact) for it in contacts
        }
        return Snapshot(
            page_number=number,
            last_page=last,
            namesakes={contact_id: others for contact_id, others in namesakes.items() if others},
            url=self._url(),
            account=self._rules.account,
            refresh_s=refresh_s,
            contacts=contacts,
            requests=list(islice(reversed(ledger.requests), SHOWN)),
            batches=platform.batches.newest(SHOWN),
            contact_count=len(platform.contacts.present),
            request_count=len(ledger.requests),
            batch_count=len(platform.batches.all),
        )
