"""A small HTTP proxy on this machine: tunnels for https, forwards for http."""

import asyncio
import contextlib
import gzip
import re
from types import TracebackType
from typing import Self
from urllib.parse import urlsplit

_LENGTH = re.compile(rb"(?im)^content-length: *(\d+)\r\n")


class Proxy:
    """Counts its `tunnels` and the requests it `forwarded`; `gzips` the answers to the latter."""

    def __init__(self, *, gzips: bool = False) -> None:
        self.tunnels = 0
        self.forwarded = 0
        self._gzips = gzips
        self._open: set[asyncio.Task[None]] = set()

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._handle, "127.0.0.1", 0)
        self.url = f"http://127.0.0.1:{self._server.sockets[0].getsockname()[1]}"
        return self

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._server.close()
        for task in self._open:
            task.cancel()
        await asyncio.gather(*self._open, return_exceptions=True)

    async def _handle(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task
        self._open.add(task)
        try:
            with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError):
                await self._serve(reader, writer)
        finally:
            writer.close()
            self._open.discard(task)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        method, target, _ = head.split(b" ", 2)
        is_tunnel = method == b"CONNECT"
        address = urlsplit(f"//{target.decode()}" if is_tunnel else target.decode())
        there_reader, there = await asyncio.open_connection(address.hostname, address.port)
        if is_tunnel:
            self.tunnels += 1
            writer.write(b"HTTP/1.1 200 Connection established\r\n\r\n")
            ways = _copy(reader, there), _copy(there_reader, writer)
        else:
            back = _copy_gzipped if self._gzips else _copy
            ways = self._forward(head, reader, there), back(there_reader, writer)
        async with asyncio.TaskGroup() as tasks:
            for way in ways:
                tasks.create_task(way)

    async def _forward(
        self, head: bytes, reader: asyncio.StreamReader, there: asyncio.StreamWriter
    ) -> None:
        """Each request, its absolute target made a path."""
        try:
            with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError):
                while True:
                    self.forwarded += 1
                    method, target, rest = head.split(b" ", 2)
                    url = urlsplit(target)
                    there.write(b" ".join((method, url.path + b"?" + url.query, rest)))
                    there.write(await reader.readexactly(_length(head)))
                    head = await reader.readuntil(b"\r\n\r\n")
        finally:
            there.close()


async def _copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    try:
        with contextlib.suppress(ConnectionError):
            while data := await reader.read(65536):
                writer.write(data)
                await writer.drain()
    finally:
        writer.close()


async def _copy_gzipped(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Each answer, compressed where it is whole."""
    try:
        with contextlib.suppress(ConnectionError):
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                body = await reader.readexactly(_length(head))
                body = gzip.compress(body)
                added = b"Content-Encoding: gzip\r\nContent-Length: %d\r\n\r\n" % len(body)
                writer.write(_LENGTH.sub(b"", head)[:-2] + added + body)
    except asyncio.IncompleteReadError as cut:
        writer.write(cut.partial)
    finally:
        writer.close()


def _length(head: bytes) -> int:
    found = _LENGTH.search(head)
    return int(found[1]) if found else 0
