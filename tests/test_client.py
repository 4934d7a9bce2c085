"""The client: its arguments, its session, its deadlines, and what it says in the log."""

import asyncio
import contextlib
import logging
import pickle
import re
from collections.abc import AsyncIterator, Callable, Iterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from attrs import evolve

from contactsdk import (
    AuthenticationError,
    Contact,
    ContactClient,
    ContactError,
    Credentials,
    InvalidContactError,
    RateLimitedError,
    RejectedError,
    RetryPolicy,
    SetupError,
    UnavailableError,
    UncertainError,
)
from contactsdk.sandbox import Fault, FaultKind, Sandbox
from tests.mocked import Answers, answers
from tests.quick import QUICK
from tests.system.unhurried import unhurried

URL = "https://api.example.com"
ADD = Contact(first_name="Ada", last_name="Quist", email="ada@example.test")
UPDATE = Contact(id=7, first_name="Ada")
CREDENTIALS = Credentials("some-key", "some-secret")


@pytest.fixture
def platform() -> Iterator[Answers]:
    with answers(f"{URL}/api/1.0/contact?action=addOrUpdateContact") as mocked:
        yield mocked


class TestArguments:
    @pytest.mark.parametrize(
        ("base_url", "expected"),
        [
            ("api.example.com", "https:// and a host"),
            ("", "https:// and a host"),
            ("https://", "https:// and a host"),
            ("ftp://api.example.com", "https:// and a host"),
            ("https://api.example.com?x=1", "without a query"),
            ("https://api.example.com#x", "without a query, a fragment"),
            ("https://me:word@api.example.com", "without a query, a fragment or credentials"),
            ("http://api.example.com", "plain http is allowed only to this machine"),
            ("http://localhost.example.com", "plain http is allowed only to this machine"),
            ("https://[::1", "base_url must look like"),
            (None, "base_url must look like"),
        ],
    )
    def test_wrong_base_url_is_refused(self, base_url: str, expected: str) -> None:
        with pytest.raises(ValueError, match=re.escape(expected)):
            ContactClient(base_url)

    @pytest.mark.parametrize(
        "base_url",
        [
            URL,
            f"{URL}/",
            f"{URL}/behind/a/gateway",
            "http://localhost:8080",
            "http://127.0.0.2:1",
            "http://[::1]:1",
        ],
    )
    def test_good_base_url_is_taken(self, base_url: str) -> None:
        ContactClient(base_url)

    @pytest.mark.parametrize(
        "name", ["timeout_s", "connect_timeout_s", "keepalive_s", "max_connections"]
    )
    @pytest.mark.parametrize("value", [0, -1, float("nan"), float("inf"), True, "1", None])
    def test_wrong_number_is_refused_by_name(self, name: str, value: object) -> None:
        with pytest.raises(ValueError, match=name):
            ContactClient(URL, **{name: value})  # type: ignore[arg-type]

    @pytest.mark.parametrize("value", [0, -1.0, float("nan"), True])
    async def test_wrong_deadline_of_a_call_is_refused(self, value: float) -> None:
        async with ContactClient(URL) as client:
            with pytest.raises(ValueError, match="deadline_s"):
                await client.add_or_update(ADD, deadline_s=value)

    @pytest.mark.parametrize("value", ["some-secret", {"key": "k"}, ("k", "some-secret")])
    def test_credentials_of_another_kind_are_refused_and_not_shown(self, value: Any) -> None:
        expected = (
            f"credentials must be Credentials(key, secret) or None, not {type(value).__name__}"
        )
        with pytest.raises(TypeError, match=f"^{re.escape(expected)}$"):
            ContactClient(URL, value)

    def test_policy_of_another_kind_is_refused(self) -> None:
        with pytest.raises(TypeError, match=r"^retry must be a RetryPolicy, not int$"):
            ContactClient(URL, retry=3)  # type: ignore[arg-type]

    @pytest.mark.parametrize("value", [{"id": 7}, None, InvalidContactError([])])
    async def test_contact_of_another_kind_is_refused(self, value: Any) -> None:
        expected = f"contact must be a Contact, not {type(value).__name__}"
        async with ContactClient(URL) as client:
            with pytest.raises(TypeError, match=f"^{expected}$"):
                await client.add_or_update(value)

    async def test_trace_configs_are_refused_beside_a_session(self) -> None:
        async with aiohttp.ClientSession() as session:
            with pytest.raises(ValueError, match="trace_configs"):
                ContactClient(URL, session=session, trace_configs=[aiohttp.TraceConfig()])

    @pytest.mark.parametrize("journal", ["run.sqlite", Path("run.sqlite")])
    async def test_name_of_a_journal_is_not_a_journal(self, journal: Any) -> None:
        expected = "^journal must be a journal, such as SqliteJournal\\(path\\), not "
        async with ContactClient(URL) as client:
            with pytest.raises(TypeError, match=expected):
                client.stream([], journal=journal)
            with pytest.raises(TypeError, match=expected):
                await client.add_or_update_many([], journal=journal)
            with pytest.raises(TypeError, match=expected):
                client.check_journal(journal, [])
            with pytest.raises(TypeError, match=expected):
                await client.settle(journal, [])

    async def test_unknown_option_is_refused_with_those_there_are(self) -> None:
        options: Any = {"batchsize": 200}
        async with ContactClient(URL) as client:
            with pytest.raises(
                TypeError, match=r"unknown option: batchsize; options are .*batch_s"
            ):
                client.stream([], **options)

    @pytest.mark.parametrize(
        ("since", "expected"),
        [
            ("2026-11-26", "modified_since must be a datetime, not str"),
            (date(2026, 11, 26), "modified_since must be a datetime, not date"),
        ],
    )
    async def test_find_refuses_what_is_not_a_datetime(self, since: Any, expected: str) -> None:
        async with ContactClient(URL) as client:
            with pytest.raises(TypeError, match=expected):
                await client.find(modified_since=since)

    async def test_concurrency_above_the_connections_names_both(self) -> None:
        async with ContactClient(URL, max_connections=8) as client:
            with pytest.raises(ValueError, match=r"9 is more than the 8 connections.*: lower conc"):
                client.stream([], concurrency=9)

    def test_secret_and_key_show_nowhere(self) -> None:
        client = ContactClient(URL, CREDENTIALS)

        assert "some-" not in repr(client) + repr(vars(client))


