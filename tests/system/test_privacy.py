"""Nothing secret or personal shows: marked values go everywhere, and all output is searched."""

import asyncio
import io
import itertools
import logging
import traceback
from collections.abc import Iterator, Mapping
from typing import Any

import aiohttp
import pytest
from attrs import define, field

from contactsdk import (
    Contact,
    ContactClient,
    ContactError,
    Credentials,
    CustomField,
    ExternalUrl,
    InvalidContactError,
    RejectedError,
    RetryPolicy,
    contacts_from,
)
from contactsdk.sandbox import Fault, FaultKind, Sandbox
from tests.raw_server import CLOSE, HEAD, REQUEST, RawServer, Script, answer
from tests.system.unhurried import unhurried

# In every value, so that one search finds any of them, also one that is a number.
MARK = "zq7xk"
NUMBER = 770_077_007_700
KEY = f"key-{MARK}"
SECRET = f"secret-{MARK}"
ONCE = RetryPolicy(attempts=1)
FIRST_ID = 1001  # of the sandbox

TEXTS: dict[str, Any] = {
    "external_id": f"ext-{MARK}",
    "first_name": f"Ada-{MARK}",
    "last_name": f"Quist-{MARK}",
    "email": f"ada-{MARK}@example.test",
    "phone": f"+61-{MARK}",
    "groups": [NUMBER],
    "companies": [NUMBER],
    "custom_fields": {33443: f"No-{MARK}", 33444: {f"key-{MARK}": [f"in-{MARK}", NUMBER]}},
    "external_urls": [
        ExternalUrl(
            ref=f"ref-{MARK}", url=f"https://{MARK}.example.com/{MARK}", label=f"label-{MARK}"
        )
    ],
}

# For every field values that are refused here, each of them marked.
INVALID: dict[str, tuple[Any, ...]] = {
    "id": (MARK, -NUMBER),
    "external_id": ([MARK], f"{MARK}\ud800"),
    "first_name": ([MARK], f"{MARK}\ud800"),
    "last_name": ([MARK], f"{MARK}\ud800"),
    "email": (
        MARK,
        f"{MARK}@",
        f"a {MARK}@example.com",
        f"ada@{MARK}..com",
        f"{MARK * 60}@example.com",
        f"Ada <{MARK}@example.com>",
        [MARK],
        f"{MARK}\ud800@example.com",
    ),
    "phone": ([MARK], f"{MARK}\ud800"),
    "groups": (MARK, [MARK], [-NUMBER], {MARK: 1}),
    "companies": (MARK, [MARK], [-NUMBER], {MARK: 1}),
    "custom_fields": (
        MARK,
        {MARK: 1},
        {-NUMBER: 1},
        {1: {MARK: float("nan")}},
        {1: {f"{MARK}\ud800": 1}},
        {1: f"{MARK}\ud800"},
        {1: {MARK}},
        [MARK],
    ),
    "status": (MARK, NUMBER),
    "sms_status": (MARK, NUMBER),
    "update_if_exists": (MARK, NUMBER),
    "external_urls": (MARK, [MARK], TEXTS["external_urls"] * 2, TEXTS["external_urls"] * 4),
    "privacy_consent": (MARK, NUMBER),
}


@define
class Output:
    """All that came out: logs of every logger at every level, streams, and what was shown."""

    _logs: io.StringIO
    _capsys: pytest.CaptureFixture[str]
    shown: list[str] = field(factory=list)

    def show(self, *values: object) -> None:
        """As a user's own `print` and `logging` would: `repr` and `str`."""
        self.shown += itertools.chain.from_iterable((repr(v), str(v), f"{v}") for v in values)

    def show_error(self, error: ContactError) -> None:
        """An error as it is logged by others, but for the words of the platform itself."""
        if isinstance(error, RejectedError):
            return  # what the platform says of a contact is for its owner
        self.show(error, error.__dict__)
        self.shown += traceback.format_exception(error)

    def find(self) -> list[str]:
        """The lines that hold what is marked."""
        streams = self._capsys.readouterr()
        everything = "\n".join((self._logs.getvalue(), *streams, *self.shown))
        assert everything.strip(), "nothing came out at all"
        return [
            line
            for line in everything.splitlines()
            if MARK in line.lower() or str(NUMBER) in line or hex(NUMBER) in line
        ]


class Everything(logging.Formatter):
    """A record with all that it carries, also what no format string asks for."""

    def format(self, record: logging.LogRecord) -> str:
        return f"{record.name} {super().format(record)} {record.args!r} {record.__dict__!r}"


