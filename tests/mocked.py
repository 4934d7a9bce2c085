"""aioresponses, made to work with aiohttp 3.14."""

from collections.abc import Iterator
from contextlib import contextmanager
from types import SimpleNamespace
from typing import Any, cast

import aiohttp
from aiohttp.abc import AbstractStreamWriter
from aioresponses import aioresponses


class _Response(aiohttp.ClientResponse):
    # aioresponses 0.7.9 does not pass `stream_writer`, of which only `output_size` is read
    # (its issue #289).
    def __init__(self, *args: Any, **kwargs: Any) -> None:
        writer = cast(AbstractStreamWriter, SimpleNamespace(output_size=0))
        super().__init__(*args, stream_writer=writer, **kwargs)


class Answers:
    """Answers in order, whatever is asked; `bodies` are the requests that were made."""

    def __init__(self, mock: aioresponses, url: str) -> None:
        self._mock = mock
        self._url = url

    def add(self, status: int = 200, body: bytes | str = b'{"id": 1}', **more: Any) -> None:
        self._mock.post(self._url, status=status, body=body, response_class=_Response, **more)

    def fail(self, exception: Exception) -> None:
        self._mock.post(self._url, exception=exception)

    @property
    def headers(self) -> list[dict[str, str]]:
        return [call.kwargs["headers"] for calls in self._mock.requests.values() for call in calls]


@contextmanager
def answers(url: str) -> Iterator[Answers]:
    """Stands in for the platform at `url`, which no socket is opened to."""
    with aioresponses() as mock:
        yield Answers(mock, url)
