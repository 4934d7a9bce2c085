"""A server in its own process that answers everything with the same bytes, at once or later.

It takes a core for itself: unless it is told to sleep, it never does. A server on this machine that
sleeps until it has something to do is woken by the client's very write, and the client is billed
for that, the less the more requests come while it is still awake. The platform's servers are other
machines, which no client wakes.
"""

import asyncio
import contextlib
import multiprocessing
import os
import re
import ssl
import tempfile
from collections.abc import Iterator
from multiprocessing.connection import Connection
from pathlib import Path
from typing import cast
from unittest import mock

# An id for a contact; and an empty list, since `contactsdk import` asks for the account's groups.
_BODY = b'{"success":true,"id":33884,"results":[]}'
_ANSWER = (
    b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: "
    + str(len(_BODY)).encode()
    + b"\r\n\r\n"
    + _BODY
)
_LENGTH = re.compile(rb"(?i)content-length: *(\d+)")


@contextlib.contextmanager
def stub(
    latency_s: float = 0.0, certificate: str | None = None, *, sleeps: bool = False
) -> Iterator[str]:
    """The address of one; over TLS with a certificate, with uvloop where that is installed.

    One that sleeps does so between requests.
    """
    here, there = multiprocessing.Pipe()
    context = multiprocessing.get_context("spawn")
    args = (there, latency_s, certificate, sleeps)
    process = context.Process(target=_serve, args=args, daemon=True)
    process.start()
    scheme = "http" if certificate is None else "https"
    try:
        yield f"{scheme}://127.0.0.1:{here.recv()}"
    finally:
        process.kill()
        process.join()


@contextlib.contextmanager
def authority() -> Iterator[str]:
    """A file with a certificate for this machine; new processes trust whoever signed it."""
    import trustme

    made = trustme.CA()
    with tempfile.TemporaryDirectory() as folder, mock.patch.dict(os.environ):
        certificate, trusted = Path(folder, "certificate.pem"), Path(folder, "authority.pem")
        made.issue_cert("127.0.0.1").private_key_and_cert_chain_pem.write_to_path(certificate)
        made.cert_pem.write_to_path(trusted)
        os.environ["SSL_CERT_FILE"] = str(trusted)
        yield str(certificate)


def _serve(pipe: Connection, latency_s: float, certificate: str | None, sleeps: bool) -> None:
    with contextlib.suppress(ImportError):
        import uvloop

        asyncio.set_event_loop_policy(uvloop.EventLoopPolicy())
    context = None
    if certificate is not None:
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        context.load_cert_chain(certificate)
    asyncio.run(_listen(pipe, latency_s, context, sleeps))


async def _listen(
    pipe: Connection, latency_s: float, context: ssl.SSLContext | None, sleeps: bool
) -> None:
    loop = asyncio.get_running_loop()
    server = await loop.create_server(
        lambda: _Stub(latency_s), "127.0.0.1", 0, backlog=2048, ssl=context
    )
    pipe.send(server.sockets[0].getsockname()[1])

    def stay_awake() -> None:
        loop.call_soon(stay_awake)

    if not sleeps:
        stay_awake()
    await server.serve_forever()


class _Stub(asyncio.Protocol):
    def __init__(self, latency_s: float) -> None:
        self._latency_s = latency_s
        self._received = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)  # uvloop's is no subclass of it
        self._loop = asyncio.get_running_loop()

    def data_received(self, data: bytes) -> None:
        self._received += data
        head, found, body = self._received.partition(b"\r\n\r\n")
        length = _LENGTH.search(head)
        if not found or len(body) < int(length[1] if length else 0):
            return
        self._received = b""
        if self._latency_s:
            self._loop.call_later(self._latency_s, self._transport.write, _ANSWER)
        else:
            self._transport.write(_ANSWER)
