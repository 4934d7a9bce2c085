"""One request: what it does with sessions, time, closing, and the caller's last word."""

import asyncio
import threading
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from types import SimpleNamespace
from typing import Any

import aiohttp
import pytest

from contactsdk import (
    AuthenticationError,
    Credentials,
    RejectedError,
    SetupError,
    UnavailableError,
    UncertainError,
)
from contactsdk.attempt import Requester
from contactsdk.errors import StaleDateError
from contactsdk.wire import read_id
from tests.loops import SkippingLoop, in_each_loop
from tests.raw_server import (
    HEAD,
    PATIENCE_S,
    REQUEST,
    RawServer,
    Step,
    Tell,
    WaitFor,
    answer,
    wait_until,
)

URL = "https://api.example.com"
CREDENTIALS = Credentials("some-key", "some-secret")
OPTIONS: dict[str, Any] = {
    "session": None,
    "timeout_s": 30.0,
    "connect_timeout_s": 5.0,
    "max_connections": 100,
    "keepalive_s": 4.0,
    "trace_configs": (),
}

ANSWERED: list[Step] = [REQUEST, answer(b'{"id": 7}')]


@asynccontextmanager
async def requester_of(server: RawServer, **options: Any) -> AsyncIterator[Requester]:
    requester = Requester(server.url, CREDENTIALS, **{**OPTIONS, **options})
    try:
        yield requester
    finally:
        await requester.aclose()


async def attempt(requester: Requester, **options: Any) -> int:
    url = requester.url("contact", "addOrUpdateContact")
    return await requester.attempt(url, b"{}", read_id, **options)


async def until(is_so: Any) -> None:
    """Let the loop run until it is so."""
    async with asyncio.timeout(PATIENCE_S):
        while not is_so():
            await asyncio.sleep(0.001)


class TestArguments:
    @pytest.mark.parametrize(
        ("base_url", "expected"),
        [
            (URL, f"{URL}/api/1.0/contact?action=addOrUpdateContact"),
            (f"{URL}/", f"{URL}/api/1.0/contact?action=addOrUpdateContact"),
            (f"{URL}/a/b", f"{URL}/a/b/api/1.0/contact?action=addOrUpdateContact"),
            (f"{URL}/a%20b/", f"{URL}/a%20b/api/1.0/contact?action=addOrUpdateContact"),
        ],
    )
    def test_address_of_an_action_follows_that_of_the_platform(
        self, base_url: str, expected: str
    ) -> None:
        url = Requester(base_url, None, **OPTIONS).url("contact", "addOrUpdateContact")

        assert str(url) == expected

    def test_session_of_another_library_is_refused_by_name(self) -> None:
        class AsyncClient:
            __module__ = "httpx"

        options = {**OPTIONS, "session": AsyncClient()}
        with pytest.raises(
            TypeError, match=r"must be an aiohttp\.ClientSession or None, not httpx"
        ):
            Requester(URL, None, **options)

    def test_nothing_of_key_or_secret_shows(self) -> None:
        requester = Requester(URL, CREDENTIALS, **OPTIONS)

        assert "some-" not in repr(requester) + repr(vars(requester))


class TestBeforeSend:
    async def test_is_called_once_before_the_bytes_leave(self) -> None:
        received: list[int] = []
        with RawServer(ANSWERED * 2) as server:
            async with requester_of(server) as requester:
                for _ in range(2):
                    await attempt(
                        requester, before_send=lambda: received.append(len(server.requests))
                    )

        assert received == [0, 1]

    @pytest.mark.parametrize("is_handed_in", [False, True], ids=["own session", "handed in"])
    @pytest.mark.parametrize("error", [RejectedError("no"), UncertainError("no"), OSError("no")])
    async def test_error_that_it_raises_ends_the_attempt_as_never_sent(
        self, error: Exception, is_handed_in: bool
    ) -> None:
        def say_no() -> None:
            raise error

        with RawServer(ANSWERED) as server:
            async with aiohttp.ClientSession() as session:
                more = {"session": session} if is_handed_in else {}
                async with requester_of(server, **more) as requester:
                    with pytest.raises(type(error), match="no") as raised:
                        await attempt(requester, before_send=say_no)

        assert raised.value is error
        assert not any(server.received)

    async def test_is_not_called_where_nothing_is_sent(self) -> None:
        calls: list[int] = []
        with RawServer(ANSWERED) as server:
            async with requester_of(server) as requester:
                with pytest.raises(UnavailableError, match="never sent: timed out"):
                    await attempt(
                        requester,
                        deadline=requester.running_loop().time(),
                        before_send=lambda: calls.append(1),
                    )

        assert not calls
        assert not any(server.received)


