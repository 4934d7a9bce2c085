"""Reading the body of an answer, as long as it has a size that the platform's can have."""

from typing import Any, Final, cast

import aiohttp

from contactsdk.errors import UncertainError

MOST_MIB: Final = 16
"""So much of an answer is read, decompressed: 80 KiB for each contact of the largest batch."""


async def read_answer(response: aiohttp.ClientResponse) -> bytes:
    """The whole body of an answer.

    Raises:
        UncertainError: It is larger than `MOST_MIB`; the connection is closed.
        Exception: What aiohttp raises where it is not whole.
    """
    bounded = _BoundedContent(response.content, response.status)
    # Not read here: aiohttp's own method also tells traces, and closes where that fails.
    response.content = cast("aiohttp.StreamReader", bounded)
    return await response.read()


class _BoundedContent:
    """The content of an answer, of which no more than `MOST_MIB` is held in memory."""

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
                    f"sent, but the answer is larger than {MOST_MIB} MiB; look at what a proxy or "
                    "gateway on the way does to answers",
                    http_status=self._status,
                )
        return b"".join(parts)