@pytest.fixture
def output(capsys: pytest.CaptureFixture[str]) -> Iterator[Output]:
    logs = io.StringIO()
    handler = logging.StreamHandler(logs)
    handler.setFormatter(Everything())
    root = logging.getLogger()
    loggers = [root, *map(logging.getLogger, ("contactsdk", "aiohttp", "asyncio", "tenacity"))]
    loggers += [logging.getLogger(f"aiohttp.{name}") for name in ("client", "internal", "web")]
    levels = [logger.level for logger in loggers]
    for logger in loggers:
        logger.setLevel(logging.DEBUG)
    root.addHandler(handler)
    yield Output(logs, capsys)
    root.removeHandler(handler)
    for logger, level in zip(loggers, levels, strict=True):
        logger.setLevel(level)


def contacts() -> list[Contact]:
    """One of each kind, every field marked but the id, which a contact does show."""
    kinds: tuple[dict[str, Any], ...] = ({}, {"update_if_exists": True}, {"id": FIRST_ID})
    return [Contact(**TEXTS, **kind) for kind in kinds]


async def call_and_show(client: ContactClient, contact: Contact, output: Output) -> None:
    try:
        output.show(await client.add_or_update(contact))
    except ContactError as error:
        output.show_error(error)


def sandbox_that_knows(**options: Any) -> Sandbox:
    return Sandbox(key=KEY, secret=SECRET, **options)


@pytest.mark.parametrize("kind", FaultKind, ids=lambda kind: kind.name.lower())
@unhurried
async def test_no_fault_makes_a_value_show(kind: FaultKind, output: Output) -> None:
    # In debug mode asyncio logs what it runs, arguments and results included, if it takes long.
    loop = asyncio.get_running_loop()
    loop.set_debug(True)
    loop.slow_callback_duration = 0.0
    fault = Fault(kind, clock_off_s=3600.0, retry_after_s=1.0)
    credentials = Credentials(KEY, SECRET)
    async with sandbox_that_knows() as sandbox:
        client = ContactClient(sandbox.url, credentials, retry=RetryPolicy(attempts=3))
        async with client:
            await client.add_or_update(contacts()[0])
            for contact in contacts():
                sandbox.script(*[fault] * 3)
                await call_and_show(client, contact, output)
            sandbox.script(*[fault] * 3)
            stream = client.stream(contacts(), on_progress=output.show)
            async with stream:
                while (outcome := await stream.next()) is not None:
                    output.show(outcome)
            output.show(stream, stream.undelivered)
            output.show(client, credentials, *contacts())
        assert sandbox.ledger.requests

    assert output.find() == []


@unhurried
async def test_answers_that_repeat_a_value_do_not_make_it_show(output: Output) -> None:
    credentials = Credentials(KEY, SECRET)
    async with (
        sandbox_that_knows(groups=[1]) as sandbox,
        ContactClient(sandbox.url, credentials) as client,
    ):
        with pytest.raises(RejectedError) as raised:
            await client.add_or_update(contacts()[0])
        report = await client.add_or_update_many(contacts())

    assert str(NUMBER) in str(raised.value.additional_messages)  # for the contact's owner
    assert all(isinstance(outcome.error, RejectedError) for outcome in report.outcomes)
    logging.getLogger("contactsdk").info("all done")
    assert output.find() == []


@unhurried
async def test_wrong_set_up_shows_no_value(output: Output) -> None:
    async with sandbox_that_knows() as sandbox:
        for credentials in (Credentials(KEY, f"{SECRET}-wrong"), Credentials(f"{KEY}-wrong", "s")):
            async with ContactClient(sandbox.url, credentials) as client:
                for contact in contacts():
                    await call_and_show(client, contact, output)
                output.show(await client.add_or_update_many(contacts()))
        url = sandbox.url
    async with ContactClient(
        url, Credentials(KEY, SECRET), retry=RetryPolicy(attempts=2)
    ) as client:
        for contact in contacts():  # nobody is there
            await call_and_show(client, contact, output)
        output.show(await client.add_or_update_many(contacts(), give_up_s=1.0))
    for key, secret in ((f"{MARK} blank", SECRET), (f"{MARK}\n", SECRET), (KEY, f"{MARK}\ud800")):
        with pytest.raises(ValueError, match="credentials") as raised:
            Credentials(key, secret)
        output.shown += traceback.format_exception(raised.value)
    with pytest.raises(TypeError) as mistyped:
        Credentials(KEY, [MARK])  # type: ignore[arg-type]
    output.shown += traceback.format_exception(mistyped.value)

    assert output.find() == []


CONNECTS: dict[str, Script] = {
    "refuses": [HEAD, b"HTTP/1.1 407 Who Are You\r\nX-User: " + MARK.encode() + b"\r\n\r\n"],
    "is out of order": [HEAD, b"HTTP/1.1 502 Bad Gateway\r\n\r\n"],
    "is none": [HEAD, MARK.encode() + b"\r\n\r\n"],
    "hangs up": [HEAD, CLOSE],
    "hangs up later": [HEAD, b"HTTP/1.1 200 OK\r\n\r\n", CLOSE],
}