class TestStaleDate:
    STALE = b'{"errorCode": 401, "specificCode": 23005, "message": "stale"}'

    async def test_platforms_clock_is_learned_and_signed_by(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        clock = SimpleNamespace(time=lambda: 1_700_000_000.0)
        monkeypatch.setattr("contactsdk.attempt.time", clock)
        date = "Date: Tue, 14 Nov 2023 23:13:20 GMT"  # an hour later than the clock here
        with RawServer(
            [REQUEST, answer(self.STALE, "401 Unauthorized", date), *ANSWERED]
        ) as server:
            async with requester_of(server) as requester:
                with pytest.raises(StaleDateError, match="stale") as raised:
                    await attempt(requester)
                assert requester.clock_offset_s == 3600
                assert await attempt(requester) == 7

        assert (raised.value.http_status, raised.value.specific_code) == (401, 23005)
        assert b"IVVY-Date: 2023-11-14 22:13:20\r\n" in server.requests[0].head
        assert b"IVVY-Date: 2023-11-14 23:13:20\r\n" in server.requests[1].head

    async def test_without_a_date_to_learn_from_it_is_any_refusal_of_the_key(self) -> None:
        with RawServer([REQUEST, answer(self.STALE)]) as server:
            async with requester_of(server) as requester:
                with pytest.raises(AuthenticationError) as raised:
                    await attempt(requester)

        assert type(raised.value) is AuthenticationError
        assert requester.clock_offset_s == 0


class TestTimeout:
    def test_answers_that_came_while_the_loop_was_blocked_count(self) -> None:
        may_answer, have_answered = threading.Event(), [threading.Event() for _ in range(15)]
        scripts: list[list[Step]] = [
            [REQUEST, WaitFor(may_answer), answer(b'{"id": 7}'), Tell(has_answered)]
            for has_answered in have_answered
        ]

        async def run(server: RawServer) -> None:
            loop = asyncio.get_running_loop()
            assert isinstance(loop, SkippingLoop)
            async with requester_of(server) as requester:
                calls = [asyncio.create_task(attempt(requester)) for _ in scripts]
                await until(lambda: len(server.requests) == len(scripts))
                may_answer.set()
                wait_until(lambda: all(event.is_set() for event in have_answered))
                loop.skip(60)  # twice as long as an attempt may take
                assert await asyncio.gather(*calls) == [7] * len(scripts)

        with RawServer(*scripts) as server, asyncio.Runner(loop_factory=SkippingLoop) as runner:
            runner.run(run(server))

    @in_each_loop
    async def test_answer_that_came_while_the_loop_was_blocked_counts_in_any_loop(self) -> None:
        may_answer, has_answered = threading.Event(), threading.Event()
        script: list[Step] = [
            REQUEST,
            WaitFor(may_answer),
            answer(b'{"id": 7}'),
            Tell(has_answered),
        ]
        with RawServer(script) as server:
            async with requester_of(server, timeout_s=1.0) as requester:
                call = asyncio.create_task(attempt(requester))
                await until(lambda: server.requests)
                is_late = time.monotonic() + 1.1
                may_answer.set()
                assert has_answered.wait(PATIENCE_S)
                wait_until(lambda: time.monotonic() > is_late)
                assert await call == 7

    @in_each_loop
    async def test_begins_when_the_connection_is_had_and_not_after_100_continue(self) -> None:
        with RawServer([HEAD]) as server:
            async with (
                aiohttp.ClientSession(headers={"Expect": "100-continue"}) as session,
                requester_of(server, session=session, timeout_s=0.02) as requester,
            ):
                with pytest.raises(UnavailableError, match="never sent: timed out"):
                    await attempt(requester)

        assert b"Expect: 100-continue" in server.received[0]
        assert b"{}" not in server.received[0]

    @in_each_loop
    async def test_leave_to_send_the_body_is_waited_for(self) -> None:
        leave = b"HTTP/1.1 100 Continue\r\n\r\n"
        with RawServer([HEAD, leave, *ANSWERED]) as server:
            async with (
                aiohttp.ClientSession(headers={"Expect": "100-continue"}) as session,
                requester_of(server, session=session) as requester,
            ):
                assert await attempt(requester) == 7

    @in_each_loop
    async def test_answer_in_the_place_of_leave_to_send_the_body_is_never_sent(self) -> None:
        with RawServer([HEAD, answer(b'{"id": 7}', "417 Expectation Failed")]) as server:
            async with (
                aiohttp.ClientSession(headers={"Expect": "100-continue"}) as session,
                requester_of(server, session=session) as requester,
            ):
                with pytest.raises(
                    UnavailableError, match="HTTP 417, and not 100, to the header Expect"
                ):
                    await attempt(requester)

        assert b"{}" not in server.received[0]
        assert len(server.received) == 1


class TestEventLoops:
    def test_session_of_another_loop_is_named(self) -> None:
        async def make_session() -> aiohttp.ClientSession:
            return aiohttp.ClientSession()

        async def use(session: aiohttp.ClientSession) -> None:
            async with requester_of(server, session=session) as requester:
                with pytest.raises(RuntimeError, match=r"session .* made in another event loop"):
                    await attempt(requester)

        with RawServer(ANSWERED) as server, asyncio.Runner() as runner:
            session = runner.run(make_session())
            asyncio.run(use(session))
            runner.run(session.close())

        assert not server.received

    async def test_closing_from_another_thread_changes_nothing_and_says_so(self) -> None:
        with RawServer(ANSWERED * 2) as server:
            async with requester_of(server) as requester:
                assert await attempt(requester) == 7

                with pytest.raises(RuntimeError, match="another event loop"):
                    await asyncio.to_thread(asyncio.run, requester.aclose())

                assert not requester.is_closed
                assert await attempt(requester) == 7

        assert requester.is_closed
        assert len(server.received) == 1


class TestClosing:
    @pytest.mark.parametrize("is_handed_in", [False, True], ids=["own session", "handed in"])
    @in_each_loop
    async def test_attempts_that_connect_end_at_once_as_never_sent(
        self, is_handed_in: bool
    ) -> None:
        silence = threading.Event()
        with RawServer([WaitFor(silence)]) as server:  # says nothing in the handshake of TLS
            async with aiohttp.ClientSession() as session:
                options = {**OPTIONS, "session": session if is_handed_in else None}
                requester = Requester(server.url.replace("http:", "https:"), None, **options)
                calls = [asyncio.create_task(attempt(requester)) for _ in range(5)]
                await until(lambda: len(server.received) == len(calls))

                await requester.aclose()
                ended, _ = await asyncio.wait(calls, timeout=1)  # to connect may take five
                silence.set()
                await asyncio.sleep(0.05)  # the loop closes the sockets of these connections later

        assert len(ended) == len(calls)
        for call in calls:
            assert isinstance(call.exception(), UnavailableError)
            assert str(call.exception()) == "never sent: the client was closed"

    async def test_attempts_that_wait_for_their_turn_end_at_once_as_never_sent(self) -> None:
        may_answer = threading.Event()
        with RawServer([REQUEST, WaitFor(may_answer)]) as server:
            requester = Requester(server.url, None, **{**OPTIONS, "max_connections": 1})
            calls = [asyncio.create_task(attempt(requester)) for _ in range(3)]
            await until(lambda: server.requests)

            await requester.aclose()
            sent, *waiting = await asyncio.gather(*calls, return_exceptions=True)
            may_answer.set()

        assert isinstance(sent, UncertainError)
        for error in waiting:
            assert isinstance(error, SetupError)
            assert str(error) == "never sent: the client was closed meanwhile"

    async def test_attempt_that_was_sent_by_a_session_handed_in_is_still_answered(self) -> None:
        may_answer = threading.Event()
        with RawServer([REQUEST, WaitFor(may_answer), answer(b'{"id": 7}')]) as server:
            async with aiohttp.ClientSession() as session:
                requester = Requester(server.url, None, **{**OPTIONS, "session": session})
                call = asyncio.create_task(attempt(requester))
                await until(lambda: server.requests)

                await requester.aclose()
                may_answer.set()

                assert await call == 7
                with pytest.raises(RuntimeError, match="this client is closed"):
                    await attempt(requester)
