"""The ways on which requests go: plain or TLS, by the client's own session or one handed in."""

import contextlib
from collections.abc import AsyncIterator
from typing import Any
from unittest import mock

import aiohttp
import pytest
import trustme
from attrs import frozen

from contactsdk import Contact, ContactClient, Credentials
from tests.quick import QUICK
from tests.raw_server import RawServer, Script, client_context, server_context

ADD = Contact(first_name="Ada", last_name="Quist", email="ada@example.test")
CREDENTIALS = Credentials("some-key", "some-secret")

AUTHORITY = trustme.CA()


@frozen
class Route:
    """How a client reaches the server."""

    tls: bool
    handed_in: bool

    def server(self, *scripts: Script) -> RawServer:
        return RawServer(*scripts, tls=server_context(AUTHORITY) if self.tls else None)

    @contextlib.asynccontextmanager
    async def client(
        self, url: str, *, credentials: Credentials = CREDENTIALS, **options: Any
    ) -> AsyncIterator[ContactClient]:
        options = {"retry": QUICK, **options}
        if not self.handed_in:
            # What aiohttp uses where nobody gives it another context.
            with mock.patch("aiohttp.connector._SSL_CONTEXT_VERIFIED", client_context(AUTHORITY)):
                async with ContactClient(url, credentials, **options) as client:
                    yield client
            return
        trace_configs = options.pop("trace_configs", None)
        connector = aiohttp.TCPConnector(ssl=client_context(AUTHORITY) if self.tls else True)
        async with (
            aiohttp.ClientSession(connector=connector, trace_configs=trace_configs) as session,
            ContactClient(url, credentials, session=session, **options) as client,
        ):
            yield client


ROUTES = {
    "own session": Route(tls=False, handed_in=False),
    "handed in": Route(tls=False, handed_in=True),
    "own session, TLS": Route(tls=True, handed_in=False),
    "handed in, TLS": Route(tls=True, handed_in=True),
}

on_each_route = pytest.mark.parametrize("route", ROUTES.values(), ids=ROUTES)
