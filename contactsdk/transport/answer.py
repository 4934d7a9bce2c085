"""Reads the body of an answer, up to a size that an answer of the platform can have."""

from typing import Any, Final, cast

import aiohttp

from contactsdk.errors import UncertainError

MOST_MIB: Final = 16
"""The largest answer that is read, in MiB, decompressed: 80 KiB per contact of a full batch."""


async def read_answer(response: aiohttp.ClientResponse) -> bytes:
    """The whole body of an answer.

    Raises:
        UncertainError: The body is larger than `MOST_MIB`; the connection is closed.
        Exception: The body is not complete; this is the exception of aiohttp.
    """
    bounded = _BoundedContent(response.content, response.status)
    # aiohttp's own method reads the body: it also calls the trace hooks, and closes the connection
    # if one of them fails.
    response.content = cast("aiohttp.StreamReader", bounded)
    return await response.read()


class _BoundedContent:
    """Wraps the content of an answer, so that at most `MOST_MIB` of it are held in memory."""

    def __init__(self, content: aiohttp.StreamReader, status: int) -> None:
        self._content = content
        self._status = status

    def __getattr__(self, name: str) -> Any:
        return getattr(self._content, name)

    async def read(self) -> bytes:
        parts: list[bytes] = []
        size = 0
        while part := await self._content.readany():
            parts.append(part)
            size += len(part)
            if size > MOST_MIB * 2**20:
                raise UncertainError(
                    f"sent, but the answer is larger than {MOST_MIB} MiB; check what a proxy or "
                    "gateway on the way does to answers",
                    http_status=self._status,
                )
        return b"".join(parts)
