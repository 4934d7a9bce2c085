"""Whatever bytes come back over a real socket, a call ends with an id or a `ContactError`."""

import asyncio
import contextlib
from collections.abc import Iterator

import pytest
from attrs import define
from hypothesis import given, settings
from hypothesis import strategies as st

from contactsdk import Contact, ContactClient, ContactError, RetryPolicy
from tests.system.unhurried import UnhurriedLoop

ADD = Contact(first_name="Ada", last_name="Quist", email="ada@example.test")
UPSERT = Contact(
    first_name="Ada", last_name="Quist", email="ada@example.test", update_if_exists=True
)


@define
class Parrot:
    """A server that reads one request of a connection, answers what it is told, and closes."""

    answer: bytes = b""
    port: int = 0

    async def handle(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError):
            await reader.readuntil(b"\r\n\r\n")
            writer.write(self.answer)
            await writer.drain()
        writer.close()


@pytest.fixture(scope="module")
def runner() -> Iterator[asyncio.Runner]:
    with asyncio.Runner(loop_factory=UnhurriedLoop) as running:
        yield running


@pytest.fixture(scope="module")
def parrot(runner: asyncio.Runner) -> Iterator[Parrot]:
    parrot = Parrot()
    server = runner.run(start(parrot))
    yield parrot
    server.close()


async def start(parrot: Parrot) -> asyncio.Server:
    server = await asyncio.start_server(parrot.handle, "127.0.0.1", 0)
    parrot.port = server.sockets[0].getsockname()[1]
    return server


async def ask(parrot: Parrot, contact: Contact) -> int | ContactError:
    policy = RetryPolicy(attempts=2)
    async with ContactClient(f"http://127.0.0.1:{parrot.port}", retry=policy) as client:
        try:
            return await client.add_or_update(contact)
        except ContactError as error:
            return error


def is_promised(end: int | ContactError) -> bool:
    return isinstance(end, ContactError) or (type(end) is int and end > 0)


json_like = st.sampled_from(
    [
        b'{"id":7}',
        b'{"success":false,"message":"no"}',
        b'{"errorCode":500}',
        b'{"errorCode":{},"id":-1}',
        b'{"id":1e999}',
        b"[" * 100_000,
        b"null",
    ]
)
bodies = st.binary(max_size=60) | json_like
values = st.binary(max_size=20) | st.sampled_from(
    [b"0", b"7", b"-1", b"1e9", b"chunked", b"gzip", b"deflate", b"br", b"close", b"keep-alive"]
)
names = st.binary(min_size=1, max_size=8) | st.sampled_from(
    [
        b"Content-Length",
        b"Transfer-Encoding",
        b"Content-Encoding",
        b"Content-Type",
        b"Connection",
        b"Upgrade",
        b"Location",
        b"Retry-After",
        b"Date",
        b"Set-Cookie",
    ]
)


@st.composite
def http_answers(draw: st.DrawFn) -> bytes:
    """As good as HTTP: any status, any headers, any body, of the right length or not."""
    status = draw(st.integers(0, 999) | st.sampled_from([100, 101, 200, 204, 304, 429, 503]))
    body = draw(bodies)
    headers = draw(st.lists(st.tuples(names, values), max_size=4))
    if draw(st.booleans()):
        headers.append((b"Content-Length", b"%d" % len(body)))
    lines = [b"HTTP/1.1 %d %s" % (status, draw(st.sampled_from([b"", b"OK"])))]
    lines += [name + b": " + value for name, value in headers]
    return b"\r\n".join((*lines, b"", body))


@pytest.mark.parametrize("contact", [ADD, UPSERT], ids=["add", "upsert"])
@settings(max_examples=120)
@given(answer=http_answers() | st.binary(max_size=200))
def test_any_answer_is_an_id_or_an_error(
    contact: Contact, answer: bytes, runner: asyncio.Runner, parrot: Parrot
) -> None:
    parrot.answer = answer

    assert is_promised(runner.run(ask(parrot, contact)))


@settings(max_examples=100)
@given(status=st.integers(200, 999), body=bodies)
def test_any_status_with_any_body_is_an_id_or_an_error(
    status: int, body: bytes, runner: asyncio.Runner, parrot: Parrot
) -> None:
    parrot.answer = b"HTTP/1.1 %d\r\nContent-Length: %d\r\n\r\n%b" % (status, len(body), body)

    end = runner.run(ask(parrot, ADD))

    assert is_promised(end)
    assert isinstance(end, ContactError) or 200 <= status <= 299
