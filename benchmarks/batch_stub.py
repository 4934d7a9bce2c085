"""A server in its own process that checks signatures, parses bodies, and plays batches.

It executes a batch at once and keeps its results until they are fetched. With a limit it lets so
many requests a second in, ten of them at once, and answers the others with 429 and nothing to say
when.
"""

import asyncio
import contextlib
import hashlib
import hmac
import itertools
import multiprocessing
import time
from collections.abc import Iterator
from multiprocessing.connection import Connection
from typing import Any, cast

import orjson

from contactsdk import Credentials

_BURST = 10.0


@contextlib.contextmanager
def batch_stub(credentials: Credentials, limit_per_s: float | None = None) -> Iterator[str]:
    """The address of one."""
    here, there = multiprocessing.Pipe()
    context = multiprocessing.get_context("spawn")
    args = (there, credentials.key, credentials.secret, limit_per_s)
    process = context.Process(target=_serve, args=args, daemon=True)
    process.start()
    try:
        yield f"http://127.0.0.1:{here.recv()}"
    finally:
        process.kill()
        process.join()


def _serve(pipe: Connection, key: str, secret: str, limit_per_s: float | None) -> None:
    asyncio.run(_listen(pipe, _Platform(key, secret, limit_per_s)))


async def _listen(pipe: Connection, platform: "_Platform") -> None:
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: _Protocol(platform), "127.0.0.1", 0, backlog=2048)
    pipe.send(server.sockets[0].getsockname()[1])
    await server.serve_forever()


class _Platform:
    def __init__(self, key: str, secret: str, limit_per_s: float | None) -> None:
        self._key, self._secret = key, secret.encode()
        self._limit_per_s = limit_per_s
        self._tokens, self._filled_at = _BURST, time.monotonic()
        self._ids = itertools.count(1)
        self._results: dict[str, list[dict[str, Any]]] = {}

    def answer(self, target: str, headers: dict[str, str], body: bytes) -> tuple[int, Any]:
        if not self._lets_in():
            return 429, {"errorCode": 429, "message": "too many requests"}
        if not self._is_signed(target, headers, body):
            return 401, {"errorCode": 401, "message": "the signature is wrong"}
        params = orjson.loads(body)
        match target.partition("=")[2]:
            case "addOrUpdateContact":
                return 200, self._execute(params)
            case "run":
                async_id = str(next(self._ids))
                self._results[async_id] = [
                    {**job, "request": job.pop("params"), "response": None}
                    for job in params["jobs"]
                ]
                return 200, {"asyncId": async_id}
            case _:
                results = self._results.pop(params["async"])
                for result in results:
                    result["response"] = self._execute(result["request"])
                return 200, {"asyncId": params["async"], "results": results}

    def _execute(self, params: dict[str, Any]) -> dict[str, Any]:
        return {"success": True, "id": params.get("id") or next(self._ids)}

    def _lets_in(self) -> bool:
        if self._limit_per_s is None:
            return True
        now = time.monotonic()
        filled = self._tokens + (now - self._filled_at) * self._limit_per_s
        self._tokens, self._filled_at = min(_BURST, filled), now
        if self._tokens < 1:
            return False
        self._tokens -= 1
        return True

    def _is_signed(self, target: str, headers: dict[str, str], body: bytes) -> bool:
        digest = hashlib.md5(body, usedforsecurity=False).hexdigest()
        date = headers["ivvy-date"]
        text = f"POST{digest}{headers['content-type']}{target}1.0ivvydate={date}".lower()
        signature = hmac.new(self._secret, text.encode(), hashlib.sha1).hexdigest()
        is_ours = headers["x-api-authorization"] == f"IWS {self._key}:{signature}"
        return is_ours and headers["content-md5"] == digest


class _Protocol(asyncio.Protocol):
    def __init__(self, platform: _Platform) -> None:
        self._platform = platform
        self._received = bytearray()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)

    def data_received(self, data: bytes) -> None:
        self._received += data
        end = self._received.find(b"\r\n\r\n")
        if end < 0:
            return
        first, *lines = self._received[:end].decode().split("\r\n")
        headers = {
            name.lower(): value.strip()
            for name, _, value in (line.partition(":") for line in lines)
        }
        body = bytes(self._received[end + 4 :])
        if len(body) < int(headers["content-length"]):
            return
        self._received.clear()
        status, answer = self._platform.answer(first.split()[1], headers, body)
        content = orjson.dumps(answer)
        head = (
            f"HTTP/1.1 {status} Answer\r\nContent-Type: application/json\r\n"
            f"Content-Length: {len(content)}\r\n\r\n"
        )
        self._transport.write(head.encode() + content)
