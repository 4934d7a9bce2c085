"""A server that plays scripts of bytes, pauses and closes, and records what it received.

It knows nothing of HTTP but where a request ends, so a test decides every byte that a client sees.
It runs in threads: a test may block its own event loop, or run one of any kind, and the server goes
on all the same.
"""

import contextlib
import re
import socket
import ssl
import struct
import threading
import time
from collections.abc import Callable, Sequence
from types import TracebackType
from typing import Final, Self, TypeAlias

import trustme
from attrs import define, field, frozen

PATIENCE_S: Final = 10.0  # for what comes within milliseconds, on a machine that is not busy


class _Action:
    def __init__(self, name: str) -> None:
        self._name = name

    def __repr__(self) -> str:
        return self._name


REQUEST: Final = _Action("REQUEST")
"""Wait for one whole request."""

HEAD: Final = _Action("HEAD")
"""Wait for the head of a request alone."""

CLOSE: Final = _Action("CLOSE")
"""Close the connection in good order."""

RESET: Final = _Action("RESET")
"""Break the connection, so that the client is told of it as an error."""


@frozen
class Pause:
    """Say nothing for so many seconds."""

    seconds: float


@frozen
class WaitFor:
    """Say nothing until the test sets the event."""

    event: threading.Event


@frozen
class Tell:
    """Set the event: the test may go on."""

    event: threading.Event


Step: TypeAlias = bytes | Pause | WaitFor | Tell | _Action
"""Bytes are sent as they are."""

Script: TypeAlias = Sequence[Step]
"""What happens on one connection; after its last step it stays open, and the server is silent."""


def answer(body: bytes, status: str = "200 OK", *headers: str) -> bytes:
    """The bytes of a whole answer."""
    lines = [f"HTTP/1.1 {status}", f"Content-Length: {len(body)}", *headers, "", ""]
    return "\r\n".join(lines).encode() + body


@frozen
class Request:
    """One request as it came: its `head` with the empty line, its `body`."""

    connection: int
    head: bytes
    body: bytes


@define
class _Connection:
    number: int
    socket: socket.socket
    unread: bytes = b""
    total: bytes = field(default=b"", repr=False)

    def receive(self) -> bool:
        """Whether more came; not when the client has closed."""
        more = self.socket.recv(65536)
        self.unread += more
        self.total += more
        return bool(more)


class RawServer:
    """Plays the first script on the first connection, and so on; the last one on all others.

    Use it as a context manager. `url` is its address, `requests` all whole requests in the order in
    which they came, `received` all bytes of each connection.
    """

    def __init__(self, *scripts: Script, tls: ssl.SSLContext | None = None) -> None:
        self._scripts = scripts
        self._tls = tls
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=256)
        self._threads: list[threading.Thread] = []
        self._connections: list[_Connection] = []
        self._is_over = threading.Event()
        self.port: int = self._listener.getsockname()[1]
        self.url = f"{'http' if tls is None else 'https'}://127.0.0.1:{self.port}"
        self.requests: list[Request] = []
        self.problems: list[Exception] = []

    @property
    def received(self) -> list[bytes]:
        """What came on each connection, after TLS."""
        return [connection.total for connection in self._connections]

    def __enter__(self) -> Self:
        self._start(self._accept)
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._is_over.set()
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        for connection in self._connections:
            with contextlib.suppress(OSError):
                connection.socket.shutdown(socket.SHUT_RDWR)
        for thread in self._threads:
            thread.join(PATIENCE_S)
        if exc is None:
            assert not self.problems, self.problems

    def _start(self, work: Callable[..., None], *args: object) -> None:
        thread = threading.Thread(target=work, args=args, daemon=True)
        self._threads.append(thread)
        thread.start()

    def _accept(self) -> None:
        while not self._is_over.is_set():
            try:
                accepted, _ = self._listener.accept()
            except OSError:
                return
            accepted.settimeout(PATIENCE_S)
            accepted.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            connection = _Connection(len(self._connections), accepted)
            self._connections.append(connection)
            self._start(self._serve, connection)

    def _serve(self, connection: _Connection) -> None:
        script = self._scripts[min(connection.number, len(self._scripts) - 1)]
        try:
            # A client may go at any time, and a handshake fail: that is what a test is about.
            with contextlib.suppress(OSError), connection.socket:
                if self._tls is not None:
                    self._shake_hands(connection, self._tls)
                for step in script:
                    self._play(step, connection)
                while connection.receive():
                    pass
        except Exception as exc:
            self.problems.append(exc)
        finally:
            connection.socket.close()

    @staticmethod
    def _shake_hands(connection: _Connection, tls: ssl.SSLContext) -> None:
        below_tls = connection.socket.dup()
        try:
            connection.socket = tls.wrap_socket(connection.socket, server_side=True)
        except OSError:
            # A close with something unread is a reset, after which the client may not see the
            # alert that says why.
            connection.socket = below_tls
            below_tls.shutdown(socket.SHUT_WR)
            while connection.receive():
                pass
            connection.total = b""  # of it nothing came after TLS
            raise
        below_tls.close()

    def _play(self, step: Step, connection: _Connection) -> None:
        match step:
            case bytes():
                connection.socket.sendall(step)
            case Pause(seconds):
                self._is_over.wait(seconds)
            case WaitFor(event):
                event.wait(PATIENCE_S)
            case Tell(event):
                event.set()
            case _ if step is REQUEST or step is HEAD:
                self._receive(connection, with_body=step is REQUEST)
            case _ if step is CLOSE:
                connection.socket.shutdown(socket.SHUT_RDWR)
            case _:
                linger = struct.pack("ii", 1, 0)
                connection.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
                connection.socket.close()

    def _receive(self, connection: _Connection, *, with_body: bool) -> None:
        while b"\r\n\r\n" not in connection.unread:
            if not connection.receive():
                raise ConnectionError("the client has closed")
        head, _, rest = connection.unread.partition(b"\r\n\r\n")
        if not with_body:
            return
        found = re.search(rb"(?i)content-length: *(\d+)", head)
        length = int(found[1]) if found else 0
        while len(rest) < length:
            if not connection.receive():
                raise ConnectionError("the client has closed")
            rest = connection.unread.partition(b"\r\n\r\n")[2]
        connection.unread = rest[length:]
        self.requests.append(Request(connection.number, head + b"\r\n\r\n", rest[:length]))


def server_context(
    authority: trustme.CA, *, wants_certificate: bool = False, newest: bool = True
) -> ssl.SSLContext:
    """For a server on this machine; `newest` for TLS 1.3 alone, else TLS 1.2 alone."""
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    authority.issue_cert("127.0.0.1").configure_cert(context)
    if wants_certificate:
        context.verify_mode = ssl.CERT_REQUIRED
        authority.configure_trust(context)
    version = ssl.TLSVersion.TLSv1_3 if newest else ssl.TLSVersion.TLSv1_2
    context.minimum_version = context.maximum_version = version
    return context


def client_context(authority: trustme.CA) -> ssl.SSLContext:
    """For a client that trusts the authority."""
    context = ssl.create_default_context()
    authority.configure_trust(context)
    return context


def wait_until(is_so: Callable[[], object]) -> None:
    """Block, the event loop too, until it is so."""
    end = time.monotonic() + PATIENCE_S
    while not is_so():
        assert time.monotonic() < end, "it never was"
        time.sleep(0.001)
