"""What came instead of an answer: which error it becomes, what that says, and what it hides."""

import asyncio
import base64
import ssl
import traceback
from types import SimpleNamespace
from typing import Any, ClassVar

import aiohttp
import pytest
import trustme
from aiohttp.client_reqrep import ConnectionKey
from yarl import URL

from contactsdk import (
    ContactClient,
    ContactError,
    Credentials,
    RetryPolicy,
    SetupError,
    UnavailableError,
    UncertainError,
)
from contactsdk.transport import Body, is_mocked, transport_error
from tests.loops import in_each_loop
from tests.quick import QUICK
from tests.raw_server import (
    CLOSE,
    HEAD,
    REQUEST,
    RESET,
    RawServer,
    Script,
    answer,
    client_context,
    server_context,
)
from tests.transport.routes import ADD, AUTHORITY, CREDENTIALS, Route, on_each_route

ONCE = RetryPolicy(attempts=1)


async def error_of(client: ContactClient) -> ContactError:
    with pytest.raises(ContactError) as raised:
        await client.add_or_update(ADD)
    return raised.value


class TestProofOfNeverSent:
    @pytest.mark.parametrize(
        ("sent", "ended", "mocked", "kind"),
        [
            (False, None, False, UnavailableError),
            (False, "timed out", False, UnavailableError),
            (None, None, False, UnavailableError),
            (None, "timed out", False, UnavailableError),
            (None, None, True, UncertainError),
            (None, "timed out", True, UnavailableError),
            (True, None, False, UncertainError),
            (True, "timed out", False, UncertainError),
            (True, None, True, UncertainError),
        ],
    )
    def test_is_the_body_and_no_exception(
        self, sent: bool | None, ended: str | None, mocked: bool, kind: type[ContactError]
    ) -> None:
        body = Body(b"{}", start_timeout=lambda: None)
        body.sent = sent

        error = transport_error(aiohttp.ServerDisconnectedError(), body, ended=ended, mocked=mocked)

        assert type(error) is kind

    def test_without_a_body_nothing_was_sent(self) -> None:
        assert type(transport_error(TimeoutError(), None)) is UnavailableError

    async def test_of_a_session_that_is_mocked_there_is_none(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        async with aiohttp.ClientSession() as session:
            assert not is_mocked(session)
            monkeypatch.setattr(aiohttp.ClientSession, "_request", lambda *_: None)
            assert is_mocked(session)

    @on_each_route
    @in_each_loop
    async def test_hook_that_raises_before_there_is_a_request(self, route: Route) -> None:
        async def fail(*_: Any) -> None:
            raise LookupError("of the hook")

        tracing = aiohttp.TraceConfig()
        tracing.on_request_start.append(fail)
        with route.server([REQUEST, answer(b'{"id": 7}')]) as server:
            async with route.client(server.url, retry=ONCE, trace_configs=[tracing]) as client:
                error = await error_of(client)

        assert type(error) is UnavailableError
        assert str(error) == "never sent: LookupError was raised, see the cause"
        assert isinstance(error.__cause__, LookupError)
        assert not any(server.received)


@in_each_loop
async def test_server_that_wants_a_client_certificate_is_a_setup_error() -> None:
    tls = server_context(AUTHORITY, wants_certificate=True)
    connector = aiohttp.TCPConnector(ssl=client_context(AUTHORITY))
    with RawServer([REQUEST, answer(b'{"id": 7}')], tls=tls) as server:
        async with aiohttp.ClientSession(connector=connector) as session:
            client = ContactClient(server.url, CREDENTIALS, session=session, retry=QUICK)
            errors = await asyncio.gather(*(error_of(client) for _ in range(12)))

    for error in errors:
        assert type(error) is SetupError
        assert "client's TLS certificate" in str(error)
        assert error.attempts == 1
    assert not any(server.received)


@pytest.mark.parametrize("newest", [True, False], ids=["TLS 1.3", "TLS 1.2"])
@in_each_loop
async def test_client_certificate_of_an_unknown_authority_is_a_setup_error(newest: bool) -> None:
    context = client_context(AUTHORITY)
    trustme.CA().issue_cert("client@example.test").configure_cert(context)
    connector = aiohttp.TCPConnector(ssl=context)
    tls = server_context(AUTHORITY, wants_certificate=True, newest=newest)
    with RawServer([REQUEST, answer(b'{"id": 7}')], tls=tls) as server:
        async with aiohttp.ClientSession(connector=connector) as session:
            client = ContactClient(server.url, CREDENTIALS, session=session, retry=QUICK)
            error = await error_of(client)

    assert type(error) is SetupError
    assert not any(server.received)


@pytest.mark.parametrize("is_new", [True, False])
def test_certificate_alert_after_an_answer_leaves_what_was_sent_uncertain(is_new: bool) -> None:
    alert = ssl.SSLError(1, "[SSL: TLSV13_ALERT_CERTIFICATE_REQUIRED] certificate required")
    body = Body(b"{}", start_timeout=lambda: None)
    body.sent = True
    body.watch = _watch(is_new=is_new)

    error = transport_error(alert, body)

    assert type(error) is (SetupError if is_new else UncertainError)


def _watch(*, is_new: bool) -> Any:
    return SimpleNamespace(is_new=is_new, something_came=False)


class TestMessage:
    """Says what is wrong, and what to do where something can be done."""

    ANSWERS: ClassVar[dict[str, tuple[Script, type[ContactError], str]]] = {
        "long header": (
            [REQUEST, answer(b"{}", "200 OK", "X-Long: " + "x" * 9000)],
            UncertainError,
            "sent, but the answer cannot be read: a line of its headers is longer than aiohttp "
            "accepts; hand in a session with a larger max_line_size and max_field_size",
        ),
        "encoding": (
            [REQUEST, answer(b"{}", "200 OK", "Content-Encoding: zstd")],
            UncertainError,
            "sent, but the answer cannot be read: it is compressed wrongly, or in a way that was "
            "not asked for",
        ),
        "wrong encoding": (
            [REQUEST, answer(b"{}", "200 OK", "Content-Encoding: gzip")],
            UncertainError,
            "sent, but the answer cannot be read: it is compressed wrongly, or in a way that was "
            "not asked for",
        ),
        "no HTTP": (
            [REQUEST, b"SSH-2.0-OpenSSH_9.9\r\n\r\n"],
            UncertainError,
            "sent, but the answer cannot be read: it is not valid HTTP; check "
            "whether the address is the platform's",
        ),
        "cut short": (
            [REQUEST, b"HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\n{", CLOSE],
            UncertainError,
            "sent, but the answer cannot be read: it was cut short",
        ),
        "closed": (
            [REQUEST, CLOSE],
            UncertainError,
            "sent, but no answer came: the connection was closed",
        ),
        "closed in the head": (
            [REQUEST, b"HTTP/1.1 200 OK\r\nX: ", CLOSE],
            UncertainError,
            "sent, but no answer came: the connection was closed",
        ),
        "reset": (
            [REQUEST, RESET],
            UncertainError,
            "sent, but no answer came: Connection reset by peer",
        ),
    }

    @pytest.mark.parametrize(("script", "kind", "message"), ANSWERS.values(), ids=ANSWERS)
    @on_each_route
    async def test_of_an_answer_that_cannot_be_used(
        self, script: Script, kind: type[ContactError], message: str, route: Route
    ) -> None:
        with route.server(script) as server:
            async with route.client(server.url) as client:
                error = await error_of(client)

        assert type(error) is kind
        assert str(error).startswith(message)

    async def test_of_an_encoding_that_aiohttp_leaves_as_it_is(self) -> None:
        with RawServer([REQUEST, answer(b"xyz", "200 OK", "Content-Encoding: rot13")]) as server:
            async with ContactClient(server.url) as client:
                error = await error_of(client)

        assert type(error) is UncertainError
        assert str(error) == (
            "the answer is encoded as 'rot13', which was not asked for; look at what a proxy or "
            "gateway on the way does to answers"
        )

    async def test_of_a_header_that_cannot_be_sent(self) -> None:
        with RawServer([REQUEST]) as server:
            async with aiohttp.ClientSession(headers={"X-Tenant": "a\nb"}) as session:
                error = await error_of(ContactClient(server.url, session=session, retry=QUICK))

        assert type(error) is SetupError
        assert str(error) == (
            "never sent, since this session cannot send it: ValueError was raised, see the cause"
        )
        assert error.attempts == 1

    @pytest.mark.parametrize("proxy", ["http://user:pass/word@127.0.0.1:1", "user:word@proxy"])
    async def test_of_a_proxy_that_is_not_an_address(self, proxy: str) -> None:
        async with aiohttp.ClientSession(proxy=proxy) as session:
            error = await error_of(ContactClient("https://api.example.com", session=session))

        assert type(error) is SetupError
        assert "the address of the session's proxy is not valid" in str(error)

    async def test_of_a_proxy_that_is_not_there(self) -> None:
        async with aiohttp.ClientSession(proxy="http://127.0.0.1:1") as session:
            client = ContactClient("https://api.example.com", session=session, retry=ONCE)
            error = await error_of(client)

        assert type(error) is UnavailableError
        assert str(error).startswith("never sent: the proxy 127.0.0.1: Connect call failed")

    async def test_of_a_session_that_is_closed_meanwhile(self) -> None:
        async def close(session: aiohttp.ClientSession, *_: Any) -> None:
            await session.close()

        tracing = aiohttp.TraceConfig()
        tracing.on_connection_create_start.append(close)
        with RawServer([REQUEST]) as server:
            async with aiohttp.ClientSession(trace_configs=[tracing]) as session:
                error = await error_of(ContactClient(server.url, session=session, retry=ONCE))

        assert type(error) is UnavailableError
        assert str(error) == "never sent: the session was closed"


class TestSecrets:
    USER, PASSWORD = "m4rk-user", "m4rk-word"
    BASIC = base64.b64encode(f"{USER}:{PASSWORD}".encode()).decode()
    SECRETS = (USER, PASSWORD, BASIC, "m4rk-key", "m4rk-secret", "m4rk-answer")

    CONNECTS: ClassVar[dict[str, Script]] = {
        "refused": [
            HEAD,
            b"HTTP/1.1 407 Who Are You\r\nX-M: m4rk-answer\r\n\r\n",
        ],
        "unavailable": [HEAD, b"HTTP/1.1 502 Bad Gateway\r\n\r\n"],
        "no HTTP": [HEAD, b"m4rk-answer\r\n\r\n"],
        "closed": [HEAD, CLOSE],
        "no TLS": [HEAD, b"HTTP/1.1 200 OK\r\n\r\n", b"m4rk-answer", CLOSE],
    }

    def assert_hidden(self, error: BaseException) -> None:
        shown = "".join(traceback.format_exception(error))
        todo, seen = [error], []
        while todo:
            each = todo.pop()
            seen.append(each)
            shown += f"{each!r} {each} {each.args} {vars(each)}"
            causes = (each.__cause__, each.__context__, getattr(each, "os_error", None))
            todo += [cause for cause in causes if cause is not None and cause not in seen]
        assert [secret for secret in self.SECRETS if secret in shown] == []
        assert len(seen) > 1  # with what aiohttp raised

    @pytest.mark.parametrize("script", CONNECTS.values(), ids=CONNECTS)
    @pytest.mark.filterwarnings("ignore:.*encode_basic_auth:DeprecationWarning")
    @pytest.mark.parametrize("in_address", [True, False], ids=["in the address", "beside it"])
    async def test_of_a_proxy_show_nowhere(self, script: Script, in_address: bool) -> None:
        with RawServer(script) as server:
            user = f"{self.USER}:{self.PASSWORD}@" if in_address else ""
            options: dict[str, Any] = {"proxy": f"http://{user}127.0.0.1:{server.port}"}
            if not in_address:
                options["proxy_auth"] = aiohttp.BasicAuth(self.USER, self.PASSWORD)
            async with aiohttp.ClientSession(**options) as session:
                client = ContactClient("https://api.example.com", session=session, retry=ONCE)
                error = await error_of(client)

        assert self.BASIC.encode() in server.received[0]
        self.assert_hidden(error)

    async def test_of_a_proxy_that_is_not_there_show_nowhere(self) -> None:
        proxy = f"http://{self.USER}:{self.PASSWORD}@127.0.0.1:1"
        async with aiohttp.ClientSession(proxy=proxy) as session:
            client = ContactClient("https://api.example.com", session=session, retry=ONCE)
            self.assert_hidden(await error_of(client))

    @pytest.mark.parametrize("rest", ["/@127.0.0.1:1", "@[::1"])
    async def test_of_a_proxy_that_is_not_an_address_show_nowhere(self, rest: str) -> None:
        proxy = f"http://{self.USER}:{self.PASSWORD}{rest}"
        async with aiohttp.ClientSession(proxy=proxy) as session:
            client = ContactClient("https://api.example.com", session=session, retry=ONCE)
            self.assert_hidden(await error_of(client))

    @pytest.mark.parametrize(
        "script",
        [
            [REQUEST, b"HTTP/1.1 m4rk-answer\r\n\r\n"],
            [REQUEST, answer(b"{}", "200 OK", "X: " + "m4rk-answer" * 900)],
            [REQUEST, b"HTTP/1.1 200 OK\r\nm4rk-answer: m4rk-answer\r\nCut: ", CLOSE],
            [REQUEST, b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nm4rk-answer\r\n"],
        ],
        ids=["status", "header", "half a head", "chunk"],
    )
    @on_each_route
    async def test_of_the_account_and_bytes_of_an_answer_show_nowhere(
        self, script: Script, route: Route
    ) -> None:
        with route.server(script) as server:
            credentials = Credentials("m4rk-key", "m4rk-secret")
            async with route.client(server.url, credentials=credentials, retry=ONCE) as client:
                error = await error_of(client)

        assert b"m4rk-key" in server.received[0]
        self.assert_hidden(error)

    def test_in_errors_that_a_mock_made_of_something_else_break_nothing(self) -> None:
        errors: list[Any] = [
            aiohttp.ClientResponseError(None, ()),  # type: ignore[arg-type]
            aiohttp.ClientConnectorError(None, OSError("no")),  # type: ignore[arg-type]
        ]
        for each in errors:
            assert isinstance(transport_error(each, None), ContactError)

    def test_in_the_name_of_a_connection_are_taken_out(self) -> None:
        known = {"host": "api.example.com", "port": 443, "proxy": URL(f"http://{self.USER}@x")}
        # Its other fields differ between versions of aiohttp.
        key = ConnectionKey._make(known.get(name) for name in ConnectionKey._fields)
        error = aiohttp.ClientConnectionError(f"Failed to send bytes into {key!r}: 'm4rk-answer'")
        wrapped = ExceptionGroup("several", [error])

        ours = transport_error(wrapped, None)

        assert str(error) == "Failed to send bytes into "
        ours.__cause__ = wrapped
        self.assert_hidden(ours)
