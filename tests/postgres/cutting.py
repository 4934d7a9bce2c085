"""A proxy before a database, which can lose the answer to a statement that was executed."""

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from urllib.parse import urlsplit, urlunsplit

from attrs import define, field


@define(eq=False)
class Proxy:
    """Hands on what a client and its database say to each other."""

    url: str
    """The address of the database by way of this proxy."""
    on_answer: Callable[[], object] = field(default=lambda: None)
    """Is called before an answer of the database is handed on."""
    is_losing: bool = False
    """Whether the next answer is lost, and its connection broken."""

    def lose_next_answer(self) -> None:
        self.is_losing = True

    def serve(self, client: socket.socket, upstream: socket.socket) -> None:
        """Hand on one connection until either side ends it."""
        asking = threading.Thread(target=_copy, args=(client, upstream))
        asking.start()
        with suppress(OSError):
            while answer := upstream.recv(65536):
                self.on_answer()
                if self.is_losing:
                    self.is_losing = False
                    break
                client.sendall(answer)
        for end in (client, upstream):
            with suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)
        asking.join()
        client.close()
        upstream.close()


@contextmanager
def proxy_to(url: str) -> Iterator[Proxy]:
    """A proxy to the database at this URL, of a host and a port."""
    parts = urlsplit(url)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        user = "" if parts.username is None else f"{parts.username}@"
        where = f"{user}127.0.0.1:{listener.getsockname()[1]}"
        proxy = Proxy(urlunsplit(parts._replace(netloc=where)))
        threads: list[threading.Thread] = []

        def accept() -> None:
            with suppress(OSError):
                while True:
                    client, _ = listener.accept()
                    upstream = socket.create_connection((parts.hostname, parts.port))
                    threads.append(threading.Thread(target=proxy.serve, args=(client, upstream)))
                    threads[-1].start()

        accepting = threading.Thread(target=accept)
        accepting.start()
        try:
            yield proxy
        finally:
            listener.shutdown(socket.SHUT_RDWR)
            accepting.join()
            for thread in threads:
                thread.join()


def _copy(source: socket.socket, target: socket.socket) -> None:
    with suppress(OSError):
        while data := source.recv(65536):
            target.sendall(data)
        target.shutdown(socket.SHUT_WR)