@pytest.mark.parametrize("script", CONNECTS.values(), ids=CONNECTS)
async def test_user_and_password_of_a_proxy_do_not_show(script: Script, output: Output) -> None:
    with RawServer(script) as server:
        proxy = f"http://user-{MARK}:word-{MARK}@127.0.0.1:{server.port}"
        async with aiohttp.ClientSession(proxy=proxy) as session:
            client = ContactClient(
                "https://api.example.com", Credentials(KEY, SECRET), session=session, retry=ONCE
            )
            await call_and_show(client, contacts()[0], output)
    assert b"Proxy-Authorization" in server.received[0]

    assert output.shown
    assert output.find() == []


@pytest.mark.parametrize("rest", ["/@127.0.0.1:1", "@[::1", "@127.0.0.1:1"])
async def test_user_and_password_of_a_proxy_that_is_not_there_do_not_show(
    rest: str, output: Output
) -> None:
    async with aiohttp.ClientSession(proxy=f"http://user-{MARK}:word-{MARK}{rest}") as session:
        client = ContactClient("https://api.example.com", session=session, retry=ONCE)
        await call_and_show(client, contacts()[0], output)

    assert output.shown
    assert output.find() == []


ECHOES: dict[str, Script] = {
    "as a status": [REQUEST, b"HTTP/1.1 " + MARK.encode() + b"\r\n\r\n"],
    "as a long header": [REQUEST, answer(b"{}", "200 OK", f"X: {MARK * 2000}")],
    "as half a head": [REQUEST, f"HTTP/1.1 200 OK\r\n{MARK}: {MARK}\r\nX: ".encode(), CLOSE],
    "as a chunk": [
        REQUEST,
        f"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n{MARK}\r\n".encode(),
    ],
    "as a body": [REQUEST, answer(MARK.encode())],
}


@pytest.mark.parametrize("script", ECHOES.values(), ids=ECHOES)
async def test_request_that_the_server_repeats_does_not_show(
    script: Script, output: Output
) -> None:
    headers = {"Authorization": f"Bearer {MARK}"}
    with RawServer(script) as server:
        async with aiohttp.ClientSession(headers=headers) as session:
            client = ContactClient(
                server.url, Credentials(KEY, SECRET), session=session, retry=ONCE
            )
            await call_and_show(client, contacts()[0], output)
    assert server.received[0].count(MARK.encode()) > 2

    assert output.shown
    assert output.find() == []


@pytest.mark.parametrize(
    ("name", "value"),
    [(name, value) for name, values in INVALID.items() for value in values],
    ids=itertools.count(),
)
def test_contacts_that_are_refused_here_show_no_value(
    name: str, value: Any, output: Output
) -> None:
    with pytest.raises(InvalidContactError) as raised:
        Contact(**{**TEXTS, name: value})
    error = raised.value
    output.show_error(error)
    output.show(error.errors, error.args)
    rows: list[Mapping[str, Any]] = [{**TEXTS, "external_urls": None, name: value}]
    for item in contacts_from(rows):
        assert isinstance(item, InvalidContactError)
        output.show_error(item)

    assert output.find() == []


@pytest.mark.parametrize(
    "make",
    [
        lambda: CustomField(field_id=-NUMBER, value=f"{MARK}\ud800"),
        lambda: CustomField(field_id=1, value={MARK: {MARK}}),
        lambda: ExternalUrl(ref=MARK, url=f"http://{MARK}.example.com"),
        lambda: ExternalUrl(ref=MARK, url=f"https://[{MARK}", label=[MARK]),  # type: ignore[arg-type]
    ],
)
def test_parts_that_are_refused_here_show_no_value(make: Any, output: Output) -> None:
    with pytest.raises(InvalidContactError) as raised:
        make()
    output.show_error(raised.value)

    assert output.find() == []


def test_parts_show_no_values(output: Output) -> None:
    field = CustomField(field_id=1, value=MARK)
    output.show(field, *TEXTS["external_urls"], Contact(**TEXTS), Credentials(KEY, SECRET))

    assert output.find() == []


class TestSearchFindsWhatShows:
    @pytest.mark.parametrize("name", ["contactsdk", "aiohttp.client", "asyncio", "anyone.else"])
    def test_in_the_log_of(self, name: str, output: Output) -> None:
        logging.getLogger(name).debug("contact %s", {"email": TEXTS["email"]})
        assert output.find()

    def test_in_what_is_printed(self, output: Output) -> None:
        print(SECRET)
        assert output.find()

    def test_in_an_error_and_in_its_cause(self, output: Output) -> None:
        error = ContactError("failed")
        error.__cause__ = ValueError(f"not {NUMBER}")
        output.show_error(error)
        assert output.find() == [f"ValueError: not {NUMBER}"]

    @unhurried
    async def test_in_what_asyncio_logs_in_debug_mode(self, output: Output) -> None:
        loop = asyncio.get_running_loop()
        loop.set_debug(True)
        loop.slow_callback_duration = 0.0
        loop.call_soon(output.show, KEY)
        await asyncio.sleep(0)
        output.shown.clear()
        assert output.find()