class TestFromEnv:
    def test_reads_address_key_and_secret(self, monkeypatch: pytest.MonkeyPatch) -> None:
        for name, value in {"URL": URL, "KEY": "k", "SECRET": "s"}.items():
            monkeypatch.setenv(f"CONTACTSDK_{name}", value)

        assert isinstance(ContactClient.from_env(), ContactClient)

    def test_names_what_is_missing(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("CONTACTSDK_URL", URL)
        monkeypatch.setenv("CONTACTSDK_KEY", "")
        monkeypatch.delenv("CONTACTSDK_SECRET", raising=False)

        with pytest.raises(ValueError, match="CONTACTSDK_KEY, CONTACTSDK_SECRET"):
            ContactClient.from_env()


class TestAnswers:
    async def test_id_of_the_answer_is_returned(self, platform: Answers) -> None:
        platform.add(body=b'{"success": true, "id": 33884}')

        async with ContactClient(URL, CREDENTIALS) as client:
            assert await client.add_or_update(ADD) == 33884

    @pytest.mark.parametrize(
        ("status", "body", "error"),
        [
            (200, '{"errorCode": 400, "message": "no"}', RejectedError),
            (200, '{"success": false, "message": "no"}', RejectedError),
            (401, "", AuthenticationError),
            (302, "", SetupError),
            (429, "", RateLimitedError),
            (503, "", UnavailableError),
            (500, "", UncertainError),
            (200, "", UncertainError),
        ],
    )
    async def test_each_kind_of_answer_becomes_its_error(
        self, status: int, body: str, error: type[ContactError], platform: Answers
    ) -> None:
        platform.add(status=status, body=body)

        async with ContactClient(URL, CREDENTIALS, retry=RetryPolicy(attempts=1)) as client:
            with pytest.raises(ContactError) as raised:
                await client.add_or_update(ADD)

        assert type(raised.value) is error
        assert raised.value.http_status == status

    async def test_request_without_credentials_is_not_signed(self, platform: Answers) -> None:
        platform.add()

        async with ContactClient(URL) as client:
            await client.add_or_update(ADD)

        assert "X-Api-Authorization" not in platform.headers[0]
        assert "Content-MD5" in platform.headers[0]

    async def test_error_that_no_connection_explains_counts_as_sent(
        self, platform: Answers
    ) -> None:
        platform.fail(aiohttp.ServerDisconnectedError())

        async with ContactClient(URL) as client:
            with pytest.raises(UncertainError) as raised:
                await client.add_or_update(ADD)

        assert isinstance(raised.value.__cause__, aiohttp.ServerDisconnectedError)

    async def test_stale_date_without_a_date_to_learn_from_is_raised(
        self, platform: Answers
    ) -> None:
        platform.add(body='{"errorCode": 400, "specificCode": 23005, "message": "stale"}')

        async with ContactClient(URL, CREDENTIALS) as client:
            with pytest.raises(AuthenticationError, match="stale"):
                await client.add_or_update(ADD)

    async def test_errors_of_a_call_can_be_pickled(self, platform: Answers) -> None:
        platform.fail(aiohttp.ServerDisconnectedError())

        async with ContactClient(URL) as client:
            with pytest.raises(UncertainError) as raised:
                await client.add_or_update(ADD)

        assert pickle.loads(pickle.dumps(raised.value)).message == raised.value.message


class TestPing:
    async def test_returns_the_time_of_the_platform(
        self, sandbox: Sandbox, client: ContactClient
    ) -> None:
        sandbox.clock = lambda: 1_700_000_000.0

        assert await client.ping() == datetime(2023, 11, 14, 22, 13, 20, tzinfo=UTC)

    async def test_wrong_secret_is_an_authentication_error(self, sandbox: Sandbox) -> None:
        async with ContactClient(sandbox.url, Credentials(sandbox.key, "wrong")) as client:
            with pytest.raises(AuthenticationError):
                await client.ping()

    async def test_address_at_which_the_call_is_not_known_is_a_setup_error(
        self, sandbox: Sandbox
    ) -> None:
        credentials = Credentials(sandbox.key, sandbox.secret)
        async with ContactClient(f"{sandbox.url}/too/far", credentials) as client:
            with pytest.raises(
                SetupError, match=r"127\.0\.0\.1 does not know the action `ping`"
            ) as raised:
                await client.ping()

        assert raised.value.http_status == 404
        assert raised.value.attempts == 1

    async def test_is_sent_again_after_an_answer_that_says_nothing(
        self, sandbox: Sandbox, client: ContactClient
    ) -> None:
        sandbox.script(Fault(FaultKind.ERROR_BEFORE_WRITE))

        await client.ping(deadline_s=10)

        assert len(sandbox.ledger.requests) == 2


class TestLifetime:
    async def test_session_is_made_at_first_use_and_closed_by_its_maker(
        self, sandbox: Sandbox
    ) -> None:
        client = ContactClient(sandbox.url, Credentials(sandbox.key, sandbox.secret))
        await client.add_or_update(ADD)

        await client.aclose()
        await client.aclose()

        with pytest.raises(RuntimeError, match="this client is closed"):
            await client.add_or_update(ADD)

    async def test_closing_an_unused_client_is_not_an_error(self) -> None:
        await ContactClient(URL).aclose()

    async def test_session_that_was_handed_in_stays_open(self, sandbox: Sandbox) -> None:
        async with aiohttp.ClientSession() as session:
            credentials = Credentials(sandbox.key, sandbox.secret)
            async with ContactClient(sandbox.url, credentials, session=session) as client:
                await client.add_or_update(ADD)

            assert not session.closed

    async def test_closed_session_is_named(self) -> None:
        async with aiohttp.ClientSession() as session:
            client = ContactClient(URL, session=session)
        with pytest.raises(RuntimeError, match="session that was passed to this client is closed"):
            await client.add_or_update(ADD)

    @pytest.mark.parametrize(
        ("limit", "limit_per_host", "concurrency"), [(5, 0, 5), (0, 7, 7), (9, 7, 7), (0, 0, 1000)]
    )
    async def test_connections_of_a_session_bound_the_concurrency(
        self, limit: int, limit_per_host: int, concurrency: int
    ) -> None:
        connector = aiohttp.TCPConnector(limit=limit, limit_per_host=limit_per_host)
        async with aiohttp.ClientSession(connector=connector) as session:
            client = ContactClient(URL, session=session)
            client.stream([], concurrency=concurrency)
            if concurrency < 1000:
                with pytest.raises(ValueError, match="connections"):
                    client.stream([], concurrency=concurrency + 1)

    def test_another_event_loop_is_a_clear_error(self, sandbox_url: str) -> None:
        client = ContactClient(sandbox_url, retry=RetryPolicy(attempts=1))

        async def use() -> None:
            with pytest.raises(UnavailableError):
                await client.add_or_update(ADD)

        async def use_again() -> None:
            with pytest.raises(RuntimeError, match="one client for each loop"):
                await client.add_or_update(ADD)
            with pytest.raises(RuntimeError, match="one client for each loop"):
                await client.aclose()

        with asyncio.Runner() as runner:
            runner.run(use())
            asyncio.run(use_again())
            runner.run(client.aclose())

    @pytest.fixture
    def sandbox_url(self) -> str:
        return "http://127.0.0.1:9"


@contextlib.asynccontextmanager
async def hanging(**options: Any) -> AsyncIterator[tuple[ContactClient, Callable[[], float]]]:
    """A client whose first requests are not answered, and how long it has existed, in seconds."""
    now = asyncio.get_running_loop().time
    began = now()
    async with Sandbox() as sandbox:
        sandbox.script(*[Fault(FaultKind.HANG_BEFORE_WRITE)] * 3)
        credentials = Credentials(sandbox.key, sandbox.secret)
        async with ContactClient(sandbox.url, credentials, **options) as client:
            yield client, lambda: now() - began


class TestDeadlines:
    @unhurried
    async def test_hanging_attempt_ends_after_its_timeout(self) -> None:
        async with hanging(timeout_s=5) as (client, elapsed_s):
            with pytest.raises(UncertainError, match="timed out"):
                await client.add_or_update(ADD)
            assert 5 <= elapsed_s() < 10

    @unhurried
    async def test_deadline_of_the_call_clips_an_attempt(self) -> None:
        async with hanging(timeout_s=60) as (client, elapsed_s):
            with pytest.raises(UncertainError, match="timed out"):
                await client.add_or_update(UPDATE, deadline_s=5)
            assert 5 <= elapsed_s() < 10

    @unhurried
    async def test_deadline_of_the_policy_holds_where_the_call_has_none(self) -> None:
        async with hanging(timeout_s=60, retry=RetryPolicy(deadline_s=5)) as (client, elapsed_s):
            with pytest.raises(UncertainError, match="timed out"):
                await client.add_or_update(ADD)
            assert 5 <= elapsed_s() < 10

    async def test_no_deadline_at_all(self, sandbox: Sandbox) -> None:
        credentials = Credentials(sandbox.key, sandbox.secret)
        policy = RetryPolicy(deadline_s=None)

        async with ContactClient(sandbox.url, credentials, retry=policy) as client:
            assert await client.add_or_update(ADD)

    async def test_waiting_for_the_pool_is_never_sent(self, sandbox: Sandbox) -> None:
        sandbox.script(Fault(FaultKind.HANG_BEFORE_WRITE))
        credentials = Credentials(sandbox.key, sandbox.secret)

        async with ContactClient(sandbox.url, credentials, max_connections=1) as client:
            first = asyncio.create_task(client.add_or_update(ADD))
            while not sandbox.ledger.requests:
                await asyncio.sleep(0)
            with pytest.raises(UnavailableError, match="timed out"):
                await client.add_or_update(ADD, deadline_s=0.02)
            first.cancel()
            with pytest.raises(asyncio.CancelledError):
                await first

        assert len(sandbox.ledger.requests) == 1

    @unhurried
    async def test_waiting_for_the_pool_does_not_count_as_the_attempt(self) -> None:
        async with Sandbox(latency_s=6) as sandbox:
            credentials = Credentials(sandbox.key, sandbox.secret)
            async with ContactClient(
                sandbox.url, credentials, max_connections=1, timeout_s=20, connect_timeout_s=5
            ) as client:
                await asyncio.gather(*(client.add_or_update(ADD) for _ in range(5)))

            assert len(sandbox.ledger.writes) == 5

    async def test_cancellation_from_outside_comes_through(
        self, sandbox: Sandbox, client: ContactClient
    ) -> None:
        sandbox.script(Fault(FaultKind.HANG_BEFORE_WRITE))
        call = asyncio.create_task(client.add_or_update(UPDATE))
        while not sandbox.ledger.requests:
            await asyncio.sleep(0)

        call.cancel()

        with pytest.raises(asyncio.CancelledError):
            await call


class TestClosing:
    async def test_call_that_never_got_a_connection_says_so(self, sandbox: Sandbox) -> None:
        sandbox.script(Fault(FaultKind.HANG_BEFORE_WRITE))
        credentials = Credentials(sandbox.key, sandbox.secret)
        client = ContactClient(sandbox.url, credentials, max_connections=1)
        first, second = (asyncio.create_task(client.add_or_update(ADD)) for _ in range(2))
        while not sandbox.ledger.requests:
            await asyncio.sleep(0)

        await client.aclose()

        assert isinstance((await asyncio.gather(first, return_exceptions=True))[0], UncertainError)
        with pytest.raises(SetupError, match="never sent"):
            await second

    async def test_call_in_doubt_that_was_to_be_sent_again_stays_in_doubt(
        self, sandbox: Sandbox
    ) -> None:
        sandbox.script(Fault(FaultKind.ERROR_BEFORE_WRITE))
        credentials = Credentials(sandbox.key, sandbox.secret)
        policy = RetryPolicy(base_s=0.1)
        client = ContactClient(sandbox.url, credentials, retry=policy)
        call = asyncio.create_task(client.add_or_update(UPDATE))
        while not (sandbox.ledger.requests and sandbox.ledger.requests[0].status):
            await asyncio.sleep(0)
        await client.aclose()

        with pytest.raises(UncertainError):
            await call

    async def test_cancellation_by_aiohttp_is_an_error_of_the_call(self) -> None:
        async def cancel(*_: object) -> None:
            raise asyncio.CancelledError

        tracing = aiohttp.TraceConfig()
        tracing.on_request_start.append(cancel)
        policy = RetryPolicy(attempts=1)

        async with ContactClient(URL, retry=policy, trace_configs=[tracing]) as client:
            with pytest.raises(UnavailableError, match="never sent"):
                await client.add_or_update(ADD)


class TestLog:
    async def test_each_retry_is_one_line_without_contact_data(
        self, sandbox: Sandbox, client: ContactClient, caplog: pytest.LogCaptureFixture
    ) -> None:
        caplog.set_level(logging.DEBUG, logger="contactsdk")
        sandbox.script(Fault(FaultKind.UNAVAILABLE), Fault(FaultKind.THROTTLED))

        await client.add_or_update(ADD)

        lines = [record.getMessage() for record in caplog.records]
        assert [re.sub(r"\d\.\d\d s", "_ s", line) for line in lines] == [
            "attempt 2 of 5 follows in _ s: UnavailableError, HTTP 503",
            "attempt 3 of 5 follows in _ s: RateLimitedError, HTTP 429, errorCode 429",
        ]
        assert {record.levelno for record in caplog.records} == {logging.INFO}

    async def test_learning_the_clock_is_one_line(
        self, sandbox: Sandbox, client: ContactClient, caplog: pytest.LogCaptureFixture
    ) -> None:
        caplog.set_level(logging.DEBUG, logger="contactsdk")
        real = sandbox.clock
        sandbox.clock = lambda: real() + 3600.0

        await client.add_or_update(ADD)

        assert re.fullmatch(r"the clocks are 3\d{3} s apart", caplog.records[0].getMessage())


class TestStream:
    async def test_unknown_option_is_refused_by_its_name(self, client: ContactClient) -> None:
        options: Any = {"batchsize": 5}

        with pytest.raises(TypeError, match="unknown option: batchsize"):
            client.stream([], **options)


class TestGet:
    async def test_gives_all_that_the_platform_shows(
        self, sandbox: Sandbox, client: ContactClient
    ) -> None:
        contact_id = await client.add_or_update(evolve(ADD, phone="1"))

        shown = await client.get(contact_id)

        assert (shown["id"], shown["phone"]) == (contact_id, "1")

    async def test_contact_that_is_not_there_is_rejected(
        self, sandbox: Sandbox, client: ContactClient
    ) -> None:
        with pytest.raises(RejectedError):
            await client.get(7)


class TestFind:
    async def test_needs_a_criterion(self, client: ContactClient) -> None:
        with pytest.raises(ValueError, match="at least one criterion"):
            await client.find()

    async def test_date_needs_its_time_zone(self, client: ContactClient) -> None:
        with pytest.raises(ValueError, match="timezone"):
            await client.find(modified_since=datetime(2026, 11, 5))

    @pytest.mark.parametrize(("later_s", "is_found"), [(-60, True), (60, False)])
    async def test_finds_what_was_modified_since(
        self, later_s: float, is_found: bool, client: ContactClient
    ) -> None:
        contact_id = await client.add_or_update(ADD)

        since = datetime.now(UTC) + timedelta(seconds=later_s)
        found = await client.find(modified_since=since)

        assert found == ((contact_id,) if is_found else ())

    async def test_finds_all_with_the_external_id(
        self, sandbox: Sandbox, client: ContactClient
    ) -> None:
        twice = [await client.add_or_update(evolve(ADD, external_id="x 1")) for _ in range(2)]
        await client.add_or_update(evolve(ADD, external_id="x 10"))

        assert await client.find(external_id="x 1") == tuple(twice)
        assert await client.find(external_id="y") == ()

    async def test_goes_through_all_pages(self, sandbox: Sandbox, client: ContactClient) -> None:
        added = [await client.add_or_update(evolve(ADD, external_id="x")) for _ in range(230)]

        assert await client.find(external_id="x") == tuple(added)

    @pytest.mark.parametrize(
        "body",
        [
            b"{}",
            b'{"results": 1}',
            b'{"results": [5]}',
            b'{"results": [{"id": 0}]}',
            b'{"results": [{"id": "x"}]}',
        ],
    )
    async def test_answer_without_ids_is_unavailable(self, body: bytes) -> None:
        policy = RetryPolicy(attempts=1)
        with answers(f"{URL}/api/1.0/contact?action=getContactList") as platform:
            platform.add(body=body)
            async with ContactClient(URL, CREDENTIALS, retry=policy) as client:
                with pytest.raises(UnavailableError):
                    await client.find(external_id="x")

    async def test_contact_with_another_external_id_is_ignored(self) -> None:
        page = b'{"results": [{"id": 1, "externalId": "xy"}, {"id": "2", "externalId": "x"}]}'
        with answers(f"{URL}/api/1.0/contact?action=getContactList") as platform:
            platform.add(body=page)
            platform.add(body=b'{"results": [{"id": "2", "externalId": "x"}]}')
            async with ContactClient(URL, CREDENTIALS) as client:
                assert await client.find(external_id="x") == (2,)

    async def test_contact_without_an_external_id_is_ignored(self) -> None:
        with answers(f"{URL}/api/1.0/contact?action=getContactList") as platform:
            for results in (b'[{"id": 1, "externalId": null}]', b"[]"):
                platform.add(body=b'{"results": %s}' % results)
            async with ContactClient(URL, CREDENTIALS) as client:
                assert await client.find(external_id="None") == ()

    @unhurried
    async def test_is_sent_again_after_any_fault_that_may_pass(self) -> None:
        async with Sandbox() as sandbox:
            sandbox.script(
                Fault(FaultKind.CLOSE_BEFORE_READ),
                Fault(FaultKind.HTML),
                Fault(FaultKind.HANG_BEFORE_WRITE),
                Fault(FaultKind.CUT_SHORT),
            )
            credentials = Credentials(sandbox.key, sandbox.secret)
            async with ContactClient(sandbox.url, credentials, retry=QUICK) as client:
                assert await client.find(external_id="x") == ()
