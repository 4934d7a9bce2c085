"""A proxy before a database, which can lose an answer, or hand a statement on late."""

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
    is_holding: bool = False
    """Whether the next statement is kept back, and its connection broken for whoever sent it."""
    held: list[Callable[[], None]] = field(factory=list)
    """Hand on what was kept back, and wait until it was answered, which nobody hears."""

    ends: list[socket.socket] = field(factory=list)
    """Both ends of each connection."""

    def lose_next_answer(self) -> None:
        self.is_losing = True

    def hold_next_statement(self) -> None:
        self.is_holding = True

    def hand_on_what_was_held(self) -> None:
        """Let the database execute it, and wait until it has."""
        for hand_on in self.held:
            hand_on()
        self.held.clear()

    def serve(self, client: socket.socket, upstream: socket.socket) -> None:
        """Hand on one connection until either side ends it."""
        self.ends += client, upstream
        answered = threading.Event()
        asking = threading.Thread(target=self._ask, args=(client, upstream, answered))
        asking.start()
        with suppress(OSError):
            while answer := upstream.recv(65536):
                answered.set()
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

    def _ask(
        self, client: socket.socket, upstream: socket.socket, answered: threading.Event
    ) -> None:
        with suppress(OSError):
            while data := client.recv(65536):
                if self.is_holding:
                    self.is_holding = False
                    answered.clear()

                    def hand_on(statement: bytes = data) -> None:
                        upstream.sendall(statement)
                        assert answered.wait(60)

                    self.held.append(hand_on)
                    client.shutdown(socket.SHUT_RDWR)
                    return
                upstream.sendall(data)
            upstream.shutdown(socket.SHUT_WR)


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
            for end in proxy.ends:  # also those that a test which failed has left open
                with suppress(OSError):
                    end.shutdown(socket.SHUT_RDWR)
            for thread in threads:
                thread.join()
